"""Decide what a turn came to: the ending of its run first, then its checks."""

from __future__ import annotations

from collections.abc import Iterable

from runner.checks import ORDINARY_ENDINGS, Check
from runner.domain.conversation import Ending, Run
from runner.domain.report import Outcome, TurnResult, Verdict, worst
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import CheckBroken
from runner.plugins import load_plugin

_LONGEST_CAUSE = 200
_MOST_CAUSES = 3

_UNWANTED = {
    Ending.REFUSED: (Outcome.FAILED, "the model refused to answer"),
    Ending.DECLINED: (Outcome.ERRORED, "declined: offline rules could not answer this"),
    Ending.EMPTY: (Outcome.ERRORED, "the answer is empty"),
}


def judge_turn(turn: Turn, run: Run) -> TurnResult:
    """The result of a turn whose run has ended, however it ended."""
    judged = tuple((expectation, _build(expectation)) for expectation in turn.expectations)
    if run.ending not in ORDINARY_ENDINGS and not _was_expected(judged, run):
        outcome, reason = _UNWANTED.get(run.ending, (Outcome.ERRORED, _describe_breakage(run)))
        return TurnResult(turn=turn, outcome=outcome, run=run, reason=reason + _describe_broken_calls(run))
    verdicts = tuple(_judge(expectation, check, run) for expectation, check in judged)
    outcome = worst(tuple(verdict.outcome for verdict in verdicts)) if verdicts else Outcome.PASSED
    return TurnResult(turn=turn, outcome=outcome, run=run, verdicts=verdicts)


def prepare_checks(scenarios: Iterable[Scenario]) -> None:
    """Read what the checks need while files can be opened: later, connections may have taken all descriptors."""
    expectations = (one for scenario in scenarios for turn in scenario.turns for one in turn.expectations)
    for name in sorted({one.check for one in expectations}):
        getattr(load_plugin("runner.checks", name), "prepare", lambda: None)()


def _build(expectation: Expectation) -> Check:
    check: Check = load_plugin("runner.checks", expectation.check).Check(**expectation.parameters)
    return check


def _was_expected(judged: tuple[tuple[Expectation, Check], ...], run: Run) -> bool:
    """Whether a check states this very ending, and holds."""
    return any(
        run.ending in getattr(check, "endings", ORDINARY_ENDINGS)
        and _judge(expectation, check, run).outcome is Outcome.PASSED
        for expectation, check in judged
    )


def _judge(expectation: Expectation, check: Check, run: Run) -> Verdict:
    try:
        finding = check.judge(run)
    except CheckBroken as error:
        return _broken(expectation, str(error))
    except Exception as error:  # noqa: BLE001 - one broken check must not end the others
        return _broken(expectation, f"the check broke: {type(error).__name__}: {error}")
    return Verdict(
        outcome=Outcome.PASSED if finding.holds else Outcome.FAILED,
        check=expectation.check,
        location=expectation.location,
        expected=finding.expected,
        found=finding.found,
        reason=finding.reason,
        weak=finding.weak,
    )


def _broken(expectation: Expectation, reason: str) -> Verdict:
    return Verdict(outcome=Outcome.ERRORED, check=expectation.check, location=expectation.location, reason=reason)


def _describe_broken_calls(run: Run) -> str:
    """What may have led to such an ending: the calls that did not complete, each with the beginning of its reason."""
    broken = [step for step in run.steps if not step.completed]
    return "".join(f"; {step.title} did not complete: {step.output[:_LONGEST_CAUSE]}" for step in broken[:_MOST_CAUSES])


def _describe_breakage(run: Run) -> str:
    code = f" ({run.error_code})" if run.error_code else ""
    return f"the run ended as {run.status.value}{code}" + (f": {run.error}" if run.error else "")
