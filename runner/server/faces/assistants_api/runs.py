"""/threads/runs, /threads/{thread_id}/runs and their steps: orders for them, what is shown at rest and streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Iterable, Iterator
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.core import CallFinished, Engine, Event, MessageGrew, need
from runner.server.engine.documents import ResourceOrder
from runner.server.engine.runs.loop import split_into_pieces
from runner.server.engine.runs.runs import (
    RunOrder,
    Subscription,
    cancel_run,
    start_run,
    start_run_in_new_thread,
    submit_outputs,
)
from runner.server.engine.state.records import (
    Failure,
    FunctionCall,
    MessageRecord,
    MessageState,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    TextPart,
    ThreadRecord,
    Tokens,
    ToolCall,
)
from runner.server.faces.assistants_api.assistants import (
    BRIEF_PARAMETERS,
    MAX_INSTRUCTIONS,
    ranking,
    read_brief_changes,
    read_choice,
    read_outputs,
    read_resources,
    render_brief,
    render_choice,
    render_required_action,
    render_resources,
)
from runner.server.faces.assistants_api.messages import (
    Marking,
    insert_marks,
    read_messages,
    read_new_thread,
    render_message,
    render_thread,
    time_of,
)
from runner.server.inference import Passage
from runner.server.wire import fields
from runner.server.wire.fields import (
    INCLUDE,
    PAGE_PARAMETERS,
    Fields,
    Json,
    read_body,
    read_metadata,
    read_page,
    read_query,
)
from runner.server.wire.replies import (
    browsing,
    finding,
    noting,
    page_body,
    render_head,
    reply_at_work,
    resource_routes,
    route,
    stream_events,
    unix_seconds,
    write_event,
)

MAX_TOOLS = 20
LEAST_TOKENS = 256
_RUN_PARAMETERS = (
    *BRIEF_PARAMETERS, "assistant_id", "metadata", "stream", "max_prompt_tokens", "max_completion_tokens",
    "truncation_strategy", "tool_choice", "parallel_tool_calls",
)  # fmt: skip
_IN_THREAD = ("additional_instructions", "additional_messages")
_WITH_THREAD = ("thread", "tool_resources")
_LIMITS = ("max_completion_tokens", "max_prompt_tokens")


def read_run(body: Fields, *, with_thread: bool) -> RunOrder:
    """The order for a run; whether it is to be streamed is another question."""
    body.only(*_RUN_PARAMETERS, *(_WITH_THREAD if with_thread else _IN_THREAD))
    overrides = read_brief_changes(body, most_tools=MAX_TOOLS)
    return RunOrder(
        assistant_id=body.needed_text("assistant_id"),
        # For a run, null is "as the assistant has it".
        overrides={name: value for name, value in overrides.items() if body.values[name] is not None},
        additional_instructions=body.text("additional_instructions", longest=MAX_INSTRUCTIONS),
        additional_messages=read_messages(body, "additional_messages"),
        resources=read_resources(body, may_make_stores=False) if with_thread else ResourceOrder(),
        last_messages=_read_truncation(body),
        tool_choice=read_choice(body),
        parallel_tool_calls=body.flag("parallel_tool_calls") is not False,
        max_prompt_tokens=body.integer("max_prompt_tokens", least=LEAST_TOKENS),
        max_completion_tokens=body.integer("max_completion_tokens", least=LEAST_TOKENS),
        metadata=read_metadata(body) or {},
    )


def _read_truncation(body: Fields) -> int | None:
    truncation = body.mapping("truncation_strategy")
    if truncation is None:
        return None
    truncation.only("type", "last_messages")
    if truncation.needed_choice("type", ("auto", "last_messages")) == "auto":
        truncation.refuse("last_messages")
        return None
    truncation.need("last_messages")
    return truncation.integer("last_messages", least=1)


def render_run(run: RunRecord, *, streamed: bool = False) -> Json:
    """In a stream a run shows tool resources that it shows nowhere else, as recorded."""
    is_incomplete = run.state is RunState.INCOMPLETE
    failure = None if is_incomplete else run.failure
    truncation = "auto" if run.last_messages is None else "last_messages"
    return {
        **render_head(run, "thread.run"),
        "assistant_id": run.assistant_id,
        "thread_id": run.thread_id,
        "status": run.state.value,
        "started_at": unix_seconds(run.started_at),
        "expires_at": unix_seconds(run.expires_at) if run.state.is_active else None,
        "cancelled_at": time_of(run, RunState.CANCELLED),
        "failed_at": time_of(run, RunState.FAILED),
        "completed_at": time_of(run, RunState.COMPLETED),
        "required_action": render_required_action(run.awaited),
        "last_error": _render_failure(failure, _RUN_CODES),
        **render_brief(run.brief),
        "model": run.tokens.by or run.brief.model,
        "tool_resources": render_resources(run.own_resources, in_full=streamed),
        "metadata": dict(run.metadata),
        "max_completion_tokens": run.max_completion_tokens,
        "max_prompt_tokens": run.max_prompt_tokens,
        "truncation_strategy": {"type": truncation, "last_messages": run.last_messages},
        "incomplete_details": _render_incomplete(run) if is_incomplete else None,
        "usage": None if run.state.is_active else render_tokens(run.tokens),
        "tool_choice": render_choice(run),
        "parallel_tool_calls": run.parallel_tool_calls,
    }


_STEP_CODES = ("server_error", "rate_limit_exceeded")
_RUN_CODES = (*_STEP_CODES, "invalid_prompt")


def _render_failure(failure: Failure | None, codes: Container[str]) -> Json | None:
    if failure is None:
        return None
    return {"code": failure.code if failure.code in codes else "server_error", "message": failure.message}


def _render_incomplete(run: RunRecord) -> Json:
    """This API has no word for reasons other than its two limits."""
    reason = None if run.failure is None else run.failure.code
    return {"reason": reason} if reason in _LIMITS else {}


def render_tokens(tokens: Tokens) -> Json | None:
    if tokens.uncounted:
        return None
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_token_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


SEARCH_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"


def read_include(request: Request, *other_parameters: str) -> bool:
    """Whether the texts that file search found are wanted. Raises BadRequest for anything else to include."""
    return bool(fields.read_include(read_query(request, INCLUDE, *other_parameters), (SEARCH_CONTENT,)))


def render_step(step: StepRecord, run: RunRecord, *, with_content: bool, streamed: bool = False) -> Json:
    """In a stream a step keeps the time at which it would have expired, as recorded."""
    failure = step.failure
    is_open = step.state is StepState.IN_PROGRESS
    return {
        **render_head(step, "thread.run.step"),
        "run_id": step.run_id,
        "assistant_id": step.assistant_id,
        "thread_id": step.thread_id,
        "type": "tool_calls" if step.message_id is None else "message_creation",
        "status": step.state.value,
        "cancelled_at": time_of(step, StepState.CANCELLED),
        "completed_at": time_of(step, StepState.COMPLETED),
        "expires_at": unix_seconds(run.expires_at) if is_open or streamed else None,
        "failed_at": time_of(step, StepState.FAILED),
        "last_error": _render_failure(failure, _STEP_CODES),
        "step_details": _render_details(step, run, with_content=with_content),
        "usage": None if is_open else render_tokens(step.tokens),
    }


def _render_details(step: StepRecord, run: RunRecord, *, with_content: bool) -> Json:
    if step.message_id is not None:
        return {"type": "message_creation", "message_creation": {"message_id": step.message_id}}
    calls = [render_call(call, run, with_content=with_content) for call in step.calls]
    return {"type": "tool_calls", "tool_calls": calls}


def render_call(call: ToolCall | FunctionCall, run: RunRecord, *, with_content: bool) -> Json:
    if isinstance(call, FunctionCall):
        function = {"name": call.name, "arguments": call.arguments, "output": call.output}
        return {"id": call.id, "type": "function", "function": function}
    if call.tool == "file_search":
        results = [_render_passage(passage, with_content=with_content) for passage in call.passages]
        details: Json = {"ranking_options": ranking(run.brief.setting(call.tool)), "results": results}
    else:
        outputs = [{"type": "logs", "logs": call.output}] if call.output else []
        details = {"input": call.code, "outputs": outputs}
    return {"id": call.id, "type": call.tool, call.tool: details}


def _render_passage(passage: Passage, *, with_content: bool) -> Json:
    result: Json = {
        "file_id": passage.file_id,
        "file_name": passage.filename,
        "score": passage.score,
        "attributes": dict(passage.attributes),
    }
    if with_content:
        result["content"] = [{"type": "text", "text": passage.text}]
    return result


class MessageDeltas:
    """The deltas of one message, whose text is its first part, and a refusal the last."""

    def __init__(self, message_id: str) -> None:
        self._message_id = message_id
        self._marking = Marking()
        self._has_text = False

    def next(self, growth: MessageGrew) -> Json:
        if growth.is_refusal:
            return self._delta({"index": int(self._has_text), "type": "refusal", "refusal": growth.text})
        return self._delta(self._text(growth))

    def last(self, message: MessageRecord) -> Iterator[Json]:
        """Which files the text names is known once all of it has been said."""
        texts = [part for part in message.parts if isinstance(part, TextPart) and part.paths]
        for part in texts:
            annotations = [one for one in insert_marks(part)[1] if one["type"] == "file_path"]
            numbered = [{"index": self._marking.marks + number, **one} for number, one in enumerate(annotations)]
            yield self._delta({"index": 0, "type": "text", "text": {"annotations": numbered}})

    def _delta(self, content: Json) -> Json:
        return {"id": self._message_id, "object": "thread.message.delta", "delta": {"content": [content]}}

    def _text(self, growth: MessageGrew) -> Json:
        if growth.source is not None:
            mark, annotation, number = self._marking.add_source(growth.source)
            citation = {"file_id": growth.source.file_id, "quote": growth.source.quote}
            text: Json = {"value": mark, "annotations": [{"index": number, **annotation, "file_citation": citation}]}
        else:
            text = {"value": self._marking.add_text(growth.text), **({} if self._has_text else {"annotations": []})}
        self._has_text = True
        return {"index": 0, "type": "text", "text": text}


def call_deltas(step: StepRecord, run: RunRecord) -> Iterator[Json]:
    """The calls of a step that has just begun: each is named, then its input comes piece by piece."""
    for number, call in enumerate(step.calls):
        if isinstance(call, FunctionCall):
            opening: Json = {"name": call.name, "arguments": "", "output": None}
            yield _step_delta(step.id, number, "function", opening, call.id)
            for piece in split_into_pieces(call.arguments):
                yield _step_delta(step.id, number, "function", {"arguments": piece})
        elif call.tool == "file_search":
            details: Json = {"ranking_options": ranking(run.brief.setting(call.tool)), "results": []}
            yield _step_delta(step.id, number, call.tool, details, call.id)
        else:
            yield _step_delta(step.id, number, call.tool, {"input": "", "outputs": []}, call.id)
            for piece in split_into_pieces(call.code):
                yield _step_delta(step.id, number, call.tool, {"input": piece})


def _step_delta(step_id: str, number: int, kind: str, details: Json, call_id: str | None = None) -> Json:
    call: Json = {"index": number, **({} if call_id is None else {"id": call_id}), "type": kind, kind: details}
    delta = {"step_details": {"type": "tool_calls", "tool_calls": [call]}}
    return {"id": step_id, "object": "thread.run.step.delta", "delta": delta}


WireEvent = tuple[str, Json]


class RunEvents:
    """The events of one stream. `is_over` once the run has ended, or waits for the client."""

    def __init__(self, run: RunRecord, *, with_content: bool) -> None:
        self._run = run
        self._with_content = with_content
        self._deltas: dict[str, MessageDeltas] = {}
        self.is_over = False

    def begin(self) -> Iterator[WireEvent]:
        """The events of a run that has just been created."""
        for name in ("created", "queued"):
            yield f"thread.run.{name}", render_run(self._run, streamed=True)

    def write(self, event: Event) -> Iterator[WireEvent]:
        match event:
            case RunRecord() as run:
                yield from self._write_run(run)
            case StepRecord() as step:
                yield from self._write_step(step)
            case CallFinished(step_id=step_id, number=number, call=call):
                # What file search found comes with the step's end, as recorded.
                if call.tool == "code_interpreter" and call.output:
                    outputs = [{"index": 0, "type": "logs", "logs": call.output}]
                    yield "thread.run.step.delta", _step_delta(step_id, number, call.tool, {"outputs": outputs})
            case MessageRecord() as message:
                yield from self._write_message(message)
            case MessageGrew() as growth:
                yield "thread.message.delta", self._deltas[growth.message_id].next(growth)

    def _write_run(self, run: RunRecord) -> Iterator[WireEvent]:
        before, self._run = self._run.state, run
        self.is_over = not run.is_being_worked_on
        if run.state is RunState.CANCELLED and before not in (RunState.CANCELLING, RunState.CANCELLED):
            # Another process was quicker than our look at the run; there is no other way to this end.
            passed = replace(run, state=RunState.CANCELLING, ended_at=None)
            yield "thread.run.cancelling", render_run(passed, streamed=True)
        if run.state is not before:
            yield f"thread.run.{run.state.value}", render_run(run, streamed=True)

    def _write_step(self, step: StepRecord) -> Iterator[WireEvent]:
        if step.state is not StepState.IN_PROGRESS:
            yield f"thread.run.step.{step.state.value}", self._render_step(step)
            return
        # A step begins without its calls: they come as deltas.
        begun = self._render_step(replace(step, calls=()))
        yield "thread.run.step.created", begun
        yield "thread.run.step.in_progress", begun
        for delta in call_deltas(step, self._run):
            yield "thread.run.step.delta", delta

    def _render_step(self, step: StepRecord) -> Json:
        return render_step(step, self._run, with_content=self._with_content, streamed=True)

    def _write_message(self, message: MessageRecord) -> Iterator[WireEvent]:
        deltas = self._deltas.setdefault(message.id, MessageDeltas(message.id))
        if message.state is MessageState.IN_PROGRESS:
            yield "thread.message.created", render_message(message, streamed=True)
        for delta in deltas.last(message):
            yield "thread.message.delta", delta
        yield f"thread.message.{message.state.value}", render_message(message, streamed=True)


_DONE = b"event: done\ndata: [DONE]\n\n"
_GONE: WireEvent = (
    "error",
    {"code": None, "message": "The run was deleted.", "param": None, "type": "invalid_request_error"},
)


def stream_run(subscription: Subscription, first: Iterable[WireEvent], events: RunEvents) -> Response:
    """However it ends, the subscription is closed; if its client has left it, the run is stopped."""

    def end() -> None:
        subscription.close()
        if not events.is_over:
            subscription.leave()

    return stream_events(_follow(subscription, tuple(first), events), end)


async def _follow(subscription: Subscription, first: tuple[WireEvent, ...], events: RunEvents) -> AsyncIterator[bytes]:
    for name, data in first:
        yield write_event(name, data)
    while not events.is_over:
        event = await subscription.next()
        if event is None:
            yield write_event(*_GONE)
            break
        for name, data in events.write(event):
            yield write_event(name, data)
    yield _DONE


def routes(engine: Engine) -> list[Route]:
    return _run_routes(engine) + _step_routes(engine)


def reply_run(engine: Engine, run: RunRecord) -> Response:
    return reply_at_work(engine, render_run(run), run.created_at if run.state.is_active else None)


def stream_new_run(engine: Engine, run: RunRecord, *before: WireEvent, with_content: bool) -> Response:
    """The stream of a run that was started without anything being awaited since: nothing was told of it yet."""
    events = RunEvents(run, with_content=with_content)
    return stream_run(Subscription(engine, run.id), (*before, *events.begin()), events)


def _run_routes(engine: Engine) -> list[Route]:
    find_thread = finding(engine, ThreadRecord, "thread_id")
    find = finding(engine, RunRecord, "run_id", find_thread)

    async def create_with_thread(request: Request) -> Response:
        with_content = read_include(request)
        body = await read_body(request, INCLUDE)
        order, is_streamed = read_run(body, with_thread=True), body.flag("stream")
        thread = read_new_thread(body.mapping("thread") or Fields({}, "thread"))
        run = start_run_in_new_thread(engine, thread, order)
        if not is_streamed:
            return reply_run(engine, run)
        made = render_thread(need(engine, ThreadRecord, run.thread_id), in_full=True)
        return stream_new_run(engine, run, ("thread.created", made), with_content=with_content)

    async def create(request: Request) -> Response:
        with_content = read_include(request)
        body = await read_body(request, INCLUDE)
        order, is_streamed = read_run(body, with_thread=False), body.flag("stream")
        run = start_run(engine, request.path_params["thread_id"], order)
        return stream_new_run(engine, run, with_content=with_content) if is_streamed else reply_run(engine, run)

    async def cancel(request: Request) -> Response:
        await read_body(request)
        run = find(request)
        return reply_run(engine, cancel_run(engine, run.thread_id, run.id))

    async def submit_tool_outputs(request: Request) -> Response:
        with_content = read_include(request)
        body = await read_body(request, INCLUDE)
        outputs, is_streamed = read_outputs(body), body.flag("stream")
        run = find(request)
        if not is_streamed:
            return reply_run(engine, submit_outputs(engine, run.thread_id, run.id, outputs))
        # The stream begins with what submitting the outputs does.
        subscription = Subscription(engine, run.id)
        try:
            submit_outputs(engine, run.thread_id, run.id, outputs)
        except BaseException:
            subscription.close()
            raise
        return stream_run(subscription, (), RunEvents(run, with_content=with_content))

    return [
        route("POST", "/threads/runs", create_with_thread),
        *resource_routes(
            "/threads/{thread_id}/runs",
            "run_id",
            create=create,
            browse=browsing(engine, RunRecord, render_run, parent=find_thread),
            retrieve=lambda request: reply_run(engine, find(request)),
            update=noting(engine, find, partial(reply_run, engine)),
            post_cancel=cancel,
            post_submit_tool_outputs=submit_tool_outputs,
        ),
    ]


def _step_routes(engine: Engine) -> list[Route]:
    find_run = finding(engine, RunRecord, "run_id", finding(engine, ThreadRecord, "thread_id"))

    def browse(request: Request) -> Json:
        with_content = read_include(request, *PAGE_PARAMETERS)
        run = find_run(request)
        request_page = read_page(read_query(request, INCLUDE, *PAGE_PARAMETERS))
        page = engine.store.page(StepRecord, run.id, request_page)
        return page_body(page, lambda step: render_step(step, run, with_content=with_content))

    def retrieve(request: Request) -> Json:
        with_content = read_include(request)
        run = find_run(request)
        step = need(engine, StepRecord, request.path_params["step_id"], run.id)
        return render_step(step, run, with_content=with_content)

    return resource_routes("/threads/{thread_id}/runs/{run_id}/steps", "step_id", browse=browse, retrieve=retrieve)
