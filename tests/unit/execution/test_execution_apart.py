"""Checks that hang, spin in C, exit or print are ended in time, and nobody else waits for them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from runner import plugins
from runner.checks import Exchange, Part
from runner.domain.assistant import Address
from runner.domain.conversation import Run, RunId, RunStatus, Step, ThreadId
from runner.domain.report import Outcome, TurnResult, Verdict
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import Location
from runner.execution.apart import LONGEST_AT_HAND, Workers
from runner.execution.judging import Asker, judge_exchange

CHECK = '''
"""It does what its parameter says."""
import os, re, sys, time
from dataclasses import dataclass
from runner.checks import FAILS, PASSES, Example
from runner.domain.report import Finding

MAIN_FIELD = "does"
endless = {}
endless["x"] = endless
SCHEMA = {"type": "object", "description": "It.", "properties": {"does": {"type": "string", "description": "What."}},
          "required": ["does"], "additionalProperties": False}
EXAMPLES = (Example("odd: well", "x", PASSES), Example("odd: badly", "x", FAILS))

@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    does: str

    def judge(self, run):
        match self.does:
            case "spin":
                while True: pass
            case "sleep": time.sleep(60)
            case "pattern": re.fullmatch("(a+)+b", "a" * 64)
            case "exit": sys.exit(3)
            case "die": os._exit(3)
            case "raise": raise KeyError("x")
            case "print": print("x" * 100_000); input()
            case "nothing": return None
            case "odd": return Finding(holds=True, expected=7, found=b"x" * 10**7, details={"x": re.compile("y")})
            case "score": return Finding(holds=True, expected="", found="", score=float("nan"))
            case "endless": return Finding(holds=True, expected="", found="", details=endless)
            case "pid": return Finding(holds=True, expected="", found=str(os.getpid()))
        reason = "" if self.does == "well" else "no"
        return Finding(holds=not reason, expected="well", found=self.does, reason=reason)
'''
PLACE = Location("scenarios/x.yaml", 3, 5)
ANSWERED = Run(id=RunId("r"), thread_id=ThreadId("t"), status=RunStatus.COMPLETED, text="It is 39.25.")
LIMIT_S = 0.3


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with a check of its own, as pip leaves it."""
    (tmp_path / "odd-1.0.dist-info").mkdir()
    (tmp_path / "odd-1.0.dist-info" / "entry_points.txt").write_text("[assistant_runner.checks]\nodd = odd_checks\n")
    (tmp_path / "odd_checks.py").write_text(CHECK)
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins._find_modules.cache_clear()
    plugins.load_plugin.cache_clear()
    yield
    plugins._find_modules.cache_clear()
    plugins.load_plugin.cache_clear()
    sys.modules.pop("odd_checks", None)


def exchange(*checks: Expectation, run: Run = ANSWERED) -> Exchange:
    turn = Turn(ask="How much?", expectations=checks, location=PLACE)
    scenario = Scenario(name="x", assistant=Address("guide"), turns=(turn,), location=PLACE)
    return Exchange(scenario=scenario, turns=((turn, run),), target="t", api="responses", model="m")


def odd(does: str) -> Expectation:
    return Expectation(check="odd", parameters={"does": does}, location=PLACE)


def check(name: str, **parameters: Any) -> Expectation:
    return Expectation(check=name, parameters=parameters, location=PLACE)


async def judge(*exchanges: Exchange, limit_s: float = LIMIT_S) -> list[TurnResult]:
    with closing(Asker(workers=Workers(limit_s))) as ask:
        return await asyncio.gather(*(judge_exchange(one, ask) for one in exchanges))


