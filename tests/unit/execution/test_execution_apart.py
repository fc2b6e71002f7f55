"""Checks that hang, spin in C, exit or print are ended in time, and nobody else waits for them."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from forked_verbs import start_worker
from odd_packages import odd_package

from runner import side_process
from runner.checks import Ask, Exchange, Part, build_part
from runner.checks._packages import load_check
from runner.domain.assistant import Address
from runner.domain.conversation import ProducedFile, Run, RunId, RunStatus, Step, ThreadId
from runner.domain.judgement import Answer, Answers, Questions
from runner.domain.report import Outcome, TurnResult, Verdict
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import Location, RemoteError
from runner.execution import apart, judging
from runner.execution.apart import LONGEST_AT_HAND, Workers
from runner.execution.judging import Asker, judge_exchange
from runner.execution.limits import Limiter

PLACE = Location("scenarios/x.yaml", 3, 5)
ANSWERED = Run(id=RunId("r"), thread_id=ThreadId("t"), status=RunStatus.COMPLETED, text="It is 39.25.")
LIMIT_S = 0.3
SPAWN = side_process.spawn


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The processes are forked: those that the program starts are tests/e2e/test_checks_that_hang.py's."""
    monkeypatch.setattr(side_process, "spawn", start_worker)
    with odd_package(tmp_path, monkeypatch):
        yield


def exchange(*checks: Expectation, run: Run = ANSWERED) -> Exchange:
    turn = Turn(ask="How much?", expectations=checks, location=PLACE)
    scenario = Scenario(name="x", assistant=Address("guide"), turns=(turn,), location=PLACE)
    return Exchange(scenario=scenario, turns=((turn, run),), target="t", api="responses", model="m")


def odd(does: str) -> Expectation:
    return Expectation(check="odd", parameters={"does": does}, location=PLACE)


def asking(does: str) -> Expectation:
    return Expectation(check="odd_asking", parameters={"does": does}, location=PLACE)


def check(name: str, /, **parameters: Any) -> Expectation:
    return Expectation(check=name, parameters=parameters, location=PLACE)


asked: list[Questions] = []


async def polite(questions: Questions, /) -> Answers:
    asked.append(questions)
    await asyncio.sleep(0.05)
    said = {one.name: Answer(name=one.name, probabilities={"yes": 0.9, "no": 0.1}) for one in questions.questions}
    return Answers(model="m", way="decisions", answers=said)


async def judge(*exchanges: Exchange, limit_s: float = LIMIT_S) -> list[TurnResult]:
    asked.clear()
    with closing(Asker(workers=Workers(limit_s, limit_s), model=polite)) as ask:
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
        ("leave", Outcome.ERRORED, f"the check took more than {LIMIT_S} s, and was ended"),
        ("eat", Outcome.ERRORED, "the check broke: MemoryError"),
        ("much", Outcome.ERRORED, "the check broke: ValueError: what it found takes 10,000,"),
        ("raise", Outcome.ERRORED, "the check broke: KeyError: 'x'"),
        ("print", Outcome.ERRORED, "the check broke: EOFError"),
        ("nothing", Outcome.ERRORED, "the check broke: AttributeError"),
        ("score", Outcome.ERRORED, "the check broke: ValueError: the score nan is not between 0 and 1"),
        ("endless", Outcome.ERRORED, "the check broke: RecursionError"),
        ("odd", Outcome.PASSED, ""),
        ("silent", Outcome.ERRORED, "the check can't tell, and says no reason"),
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


