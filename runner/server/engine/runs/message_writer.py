"""Writes one message of a run, all at once or while it is being said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from runner.server.engine.containers import mark_paths
from runner.server.engine.core import Engine, MessageGrew, MessageWritten, StepChanged
from runner.server.engine.state.records import (
    IdKind,
    MessageRecord,
    MessageState,
    RefusalPart,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    TextPart,
    Tokens,
)
from runner.server.inference import Role

_LONGEST_PIECE = 32
_PIECE = re.compile(rf"\s*\S{{1,{_LONGEST_PIECE}}}|\s+\Z")


def split_into_pieces(text: str) -> tuple[str, ...]:
    """Words, each with the white space before it. Joined, they are the text."""
    return tuple(_PIECE.findall(text))


class MessageWriter:
    """A message that begins with the first piece heard, or else when it ends.

    What was heard stays: an end may add to it, and cites sources at its end at the earliest.
    """

    def __init__(self, engine: Engine, run: RunRecord) -> None:
        self._engine = engine
        self._run = run
        self._heard = ""
        self._message: MessageRecord | None = None
        self._step: StepRecord | None = None

    @property
    def has_begun(self) -> bool:
        return self._message is not None

    async def hear(self, piece: str) -> None:
        """The next piece of the text. After the run's end it is not heard any more."""
        if not piece:
            return
        if self._message is None and self._is_allowed():
            message, step = self._begin()
            with self._engine.store.transaction():
                self._engine.store.insert(message)
                self._engine.store.insert(step)
        if self._message is not None:
            self._heard += piece
            self._engine.feed.tell(self._run.id, MessageGrew(message_id=self._message.id, text=piece))

    def keep_what_was_heard(self) -> None:
        """Write it down, in case the message does not get to its end; then whoever ends the run closes it."""
        if self._message is not None and self._heard:
            self._engine.store.replace(replace(self._message, parts=(TextPart(text=self._heard),)))

    def end(
        self, part: TextPart | RefusalPart, *, tokens: Tokens, declined: bool = False, broken_off_by: str | None = None
    ) -> bool:
        """Write the whole message. False, and nothing is written, if the run is not in progress any more."""
        with self._engine.store.transaction():
            if not self._is_allowed():
                return False
            parts = tuple(mark_paths(self._engine, self._run, one) for one in self._after_what_was_heard(part))
            was_begun = self.has_begun
            message, step = self._begin()
            now = self._engine.now()
            message = replace(
                message,
                parts=parts,
                declined=declined,
                state=MessageState.COMPLETED if broken_off_by is None else MessageState.INCOMPLETE,
                broken_off_by=broken_off_by,
                ended_at=now,
            )
            step = replace(step, state=StepState.COMPLETED, ended_at=now, tokens=tokens)
            write = self._engine.store.replace if was_begun else self._engine.store.insert
            write(message)
            write(step)
        rest = grow(message.id, parts[-1], len(self._heard) if len(parts) == 1 else 0)
        self._engine.feed.tell(self._run.id, *rest, MessageWritten(message=message), StepChanged(step=step))
        return True

    def _is_allowed(self) -> bool:
        run = self._engine.store.find(RunRecord, self._run.id)
        return run is not None and run.state is RunState.IN_PROGRESS

    def _begin(self) -> tuple[MessageRecord, StepRecord]:
        if self._message is None or self._step is None:
            self._message = MessageRecord(
                id=self._engine.new_id(IdKind.MESSAGE),
                created_at=self._engine.now(),
                thread_id=self._run.thread_id,
                role=Role.ASSISTANT,
                parts=(),
                state=MessageState.IN_PROGRESS,
                assistant_id=self._run.assistant_id,
                run_id=self._run.id,
            )
            self._step = replace(new_step(self._engine, self._run), message_id=self._message.id)
            self._engine.feed.tell(self._run.id, StepChanged(step=self._step), MessageWritten(message=self._message))
        return self._message, self._step

    def _after_what_was_heard(self, part: TextPart | RefusalPart) -> tuple[TextPart | RefusalPart, ...]:
        """The parts as they can still be written; sources are in reading order, as they are told."""
        if isinstance(part, RefusalPart):
            return (TextPart(text=self._heard), part) if self._heard else (part,)
        text = part.text if part.text.startswith(self._heard) else self._heard
        sources = sorted(part.sources, key=lambda source: source.position)
        moved = (replace(one, position=min(max(one.position, len(self._heard)), len(text))) for one in sources)
        return (TextPart(text=text, sources=tuple(moved)),)


def new_step(engine: Engine, run: RunRecord) -> StepRecord:
    return StepRecord(
        id=engine.new_id(IdKind.STEP),
        created_at=engine.now(),
        run_id=run.id,
        thread_id=run.thread_id,
        assistant_id=run.assistant_id,
        state=StepState.IN_PROGRESS,
    )


def grow(message_id: str, part: TextPart | RefusalPart, said: int = 0) -> Iterator[MessageGrew]:
    """What is told of a part beyond its first `said` characters."""
    sources = part.sources if isinstance(part, TextPart) else ()
    is_refusal = isinstance(part, RefusalPart)
    for source in sources:
        for piece in split_into_pieces(part.text[said : source.position]):
            yield MessageGrew(message_id=message_id, text=piece)
        said = max(said, source.position)
        yield MessageGrew(message_id=message_id, source=source)
    for piece in split_into_pieces(part.text[said:]):
        yield MessageGrew(message_id=message_id, text=piece, is_refusal=is_refusal)
