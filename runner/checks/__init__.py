"""Checks: one file per rule that an answer can be held to; the file's name is the name users write.

A check module has these names:

- `SCHEMA`: the JSON Schema (an object with `properties`, `additionalProperties: False`) of its parameters, which
  `parameters` helps to write; a text with `format: TOOL_NAME` has to be a tool's name, or a function's of the
  assistant that is talked to; one with `format: FILE_NAME` names a file that the assistant gets, by the check's method
  `names(file: str) -> bool`; one with `format: TARGET_NAME` is a target of the project, with `format: API_NAME` an api,
  with `format: MODEL_NAME` a model, with `format: PROJECT_CODE` a Python function of its; a mapping with `format:
  JSON_SCHEMA` is a schema to judge by. What `parts()` makes holds checks, one or a list, as `expect` does, wherever in
  the schema it stands: the constructor gets a tuple of `Part` there;
- `NEEDS_TOOLS`, where an answer can't pass unless the assistant has one of these hosted tools (`NEEDS_NONE_ON` is an
  api where it can);
- `MAIN_FIELD`: the property that `check: value` sets. Where nothing is `required` and `minProperties` isn't set, the
  check's name alone is a check, too;
- `EXAMPLES`: the check as users write it, with an answer and what comes of it; tests run them, the docs show them;
- `Check`: a frozen dataclass whose fields are those properties, with one method, `judge`. Its constructor
  raises ValueError, with a message for users, for parameters that the schema can't rule out;
- if it judges by data in files, or large libraries, `prepare(*written)`, which reads them: called once before a play
  opens its connections, with the parameters of all that are used (not that of a package: it is judged in a process
  apart).

A check that holds parts judges them itself, each on a run that it makes for it (see `_parts.py`), or has `combine` in
the place of `judge`: see Combining. One that can't be decided without asking somebody has `judge_asking`: see Asking.

Not here: deciding what a turn comes to (`execution/judging.py`), reading YAML (`config/`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import IntEnum
from functools import partial
from types import ModuleType
from typing import Any, ClassVar, Protocol, cast

from runner.checks._packages import AddedModule, load_check
from runner.domain.conversation import Ending, Output, Run, RunId, RunStatus, ThreadId, sum_usage
from runner.domain.judgement import Answers, Questions, divide_answers, group_requests, join_questions
from runner.domain.report import Finding, Outcome, Verdict
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import CheckBroken
from runner.patience import leave_if_over

TOOL_NAME = "tool-name"
FILE_NAME = "file-name"
TARGET_NAME = "target-name"
API_NAME = "api-name"
MODEL_NAME = "model-name"
PROJECT_CODE = "project-code"
JSON_SCHEMA = "json-schema"
EXPECTATIONS = "expectations"
Schema = dict[str, Any]
MOST_DEPTH = 6
"""How deep checks may stand inside each other."""
ORDINARY_ENDINGS = frozenset({Ending.ANSWERED})
PASSES, FAILS, BREAKS = Outcome.PASSED, Outcome.FAILED, Outcome.ERRORED
"""What may come of an example."""


def parameters(
    description: str,
    /,
    *,
    required: Sequence[str] = (),
    least: int = 0,
    examples: Sequence[object] = (),
    **fields: Schema,
) -> Schema:
    """The schema of a check: it has these fields and no others. `least` is how many of them it needs."""
    rules = {"required": required, "minProperties": least, "examples": examples}
    said = {name: rule for name, rule in rules.items() if rule}
    return {"type": "object", "description": description, "properties": fields, **said, "additionalProperties": False}


def field(kind: str | list[str], description: str, *examples: object, **rules: object) -> Schema:
    """A field of one of JSON Schema's types, or of several, with its further rules."""
    said = {"examples": list(examples)} if examples else {}
    return {"type": kind, **said, **rules, "description": description}


def text_field(description: str, *examples: str, **rules: object) -> Schema:
    return field("string", description, *examples, minLength=1, **rules)


