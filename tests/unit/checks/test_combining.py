"""Checks made of others: what follows from what their parts say, and that rule 1 of DESIGN.md holds for them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from turn_judging import judge_turn

from runner.checks import Exchange, an_answer, build_part
from runner.domain.assistant import Address
from runner.domain.conversation import Run, RunStatus
from runner.domain.report import Outcome, Verdict
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import Location

PLACE = Location("scenarios/x.yaml", 3, 5)
ANSWERED = an_answer("Oslo is 39.25.")
UNFINISHED = (
    {"refusal": "I can't help with that."},
    {"status": RunStatus.INCOMPLETE},
    {"status": RunStatus.FAILED},
    {"text": " \n"},
    {"declined": "No language model is connected."},
)
SOUND, UNTRUE = ("contains", {"value": "Oslo"}), ("contains", {"value": "Bergen"})


def expectation(name: str, parameters: dict[str, Any]) -> Expectation:
    return Expectation(check=name, parameters=parameters, location=PLACE)


BROKEN = ("any_of", {"expect": (expectation("when", {"expect": (expectation(*SOUND),), "api": "responses"}),)})
"""`when` without an exchange breaks."""


def parts(*written: tuple[str, dict[str, Any]]) -> tuple[Expectation, ...]:
    return tuple(expectation(*one) for one in written)


def judge(name: str, *written: tuple[str, dict[str, Any]], run: Run = ANSWERED, **more: Any) -> Verdict:
    return build_part(expectation(name, {"expect": parts(*written), **more})).judge(run)


def score(threshold: str, *written: tuple[str, tuple[str, dict[str, Any]]]) -> Verdict:
    of = [{"weight": Decimal(weight), "expect": parts(one)} for weight, one in written]
    return build_part(expectation("score", {"of": of, "threshold": Decimal(threshold)})).judge(ANSWERED)


@pytest.mark.parametrize(
    ("name", "written", "outcome"),
    [
        ("not", [UNTRUE], Outcome.PASSED),
        ("not", [SOUND], Outcome.FAILED),
        ("not", [UNTRUE, SOUND], Outcome.FAILED),
        ("not", [BROKEN], Outcome.ERRORED),
        ("not", [UNTRUE, BROKEN], Outcome.ERRORED),
        ("not", [SOUND, BROKEN], Outcome.FAILED),
        ("any_of", [UNTRUE, SOUND], Outcome.PASSED),
        ("any_of", [UNTRUE, UNTRUE], Outcome.FAILED),
        ("any_of", [BROKEN, SOUND], Outcome.PASSED),
        ("any_of", [UNTRUE, BROKEN], Outcome.ERRORED),
        ("all_of", [SOUND, SOUND], Outcome.PASSED),
        ("all_of", [SOUND, UNTRUE], Outcome.FAILED),
        ("all_of", [SOUND, BROKEN], Outcome.ERRORED),
        ("all_of", [UNTRUE, BROKEN], Outcome.FAILED),
    ],
)
def test_what_cannot_be_told_matters_only_where_the_rest_does_not_decide(
    name: str, written: list[tuple[str, dict[str, Any]]], outcome: Outcome
) -> None:
    verdict = judge(name, *written)

    assert verdict.outcome is outcome
    assert bool(verdict.reason) is (outcome is not Outcome.PASSED)


WEAK = ("number", {"value": Decimal("39.25"), "take": "any"})
DOUBTFUL = ("refuses", {})
"""It fails for want of known words."""


@pytest.mark.parametrize(
    ("name", "written", "weak"),
    [
        ("not", [DOUBTFUL], True),
        ("not", [UNTRUE], False),
        ("all_of", [SOUND, WEAK], True),
        ("all_of", [SOUND], False),
        ("any_of", [UNTRUE, WEAK], True),
        ("any_of", [SOUND, WEAK], False),
    ],
)
def test_what_rests_on_a_weak_finding_is_weak(name: str, written: list[tuple[str, dict[str, Any]]], weak: bool) -> None:
    verdict = judge(name, *written)

    assert verdict.outcome is Outcome.PASSED
    assert verdict.weak is weak


@pytest.mark.parametrize(
    ("check", "answer", "weak"),
    [
        (("contains", {"value": "39"}), "It is 39% of it.", True),
        (("contains", {"value": "39"}), "It is 40% of it.", False),
        (("contains", {"value": "full refund"}), "a ~~full~~ refund", True),
        (("date", {"value": "2026-03-04"}), "It leaves on 03/04/2026.", True),
        (("date", {"value": "2026-03-04"}), "It leaves on 5 March 2026.", False),
        (("one_of", {"values": ["Oslo", "Rome"], "inside": True}), "Perhaps Oslo.", True),
        (("one_of", {"values": ["Oslo", "Rome"], "inside": True}), "Not Oslo.", False),
    ],
)
def test_not_is_weak_on_what_its_check_only_does_not_take_for_given(
    check: tuple[str, dict[str, Any]], answer: str, weak: bool
) -> None:
    verdict = judge("not", check, run=replace(ANSWERED, text=answer))

    assert (verdict.outcome, verdict.weak) == (Outcome.PASSED, weak)


def test_a_reason_says_which_check_inside_said_what() -> None:
    verdict = judge("any_of", UNTRUE, ("number", {"value": Decimal(40)}))

    assert "`contains` fails: " in verdict.reason
    assert "`number` fails: the final number in the answer is 39.25" in verdict.reason
    assert [one["outcome"] for one in verdict.details["parts"]] == ["failed", "failed"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("ending", UNFINISHED, ids=str)
@pytest.mark.parametrize(
    "check",
    [
        ("not", {"expect": parts(UNTRUE)}),
        ("not", {"expect": parts(("tool_called", {"tool": "file_search"}))}),
        ("not", {"expect": parts(("not", {"expect": parts(SOUND)}))}),
        ("any_of", {"expect": parts(("not_contains", {"value": "sorry"}), SOUND)}),
        ("all_of", {"expect": parts(("not_contains", {"value": "sorry"}))}),
        ("score", {"of": [{"expect": parts(("not_contains", {"value": "sorry"}))}], "threshold": Decimal("0.1")}),
        ("when", {"expect": parts(("not_contains", {"value": "sorry"})), "api": "responses"}),
        ("when", {"expect": parts(("not_contains", {"value": "sorry"})), "api": "agents"}),
    ],
    ids=["not", "not a tool", "not not", "any_of", "all_of", "score", "when", "when elsewhere"],
)
def test_nothing_passes_on_an_answer_that_is_none(check: tuple[str, dict[str, Any]], ending: dict[str, Any]) -> None:
    turn = Turn(ask="Which?", expectations=(expectation(*check),), location=PLACE)

    result = judge_turn(turn, replace(ANSWERED, **ending))

    assert result.outcome in (Outcome.FAILED, Outcome.ERRORED)
    assert result.verdicts == ()


def exchange(api: str, turn: Turn, run: Run = ANSWERED) -> Exchange:
    scenario = Scenario(name="x", assistant=Address("guide"), turns=(turn,), location=PLACE)
    return Exchange(scenario=scenario, turns=((turn, run),), target="embedded", api=api, model="gpt-6-luna")


@pytest.mark.parametrize(
    ("places", "outcome", "weak"),
    [
        ({"api": "responses"}, Outcome.FAILED, False),
        ({"api": ["agents", "responses"], "target": "embedded"}, Outcome.FAILED, False),
        ({"api": "agents"}, Outcome.PASSED, True),
        ({"api": "responses", "target": "other"}, Outcome.PASSED, True),
        ({"model": "gpt-6-luna"}, Outcome.FAILED, False),
    ],
)
def test_when_holds_its_checks_only_where_it_says(places: dict[str, Any], outcome: Outcome, weak: bool) -> None:
    turn = Turn(ask="Which?", expectations=(expectation("when", {"expect": parts(UNTRUE), **places}),), location=PLACE)

    (verdict,) = judge_turn(turn, ANSWERED, exchange("responses", turn)).verdicts

    assert (verdict.outcome, verdict.weak) == (outcome, weak)
    assert not weak or verdict.found == "played elsewhere, so nothing was checked"


ELSEWHERE = ("when", {"expect": parts(SOUND), "api": "agents"})
HERE = ("when", {"expect": parts(SOUND), "api": "responses"})
UNTOLD = ("tokens", {"max": Decimal(5)})
NOWHERE = [("not", [ELSEWHERE]), ("any_of", [ELSEWHERE]), ("all_of", [ELSEWHERE, ELSEWHERE]), ("when", [ELSEWHERE])]


def score_of(*of: Any) -> tuple[str, dict[str, Any]]:
    return "score", {"threshold": Decimal("0.6"), "of": [{"expect": parts(*one)} for one in of]}


def around(name: str, *inner: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    return name, {"expect": parts(*inner), **({"api": "responses"} if name == "when" else {})}


@pytest.mark.parametrize(
    ("check", "outcome", "weak"),
    [
        *((around(name, *inner), Outcome.PASSED, True) for name, inner in NOWHERE),
        *((around("not", around(name, *inner)), Outcome.PASSED, True) for name, inner in NOWHERE),
        (score_of([ELSEWHERE]), Outcome.PASSED, True),
        (around("not", score_of([ELSEWHERE])), Outcome.PASSED, True),
        (around("not", ELSEWHERE, UNTRUE), Outcome.PASSED, False),
        (around("not", ELSEWHERE, SOUND), Outcome.FAILED, False),
        (around("not", HERE), Outcome.FAILED, False),
        (around("any_of", ELSEWHERE, UNTRUE), Outcome.FAILED, False),
        (around("any_of", around("not", ELSEWHERE), UNTRUE), Outcome.FAILED, False),
        (around("any_of", ELSEWHERE, SOUND), Outcome.PASSED, False),
        (around("any_of", ELSEWHERE, UNTOLD), Outcome.ERRORED, False),
        (around("not", ELSEWHERE, UNTOLD), Outcome.ERRORED, False),
        (around("all_of", ELSEWHERE, SOUND), Outcome.PASSED, False),
        (around("all_of", ELSEWHERE, UNTRUE), Outcome.FAILED, False),
        (score_of([ELSEWHERE], [UNTRUE]), Outcome.FAILED, False),
        (score_of([ELSEWHERE], [SOUND]), Outcome.PASSED, False),
        (score_of([ELSEWHERE, UNTRUE], [SOUND]), Outcome.FAILED, False),
        (score_of([ELSEWHERE], [UNTRUE], [SOUND], [SOUND]), Outcome.PASSED, False),
    ],
    ids=str,
)
def test_what_is_for_other_targets_counts_for_nothing_inside_others(
    check: tuple[str, dict[str, Any]], outcome: Outcome, weak: bool
) -> None:
    turn = Turn(ask="Which?", expectations=(expectation(*check),), location=PLACE)

    (verdict,) = judge_turn(turn, ANSWERED, exchange("responses", turn)).verdicts

    assert (verdict.outcome, verdict.weak) == (outcome, weak), verdict


@pytest.mark.parametrize(
    ("threshold", "written", "outcome", "number"),
    [
        ("0.75", [("3", SOUND), ("1", UNTRUE)], Outcome.PASSED, 0.75),
        ("0.76", [("3", SOUND), ("1", UNTRUE)], Outcome.FAILED, 0.75),
        ("0.75", [("3", SOUND), ("1", BROKEN)], Outcome.PASSED, None),
        ("0.8", [("3", SOUND), ("1", BROKEN)], Outcome.ERRORED, None),
        ("0.8", [("3", UNTRUE), ("1", BROKEN)], Outcome.FAILED, None),
    ],
)
def test_a_score_is_the_weight_of_what_holds(
    threshold: str, written: list[Any], outcome: Outcome, number: float | None
) -> None:
    verdict = score(threshold, *written)

    assert (verdict.outcome, verdict.score) == (outcome, number)


def test_an_expected_ending_may_be_one_way_of_several() -> None:
    refused = replace(ANSWERED, refusal="I can't help with that.", text="")
    turn = Turn(ask="Which?", expectations=parts(("any_of", {"expect": parts(SOUND, UNTRUE)})), location=PLACE)

    assert judge_turn(turn, refused).outcome is Outcome.FAILED


SLOW, FAST = ("latency_s", {"max": Decimal("0.1")}), ("latency_s", {"max": Decimal(100)})
UNCOUNTED = ("tokens", {"max": Decimal(5)})
NOT_SLOW = ("not", {"expect": (expectation(*SLOW),)})


@pytest.mark.parametrize(
    ("check", "outcome", "measured"),
    [
        (FAST, Outcome.PASSED, False),
        (NOT_SLOW, Outcome.PASSED, False),
        (("not", {"expect": parts(NOT_SLOW)}), Outcome.PASSED, False),
        (("not", {"expect": parts(FAST, SOUND)}), Outcome.FAILED, True),
        (("any_of", {"expect": parts(FAST, UNTRUE)}), Outcome.PASSED, False),
        (("any_of", {"expect": parts(FAST, SOUND)}), Outcome.PASSED, True),
        (("all_of", {"expect": parts(FAST, SOUND)}), Outcome.PASSED, False),
        (("all_of", {"expect": parts(FAST, UNTRUE)}), Outcome.FAILED, True),
        (("any_of", {"expect": parts(FAST, UNCOUNTED)}), Outcome.ERRORED, True),
        (("score", {"threshold": Decimal("0.5"), "of": [{"expect": parts(FAST)}]}), Outcome.PASSED, False),
        (
            ("score", {"threshold": Decimal("0.5"), "of": [{"expect": parts(FAST)}, {"expect": parts(SOUND)}]}),
            *(Outcome.PASSED, True),
        ),
    ],
)
def test_a_replay_does_not_hang_on_what_is_not_measured_wherever_it_stands(
    check: tuple[str, dict[str, Any]], outcome: Outcome, measured: bool
) -> None:
    turn = Turn(ask="?", location=PLACE, expectations=(expectation(*check),))
    (verdict,) = judge_turn(turn, replace(ANSWERED, is_replayed=True, duration_s=None)).verdicts
    assert (verdict.outcome, verdict.weak) == (outcome, not measured), verdict
    assert measured or (verdict.found, verdict.reason) == ("not measured", "it is a replay, or waited in a batch")
