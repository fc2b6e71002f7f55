"""/agents/sessions: what is said to them, their turns and items, at rest and as a stream of what changes."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from itertools import count

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.core import Engine, need
from runner.server.engine.runs.runs import NewMessage, active_run, has_declined, sweep
from runner.server.engine.sessions import (
    WORKSPACE,
    cancel_turn,
    create_session,
    delete_session,
    messages_of,
    note_key,
    open_calls,
    start_turn,
    take_result,
)
from runner.server.engine.state.records import (
    AgentRecord,
    FunctionCall,
    ImagePart,
    MessageRecord,
    RunRecord,
    RunState,
    SessionRecord,
    StepRecord,
    TextPart,
    ToolCall,
)
from runner.server.engine.state.store import Damaged
from runner.server.faces.agents_api import environments
from runner.server.faces.agents_api.agents import DEFINITION, new_agent, read_definition, render_definition
from runner.server.faces.agents_api.environments import read_environment, render_environment
from runner.server.inference import Role
from runner.server.wire.fields import (
    FORWARD_PARAMETERS,
    MAX_FUNCTION_TEXT,
    BadRequest,
    Fields,
    Json,
    read_body,
    read_flag,
    read_metadata,
    read_output,
    read_page,
    read_query,
)
from runner.server.wire.replies import (
    DECLINED,
    Answered,
    cut_page,
    deleting,
    finding,
    noting,
    page_body,
    render_head,
    render_usage,
    resource_routes,
    route,
    stream_events,
    unix_seconds,
    write_event,
)

MAX_TEXT = 256_000
MAX_IMAGE = 20_000_000
MAX_PARTS = 100
MAX_EVENTS = 100
LONGEST_KEY = 256
_CREATE = (
    "environment", "agent", "agent_id", "input", "metadata", "prompt_cache_options", "review", "stream",
    "stream_options", "vault_ids",
)  # fmt: skip
_INPUT = "agent.session.input."


def routes(engine: Engine) -> list[Route]:
    find = finding(engine, SessionRecord, "session_id")

    def browse(request: Request) -> Json:
        names = [name for name in request.query_params if name.startswith("metadata[")]
        query = read_query(request, *FORWARD_PARAMETERS, "agent_id", *names)
        page, agent_id = read_page(query), query.text("agent_id")
        wanted = {name.removeprefix("metadata[").removesuffix("]"): query.text(name) for name in names}
        found = [
            one
            for one in engine.store.children(SessionRecord, "")
            if agent_id in (None, one.agent.id) and all(one.metadata.get(key) == value for key, value in wanted.items())
        ]
        return cut_page([render_session(engine, one) for one in found], page)

    def browse_items(request: Request) -> Json:
        page = read_page(read_query(request, *FORWARD_PARAMETERS))
        runs = engine.store.children(RunRecord, find(request).thread_id)
        return cut_page([item for run in runs for item in render_items(engine, run)], page)

    return [
        *resource_routes(
            "/agents/sessions",
            "session_id",
            create=partial(_create, engine),
            browse=browse,
            retrieve=lambda request: render_session(engine, find(request)),
            update=noting(engine, find, partial(render_session, engine)),
            delete=deleting("session_id", partial(delete_session, engine), "agent.session"),
            get_items=browse_items,
        ),
        *_event_routes(engine, find),
        *_turn_routes(engine, find),
        *environments.routes(engine, find),
    ]


async def _create(engine: Engine, request: Request) -> Answered:
    body = await read_body(request)
    body.only(*_CREATE)
    body.refuse("prompt_cache_options")
    body.refuse("vault_ids", harmless=(None, []))
    body.refuse("review", harmless=(None, "none"))
    environment = read_environment(body.needed_mapping("environment"))
    messages = _read_input(body)
    if not messages and (environment is None or body.values.get("input") is not None):
        body.need("input")
        raise body.invalid("input", "expected at least one message.", "invalid_value")
    body.part("stream_options", "include_obfuscation").flag("include_obfuscation")
    is_streamed, agent = body.flag("stream") or False, _agent_of(engine, body)
    if is_streamed and not messages:
        body.need("input")
    session = await create_session(engine, agent, read_metadata(body) or {}, messages, environment)
    if not is_streamed:
        return render_session(engine, session)
    return stream_events(
        stream_session(engine, session, SessionEvents(engine, session, from_start=True), until_idle=True)
    )


def _agent_of(engine: Engine, body: Fields) -> AgentRecord:
    """The stored agent, with what the body says otherwise; or one that is this session's alone."""
    agent_id = body.text("agent_id")
    inline = body.mapping("agent")
    agent = new_agent(engine) if agent_id is None else need(engine, AgentRecord, agent_id)
    if inline is not None:
        inline.only(*DEFINITION)
        agent = read_definition(inline, agent)
    if not agent.brief.model:
        if inline is not None:
            inline.need("model")
        body.need("agent_id")
    return agent