BUSY = f"the check took more than {LIMIT_S} s, and was ended"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("does", "outcome", "words", "requests"),
    [
        ("spin", Outcome.ERRORED, BUSY, 0),
        ("pattern", Outcome.ERRORED, BUSY, 0),
        ("sleep", Outcome.ERRORED, BUSY, 0),
        ("wait", Outcome.ERRORED, BUSY, 0),
        ("exit", Outcome.ERRORED, "the check broke: SystemExit: 3", 0),
        ("die", Outcome.ERRORED, "the check ended its process (exit code 3)", 0),
        ("eat", Outcome.ERRORED, "the check broke: MemoryError", 0),
        ("nothing", Outcome.ERRORED, "the check broke: AttributeError", 0),
        ("ask oddly", Outcome.ERRORED, "it asked with str, no Questions", 0),
        ("ask", Outcome.PASSED, "", 1),
        ("ask twice", Outcome.PASSED, "", 2),
        ("ask in vain", Outcome.PASSED, "", 1),
        ("badly", Outcome.FAILED, "no", 0),
    ],
)
async def test_whatever_a_package_s_check_that_asks_does_is_its_own_verdict(
    does: str, outcome: Outcome, words: str, requests: int
) -> None:
    limit_s = LIMIT_S if words == BUSY else 30.0
    first, second = await judge_one(asking(does), check("contains", value="39.25"), limit_s=limit_s)

    assert (first.outcome, second.outcome, len(asked)) == (outcome, Outcome.PASSED, requests)
    assert words in first.reason


@pytest.mark.slow
async def test_a_check_that_asks_for_ever_is_not_answered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "MOST_REQUESTS", 3)

    (verdict,) = await judge_one(asking("ask for ever"), limit_s=30.0)

    assert (verdict.outcome, verdict.reason) == (Outcome.ERRORED, "it asked more than 3 times about one answer")
    assert len(asked) == 3


@pytest.mark.slow
async def test_what_the_judge_takes_is_not_the_check_s_time() -> None:
    async def slow(questions: Questions, /) -> Answers:
        await asyncio.sleep(1.2)
        return await polite(questions)

    with closing(Asker(workers=Workers(1.0, 1.0), model=slow)) as ask:
        result = await judge_exchange(exchange(asking("ask")), ask)

    assert result.outcome is Outcome.PASSED, result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RemoteError("it broke", status=400), "the judge gave no answer: it broke"),
        (KeyError("x"), "the check broke: KeyError: 'x'"),
    ],
)
async def test_a_judge_that_fails_is_an_error_of_a_package_s_check_too(error: Exception, reason: str) -> None:
    async def fail(_questions: Questions, /) -> Answers:
        raise error

    with closing(Asker(workers=Workers(30.0, 30.0), model=fail)) as ask:
        (verdict,) = (await judge_exchange(exchange(asking("ask")), ask)).verdicts

    assert (verdict.outcome, verdict.reason) == (Outcome.ERRORED, reason)


@pytest.mark.slow
async def test_more_checks_that_ask_than_there_are_places_wait_for_each_other_and_nobody_for_them() -> None:
    own = [check("judge", criteria="Is it kind?"), check("any_of", expect=(check("judge", criteria="Is it short?"),))]
    many = [asking("ask") for _ in range(apart.MOST_ASKING + 2)]
    around = check("any_of", expect=(check("contains", value="never"), asking("ask")))

    (result,) = await judge(exchange(*many, around, *own), limit_s=30.0)

    assert {one.outcome for one in result.verdicts} == {Outcome.PASSED}
    assert len(asked) == len(many) + 2
    # runner's own share a request, and it is the first.
    assert len(asked[0].questions) == 2


@pytest.mark.slow
@pytest.mark.parametrize("inner", [odd("badly"), asking("badly")])
async def test_a_package_s_combination_that_hangs_is_ended_whatever_it_holds(inner: Expectation) -> None:
    (verdict,) = await judge_one(check("odd_around", expect=(inner,)))

    assert (verdict.outcome, verdict.reason) == (Outcome.ERRORED, BUSY)


@pytest.mark.slow
@pytest.mark.parametrize(("inner", "outcome"), [(odd("well"), Outcome.PASSED), (asking("ask"), Outcome.PASSED)])
async def test_a_package_s_combination_is_judged_there_with_its_parts(inner: Expectation, outcome: Outcome) -> None:
    (verdict,) = await judge_one(check("odd_around", expect=(inner,)), limit_s=30.0)

    assert verdict.outcome is outcome, verdict