def texts_field(description: str, *examples: str) -> Schema:
    """One text or several."""
    items = {"type": "string", "minLength": 1}
    return field(["string", "array"], description, *examples, minLength=1, minItems=1, items=items)


def choice(description: str, words: Sequence[str], *examples: str, **rules: object) -> Schema:
    """One of these words."""
    return field("string", description, *examples, enum=words, **rules)


def flag(description: str, *, default: bool = False) -> Schema:
    return field("boolean", description, default=default)


def parts(description: str, *, example: object) -> Schema:
    """The schema of a field that holds checks."""
    return field(["array", "object", "string"], description, example, format=EXPECTATIONS)


class Check(Protocol):
    """A rule and its parameters.

    `judge` is pure. It sees only runs whose ending is among `endings` (a class attribute; most checks
    leave it at ANSWERED). It raises CheckBroken when the run lacks what the rule needs to be decided.
    It takes a second at most, whatever the answer is. Those of installed packages, and all on long answers, are judged
    in a process apart, and ended after ten (`execution/apart.py`).
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
        usage=sum_usage([run.usage for run in runs]),
        duration_s=None if None in seconds else sum(filter(None, seconds)),
        is_replayed=any(run.is_replayed for run in runs),
    )


class Ask(Protocol):
    """Puts questions to the judge of the project: a model that is told nothing else; and has other processes work."""

    async def __call__(self, questions: Questions, /) -> Answers:
        """One request. Raises CheckBroken where no answer comes."""

    async def run(self, code: str, arguments: Mapping[str, object], timeout_s: float) -> Output:
        """What a located function returns, as JSON. Raises CheckBroken."""

    async def judge(self, part: Part, exchange: Exchange) -> Verdict:
        """That of a check which asks nobody, or is a package's; if it may take long, the program goes on meanwhile."""


class Asking(Protocol):
    """A check that needs a model, or code of the project. `is_paid`: it is asked only where all else holds."""

    is_paid: bool

    async def judge_asking(self, exchange: Exchange, ask: Ask) -> Finding: ...


class Combining(Protocol):
    """A check that is made of others. It has no say in how they are judged, only in what follows from it.

    `combine` gets a verdict for each of `parts_in`, in order. ERRORED stands for "can't be told", or not yet: a part
    that costs a request is not asked for where the others decide. The finding `holds` None where it depends on such a
    part, but for those that are not `applying`: they count for nothing.
    `states_endings` (of the class): an ending that is not ordinary is expected if one of its parts expects it.
    """

    states_endings: ClassVar[bool]

    def parts_in(self, exchange: Exchange | None) -> tuple[Part, ...]: ...
    def combine(self, verdicts: Sequence[Verdict]) -> Finding: ...