def _read_input(body: Fields) -> tuple[NewMessage, ...]:
    if isinstance(body.values.get("input"), str):
        text = body.needed_text("input", longest=MAX_TEXT)
        return (NewMessage(role=Role.USER, parts=(TextPart(text=text),)),)
    return tuple(_read_message(one) for one in body.objects("input", most=MAX_PARTS) or ())


def _read_message(message: Fields) -> NewMessage:
    message.only("role", "content")
    message.needed_choice("role", ("user",))
    parts: list[TextPart | ImagePart] = []
    for part in message.needed_objects("content", most=MAX_PARTS, one="part", code="invalid_value"):
        if part.needed_choice("type", ("input_text", "input_image")) == "input_text":
            part.only("type", "text")
            parts.append(TextPart(text=part.needed_text("text", longest=MAX_TEXT)))
        else:
            part.only("type", "image_url")
            parts.append(ImagePart(url=part.needed_text("image_url", longest=MAX_IMAGE)))
    return NewMessage(role=Role.USER, parts=tuple(parts))


def _event_routes(engine: Engine, find: Callable[[Request], SessionRecord]) -> list[Route]:
    async def create(request: Request) -> Response:
        key = request.headers.get("idempotency-key")
        if key is not None and not 1 <= len(key) <= LONGEST_KEY:
            raise BadRequest(f"The Idempotency-Key has 1 to {LONGEST_KEY} characters.", code="invalid_request_error")
        body = await read_body(request)
        body.only("events")
        body.need("events")
        acts = [_read_event(engine, event) for event in body.objects("events", most=MAX_EVENTS) or ()]
        session = find(request)
        with engine.store.transaction():
            if note_key(engine, session.id, key):
                for act in acts:
                    act(session)
        return Response(status_code=202)

    def stream(request: Request) -> Response:
        read_flag(read_query(request, "include_obfuscation"), "include_obfuscation")
        session = find(request)
        return stream_events(stream_session(engine, session, SessionEvents(engine, session)))

    path = "/agents/sessions/{session_id}/events"
    return [route("POST", path, create), route("GET", path, stream)]


def _read_event(engine: Engine, event: Fields) -> Callable[[SessionRecord], object]:
    kind = event.needed_choice("type", (f"{_INPUT}message", f"{_INPUT}tool_result", f"{_INPUT}cancel"))
    if kind == f"{_INPUT}cancel":
        event.only("type")
        return lambda session: cancel_turn(engine, session)
    if kind == f"{_INPUT}message":
        event.only("type", "input")
        given = event.needed_objects("input", most=MAX_PARTS, one="message", code="invalid_value")
        messages = tuple(map(_read_message, given))
        return lambda session: start_turn(engine, session, messages)
    event.only("type", "turn_id", "call_id", "success", "output", "error")
    event.need("success")
    is_error = not event.flag("success")
    said = event.text("error", longest=MAX_FUNCTION_TEXT) if is_error else read_output(event, most_parts=MAX_PARTS)
    answer = FunctionCall(id=event.needed_text("call_id"), output=said or "", is_error=is_error)
    turn_id = event.needed_text("turn_id")
    return lambda session: take_result(engine, session, turn_id, answer)