@pytest.mark.slow
async def test_no_code_of_a_package_runs_in_the_play_s_own_process() -> None:
    (verdict,) = await judge_one(odd("make sleep"))

    assert (verdict.outcome, verdict.reason) == (Outcome.ERRORED, BUSY)


@pytest.mark.slow
@pytest.mark.parametrize("hanging", [odd("pattern"), asking("sleep"), asking("spin"), asking("wait")])
async def test_another_answer_is_judged_while_a_check_hangs(hanging: Expectation) -> None:
    with closing(Asker(workers=Workers(100.0, 100.0), model=polite)) as ask:
        hangs = asyncio.create_task(judge_exchange(exchange(hanging), ask))
        others = exchange(check("judge", criteria="Is it kind?")), exchange(odd("well"))
        results = await asyncio.gather(*(judge_exchange(one, ask) for one in others))

        assert [one.outcome for one in results] == [Outcome.PASSED] * 2
        assert not hangs.done()
        hangs.cancel()
        await asyncio.wait([hangs])


async def test_what_is_cancelled_before_it_asked_leaves_nothing_behind() -> None:
    """A play that its limit ends may have seated the checks a moment ago; a coroutine that never began is a warning."""
    judging = asyncio.create_task(judge_exchange(exchange(check("judge", criteria="Is it kind?")), Asker()))
    await asyncio.sleep(0)
    judging.cancel()
    with suppress(asyncio.CancelledError):
        await judging
    gc.collect()


async def test_a_judge_that_never_answers_is_an_error() -> None:
    async def silent(_questions: Questions, /) -> Answers:
        await asyncio.sleep(60)
        raise AssertionError

    ask = Asker(model=silent, deadline_s=0.01)
    (verdict,) = (await judge_exchange(exchange(check("judge", criteria="Is it kind?")), ask)).verdicts

    assert (verdict.outcome, verdict.reason) == (
        Outcome.ERRORED,
        "the judge gave no answer: it said nothing for 0.01 s",
    )


async def test_a_judge_that_is_silent_is_not_waited_for_by_each_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "SILENT_S", 0.01)
    attempts = []

    async def silent(questions: Questions, /) -> Answers:
        attempts.append(questions)
        if len(attempts) != 3:
            await asyncio.sleep(60)
        return await polite(questions)

    ask = Asker(model=silent, deadline_s=0.2)
    one = exchange(check("judge", criteria="Is it kind?"))
    said = [(await judge_exchange(one, ask)).verdicts[0] for _ in range(8)]

    nothing = "the judge gave no answer: it said nothing for 0.2 s"
    not_asked = "not asked: 3 times running there was no answer, after a long wait"
    assert [one.reason for one in said] == [nothing, nothing, "", *[nothing] * 3, *[not_asked] * 2]
    ask.silence.last_s -= judging.JUDGE_DEADLINE_S
    assert (await judge_exchange(one, ask)).verdicts[0].reason == nothing, "after a while it is tried again"


async def test_an_error_and_one_more_attempt_have_the_time_of_one_request() -> None:
    attempts = []

    async def broken(_questions: Questions, /) -> Answers:
        attempts.append(1)
        raise RemoteError("it broke", status=500)

    ask = Asker(model=broken, deadline_s=0.01)
    (verdict,) = (await judge_exchange(exchange(check("judge", criteria="Is it kind?")), ask)).verdicts

    assert attempts == [1]
    assert verdict.reason == "the judge gave no answer: it said nothing for 0.01 s"


async def test_the_judge_s_time_is_told_and_waiting_for_a_place_is_none_of_it() -> None:
    limiter = Limiter(jobs=1, clock=time.monotonic, sleep=asyncio.sleep)
    with closing(Asker(model=polite, limiter=limiter)) as ask:
        said = Questions(said=(), questions=())
        started_s = time.monotonic()
        *_, last = await asyncio.gather(*(ask(said) for _ in range(3)))
        whole_s = time.monotonic() - started_s

    # Each takes 0.05 s, one after the other.
    assert 0.04 < last.seconds < whole_s - 0.08


