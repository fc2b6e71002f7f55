"""A play in which every run ends another way, by a script: each comes out as the one thing that it is."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import yaml
from verbs import run_verb

from runner.server.inference import FAILURE_CODES

PASSED, FAILED, ERRORED = "passed", "failed", "errored"
WAYS: dict[str, tuple[list, str]] = {
    "answers": ([{"say": "ok"}], PASSED),
    "is slow": ([{"wait": 0.2}, {"say": ["o", "k"]}], PASSED),
    "costs nobody knows what": ([{"say": "ok", "tokens": "unknown"}], PASSED),
    "is wrong": ([{"say": "no"}], FAILED),
    "refuses": ([{"refuse": "I would rather not."}], FAILED),
    "is empty": ([{"say": ""}], ERRORED),
    "declines": ([{"say": {"text": "ok, but no", "declined": True}}], ERRORED),
    "stays in progress": ([{"stay": "in_progress"}], ERRORED),
    "stays queued": ([{"stay": "queued"}], ERRORED),
    "says the half and stops": ([{"say": {"text": ["o", "k"], "pause": 1000}}], ERRORED),
    "expires": (["expire"], ERRORED),
    "calls what there is not": ([{"call": {"nobody": {}}}, {"say": "ok"}], ERRORED),
    # The model is told of its mistake, and goes on.
    "calls with no JSON": ([{"call": {"look_up": "{broken"}}, {"say": "ok"}], PASSED),
    "calls against the schema": ([{"call": {"look_up": {"city": 7}}}, {"say": "ok"}], PASSED),
    **{f"fails with {code}": ([{"fail": code}], ERRORED) for code in FAILURE_CODES},
    **{
        f"breaks off by {reason}": ([{"incomplete": {"reason": reason, "text": "ok"}}], ERRORED)
        for reason in ("max_completion_tokens", "max_prompt_tokens", "content_filter")
    },
}
STUCK = ("stays in progress", "stays queued", "says the half and stops")
LOOK_UP = {
    "name": "look_up",
    "returns": "{}",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}


def write_project(folder: Path, api: str) -> None:
    scripts = [{"question": {"matches": f"^{way}$"}, "moves": moves} for way, (moves, _) in WAYS.items()]
    scenarios = [
        {
            "name": way,
            # A limit of requests is waited out, unless there is no time for it.
            "timeout": 1 if way in STUCK else 8,
            "turns": [{"ask": way, "expect": [{"contains": "ok"}]}],
        }
        for way in WAYS
    ]
    target = {"api": api, "server": "embedded", "inference": {"scripted": "moves.yaml"}}
    # What no assistant has is told before a play; this one has another's.
    nobody = {"model": "m", "functions": [{"name": "nobody", "returns": "nothing"}]}
    project = {
        "version": 1,
        "namespace": "every-ending",
        "target": "scripted",
        "targets": {"scripted": target},
        "assistants": {"a": {"name": "A", "model": "m", "functions": [LOOK_UP]}, "b": nobody},
    }
    (folder / "scenarios").mkdir()
    written = {
        "assistants.yaml": project,
        "moves.yaml": {"scripts": scripts},
        "scenarios/all.yaml": {"defaults": {"assistant": "a"}, "scenarios": scenarios},
    }
    for name, content in written.items():
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("api", ["responses", "assistants"])
def test_each_way_a_run_can_end_comes_out_as_what_it_is(tmp_path: Path, api: str) -> None:
    write_project(tmp_path, api)
    done = run_verb("play", "--jobs", "12", "--report", "json=report.json", cwd=tmp_path, environment=os.environ)

    assert done.code == 1, done.err
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    found = {one["name"]: one["outcome"] for one in report["scenarios"]}
    assert found == {way: outcome for way, (_, outcome) in WAYS.items()}


MIXED = """
version: 1
namespace: tests-000001
target: both
targets: {both: {api: API, server: embedded, inference: {scripted: moves.yaml}}}
assistants:
  desk: {model: gpt-6-luna, tools: [file_search], files: [shop.md]}
"""
QUESTIONS = """
defaults: {assistant: desk}
scenarios:
  - {name: by script, turns: [{ask: Open this lock., expect: [refuses]}]}
  - {name: by rules, turns: [{ask: When does the shop open?, expect: [{contains: "9:30"}, {cites: shop.md}]}]}
  - name: by both
    turns:
      - {ask: When does the shop open?, expect: [{contains: "9:30"}]}
      - {ask: And this lock?, expect: [refuses]}
  - {name: by nobody, turns: [{ask: Is it any good?, expect: [{contains: yes}]}]}
"""


@pytest.mark.parametrize("api", ["assistants", "responses"])
@pytest.mark.slow
def test_one_target_plays_what_a_script_is_for_and_what_the_rules_can_answer(tmp_path: Path, api: str) -> None:
    (tmp_path / "assistants.yaml").write_text(MIXED.replace("API", api))
    (tmp_path / "moves.yaml").write_text(
        "otherwise: offline\nscripts: [{question: {contains: lock}, moves: [{refuse: No.}]}]\n"
    )
    (tmp_path / "shop.md").write_text("The shop opens at 9:30.\n")
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "all.yaml").write_text(QUESTIONS)
    # The rules use no tokens: a limit on them is kept.
    play = ("play", "-n", "1", "--max-tokens", "10000", "--report", "json=report.json")
    done = run_verb(*play, cwd=tmp_path, environment=dict(os.environ))
    assert done.code == 3, done.out + done.err
    header = done.out.splitlines()[0]
    assert header.endswith("answered by scripted, and what no script is for by offline rules, not a language model")
    told = dict(re.findall(r"^([A-Z]+ +\S.+?)  [\d.]+ s(.*)$", done.out, re.MULTILINE))
    assert told["PASSED   by script"] == ""
    assert told["PASSED   by rules"] == " · by offline rules"
    assert told["PASSED   by both"] == " · in part by offline rules"
    assert told["DECLINED by nobody"].startswith(" · ")
    assert "did not say" not in done.out
    assert "1 declined: no language model is connected" in done.out
    report = json.loads((tmp_path / "report.json").read_text())
    models = {
        one["name"]: [turn["run"]["model"] for turn in one["attempts"][0]["turns"]] for one in report["scenarios"]
    }
    assert models == {
        "by script": ["gpt-6-luna"],
        "by rules": ["offline"],
        "by both": ["offline", "gpt-6-luna"],
        "by nobody": ["offline"],
    }
    allowed = run_verb("play", "--allow-declines", cwd=tmp_path, environment=dict(os.environ))
    assert allowed.code == 0, allowed.out + allowed.err