def _turn_routes(engine: Engine, find: Callable[[Request], SessionRecord]) -> list[Route]:
    def find_turn(request: Request) -> RunRecord:
        return need(engine, RunRecord, request.path_params["turn_id"], find(request).thread_id)

    def browse(request: Request) -> Json:
        session = find(request)
        page = read_page(read_query(request, *FORWARD_PARAMETERS))
        found = engine.store.page(RunRecord, session.thread_id, page)
        return page_body(found, lambda run: render_turn(session, run))

    def browse_items(request: Request) -> Json:
        page = read_page(read_query(request, *FORWARD_PARAMETERS))
        items = render_items(engine, find_turn(request))
        return cut_page(items, page)

    return resource_routes(
        "/agents/sessions/{session_id}/turns",
        "turn_id",
        browse=browse,
        retrieve=lambda request: render_turn(find(request), find_turn(request)),
        get_items=browse_items,
    )


_STATUSES = {
    RunState.QUEUED: "queued",
    RunState.IN_PROGRESS: "in_progress",
    RunState.REQUIRES_ACTION: "waiting",
    RunState.CANCELLING: "in_progress",
    RunState.CANCELLED: "cancelled",
    RunState.COMPLETED: "completed",
    RunState.EXPIRED: "failed",
    RunState.FAILED: "failed",
    RunState.INCOMPLETE: "failed",
}
_CODES = {
    "rate_limit_exceeded": "rate_limit_exceeded",
    "max_completion_tokens": "max_output_tokens",
    "invalid_prompt": "invalid_request",
}


def render_session(engine: Engine, session: SessionRecord) -> Json:
    runs = engine.store.children(RunRecord, session.thread_id)
    run = active_run(engine, session.thread_id)
    actions = [_render_action(run, call) for call in open_calls(engine, run)] if run else []
    status = "idle" if run is None else "requires_action" if actions else "in_progress"
    declined = runs[-1].id if runs and run is None and has_declined(engine, runs[-1].id) else None
    return {
        **render_head(session, "agent.session"),
        "last_active_at": unix_seconds(session.active_at),
        "agent": render_definition(session.agent),
        "environment": render_environment(engine, session),
        "error": None,
        "metadata": {**session.metadata, **({DECLINED: declined} if declined else {})},
        "required_actions": actions,
        "status": status,
        "usage": None,
        "vault_ids": [],
    }


def _render_action(run: RunRecord, call: FunctionCall) -> Json:
    return {
        "type": "function_call",
        "turn_id": run.id,
        "call_id": call.id,
        "name": call.name,
        "arguments": _as_json(call.arguments),
    }


def _as_json(arguments: str) -> object:
    """What a model wrote may be no JSON; then it is shown as it is."""
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments


def render_turn(session: SessionRecord, run: RunRecord) -> Json:
    is_counted = not run.state.is_active and not run.tokens.uncounted
    return {
        "id": run.id,
        "object": "agent.session.turn",
        "agent_id": session.agent.id,
        "session_id": session.id,
        "subagent_id": None,
        "created_at": unix_seconds(run.created_at),
        "started_at": unix_seconds(run.started_at),
        "completed_at": unix_seconds(run.ended_at),
        "status": _STATUSES[run.state],
        "error": _render_error(run),
        "usage": render_usage(run.tokens.input, run.tokens.output) if is_counted else None,
    }


def _render_error(run: RunRecord) -> Json | None:
    if _STATUSES[run.state] != "failed":
        return None
    if run.state is RunState.EXPIRED:
        return {"code": "request_timeout", "message": "The turn took too long, and was stopped."}
    code, message = (run.failure.code, run.failure.message) if run.failure else ("server_error", "It failed.")
    return {"code": _CODES.get(code, "server_error"), "message": message or code}