class Metronome(Asker):
    """Of each answer, it says that the judge took as long as `polite` sleeps, be the machine ever so busy."""

    async def __call__(self, questions: Questions, /) -> Answers:
        return replace(await super().__call__(questions), seconds=0.05)


@pytest.mark.slow
async def test_a_package_s_check_does_not_ask_a_slow_judge_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "ENOUGH_S", 0.12)
    asked.clear()

    with closing(Metronome(workers=Workers(30.0, 30.0), model=polite)) as ask:
        (verdict,) = (await judge_exchange(exchange(asking("ask for ever")), ask)).verdicts

    assert verdict.outcome is Outcome.ERRORED
    assert verdict.reason == "it took the judge 0 s, and after 0.12 s it isn't asked again"
    assert len(asked) == 3


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
    ((_, worker),) = ask.workers._idle
    ask.close()

    assert len(set(found)) == 1
    assert worker.process.returncode == -9


@pytest.mark.slow
async def test_what_a_check_leaves_in_its_process_is_no_other_check_s_trouble() -> None:
    with closing(Asker(workers=Workers(30.0, 30.0), model=polite)) as ask:
        first = await judge_exchange(exchange(odd("linger")), ask)
        await asyncio.sleep(0.5)
        others = [await judge_exchange(exchange(one), ask) for one in (odd("well"), asking("well"))]

    assert [one.outcome for one in (first, *others)] == [Outcome.PASSED] * 3, others


@pytest.mark.slow
async def test_a_check_that_ends_its_process_each_time_is_given_up() -> None:
    results = await judge(*[exchange(odd("die"))] * 8)

    reasons = [one.verdicts[0].reason for one in results]
    assert 3 <= reasons.count("the check ended its process (exit code 3)") <= 4
    assert reasons[7] == "not tried: on 3 answers the check ended its process (exit code 3)"


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

    load_check("odd")
    monkeypatch.setattr(side_process, "spawn", SPAWN)
    monkeypatch.setattr("subprocess.Popen", refuse)

    (verdict,) = await judge_one(odd("well"))

    assert verdict.reason == "no process could be started for the check: Too many open files"


@pytest.mark.slow
async def test_an_import_is_not_of_the_check_s_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    load_check("odd")
    monkeypatch.setenv("ODD_IMPORTS", "nap")

    inside = check("any_of", expect=(odd("well"),))
    verdicts = await judge_one(odd("well"), inside, limit_s=0.5)

    assert [one.outcome for one in verdicts] == [Outcome.PASSED] * 2, verdicts


@pytest.mark.slow
async def test_an_import_that_never_ends_when_it_is_judged_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    load_check("odd")
    monkeypatch.setenv("ODD_IMPORTS", "spin")
    monkeypatch.setattr(apart, "START_S", 0.5)

    (verdict,) = await judge_one(odd("well"))

    assert verdict.reason == "the process of the check was not ready, with its imports, after 0.5 s"


class Counting(Workers):
    apart = 0

    async def _judge_apart(self, part: Part, exchange: Exchange, ask: Ask) -> Verdict:
        self.apart += 1
        return await super()._judge_apart(part, exchange, ask)


@pytest.mark.parametrize(
    "around",
    [
        lambda dates: check("any_of", expect=dates),
        lambda dates: check("not", expect=(check("all_of", expect=dates),)),
        lambda dates: check("score", threshold=Decimal(1), of=tuple({"expect": (one,)} for one in dates)),
        lambda dates: check("json_path", path="$[*]", expect=dates),
    ],
    ids=["any_of", "not", "score", "json_path"],
)
async def test_hundreds_of_parts_are_not_judged_while_all_wait(around: Any) -> None:
    """Each is done in a moment; together they take many seconds."""
    text = json.dumps(["4 March " * 50] * 7)
    part = build_part(around(tuple(check("date", value="2026-03-05") for _ in range(2_000))))
    with closing(Elsewhere()) as workers, closing(Asker(workers=workers)) as ask:
        began_s = time.thread_time()
        verdict = await workers.judge(part, exchange(part.expectation, run=replace(ANSWERED, text=text)), ask)

    assert verdict.reason == "elsewhere"
    assert time.thread_time() - began_s < 0.5


