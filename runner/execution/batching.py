"""Ask the first questions of scenarios in batches, before they are played: half the price, within a day."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

from runner.backends import Backend, Batching, BatchState, Deployment, Question, TakeAnswer
from runner.domain.assistant import Project, ToolName
from runner.domain.conversation import Run
from runner.domain.plan import Kind
from runner.domain.report import Attempt, BatchSeen, count_certain
from runner.domain.scenario import Scenario
from runner.errors import DeadlineExceeded, RateLimited, RemoteError, RemoteMissing, RemoteUnreachable
from runner.execution.player import Surroundings
from runner.execution.stage import Stage
from runner.journal import Journal
from runner.kept_play import Key, Unit
from runner.sync import tags

Read = TypeVar("Read")

MOST_QUESTIONS = 50_000
"""In one batch. Source: OpenAI's guide to batches."""
PATIENCE_S = 26 * 3600.0
"""A batch ends after a day by itself, and may then take a while to write down what it has."""
LONGEST_OUTAGE_S = 3600.0
"""For so long a server may be away while a batch is waited for."""
FIRST_LOOK_S, SLOWEST_LOOK_S = 0.05, 30.0

Answers = dict[str, list[TakeAnswer]]
"""What there is for each attempt at a scenario, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where batches of one variant are asked. `interrupted` is set when there is no time to wait any more; `keeps`:
    the answers are to be looked at afterwards.
    """

    project: Project
    backend: Backend
    journal: Journal
    stage: Stage
    around: Surroundings
    interrupted: asyncio.Event
    keeps: bool = False


def is_for_batches(scenario: Scenario, project: Project) -> bool:
    """Whether a scenario's first question can wait in a file: nothing needs an answer of ours, nor is uploaded for it.

    The file of a batch is kept for some weeks; what an MCP server's address and headers hold does not belong there.
    """
    assistant = project.find_assistant(scenario.assistant)
    if assistant is None or scenario.skip:
        return False
    asks_us = assistant.functions or ToolName.MCP.value in assistant.tool_names
    return not asks_us and not scenario.turns[0].attachments


async def ask_in_batches(desk: Desk, units: Sequence[Unit], attempts: Mapping[Key, tuple[Attempt, ...]]) -> Answers:
    """The answers to the first questions of those units that batches are for, once all batches are over.

    Batches that an earlier time of the play left are waited for, and not asked again. What a batch does not answer is
    an error, and raised by whoever takes it. Raises RemoteError if a batch can't be read, and CutOff if the play is
    interrupted: the batches go on.
    """
    backend = desk.backend
    assert isinstance(backend, Batching), "the command line has checked the target's api"
    found: dict[str, TakeAnswer] = {}
    for batch_id in [remote_id for kind, remote_id in desk.journal.live if kind is Kind.BATCH]:
        # One that is gone is asked anew.
        with suppress(RemoteMissing):
            found.update(await _wait(desk, backend, batch_id, ()))
    wanted = {
        key: unit
        for unit in units
        if is_for_batches(unit.scenario, desk.project)
        for key in _keys_of(unit, attempts.get(unit.key, ()))
    }
    missing = {key: unit for key, unit in wanted.items() if key not in found}
    orders = await _write_orders(desk, missing)
    asked = await asyncio.gather(*(_ask(desk, backend, *order) for order in orders), return_exceptions=True)
    for one in asked:
        if isinstance(one, BaseException):
            raise one
        found.update(one)
    answers: Answers = {}
    for key, unit in wanted.items():
        if key in found:
            answers.setdefault(unit.scenario.name, []).append(found[key])
    return answers


def _keys_of(unit: Unit, kept: Sequence[Attempt]) -> Iterator[str]:
    """One for each attempt that is made whatever the others come to; a changed file makes others of them."""
    outcomes, scenario = [attempt.outcome for attempt in kept], unit.scenario
    certain = count_certain(outcomes, repeat=scenario.repeat, needed=scenario.passes_needed)
    for number in range(len(kept) + 1, len(kept) + 1 + certain):
        mark = sha256(repr((unit.key, unit.fingerprint, number)).encode()).hexdigest()[:16]
        yield f"{scenario.name[:80]} #{number} {mark}"


