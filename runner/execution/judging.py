"""Decide what a turn came to: the ending of its run first, then its checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runner.checks import ORDINARY_ENDINGS, Exchange, build_part
from runner.domain.conversation import Ending, Run
from runner.domain.report import Outcome, TurnResult, worst
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.plugins import load_plugin

_LONGEST_CAUSE = 200
_MOST_CAUSES = 3

_UNWANTED = {
    Ending.REFUSED: (Outcome.FAILED, "the model refused to answer"),
    Ending.DECLINED: (Outcome.ERRORED, "declined: offline rules could not answer this"),
    Ending.EMPTY: (Outcome.ERRORED, "the answer is empty"),
}


def judge_turn(turn: Turn, run: Run, exchange: Exchange | None = None) -> TurnResult:
    """The result of a turn whose run has ended, however it ended."""
    parts = tuple(build_part(expectation) for expectation in turn.expectations)
    if run.ending not in ORDINARY_ENDINGS and not any(part.expects_ending(run, exchange) for part in parts):
        outcome, reason = _UNWANTED.get(run.ending, (Outcome.ERRORED, _describe_breakage(run)))
        return TurnResult(turn=turn, outcome=outcome, run=run, reason=reason + _describe_broken_calls(run))
    verdicts = tuple(part.judge(run, exchange) for part in parts)
    outcome = worst(tuple(verdict.outcome for verdict in verdicts)) if verdicts else Outcome.PASSED
    return TurnResult(turn=turn, outcome=outcome, run=run, verdicts=verdicts)


def prepare_checks(scenarios: Iterable[Scenario]) -> None:
    """Read what the checks need while files can be opened: later, connections may have taken all descriptors."""
    for name in sorted({one.check for one in find_expectations(scenarios)}):
        getattr(load_plugin("runner.checks", name), "prepare", lambda: None)()


def find_expectations(scenarios: Iterable[Scenario]) -> Iterator[Expectation]:
    """Every expectation, those inside others too."""
    for scenario in scenarios:
        for turn in scenario.turns:
            yield from _expectations_in(turn.expectations)


def _expectations_in(value: object) -> Iterator[Expectation]:
    match value:
        case Expectation():
            yield value
            yield from _expectations_in(value.parameters)
        case tuple() | list():
            for one in value:
                yield from _expectations_in(one)
        case Mapping():
            for one in value.values():
                yield from _expectations_in(one)


def _describe_broken_calls(run: Run) -> str:
    """What may have led to such an ending: the calls that did not complete, each with the beginning of its reason."""
    broken = [step for step in run.steps if not step.completed]
    return "".join(f"; {step.title} did not complete: {step.output[:_LONGEST_CAUSE]}" for step in broken[:_MOST_CAUSES])


def _describe_breakage(run: Run) -> str:
    code = f" ({run.error_code})" if run.error_code else ""
    return f"the run ended as {run.status.value}{code}" + (f": {run.error}" if run.error else "")