class Tier(IntEnum):
    """What judging costs: nothing, a process, a request. The dear ones are asked only where the cheap ones leave it."""

    FREE = 0
    PROCESS = 1
    PAID = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An expectation with the check that it asks for, ready to judge. `is_foreign`: of a package, or around such.

    `inner` are those that a package's check holds, as they are written: what it makes of them isn't asked here.
    """

    expectation: Expectation
    check: Check | Combining | Asking
    tier: Tier
    combines: bool
    is_foreign: bool
    inner: tuple[Part, ...] | None = None

    def judge(self, run: Run, exchange: Exchange | None = None) -> Verdict:
        """Whatever goes wrong in the check is its verdict; so is that it would have to ask."""
        try:
            if self.tier is not Tier.FREE:
                raise CheckBroken("it can't be told without asking")
            # Hundreds of parts, each done in a moment, are not done in one.
            leave_if_over()
            if self.combines:
                inner = cast(Combining, self.check).parts_in(exchange)
                return self._combine([part.judge(run, exchange) for part in inner])
            return self.conclude(cast(Check, self.check).judge(run))
        except Exception as error:  # noqa: BLE001 - one broken check must not end the others
            return self.break_off(_explain(error))

    async def judge_asking(self, exchange: Exchange, ask: Ask) -> Verdict:
        """The same for any check; a combination asks what is dear only if the rest doesn't decide."""
        is_elsewhere = self.tier is Tier.FREE or self.is_foreign
        return await (ask.judge(self, exchange) if is_elsewhere else self.judge_here(exchange, ask))

    async def judge_here(self, exchange: Exchange, ask: Ask) -> Verdict:
        """That of a check which asks, wherever it comes from."""
        try:
            if not self.combines:
                return self.conclude(await cast(Asking, self.check).judge_asking(exchange, ask))
            check = cast(Combining, self.check)
            inner = check.parts_in(exchange)
            return self._combine(await judge_by_tiers(inner, exchange, ask, check.combine))
        except Exception as error:  # noqa: BLE001 - one broken check must not end the others
            printed = {"printed": error.printed} if isinstance(error, CheckBroken) and error.printed else {}
            return replace(self.break_off(_explain(error)), details=printed)

    def _combine(self, verdicts: Sequence[Verdict]) -> Verdict:
        """What follows from its parts; where all that it lacks is a measurement, or parts for here, that is why."""
        verdict = self.conclude(cast(Combining, self.check).combine(verdicts))
        if verdicts and not applying(verdicts):
            return replace(verdict, outcome=Outcome.ERRORED, found="", reason=ELSEWHERE, weak=False, score=None)
        lacking = {one.reason for one in applying(verdicts) if one.outcome is Outcome.ERRORED}
        is_unmeasured = verdict.outcome is Outcome.ERRORED and lacking == {NOT_MEASURED}
        return replace(verdict, reason=NOT_MEASURED) if is_unmeasured else verdict

    def conclude(self, finding: Finding) -> Verdict:
        outcomes = {True: Outcome.PASSED, False: Outcome.FAILED, None: Outcome.ERRORED}
        return Verdict(
            outcome=outcomes[finding.holds],
            check=self.expectation.check,
            location=self.expectation.location,
            expected=finding.expected,
            found=finding.found,
            reason=finding.reason or NO_REASON * (finding.holds is None),
            weak=finding.weak or self.expectation.is_idle,
            score=finding.score,
            details=finding.details,
        )

    def break_off(self, reason: str) -> Verdict:
        """The verdict of a check that can't be told anything by."""
        one = self.expectation
        return Verdict(outcome=Outcome.ERRORED, check=one.check, location=one.location, reason=reason)

    async def expects_ending(self, exchange: Exchange, ask: Ask) -> bool:
        """Whether it states the last run's ending, and holds. A negation states none."""
        if self.combines:
            check = cast(Combining, self.check)
            if check.states_endings is not True:
                return False
            inner = check.parts_in(exchange) if self.inner is None else self.inner
            return any([await one.expects_ending(exchange, ask) for one in inner])
        endings = getattr(self.check, "endings", ORDINARY_ENDINGS)
        if not isinstance(endings, Container) or exchange.run.ending not in endings or self.tier is not Tier.FREE:
            return False
        return (await ask.judge(self, exchange)).outcome is Outcome.PASSED


def _explain(error: Exception) -> str:
    return str(error) if isinstance(error, CheckBroken) else f"the check broke: {type(error).__name__}: {error}"


NO_REASON = "the check can't tell, and says no reason"
NOT_ASKED = "not asked: the other checks decide"
NOT_MEASURED = "it is a replay, or waited in a batch"
"""Why a check of times can't be told; a turn does not hang on one."""
ELSEWHERE = "played elsewhere, so nothing was checked"
"""Why a check can't be told that is for other targets: among others it is as if it were not there."""