async def _write_orders(desk: Desk, units: Mapping[str, Unit]) -> list[tuple[str, dict[str, Question]]]:
    """A label, and its questions by their keys: each batch has one model."""
    models: dict[str, dict[str, Question]] = {}
    for key, unit in units.items():
        assistant = desk.project.find_assistant(unit.scenario.assistant)
        assert assistant is not None, "the configuration has checked every scenario's assistant"
        # What can't be deployed says so when the scenario is played.
        with suppress(RemoteError):
            deployment = await desk.stage.deployment_of(assistant)
            models.setdefault(assistant.model, {})[key] = _make_question(desk, unit.scenario, deployment)
    return [
        (f"{model} {first // MOST_QUESTIONS + 1}", dict(list(questions.items())[first : first + MOST_QUESTIONS]))
        for model, questions in models.items()
        for first in range(0, len(questions), MOST_QUESTIONS)
    ]


def _make_question(desk: Desk, scenario: Scenario, deployment: Deployment) -> Question:
    return Question(
        deployment=deployment,
        text=scenario.turns[0].ask,
        thread_id=None,
        tags={**desk.stage.tags, tags.DEFINITION: deployment.definition_hash},
        is_last=len(scenario.turns) == 1,
        may_be_forgotten=not desk.keeps,
    )


async def _ask(desk: Desk, backend: Batching, label: str, questions: dict[str, Question]) -> Mapping[str, TakeAnswer]:
    desk.around.interruption.check()
    try:
        batch_id = await backend.start_batch(label, questions)
    except RemoteError as error:
        # Without what would say that it passes: then the question would be asked again, for the full price.
        return dict.fromkeys(questions, _raising(type(error)(str(error))))
    return await _wait(desk, backend, batch_id, questions)


async def _wait(desk: Desk, backend: Batching, batch_id: str, keys: Iterable[str]) -> Mapping[str, TakeAnswer]:
    """What a batch has for each key, and for those of which it says nothing how it ended.

    Raises RemoteError where that can't be told: the play is over then, and the batch stays for a resumed one.
    """
    ends_at, seen_at, pause_s = desk.around.clock() + PATIENCE_S, desk.around.clock(), FIRST_LOOK_S
    while True:
        try:
            state = await _unless_interrupted(desk, backend.look_at_batch(batch_id))
            desk.around.emit(_describe(state))
            if state.is_over:
                break
            seen_at = desk.around.clock()
        except RemoteError as error:
            if not _passes(error) or desk.around.clock() - seen_at > LONGEST_OUTAGE_S:
                raise
        if desk.around.clock() > ends_at:
            raise DeadlineExceeded(f"the batch {batch_id} has not ended after {PATIENCE_S / 3600:g} hours")
        with suppress(TimeoutError):
            await asyncio.wait_for(desk.interrupted.wait(), pause_s)
        desk.around.interruption.check()
        pause_s = min(SLOWEST_LOOK_S, pause_s * 1.5)
    lines = await _unless_interrupted(desk, backend.read_batch(batch_id))
    return {**dict.fromkeys(keys, _raising(RemoteError(state.error))), **lines}


async def _unless_interrupted(desk: Desk, reading: Coroutine[Any, Any, Read]) -> Read:
    """What is only read, however slow the server is, can be read again by a resumed play. Raises CutOff."""
    read, stop = asyncio.create_task(reading), asyncio.create_task(desk.interrupted.wait())
    try:
        await asyncio.wait((read, stop), return_when=asyncio.FIRST_COMPLETED)
        if not read.done():
            desk.around.interruption.check()
        return await read
    finally:
        read.cancel()
        stop.cancel()
        await asyncio.wait((read, stop))


def _describe(state: BatchState) -> BatchSeen:
    return BatchSeen(batch_id=state.id, status=state.status, is_over=state.is_over, done=state.done, total=state.total)


def _passes(error: RemoteError) -> bool:
    return isinstance(error, RemoteUnreachable | RateLimited) or (error.status or 0) >= 500


def _raising(error: RemoteError) -> TakeAnswer:
    async def take() -> Run:
        raise error

    return take
