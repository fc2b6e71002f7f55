"""Checks: one file per rule that an answer can be held to; the file's name is the name users write.

A check module has these names:

- `SCHEMA`: the JSON Schema (an object with `properties`, `additionalProperties: False`) of its parameters; a text with
  `format: TOOL_NAME` has to be a tool's name, or a function's of the assistant that is talked to; one with
  `format: FILE_NAME` names a file that the assistant gets, by the check's method `names(file: str) -> bool`; one with
  `format: TARGET_NAME` is a target of the project, one with `format: PROJECT_CODE` a Python function of its. What
  `parts()` makes holds checks, one or a list, as `expect` does, wherever in the schema it stands: the constructor gets
  a tuple of `Part` there;
- `MAIN_FIELD`: the property that `check: value` sets. Where nothing is `required` and `minProperties` isn't set, the
  check's name alone is a check, too;
- `EXAMPLES`: the check as users write it, with an answer and what comes of it; tests run them, the docs show them;
- `Check`: a frozen dataclass whose fields are those properties, with one method, `judge`. Its constructor
  raises ValueError, with a message for users, for parameters that the schema can't rule out;
- if it judges by data in files, `prepare()`, which reads them: called once before a play opens its connections.

A check that holds parts judges them itself, each on a run that it makes for it (see `_parts.py`), or has `combine` in
the place of `judge`: see Combining. One that can't be decided without asking somebody has `judge_asking`: see Asking.

Not here: deciding what a turn comes to (`execution/judging.py`), reading YAML (`config/`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Any, Protocol, cast

from runner.domain.conversation import Ending, Run, RunId, RunStatus, ThreadId, Usage
from runner.domain.judgement import Answers, Questions
from runner.domain.report import Finding, Outcome, Verdict
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import CheckBroken
from runner.plugins import load_plugin

TOOL_NAME = "tool-name"
FILE_NAME = "file-name"
TARGET_NAME = "target-name"
PROJECT_CODE = "project-code"
EXPECTATIONS = "expectations"
MOST_DEPTH = 6
"""How deep checks may stand inside each other."""
ORDINARY_ENDINGS = frozenset({Ending.ANSWERED})
PASSES, FAILS, BREAKS = Outcome.PASSED, Outcome.FAILED, Outcome.ERRORED
"""What may come of an example."""


def parts(description: str, *, example: object) -> dict[str, Any]:
    """The schema of a property that holds checks."""
    kinds = ["array", "object", "string"]
    return {"type": kinds, "format": EXPECTATIONS, "description": description, "examples": [example]}


class Check(Protocol):
    """A rule and its parameters.

    `judge` is pure. It sees only runs whose ending is among `endings` (a class attribute; most checks
    leave it at ANSWERED). It raises CheckBroken when the run lacks what the rule needs to be decided.
    It takes a second at most, whatever the answer is: nothing can interrupt it.
    """

    def judge(self, run: Run) -> Finding: ...


@dataclass(frozen=True, slots=True)
class Example:
    """An item of `expect` in YAML, an answer (its text, or the whole run), and what comes of the two.

    `judge` is the probability that a judge gives to each right option; None: it refuses.
    """

    check: str
    answer: str | Run
    outcome: Outcome
    judge: float | None = None

    @property
    def run(self) -> Run:
        return an_answer(self.answer) if isinstance(self.answer, str) else self.answer


def an_answer(text: str = "", **fields: Any) -> Run:
    """A completed run with this text, for examples."""
    return Run(
        **{"id": RunId("run"), "thread_id": ThreadId("thread"), "status": RunStatus.COMPLETED, **fields}, text=text
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What was said so far, and where: for checks to which an answer alone says too little.

    `turns` are the questions that were asked, each with its run; the last is the one that is judged, or with `is_whole`
    all of them together. `model` is what was asked for.
    """

    scenario: Scenario
    turns: tuple[tuple[Turn, Run], ...]
    target: str
    api: str
    model: str
    is_whole: bool = False

    @property
    def run(self) -> Run:
        """What is judged: the last run; of the whole conversation, with what the others did before it."""
        runs = [run for _, run in self.turns]
        return join_runs(runs) if self.is_whole else runs[-1]


def join_runs(runs: Sequence[Run]) -> Run:
    """The answer of the last run; steps, files, tokens and seconds of all. One unknown hides a sum."""
    last, seconds = runs[-1], [run.duration_s for run in runs]
    return replace(
        last,
        steps=tuple(step for run in runs for step in run.steps),
        files=tuple(file for run in runs for file in run.files),
        usage=_sum_usage([run.usage for run in runs]),
        duration_s=None if None in seconds else sum(filter(None, seconds)),
        is_replayed=any(run.is_replayed for run in runs),
    )


def _sum_usage(usages: Sequence[Usage | None]) -> Usage | None:
    known = [usage for usage in usages if usage is not None]
    if len(known) < len(usages):
        return None

    def add(name: str) -> int | None:
        counts = [getattr(usage, name) for usage in known]
        return None if None in counts else sum(counts)

    return Usage(**{one.name: add(one.name) for one in fields(Usage)})


class Ask(Protocol):
    """Puts questions to the judge of the project: a model that is told nothing else; and runs code of the project."""

    async def __call__(self, questions: Questions, /) -> Answers:
        """One request. Raises CheckBroken where no answer comes."""

    async def run(self, code: str, arguments: Mapping[str, object], timeout_s: float) -> str:
        """What a located function returns, as JSON or as the text that it is. Raises CheckBroken."""


class Asking(Protocol):
    """A check that needs a model, or code of the project. `is_paid`: it is asked only where all else holds."""

    is_paid: bool

    async def judge_asking(self, exchange: Exchange, ask: Ask) -> Finding: ...