def applying(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those of checks that are for where this was played."""
    return [one for one in verdicts if one.outcome is not Outcome.ERRORED or one.reason != ELSEWHERE]


class Table:
    """Where the checks of an answer sit while they ask: once all wait for the judge, their questions go out together.

    One request for what is about the same. Whoever has asked enough leaves, so that nobody waits for it.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._seats = 0
        self._waiting: list[tuple[Questions, asyncio.Future[Answers]]] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def __call__(self, questions: Questions, /) -> Answers:
        answers: asyncio.Future[Answers] = asyncio.get_running_loop().create_future()
        self._waiting.append((questions, answers))
        self._send_if_all_wait()
        return await answers

    async def run(self, code: str, arguments: Mapping[str, object], timeout_s: float) -> Output:
        return await self._ask.run(code, arguments, timeout_s)

    async def judge(self, part: Part, exchange: Exchange) -> Verdict:
        return await self._ask.judge(part, exchange)

    async def seat(self, exchange: Exchange, asking: Sequence[Part], others: Sequence[Part]) -> list[Verdict]:
        """What they come to, side by side; `others` have no seat.

        Who seats others lends its own seat, and has it back from the last one.
        """
        is_first = not self._seats
        self._seats += len(asking) - (not is_first)
        staying = len(asking)

        async def wait_for(part: Part) -> Verdict:
            nonlocal staying
            try:
                return await part.judge_asking(exchange, self)
            finally:
                staying -= 1
                if staying or is_first:
                    self._seats -= 1
                    self._send_if_all_wait()

        try:
            return await asyncio.gather(*map(wait_for, asking), *(one.judge_asking(exchange, self) for one in others))
        finally:
            if is_first:
                for task in self._under_way:
                    task.cancel()

    def _send_if_all_wait(self) -> None:
        if not self._waiting or len(self._waiting) < self._seats:
            return
        waiting, self._waiting = [one for one in self._waiting if not one[1].done()], []
        for places in group_requests([questions for questions, _ in waiting]):
            task = asyncio.create_task(self._send([waiting[place] for place in places]))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _send(self, waiting: Sequence[tuple[Questions, asyncio.Future[Answers]]]) -> None:
        asked = [questions for questions, _ in waiting]
        try:
            told = divide_answers(await self._ask(join_questions(asked)), asked)
            for (_, future), answers in zip(waiting, told, strict=True):
                if not future.done():
                    future.set_result(answers)
        except Exception as error:  # noqa: BLE001 - each of those who wait is told
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)


async def judge_by_tiers(
    parts: Sequence[Part], exchange: Exchange, ask: Ask, conclude: Callable[[Sequence[Verdict]], Finding]
) -> list[Verdict]:
    """The parts' verdicts, the cheap ones first, until `conclude` has a finding; the rest is NOT_ASKED, and ERRORED."""
    table = ask if isinstance(ask, Table) else Table(ask)
    verdicts = [part.break_off(NOT_ASKED) for part in parts]
    for tier in sorted({part.tier for part in parts}):
        due = [index for index, part in enumerate(parts) if part.tier is tier]
        # Nobody waits for what a package's check may ask, in a process of its own.
        due.sort(key=lambda index: parts[index].is_foreign)
        seats = sum(not parts[index].is_foreign for index in due)
        asking = [parts[index] for index in due]
        for index, verdict in zip(due, await table.seat(exchange, asking[:seats], asking[seats:]), strict=True):
            verdicts[index] = verdict
        if conclude(verdicts).holds is not None:
            break
    return verdicts


def is_ours(module: ModuleType) -> bool:
    """Whether a check is runner's own, and not a package's."""
    return module.__name__.startswith(f"{__name__}.")


