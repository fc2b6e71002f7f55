"""A run from its start to its end: ask the inference, do as it says, until it answers, and write that message.

`LEGAL` has the moves that a run's state may make, and `move_run` is the one function that makes them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import replace
from functools import partial
from typing import cast

from runner.did_you_mean import suggest
from runner.server.engine.containers import keep_produced, lock_container, mark_paths, place_calls
from runner.server.engine.core import CallFinished, Engine, Gone, MessageGrew
from runner.server.engine.documents import find_attributes, touch_stores
from runner.server.engine.runs.context import (
    COMPLETION,
    build_scene,
    cut_to_fit,
    find_exceeded,
    left_to_call,
    offered_functions,
    offered_tools,
    searched_stores,
    sum_tokens,
    tool_context,
    wants_json,
)
from runner.server.engine.state.file_storage import StoredFileRecord
from runner.server.engine.state.records import (
    Failure,
    FunctionCall,
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
    ToolCall,
)
from runner.server.engine.state.store import Missing, Refusal
from runner.server.inference import (
    Answer,
    BreakOff,
    Expire,
    Fail,
    FunctionRequest,
    Refuse,
    Role,
    Scene,
    Spent,
    ToolRequest,
    Turnout,
    UseTools,
)

_ENDS = frozenset({RunState.COMPLETED, RunState.FAILED, RunState.INCOMPLETE, RunState.EXPIRED})

LEGAL: Mapping[RunState, frozenset[RunState]] = {
    RunState.QUEUED: _ENDS | {RunState.IN_PROGRESS, RunState.CANCELLING},
    RunState.IN_PROGRESS: _ENDS | {RunState.REQUIRES_ACTION, RunState.CANCELLING},
    RunState.REQUIRES_ACTION: frozenset({RunState.QUEUED, RunState.EXPIRED, RunState.CANCELLING}),
    RunState.CANCELLING: frozenset({RunState.CANCELLED}),
}

_STEP_ENDS: Mapping[RunState, StepState] = {
    RunState.CANCELLED: StepState.CANCELLED,
    RunState.EXPIRED: StepState.EXPIRED,
}

_BREAKS: Mapping[RunState, str] = {
    RunState.CANCELLED: "run_cancelled",
    RunState.EXPIRED: "run_expired",
    RunState.INCOMPLETE: "max_tokens",
}


def move_run(engine: Engine, run_id: str, to: RunState, failure: Failure | None = None) -> RunRecord | None:
    """Take a run to another state; None if it is gone, or may not go there from where it is now.

    An end closes the steps and messages that were open, adds up the tokens, and gives the lease back; so does
    the wait for the client, which leaves its step open.
    """
    with engine.store.transaction():
        run = engine.store.find(RunRecord, run_id)
        if run is None:
            engine.feed.tell(run_id, Gone())
            return None
        if to not in LEGAL.get(run.state, ()):
            return None
        run = replace(run, state=to, awaited=())
        if to is RunState.IN_PROGRESS:
            run = replace(run, started_at=engine.now())
        elif to is RunState.REQUIRES_ACTION:
            steps = engine.store.children(StepRecord, run_id)
            run = replace(run, awaited=tuple(call for step in steps for call in step.open_calls))
        elif not to.is_active:
            run = replace(run, ended_at=engine.now(), failure=failure, tokens=_close_steps(engine, run, failure))
        engine.store.replace(run)
        if not run.is_being_worked_on:
            engine.store.release(run_id)
    engine.feed.tell(run_id, run)
    return run


def _close_steps(engine: Engine, run: RunRecord, failure: Failure | None) -> Tokens:
    tokens = Tokens()
    for step in engine.store.children(StepRecord, run.id):
        tokens += step.tokens
        if step.state is StepState.IN_PROGRESS:
            if step.message_id is not None:
                _close_message(engine, run, step.message_id)
            state = _STEP_ENDS.get(run.state, StepState.FAILED)
            closed = replace(step, state=state, ended_at=engine.now(), failure=failure)
            engine.store.replace(closed)
            engine.feed.tell(run.id, closed)
    return tokens


def _close_message(engine: Engine, run: RunRecord, message_id: str) -> None:
    message = engine.store.find(MessageRecord, message_id)
    if message is not None:
        message = replace(
            message,
            state=MessageState.INCOMPLETE,
            broken_off_by=_BREAKS.get(run.state, "run_failed"),
            ended_at=engine.now(),
        )
        engine.store.replace(message)
        engine.feed.tell(run.id, message)


def break_off(engine: Engine, run_id: str, reason: str) -> None:
    """The work on a run has stopped: it is cancelled if that was asked for, else failed."""
    if move_run(engine, run_id, RunState.CANCELLED) is None:
        move_run(engine, run_id, RunState.FAILED, Failure(code="server_error", message=reason))


async def make_calls(engine: Engine, run: RunRecord, step: StepRecord) -> bool:
    """Make the calls of a new step; whether the run can go on: it can't while it waits for functions."""
    try:
        # Together: nobody would find a container again of which no step knows.
        with engine.store.transaction():
            step = place_calls(engine, run, step)
            engine.store.insert(step)
    except Refusal as refusal:
        gone = f"Container with id '{refusal.object_id}' not found." if isinstance(refusal, Missing) else None
        _fail(engine, run, gone or str(refusal))
        return False
    engine.feed.tell(run.id, step)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_make_call(engine, run, step, number)) for number in range(len(step.calls))]
    step = replace(step, calls=tuple(task.result() for task in tasks))
    if any(isinstance(call, FunctionCall) for call in step.calls):
        with engine.store.transaction():
            if run.ends_with_calls:
                close_step(engine, step)
                move_run(engine, run.id, RunState.COMPLETED)
            else:
                engine.store.replace(step)
                move_run(engine, run.id, RunState.REQUIRES_ACTION)
        return False
    close_step(engine, step)
    return True