class Combining(Protocol):
    """A check that is made of others. It has no say in how they are judged, only in what follows from it.

    `combine` gets a verdict for each of `parts_in`, in order. ERRORED stands for "can't be told", or not yet: a part
    that costs a request is not asked for where the others decide. The finding `holds` None where it depends on such a
    part.
    `states_endings`: an ending that is not ordinary is expected if one of its parts expects it.
    """

    @property
    def states_endings(self) -> bool: ...
    def parts_in(self, exchange: Exchange | None) -> tuple[Part, ...]: ...
    def combine(self, verdicts: Sequence[Verdict]) -> Finding: ...


class Tier(IntEnum):
    """What judging costs: nothing, a process, a request. The dear ones are asked only where the cheap ones leave it."""

    FREE = 0
    PROCESS = 1
    PAID = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An expectation with the check that it asks for, ready to judge."""

    expectation: Expectation
    check: Check | Combining | Asking
    tier: Tier
    combines: bool

    def judge(self, run: Run, exchange: Exchange | None = None) -> Verdict:
        """Whatever goes wrong in the check is its verdict; so is that it would have to ask."""
        try:
            if self.tier is not Tier.FREE:
                raise CheckBroken("it can't be told without asking")
            if self.combines:
                check = cast(Combining, self.check)
                return self.conclude(check.combine([part.judge(run, exchange) for part in check.parts_in(exchange)]))
            return self.conclude(cast(Check, self.check).judge(run))
        except Exception as error:  # noqa: BLE001 - one broken check must not end the others
            return self.break_off(_explain(error))

    async def judge_asking(self, exchange: Exchange, ask: Ask) -> Verdict:
        """The same for any check; a combination asks what is dear only if the rest doesn't decide."""
        if self.tier is Tier.FREE:
            return self.judge(exchange.run, exchange)
        try:
            if not self.combines:
                return self.conclude(await cast(Asking, self.check).judge_asking(exchange, ask))
            check = cast(Combining, self.check)
            inner = check.parts_in(exchange)
            return self.conclude(check.combine(await judge_by_tiers(inner, exchange, ask, check.combine)))
        except Exception as error:  # noqa: BLE001 - as above
            return self.break_off(_explain(error))

    def conclude(self, finding: Finding) -> Verdict:
        outcomes = {True: Outcome.PASSED, False: Outcome.FAILED, None: Outcome.ERRORED}
        return Verdict(
            outcome=outcomes[finding.holds],
            check=self.expectation.check,
            location=self.expectation.location,
            expected=finding.expected,
            found=finding.found,
            reason=finding.reason,
            weak=finding.weak,
            score=finding.score,
            details=finding.details,
        )

    def break_off(self, reason: str) -> Verdict:
        """The verdict of a check that can't be told anything by."""
        one = self.expectation
        return Verdict(outcome=Outcome.ERRORED, check=one.check, location=one.location, reason=reason)

    def expects_ending(self, run: Run, exchange: Exchange | None = None) -> bool:
        """Whether it states the run's ending, and holds. A negation states none."""
        if self.combines:
            check = cast(Combining, self.check)
            return check.states_endings and any(one.expects_ending(run, exchange) for one in check.parts_in(exchange))
        states = run.ending in getattr(self.check, "endings", ORDINARY_ENDINGS)
        return states and self.judge(run, exchange).outcome is Outcome.PASSED


def _explain(error: Exception) -> str:
    return str(error) if isinstance(error, CheckBroken) else f"the check broke: {type(error).__name__}: {error}"


NOT_ASKED = "not asked: the other checks decide"


async def judge_by_tiers(
    parts: Sequence[Part], exchange: Exchange, ask: Ask, conclude: Callable[[Sequence[Verdict]], Finding]
) -> list[Verdict]:
    """The parts' verdicts, the cheap ones first, until `conclude` has a finding; the rest is NOT_ASKED, and ERRORED."""
    verdicts = [part.break_off(NOT_ASKED) for part in parts]
    for tier in sorted({part.tier for part in parts}):
        due = [index for index, part in enumerate(parts) if part.tier is tier]
        told = await asyncio.gather(*(parts[index].judge_asking(exchange, ask) for index in due))
        for index, verdict in zip(due, told, strict=True):
            verdicts[index] = verdict
        if conclude(verdicts).holds is not None:
            break
    return verdicts


def build_part(expectation: Expectation) -> Part:
    """Raises ValueError, with a message for users, for parameters that the schema can't rule out."""
    inner: list[Part] = []
    parameters = {name: _with_parts(value, inner) for name, value in expectation.parameters.items()}
    made_of = load_plugin(__name__, expectation.check).Check
    combines = hasattr(made_of, "combine")
    tier = max((part.tier for part in inner), default=Tier.FREE)
    if tier is not Tier.FREE and not combines:
        dear = next(part.expectation.check for part in inner if part.tier is not Tier.FREE)
        raise ValueError(f"`{dear}` can't stand inside `{expectation.check}`: it is asked about whole answers")
    check = made_of(**parameters)
    if hasattr(check, "judge_asking"):
        tier = Tier.PAID if check.is_paid else Tier.PROCESS
    return Part(expectation=expectation, check=check, tier=tier, combines=combines)


def _with_parts(value: object, inner: list[Part]) -> object:
    """A parameter with the expectations in it built, wherever they stand; they are added to `inner`, too."""
    match value:
        case Expectation():
            inner.append(build_part(value))
            return inner[-1]
        case tuple() | list():
            return type(value)(_with_parts(one, inner) for one in value)
        case Mapping():
            return {key: _with_parts(one, inner) for key, one in value.items()}
    return value