def render_items(engine: Engine, run: RunRecord) -> list[Json]:
    """What was asked, called and said in a turn, in this order."""
    items = [_render_question(message, run) for message in messages_of(engine, run)]
    for step in engine.store.children(StepRecord, run.id):
        for call in step.calls:
            items += _render_call(call, run) if isinstance(call, FunctionCall) else [_render_command(call, run)]
        message = engine.store.find(MessageRecord, step.message_id) if step.message_id else None
        if message is not None:
            items.append(_render_answer(message, run))
    return items


def _render_question(message: MessageRecord, run: RunRecord) -> Json:
    content: list[Json] = [
        {"type": "input_image", "image_url": part.url or ""}
        if isinstance(part, ImagePart)
        else {"type": "input_text", "text": part.text}
        for part in message.parts
    ]
    head = {"id": message.id, "type": "message", "role": "user", "status": "completed"}
    return {**head, "turn_id": run.id, "content": content}


def _render_answer(message: MessageRecord, run: RunRecord) -> Json:
    texts = [part.text for part in message.parts if not isinstance(part, ImagePart)]
    return {
        "id": message.id,
        "type": "message",
        "role": "assistant",
        "phase": "final_answer",
        "status": message.state.value,
        "turn_id": run.id,
        "content": [{"type": "output_text", "text": text} for text in texts],
    }


def _render_call(call: FunctionCall, run: RunRecord) -> Iterator[Json]:
    suffix = call.id.removeprefix("call_")
    shared = {"call_id": call.id, "turn_id": run.id}
    ending = "failed" if call.is_error else "completed"
    status = ending if call.output is not None else "in_progress" if run.state.is_active else "incomplete"
    yield {
        "id": f"fc_{suffix}",
        "type": "function_call",
        **shared,
        "name": call.name,
        "arguments": _as_json(call.arguments),
        "status": status,
    }
    if call.output is not None:
        yield {
            "id": f"fco_{suffix}",
            "type": "function_call_output",
            **shared,
            "output": None if call.is_error else call.output,
            "error": call.output if call.is_error else None,
            "status": status,
        }


def _render_command(call: ToolCall, run: RunRecord) -> Json:
    """Code of a hosted environment."""
    is_over = call.completed is not None
    ending = "completed" if call.completed else "failed" if is_over else "incomplete"
    return {
        "id": f"cmd_{call.id.removeprefix('call_')}",
        "type": "command_execution",
        "turn_id": run.id,
        "command": call.code,
        "cwd": WORKSPACE,
        "exit_code": (0 if call.completed else 1) if is_over else None,
        "output": call.output if is_over else None,
        "duration_ms": None,
        "status": "in_progress" if not is_over and run.state.is_active else ending,
    }