def new_call(engine: Engine, request: ToolRequest | FunctionRequest) -> ToolCall | FunctionCall:
    call_id = engine.new_id(IdKind.CALL)
    if isinstance(request, FunctionRequest):
        return FunctionCall(id=call_id, name=request.name, arguments=request.arguments)
    return ToolCall(id=call_id, tool=request.tool, arguments=request.arguments)


def close_step(engine: Engine, step: StepRecord) -> None:
    """The step's end, once every call has its outcome: failed if a hosted tool failed."""
    failed = next((call for call in step.calls if isinstance(call, ToolCall) and not call.completed), None)
    step = replace(
        step,
        state=StepState.COMPLETED if failed is None else StepState.FAILED,
        failure=None if failed is None else Failure(code="server_error", message=failed.output),
        ended_at=engine.now(),
    )
    engine.store.replace(step)
    engine.feed.tell(step.run_id, step)


async def _make_call(engine: Engine, run: RunRecord, step: StepRecord, number: int) -> ToolCall | FunctionCall:
    call = step.calls[number]
    if isinstance(call, FunctionCall):
        return call
    tool = await engine.toolbox.open(call.tool)
    async with nullcontext() if call.container_id is None else lock_container(engine, call.container_id):
        context = tool_context(engine, run, call)
        outcome = await tool.run(ToolRequest(tool=call.tool, arguments=call.arguments), context)
        files = await keep_produced(engine, run.thread_id, outcome, call.container_id, context.outputs)
    passages = outcome.passages
    if passages:
        touch_stores(engine, context.store_ids)
        passages = find_attributes(engine, context.store_ids, passages)
    call = replace(call, completed=outcome.completed, output=outcome.output, passages=passages, files=files)
    engine.feed.tell(run.id, CallFinished(step_id=step.id, number=number, call=call))
    return call


MAX_MOVES = 32

_DecideAloud = Callable[[Scene, Callable[[str], Awaitable[None]]], Awaitable[Turnout]]


def take_up(engine: Engine, run: RunRecord) -> None:
    """Work on a queued run in the background, in this process's care."""
    engine.hold(run.id)
    stopped = partial(break_off, engine, run.id, "The server stopped, or failed, while it worked on the run.")
    engine.workers.start(run.id, _work_on_run(engine, run), on_break=stopped)