def build_part(
    expectation: Expectation, *, is_known: bool = False, load: Callable[[str], ModuleType] = load_check
) -> Part:
    """Raises ValueError, with a message for users, for parameters that the schema can't rule out.

    With `is_known`, the configuration has seen to that: a package's process isn't asked again.
    """
    inner: list[Part] = []
    build = partial(build_part, is_known=is_known, load=load)
    parameters = {name: _with_parts(value, inner, build) for name, value in expectation.parameters.items()}
    module = load(expectation.check)
    made_of = module.Check
    is_own = is_ours(module)
    is_foreign = not is_own or any(part.is_foreign for part in inner)
    combines = hasattr(made_of, "combine")
    tier = max((part.tier for part in inner), default=Tier.FREE)
    if tier is not Tier.FREE and not combines:
        dear = next(part.expectation.check for part in inner if part.tier is not Tier.FREE)
        raise ValueError(f"`{dear}` can't stand inside `{expectation.check}`: it is asked about whole answers")
    try:
        check = made_of(**parameters)
    except Exception as error:  # a package's code may raise anything; ours, and what users are told, goes on as it is
        if not is_foreign or isinstance(error, ValueError):
            raise
        raise ValueError(f"the check's own code broke: {type(error).__name__}: {error}") from error
    if isinstance(module, AddedModule) and not is_known:
        module.try_on(expectation)
    if hasattr(check, "judge_asking"):
        tier = Tier.PROCESS if getattr(check, "is_paid", True) is False else Tier.PAID
    return Part(
        expectation=expectation,
        check=check,
        tier=tier,
        combines=combines,
        is_foreign=is_foreign,
        inner=None if is_own else tuple(inner),
    )


def _with_parts(value: object, inner: list[Part], build: Callable[[Expectation], Part]) -> object:
    """A parameter with the expectations in it built, wherever they stand; they are added to `inner`, too."""
    match value:
        case Expectation():
            inner.append(build(value))
            return inner[-1]
        case tuple() | list():
            return type(value)(_with_parts(one, inner, build) for one in value)
        case Mapping():
            return {key: _with_parts(one, inner, build) for key, one in value.items()}
    return value


Amount = int | float | Decimal


def limits_schema(what: str, *, example: Amount, whole: bool = True) -> Schema:
    """The schemas of `max` and `min`; `what` is "words in the answer", say."""
    kind = "integer" if whole else "number"
    return {
        "max": field(kind, f"So many {what} at most.", example, minimum=0),
        "min": field(kind, f"So many {what} at least.", minimum=0),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A check of an amount has these fields."""

    max: Amount | None = None
    min: Amount | None = None

    def __post_init__(self) -> None:
        check_limits(self.min, self.max)

    def judge_amount(self, amount: Amount, unit: str) -> Finding:
        """The finding on an amount; `unit` stands behind each figure: "words", "s"."""
        too_many = self.max is not None and amount > self.max
        too_few = self.min is not None and amount < self.min
        reason = ""
        if too_many or too_few:
            by = abs(Decimal(str(amount)) - Decimal(str(self.max if too_many else self.min)))
            reason = f"{_show(by)} {'over' if too_many else 'under'} the limit"
        expected = f"{describe_limits(self.min, self.max)} {unit}"
        return Finding(holds=not reason, expected=expected, found=f"{_show(amount)} {unit}", reason=reason)


def check_limits(least: Amount | None, most: Amount | None, *, counts: bool = True) -> None:
    """Raises ValueError for limits between which nothing is, and for none; what `counts` is never below 0."""
    if least is None and most is None:
        raise ValueError("say `max`, `min` or both")
    if least is not None and most is not None and least > most:
        raise ValueError(f"`min: {least}` is more than `max: {most}`")
    if counts and not least and most is None:
        raise ValueError("`min: 0` alone rules nothing out: there is never less")


def describe_limits(least: Amount | None, most: Amount | None) -> str:
    if least is None or most is None:
        return f"at most {_show(most)}" if most is not None else f"at least {_show(least or 0)}"
    return f"exactly {_show(most)}" if least == most else f"{_show(least)} to {_show(most)}"


def _show(amount: Amount) -> str:
    if isinstance(amount, int):
        return f"{amount:,}"
    return f"{Decimal(f'{amount:.6g}') if isinstance(amount, float) else amount:,f}"