class SessionEvents:
    """What has changed in a session since the last look, as events; what was there before the first is no news."""

    def __init__(self, engine: Engine, session: SessionRecord, *, from_start: bool = False) -> None:
        self._engine = engine
        self._session = session
        self._told: set[str] = set()
        self._numbers = count(1)
        if from_start:
            self._news = [self._event("agent.session.created", session=render_session(engine, session))]
        else:
            self._news = []
            for _ in self._look():
                pass

    def take(self) -> list[Json]:
        """Raises Missing if the session is gone."""
        news, self._news = [*self._news, *self._look()], []
        return news

    def _event(self, kind: str, **fields: object) -> Json:
        return {"type": kind, "event_id": f"evt_{self._session.id}_{next(self._numbers)}", **fields}

    def _is_new(self, *key: str) -> bool:
        told = "/".join(key)
        is_new = told not in self._told
        self._told.add(told)
        return is_new

    def _look(self) -> Iterator[Json]:
        for run in self._engine.store.children(RunRecord, self._session.thread_id):
            turn = render_turn(self._session, run)
            if self._is_new(run.id, "created"):
                yield self._turn_event("created", {**turn, "status": "queued"})
                yield self._session_event("in_progress")
            if run.state is not RunState.QUEUED and self._is_new(run.id, "in_progress"):
                yield self._turn_event("in_progress", {**turn, "status": "in_progress"})
            yield from self._look_at_items(run)
            if run.state is RunState.REQUIRES_ACTION:
                waiting = ",".join(call.id for call in open_calls(self._engine, run))
                if waiting and self._is_new(run.id, "requires_action", waiting):
                    yield self._session_event("requires_action")
            if not run.state.is_active and self._is_new(run.id, "ended"):
                yield self._turn_event(_STATUSES[run.state], turn)
                yield self._session_event("idle")

    def _session_event(self, status: str) -> Json:
        body = {**render_session(self._engine, self._session), "status": status}
        return self._event(f"agent.session.{status}", session=body)

    def _turn_event(self, name: str, turn: Json) -> Json:
        ending = {"usage": turn["usage"]} if name in ("completed", "failed", "cancelled") else {}
        return self._event(
            f"agent.session.turn.{name}", session_id=self._session.id, turn_id=turn["id"], turn=turn, **ending
        )

    def _look_at_items(self, run: RunRecord) -> Iterator[Json]:
        index = -1
        items = render_items(self._engine, run)
        answered = {item["call_id"] for item in items if item["type"] == "function_call_output"}
        waits = run.state is RunState.REQUIRES_ACTION or not run.state.is_active
        for item in items:
            if item["type"] == "function_call" and not waits and item["call_id"] not in answered:
                return  # told together with the session's `requires_action`: who hears of it may answer at once
            is_output = item["type"] in ("function_call", "command_execution") or item.get("role") == "assistant"
            index += is_output
            place: Json = {"session_id": self._session.id, "turn_id": run.id}
            if is_output:
                place["output_index"] = index
            if self._is_new(str(item["id"]), "added"):
                begun = {**item, "status": "in_progress"} if is_output else item
                if item.get("role") == "assistant":
                    begun["content"] = []
                yield self._event("agent.session.turn.item.added", item=begun, **place)
            if is_output and item["status"] != "in_progress" and self._is_new(str(item["id"]), "done"):
                if item["type"] == "message":
                    yield from self._tell_text(item, place)
                yield self._event("agent.session.turn.item.done", item=item, **place)

    def _tell_text(self, item: Json, place: Json) -> Iterator[Json]:
        content = item["content"]
        assert isinstance(content, list), "a message's content is a list"
        for number, part in enumerate(content):
            where = {**place, "item_id": item["id"], "content_index": number}
            prefix = "agent.session.turn"
            yield self._event(f"{prefix}.content_part.added", part={"type": "output_text", "text": ""}, **where)
            yield self._event(f"{prefix}.output_text.delta", delta=part["text"], **where)
            yield self._event(f"{prefix}.output_text.done", text=part["text"], **where)
            yield self._event(f"{prefix}.content_part.done", part=part, **where)


async def stream_session(
    engine: Engine, session: SessionRecord, events: SessionEvents, *, until_idle: bool = False
) -> AsyncIterator[bytes]:
    """Everything from now on, until the session is gone, or has nothing more to do."""
    yield b": connected\n\n"
    news = asyncio.Event()
    followed: set[str] = set()
    with ExitStack() as listening:
        while engine.store.find(SessionRecord, session.id) is not None:
            runs = {run.id for run in engine.store.children(RunRecord, session.thread_id)}
            for object_id in {session.thread_id, *runs} - followed:
                listening.callback(engine.feed.subscribe(object_id, lambda _: news.set()))
                followed.add(object_id)
            news.clear()
            for event in events.take():
                yield write_event(str(event["type"]), event)
                if until_idle and event["type"] == "agent.session.idle":
                    return
            try:
                await asyncio.wait_for(news.wait(), engine.lifetimes.renewal_s)
            except TimeoutError:
                # What another process does is told to nobody here; and it may have died.
                with suppress(sqlite3.Error, Damaged):
                    sweep(engine)