async def _work_on_run(engine: Engine, run: RunRecord) -> None:
    """Take a queued run to its end, or to where it waits for the client. `expires_at` is kept here meanwhile."""
    try:
        async with asyncio.timeout(run.expires_at - engine.now()) as deadline:
            async with getattr(engine.inference, "slots", None) or nullcontext():
                await _go_through(engine, run)
    except TimeoutError:
        if not deadline.expired():
            raise
        move_run(engine, run.id, RunState.EXPIRED)
    # Another process may have asked for the end meanwhile; from any other state this does nothing.
    move_run(engine, run.id, RunState.CANCELLED)


async def _go_through(engine: Engine, run: RunRecord) -> None:
    if (admit := getattr(engine.inference, "admit", None)) is not None:
        await admit(build_scene(engine, run))
    begun = move_run(engine, run.id, RunState.IN_PROGRESS)
    if begun is not None:
        await _wait_for_documents(engine, begun)
        await _make_moves(engine, begun)


async def _wait_for_documents(engine: Engine, run: RunRecord) -> None:
    """Wait a while for files that are being indexed; what is not ready by then is not found."""
    stores = searched_stores(engine, run)
    news = asyncio.Event()
    with ExitStack() as listening:
        for store_id in stores:
            listening.callback(engine.feed.subscribe(store_id, lambda _: news.set()))
        with suppress(TimeoutError):
            async with asyncio.timeout(engine.lifetimes.documents_s):
                while any(engine.store.is_any_in_work(StoredFileRecord, store_id) for store_id in stores):
                    # What another process indexes is told to nobody here: it is looked up now and then.
                    with suppress(TimeoutError):
                        await asyncio.wait_for(news.wait(), engine.lifetimes.renewal_s)
                    news.clear()


async def _make_moves(engine: Engine, run: RunRecord) -> None:
    for _ in range(MAX_MOVES):
        steps = engine.store.children(StepRecord, run.id)
        if sum(bool(step.calls) for step in steps) >= MAX_MOVES:
            break
        scene = build_scene(engine, run)
        exceeded = find_exceeded(scene, run, sum_tokens(steps))
        if exceeded is not None:
            _leave_incomplete(engine, run, exceeded)
            return
        speech = MessageWriter(engine, run)
        turnout = await _ask(engine, scene, speech)
        if not await _follow(engine, run, _cut(turnout, scene), speech):
            return
    _fail(engine, run, f"The inference made {MAX_MOVES} moves without coming to an answer.")


async def _ask(engine: Engine, scene: Scene, speech: MessageWriter) -> Turnout:
    decide_aloud = getattr(engine.inference, "decide_aloud", None)
    if decide_aloud is None:
        return await engine.inference.decide(scene)
    try:
        return await cast(_DecideAloud, decide_aloud)(scene, speech.hear)
    finally:
        speech.keep_what_was_heard()


def _cut(turnout: Turnout, scene: Scene) -> Turnout:
    """The move, kept to the run's limit on what it may say."""
    if not isinstance(turnout.move, Answer) or scene.max_output_tokens is None:
        return turnout
    text = cut_to_fit(turnout.move.text, turnout.spent, scene.max_output_tokens)
    if text is None:
        return turnout
    spent = turnout.spent and replace(turnout.spent, output_tokens=scene.max_output_tokens)
    return Turnout(move=BreakOff(reason=COMPLETION, text=text), spent=spent)