async def judge_one(*checks: Expectation, limit_s: float = LIMIT_S) -> tuple[Verdict, ...]:
    return (await judge(exchange(*checks), limit_s=limit_s))[0].verdicts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("does", "outcome", "words"),
    [
        ("spin", Outcome.ERRORED, f"the check took more than {LIMIT_S} s, and was ended"),
        ("pattern", Outcome.ERRORED, f"the check took more than {LIMIT_S} s, and was ended"),
        ("sleep", Outcome.ERRORED, f"the check took more than {LIMIT_S} s, and was ended"),
        ("exit", Outcome.ERRORED, "the check broke: SystemExit: 3"),
        ("die", Outcome.ERRORED, "the check ended its process (exit code 3)"),
        ("raise", Outcome.ERRORED, "the check broke: KeyError: 'x'"),
        ("print", Outcome.ERRORED, "the check broke: EOFError"),
        ("nothing", Outcome.ERRORED, "the check broke: AttributeError"),
        ("score", Outcome.ERRORED, "the check broke: ValueError: the score nan is not between 0 and 1"),
        ("endless", Outcome.ERRORED, "the check broke: RecursionError"),
        ("odd", Outcome.PASSED, ""),
    ],
)
async def test_whatever_a_package_s_check_does_is_its_own_verdict(
    does: str, outcome: Outcome, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    # What doesn't hang has time, however busy the machine is.
    limit_s = LIMIT_S if f"{LIMIT_S}" in words else 30.0
    first, second = await judge_one(odd(does), check("contains", value="39.25"), limit_s=limit_s)

    assert (first.outcome, second.outcome) == (outcome, Outcome.PASSED)
    assert words in first.reason
    assert all(len(text) <= 500 for text in (first.expected, first.found, first.reason))
    assert json.loads(json.dumps(first.details)) == first.details
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
async def test_the_program_goes_on_while_checks_hang_and_good_ones_are_judged_after_them() -> None:
    ticks = []

    async def tick() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.01)

    ticking = asyncio.create_task(tick())
    results = await judge(*(exchange(odd(does)) for does in ("sleep", "pattern", "well", "badly")), limit_s=2.0)
    ticking.cancel()

    assert [one.outcome.value for one in results] == ["errored", "errored", "passed", "failed"]
    assert max(later - earlier for earlier, later in pairwise(ticks)) < 1.5


@pytest.mark.slow
async def test_a_check_that_hangs_is_not_tried_for_ever() -> None:
    results = await judge(*[exchange(odd("spin"))] * 20, exchange(check("contains", value="39.25")))

    reasons = [one.verdicts[0].reason for one in results]
    assert [one.outcome.value for one in results] == [*["errored"] * 20, "passed"]
    assert 3 <= reasons.count(f"the check took more than {LIMIT_S} s, and was ended") <= 4
    assert reasons[19] == f"not tried: on 3 answers the check took more than {LIMIT_S} s, and was ended"


@pytest.mark.slow
async def test_a_process_is_kept_for_the_next_check_and_ended_at_last() -> None:
    ask = Asker(workers=Workers(30.0))

    found = [(await judge_exchange(exchange(odd("pid")), ask)).verdicts[0].found for _ in range(3)]
    (worker,) = ask.workers._idle
    ask.close()

    assert len(set(found)) == 1
    assert worker._process.returncode == -9


@pytest.mark.slow
async def test_a_package_s_check_inside_others_is_judged_there_too() -> None:
    inner = check("any_of", expect=(check("contains", value="never"), odd("spin")))

    (verdict,) = await judge_one(inner)

    assert verdict.outcome is Outcome.ERRORED
    assert f"took more than {LIMIT_S} s" in verdict.reason


@pytest.mark.slow
async def test_a_long_answer_is_judged_there_by_runner_s_own_checks() -> None:
    long = replace(ANSWERED, text="39.25 " * LONGEST_AT_HAND)

    (result,) = await judge(exchange(check("contains", value="39.25"), run=long), limit_s=30.0)

    assert result.outcome is Outcome.PASSED


async def test_where_no_process_can_be_started_the_check_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("subprocess.Popen", refuse)

    (verdict,) = await judge_one(odd("well"))

    assert verdict.reason == "no process could be started for the check: Too many open files"


class Counting(Workers):
    apart = 0

    async def _judge_apart(self, part: Part, exchange: Exchange) -> Verdict:
        self.apart += 1
        return await super()._judge_apart(part, exchange)


async def count_apart(*exchanges: Exchange) -> int:
    """How many of their checks, one after the other, are judged by another process."""
    with closing(Asker(workers=(workers := Counting(30.0)))) as ask:
        for one in exchanges:
            await judge_exchange(one, ask)
        return workers.apart


@pytest.mark.slow
async def test_ordinary_answers_are_judged_at_hand() -> None:
    own, long = check("contains", value="39.25"), Step(tool="x", completed=True, output="x" * (LONGEST_AT_HAND + 1))

    assert await count_apart(exchange(own)) == 0
    assert await count_apart(exchange(own, run=replace(ANSWERED, steps=(long,)))) == 1
    assert await count_apart(exchange(check("not", expect=(odd("well"),)))) == 1


@pytest.mark.slow
async def test_a_pattern_that_took_its_time_once_is_matched_there_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.execution.apart.SLOW_S", 0.01)
    hopeless, hard = check("matches", pattern="(a|aa)+$"), replace(ANSWERED, text="a" * 26 + "b")

    assert await count_apart(exchange(hopeless, run=hard), exchange(hopeless, run=hard)) == 1
    assert await count_apart(exchange(hopeless), exchange(hopeless)) == 0
