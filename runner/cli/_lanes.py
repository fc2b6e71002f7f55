"""What a play is played on: each target once, for each of the models; recorded, or replayed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from runner.backends import Backend
from runner.cli._output import count_descriptors
from runner.cli._session import Session, open_ask
from runner.cli._targets import OpenedTarget, find_capabilities
from runner.domain.assistant import ChatEndpoint, Server, Target
from runner.domain.report import Variant
from runner.escaping import file_name
from runner.execution.judging import Asker
from runner.execution.play import Lane
from runner.execution.recording import record, record_judge, replay, replay_judge

# Measured with an embedded server in the process: both ends of each connection, and the pipes of what runs code.
OWN_DESCRIPTORS, DESCRIPTORS_PER_SCENARIO = 44, 4


class Wanted(Protocol):
    """What the command line says of it."""

    @property
    def jobs(self) -> int: ...
    @property
    def models(self) -> tuple[str, ...]: ...
    @property
    def record(self) -> Path | None: ...
    @property
    def replay(self) -> Path | None: ...


@asynccontextmanager
async def open_judge(judge: Session | None, lanes: Sequence[Lane], wanted: Wanted) -> AsyncIterator[Asker]:
    """What answers the checks that ask; without a judge, what says so."""
    declared = judge.configuration.project.judge if judge else None
    if judge is not None and declared is not None and wanted.replay:
        with closing(Asker(model=replay_judge(wanted.replay, declared.model, judge.redactor.clean))) as replayed:
            yield replayed
        return
    async with open_ask(judge, lanes[0].journal, wanted.jobs) as ask:
        if judge is not None and declared is not None and wanted.record and ask.model:
            kept = record_judge(ask.model, wanted.record, declared.model, judge.redactor.clean)
            yield replace(ask, model=kept)
        else:
            yield ask


@asynccontextmanager
async def open_lanes(sessions: Sequence[Session], wanted: Wanted, folder: Path) -> AsyncIterator[tuple[Lane, ...]]:
    """Each target once, with a journal of its own, for each of the models."""
    async with AsyncExitStack() as stack:
        lanes = []
        for number, session in enumerate(sessions):
            name = "journal.jsonl" if number == 0 else f"journal-{file_name(session.target.name)}.jsonl"
            journal = stack.enter_context(session.open_journal(folder / name))
            # For `runner clean`: ids mean nothing on another target.
            journal.add("play", target=session.target.name)
            opened = None if wanted.replay else await stack.enter_async_context(session.open_target(journal))
            for model in wanted.models or (None,):
                variant = Variant(
                    target=session.target.name,
                    api=session.target.api,
                    model=model,
                    inference=opened.inference if opened else None,
                    sandbox=opened.sandbox if opened else None,
                )
                backend, variant = _find_backend(session, variant, opened, wanted)
                project = session.configuration.project
                lanes.append(
                    Lane(
                        variant=variant,
                        project=project.with_model(model) if model else project,
                        backend=backend,
                        journal=journal,
                    )
                )
        yield tuple(lanes)


def _find_backend(
    session: Session, variant: Variant, opened: OpenedTarget | None, wanted: Wanted
) -> tuple[Backend, Variant]:
    """The target's, one that keeps what it is told, or one that has only that."""
    if wanted.replay:
        return replay(wanted.replay, variant, find_capabilities(session.target), session.redactor.clean)
    assert opened is not None, "only a replay needs no target"
    if wanted.record:
        return record(opened.backend, wanted.record, variant, session.redactor.clean), variant
    return opened.backend, variant


def most_at_once(target: Target) -> Iterator[int]:
    """How many scenarios at once an embedded server can take, by each of its limits."""
    if isinstance(target.inference, ChatEndpoint) and target.inference.slots:
        # More would be waiting for each other on their own time.
        yield target.inference.slots
    if target.server is Server.EMBEDDED and (descriptors := count_descriptors()) is not None:
        yield max(1, (descriptors - OWN_DESCRIPTORS) // DESCRIPTORS_PER_SCENARIO)
