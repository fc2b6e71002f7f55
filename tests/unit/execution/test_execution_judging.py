"""What a turn comes to: its run's ending first, then its checks."""

from dataclasses import replace

import pytest
from turn_judging import judge_turn

from runner.domain.conversation import DECLINE, NOT_APPROVED, Run, RunId, RunStatus, Step, ThreadId
from runner.domain.report import Outcome
from runner.domain.scenario import Expectation, Turn
from runner.errors import Location

PLACE = Location("scenarios/x.yaml", 3, 5)
ANSWERED = Run(id=RunId("run_1"), thread_id=ThreadId("thread_1"), status=RunStatus.COMPLETED, text="It is 39.25.")


def turn_expecting(*checks: tuple[str, dict[str, object]]) -> Turn:
    expectations = tuple(Expectation(check=name, parameters=given, location=PLACE) for name, given in checks)
    return Turn(ask="How much?", expectations=expectations, location=PLACE)


def test_a_complete_answer_passes_when_every_check_holds() -> None:
    result = judge_turn(turn_expecting(("contains", {"value": "39.25"})), ANSWERED)
    assert result.outcome is Outcome.PASSED


def test_a_complete_answer_fails_when_a_check_says_no() -> None:
    result = judge_turn(turn_expecting(("contains", {"value": "39.26"}), ("contains", {"value": "39.25"})), ANSWERED)
    assert result.outcome is Outcome.FAILED
    assert [verdict.outcome for verdict in result.verdicts] == [Outcome.FAILED, Outcome.PASSED]


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        ({"declined": "No language model is connected."}, Outcome.ERRORED),
        ({"refusal": "I can't help with that."}, Outcome.FAILED),
        ({"text": "  "}, Outcome.ERRORED),
        ({"text": "\u200b\u2060\ufeff"}, Outcome.ERRORED),
        ({"status": RunStatus.FAILED}, Outcome.ERRORED),
        ({"status": RunStatus.INCOMPLETE}, Outcome.ERRORED),
        ({"status": RunStatus.CANCELLED}, Outcome.ERRORED),
        ({"status": RunStatus.EXPIRED}, Outcome.ERRORED),
    ],
)
def test_nothing_passes_on_an_unexpected_ending_not_even_a_negative_check(
    ending: dict[str, object], outcome: Outcome
) -> None:
    run = replace(ANSWERED, **ending)
    result = judge_turn(turn_expecting(("not_contains", {"value": "sorry"})), run)
    assert result.outcome is outcome
    assert result.reason
    assert result.verdicts == ()


def test_a_run_that_is_incomplete_says_why_once() -> None:
    error = "the answer is incomplete: max_output_tokens"
    run = replace(ANSWERED, status=RunStatus.INCOMPLETE, error=error, error_code="max_output_tokens")
    assert judge_turn(turn_expecting(), run).reason == "the run ended as incomplete (max_output_tokens)"


def test_a_run_that_failed_says_why_with_the_code_of_the_api() -> None:
    run = replace(ANSWERED, status=RunStatus.FAILED, error="try later", error_code="server_error")
    assert judge_turn(turn_expecting(), run).reason == "the run ended as failed (server_error): try later"


def test_a_call_that_did_not_complete_is_named_beside_the_ending_that_it_led_to() -> None:
    steps = (Step(tool="rate", completed=False, output="error: KeyError: 'NOK'"), Step(tool="other", completed=True))
    reason = judge_turn(turn_expecting(), replace(ANSWERED, text="", steps=steps)).reason
    assert reason == "the answer is empty; rate did not complete: error: KeyError: 'NOK'"


@pytest.mark.parametrize(
    ("said", "checks", "otherwise"),
    [
        ({"refusal": "I can't help with that."}, (), Outcome.FAILED),
        ({"refusal": "I can't help with that."}, (("refuses", {}),), Outcome.PASSED),
        ({"text": "I can't help with that."}, (("refuses", {}),), Outcome.PASSED),
        ({"text": "Please call us."}, (("refuses", {"words": "call us"}),), Outcome.PASSED),
    ],
)
def test_a_refusal_after_a_broken_call_is_an_error_whether_it_is_expected_or_not(
    said: dict[str, str], checks: tuple[tuple[str, dict[str, object]], ...], otherwise: Outcome
) -> None:
    broken = Step(tool="rate", completed=False, output="error: tools/rates.py:3: KeyError: 'NOK'")
    run, turn = replace(ANSWERED, **said), turn_expecting(*checks)
    result = judge_turn(turn, replace(run, steps=(broken,)))
    assert result.outcome is Outcome.ERRORED
    told = result.reason or result.verdicts[0].reason
    assert "rate did not complete: error: tools/rates.py:3: KeyError: 'NOK'" in told
    # The same call once more, which came to something.
    assert judge_turn(turn, replace(run, steps=(broken, replace(broken, completed=True)))).outcome is otherwise


def test_a_call_that_nobody_approved_was_not_to_complete() -> None:
    denied = Step(tool="mcp", label="shop.refund", completed=False, output=f"{NOT_APPROVED}: nothing approves it")
    run = replace(ANSWERED, text="I can't do that.", steps=(denied,))
    assert judge_turn(turn_expecting(("refuses", {})), run).outcome is Outcome.PASSED


def test_a_decline_says_why_in_the_rules_own_words_or_in_a_script_s() -> None:
    said = f"{DECLINE.format('no priced (large) one was found')} (`runner serve`)."
    told = [judge_turn(turn_expecting(), replace(ANSWERED, declined=text)) for text in (said, "Not today.")]
    assert [one.reason for one in told] == ["declined: no priced (large) one was found", "declined: Not today."]
    assert all(one.is_decline for one in told)


@pytest.mark.parametrize("tool", ["rate", "file_search", "code_interpreter"])
def test_what_the_rules_decline_after_a_broken_call_is_that_call_s_error_and_no_decline(tool: str) -> None:
    steps = (Step(tool=tool, completed=False, output="error: tools/rates.py:3: KeyError: 'NOK'"),)
    turn = judge_turn(turn_expecting(), replace(ANSWERED, declined="I can't answer this.", steps=steps))
    assert (turn.outcome, turn.is_decline) == (Outcome.ERRORED, False)
    assert turn.reason == f"{tool} did not complete: error: tools/rates.py:3: KeyError: 'NOK'"


def test_a_broken_check_is_an_error_not_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.checks.matches._TIMEOUT_S", 0.1)
    hopeless = {"pattern": "(a+)+$"}
    run = replace(ANSWERED, text="a" * 5_000 + "b")
    result = judge_turn(turn_expecting(("matches", hopeless), ("contains", {"value": "b", "words": False})), run)
    assert result.outcome in {Outcome.ERRORED, Outcome.FAILED}
    assert len(result.verdicts) == 2
