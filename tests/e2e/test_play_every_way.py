"""1,000 scenarios over real sockets, of which a tenth goes wrong in every way that a server and a model know."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from play_project import Project
from verbs import run_verb

SCENARIOS, EACH = 1000, 2

PROJECT = """
version: 1
namespace: tests-000001
target: stormy
targets:
  stormy: {api: responses, server: embedded, faults: faults.yaml, inference: {scripted: moves.yaml}}
assistants:
  guide: {model: gpt-6-luna}
  clerk:
    model: gpt-6-luna
    functions:
      - {name: rate, description: A rate., parameters: {type: object, properties: {}}, python: "rates.py:rate"}
  # What no assistant has would be told before the play.
  other: {model: gpt-6-luna, functions: [{name: rat, returns: 1}]}
"""


@dataclass(frozen=True, kw_only=True)
class Way:
    """What comes of a scenario that goes so: `moves` of the model, `fault` of the connection, `fields` of its own.

    A move with ` | ` in it is one for the first time, and another for the next.
    """

    ends: str
    moves: tuple[str, ...] = ("say: right",)
    fault: str = ""
    fields: str = ""
    expect: str = "contains: right"
    assistant: str = "guide"
    retried: frozenset[str] = frozenset()


def answer(status: int, more: str = "") -> str:
    return f"do: {{answer: {{status: {status}{more}}}}}"


BUSY = frozenset({"too_many_requests"})
BROKE = frozenset({"server_error"})
CUT = frozenset({"answer_cut_off"})
WAYS = {
    # What the model does.
    "a wrong answer": Way(ends="failed", moves=("say: nonsense",)),
    "a refusal": Way(ends="failed", moves=("refuse: I can't.",)),
    "a refusal as expected": Way(ends="passed", moves=("refuse: I can't.",), expect="refuses"),
    "a decline": Way(ends="declined", moves=("say: {text: I don't know., declined: true}",)),
    "an empty answer": Way(ends="errored", moves=("say: ''",)),
    "too long an answer": Way(ends="errored", moves=("incomplete: {reason: max_completion_tokens, text: right}",)),
    "a content filter": Way(ends="errored", moves=("incomplete: {reason: content_filter, text: right}",)),
    "a run that expires": Way(ends="errored", moves=("expire: true",)),
    "a run that never ends": Way(ends="errored", moves=("stay: in_progress",), fields="timeout: 1"),
    "an answer after the time": Way(ends="errored", moves=("wait: 30", "say: right"), fields="timeout: 1"),
    "a prompt that is not taken": Way(ends="errored", moves=("fail: invalid_prompt",)),
    "a failed run, once": Way(ends="passed", moves=("fail: server_error | say: right",), retried=BROKE),
    "failed runs without end": Way(ends="errored", moves=("fail: server_error",), retried=BROKE),
    "wrong, then right": Way(ends="flaky", moves=("say: nonsense | say: right",), fields="repeat: 2, pass_at_least: 1"),
    "wrong each time": Way(ends="failed", moves=("say: nonsense",), fields="repeat: 3, pass_at_least: 2"),
    # What calls functions.
    "a function that fails": Way(ends="passed", moves=("call: {rate: {}}", "say: right"), assistant="clerk"),
    "calls of no function": Way(ends="errored", moves=("call: {rat: {}}", "say: right"), assistant="clerk"),
    "calls that nobody answers": Way(ends="errored", moves=("call: {rate: {}}", "say: right")),
    # What the connection does.
    "429, once": Way(ends="passed", fault=f"times: 1, {answer(429, ', headers: {Retry-After: 0.05}')}", retried=BUSY),
    "429 beyond the time": Way(ends="errored", fields="timeout: 1", fault=answer(429, ", headers: {Retry-After: 0.2}")),
    "500, once": Way(ends="passed", fault=f"times: 1, {answer(500)}", retried=BROKE),
    "503 without end": Way(ends="errored", fault=answer(503), retried=BROKE),
    "502 as a page": Way(
        ends="passed", fault=f"times: 1, {answer(502, ', body: <html>Bad gateway</html>')}", retried=BROKE
    ),
    "400": Way(ends="errored", fault=answer(400)),
    "a reset before the answer": Way(ends="errored", fault="do: drop"),
    "a reset after the work": Way(ends="errored", fault="do: apply_then_drop"),
    "a reset in the head": Way(ends="errored", fault="do: {cut: {headers: 20}}"),
    "a cut before the first event": Way(ends="errored", fault="do: {cut: {events: 0}}"),
    "a cut stream, once": Way(ends="passed", fault="times: 1, do: {cut: {events: 2}}", retried=CUT),
    "cut streams without end": Way(ends="errored", fault="do: {cut: {events: 2}}", retried=CUT),
    "a stream that just ends": Way(ends="passed", fault="times: 1, do: {cut: {events: 2}, by: end}", retried=CUT),
    "a doubled event": Way(ends="passed", fault="do: {repeat_event: 1}"),
    "another body": Way(ends="errored", fault=answer(200, ", body: {}")),
    "a page for an answer": Way(ends="errored", fault=answer(200, ", body: <html>Log in</html>")),
    "bytes that are not gzip": Way(ends="errored", fault="do: bad_gzip"),
    "a silent server": Way(ends="errored", fields="timeout: 1", fault="do: hang"),
    # What is not played.
    "skipped": Way(ends="skipped", fields="skip: not today"),
}


def write_project(folder: Path) -> Counter[str]:
    """The files; what is to come of them."""
    names = {f"{way} {number}": WAYS[way] for way in WAYS for number in range(EACH)}
    fine = SCENARIOS - len(names)
    moves, faults = [], []
    for way, one in WAYS.items():
        first, _, then = one.moves[0].partition(" | ")
        if then:
            # The first time that each of its questions is asked.
            moves += [
                f"  - {{question: {{contains: '[{way} {number}]'}}, times: 1, moves: [{{{first}}}]}}"
                for number in range(EACH)
            ]
        listed = ", ".join(f"{{{move}}}" for move in ([then] if then else one.moves))
        moves.append(
            f"  - {{question: {{contains: '[{way} '}}, moves: [{listed.replace('{expire: true}', 'expire')}]}}"
        )
        if one.fault:
            faults += [
                f"  - {{on: POST /v1/responses, contains: '[{way} {number}]', {one.fault}}}" for number in range(EACH)
            ]
    moves.append("  - {question: any, moves: [{say: right}]}")
    (folder / "assistants.yaml").write_text(PROJECT)
    (folder / "rates.py").write_text("def rate():\n    raise RuntimeError('no rates today')\n")
    (folder / "moves.yaml").write_text("scripts:\n" + "\n".join(moves) + "\n")
    (folder / "faults.yaml").write_text("faults:\n" + "\n".join(faults) + "\n")
    (folder / "scenarios").mkdir()
    (folder / "scenarios" / "rows.csv").write_text("id\n" + "".join(f"fine {number}\n" for number in range(fine)))
    (folder / "scenarios" / "fine.yaml").write_text(
        "name: fine\nassistant: guide\ncases: {file: rows.csv, name: id}\n"
        "turns: [{ask: 'Are you ${id}?', expect: [contains: right]}]\n"
    )
    odd = "".join(
        f"  - {{name: '{name}', assistant: {one.assistant}, {one.fields + ', ' if one.fields else ''}"
        f"turns: [{{ask: 'Well [{name}]', expect: [{one.expect}]}}]}}\n"
        for name, one in names.items()
    )
    (folder / "scenarios" / "odd.yaml").write_text(f"scenarios:\n{odd}")
    return Counter(one.ends for one in names.values()) + Counter(passed=fine)


@pytest.mark.fault("N3", "N4", "S2", "S8")
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_each_of_a_thousand_scenarios_gets_its_verdict_and_the_play_its_exit_code(tmp_path: Path) -> None:
    expected = write_project(tmp_path)
    environment = {key: value for key, value in os.environ.items() if "KEY" not in key}
    done = run_verb("play", "-q", "-n", "40", "--report", "json=r.json", cwd=tmp_path, environment=environment)
    report = json.loads((tmp_path / "r.json").read_text())
    ways = {
        one["name"]: WAYS[one["name"].rpartition(" ")[0]] for one in report["scenarios"] if "fine" not in one["name"]
    }
    found = {one["name"]: one for one in report["scenarios"]}
    outcomes = {name: "errored" if way.ends == "declined" else way.ends for name, way in ways.items()}
    wrong = {name: found[name]["outcome"] for name, outcome in outcomes.items() if found[name]["outcome"] != outcome}
    assert wrong == {}
    retried = {
        name: {retry["code"] for attempt in found[name]["attempts"] for retry in attempt["retried"]} for name in ways
    }
    assert {name: codes for name, codes in retried.items() if not codes >= ways[name].retried} == {}
    assert {word: times for word, times in report["counts"].items() if times} == dict(expected)
    assert (done.code, len(found), report["leftovers"]) == (1, SCENARIOS, []), done.out[-2000:]
    left = Project(tmp_path, tmp_path / ".runner" / "embedded", environment).count_objects()
    assert not {"run", "response", "conversation", "thread", "file", "vector_store"} & left.keys(), left