class Elsewhere(Workers):
    async def _judge_apart(self, part: Part, exchange: Exchange, ask: Ask) -> Verdict:
        return part.break_off("elsewhere")


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


SLOW, HARD = "(a|aa)+$", "a" * 22 + "b"
"""Some 20 ms, in which all is tried."""
MATCHES = check("matches", pattern=SLOW)
TOLD = json.dumps({"x": HARD})
CALLED = Step(tool="rate", completed=True, input=TOLD)
PATTERNS = {
    "matches": (MATCHES, replace(ANSWERED, text=HARD)),
    "whole": (check("matches", pattern=SLOW, whole=True), replace(ANSWERED, text=HARD)),
    "not": (check("not", expect=(MATCHES,)), replace(ANSWERED, text=HARD)),
    "any_of": (check("any_of", expect=(MATCHES, check("contains", value="c"))), replace(ANSWERED, text=HARD)),
    "all_of": (check("all_of", expect=(MATCHES,)), replace(ANSWERED, text=HARD)),
    "when": (check("when", expect=(MATCHES,), target="t"), replace(ANSWERED, text=HARD)),
    "score": (check("score", of=[{"expect": (MATCHES,)}], threshold=Decimal("0.5")), replace(ANSWERED, text=HARD)),
    "deep": (check("not", expect=(check("any_of", expect=(MATCHES,)),)), replace(ANSWERED, text=HARD)),
    "json_path": (check("json_path", path="$.x", expect=(MATCHES,)), replace(ANSWERED, text=TOLD)),
    "json_path's": (check("json_path", path=f"$[?search(@, '{SLOW}')]"), replace(ANSWERED, text=TOLD)),
    "json_schema": (
        check("json_schema", schema={"properties": {"x": {"pattern": SLOW}}}),
        replace(ANSWERED, text=TOLD),
    ),
    "produces": (
        check("produces", name="*", expect=(MATCHES,)),
        replace(ANSWERED, files=(ProducedFile(name="a.txt", size_bytes=25, sha256="", text=HARD),)),
    ),
    "tool_calls": (
        check("tool_calls", calls=[{"tool": "rate", "expect": (check("json_path", path="$.x", expect=(MATCHES,)),)}]),
        replace(ANSWERED, steps=(CALLED,)),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("place", PATTERNS)
async def test_a_pattern_that_is_not_done_in_a_moment_is_matched_there_wherever_it_stands(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hard, run = PATTERNS[place]
    monkeypatch.setattr(apart, "MOMENT_S", 0.002)
    with closing(Asker(workers=(workers := Counting(30.0)))) as ask:
        (verdict,) = (await judge_exchange(exchange(hard, run=run), ask)).verdicts

    assert workers.apart == 1
    # What was told in a hurry is no verdict: it fails, and isn't said to take too long.
    assert verdict.outcome is (Outcome.PASSED if place in ("not", "deep") else Outcome.FAILED), verdict
    assert "took more than" not in verdict.reason


@pytest.mark.slow
async def test_a_pattern_that_can_never_be_told_is_not_tried_on_every_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "MOST_ENDED", 1)
    hopeless = exchange(check("matches", pattern=SLOW), run=replace(ANSWERED, text="a" * 60 + "b"))

    with closing(Asker(workers=Workers(30.0))) as ask:
        first, second = [(await judge_exchange(hopeless, ask)).verdicts[0] for _ in range(2)]

    assert (first.outcome, second.outcome) == (Outcome.ERRORED, Outcome.ERRORED)
    assert first.reason.startswith("the pattern '(a|aa)+$' took more than 2 s on this answer")
    assert second.reason == f"not tried: on 1 answer {first.reason}"