async def _follow(engine: Engine, run: RunRecord, turnout: Turnout, speech: MessageWriter) -> bool:
    """Do as the inference says; whether it is to be asked again."""
    spent = turnout.spent or Spent()
    tokens = Tokens(
        input=spent.input_tokens, output=spent.output_tokens, uncounted=turnout.spent is None, by=turnout.by
    )
    match turnout.move:
        case UseTools() as move:
            return await _use_tools(engine, run, move, speech, tokens)
        case Answer(text=text, sources=sources, declined=declined):
            with engine.store.transaction():
                # Prose where JSON was asked for would break clients that parse it; a refusal is what they expect.
                is_prose = declined and wants_json(run)
                part = RefusalPart(text=text) if is_prose else TextPart(text=text, sources=sources)
                if speech.end(part, tokens=tokens, declined=declined):
                    move_run(engine, run.id, RunState.COMPLETED)
        case Refuse(text=text):
            with engine.store.transaction():
                if speech.end(RefusalPart(text=text), tokens=tokens):
                    move_run(engine, run.id, RunState.COMPLETED)
        case BreakOff(reason=reason, text=text):
            cause = "content_filter" if reason == "content_filter" else "max_tokens"
            with engine.store.transaction():
                speech.end(TextPart(text=text), tokens=tokens, broken_off_by=cause)
                _leave_incomplete(engine, run, reason)
        case Fail(code=code, message=message):
            move_run(engine, run.id, RunState.FAILED, Failure(code=code, message=message))
        case Expire():
            move_run(engine, run.id, RunState.EXPIRED)
    return False


async def _use_tools(engine: Engine, run: RunRecord, move: UseTools, speech: MessageWriter, tokens: Tokens) -> bool:
    requests = move.requests if run.parallel_tool_calls else move.requests[:1]
    if not move.requests:
        _fail(engine, run, "The inference asked for tools, and named none.")
        return False
    names = {request.tool if isinstance(request, ToolRequest) else request.name for request in requests}
    offered = offered_tools(run) | {function.name for function in offered_functions(run)}
    unknown = names - offered
    if unknown:
        missing, hint = ", ".join(sorted(unknown)), suggest(min(unknown), sorted(offered), kind="on offer are")
        if move.where:
            hint = hint or "nothing is on offer"
            told = f"the call at {move.where} is of a tool that is not on offer: {missing}; {hint}"
            move_run(engine, run.id, RunState.FAILED, Failure(code="invalid_prompt", message=told))
        else:
            _fail(engine, run, f"The inference asked for tools that are not on offer: {missing}.")
        return False
    if (move.text or speech.has_begun) and not speech.end(TextPart(text=move.text), tokens=Tokens()):
        return False
    allowed = _within_limit(requests, left_to_call(run, engine.store.children(StepRecord, run.id)))
    if not allowed:
        return True
    calls = tuple(new_call(engine, request) for request in allowed)
    return await make_calls(engine, run, replace(new_step(engine, run), calls=calls, said=move.text, tokens=tokens))


def _within_limit(
    requests: tuple[ToolRequest | FunctionRequest, ...], left: int | None
) -> tuple[ToolRequest | FunctionRequest, ...]:
    """Without the calls of hosted tools beyond the first `left`: they are ignored."""
    kept: list[ToolRequest | FunctionRequest] = []
    for request in requests:
        if isinstance(request, ToolRequest) and left is not None:
            if left == 0:
                continue
            left -= 1
        kept.append(request)
    return tuple(kept)


def _leave_incomplete(engine: Engine, run: RunRecord, limit: str) -> None:
    move_run(engine, run.id, RunState.INCOMPLETE, Failure(code=limit, message=""))


def _fail(engine: Engine, run: RunRecord, reason: str) -> None:
    move_run(engine, run.id, RunState.FAILED, Failure(code="server_error", message=reason))


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
        self._pieces: list[str] = []
        self._message: MessageRecord | None = None
        self._step: StepRecord | None = None

    @property
    def has_begun(self) -> bool:
        return self._message is not None

    @property
    def _heard(self) -> str:
        return "".join(self._pieces)

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
            self._pieces.append(piece)
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
        self._engine.feed.tell(self._run.id, *rest, message, step)
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
            self._engine.feed.tell(self._run.id, self._step, self._message)
        return self._message, self._step

    def _after_what_was_heard(self, part: TextPart | RefusalPart) -> tuple[TextPart | RefusalPart, ...]:
        """The parts as they can still be written; sources are in reading order, as they are told."""
        heard = self._heard
        if isinstance(part, RefusalPart):
            return (TextPart(text=heard), part) if heard else (part,)
        text = part.text if part.text.startswith(heard) else heard
        sources = sorted(part.sources, key=lambda source: source.position)
        moved = (replace(one, position=min(max(one.position, len(heard)), len(text))) for one in sources)
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
