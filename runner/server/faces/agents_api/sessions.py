"""/agents/sessions: what is said to them, their turns and items."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.core import Engine, need, set_fields
from runner.server.engine.runs.runs import FunctionOutput, NewMessage
from runner.server.engine.sessions import (
    cancel_turn,
    create_session,
    delete_session,
    note_key,
    start_turn,
    take_result,
)
from runner.server.engine.state.records import AgentRecord, ImagePart, RunRecord, SessionRecord, TextPart
from runner.server.engine.state.store import Conflict
from runner.server.faces.agents_api import environments
from runner.server.faces.agents_api.agents import DEFINITION, new_agent, read_definition
from runner.server.faces.agents_api.environments import read_environment
from runner.server.faces.agents_api.events import (
    SessionEvents,
    render_items,
    render_session,
    render_turn,
    stream_session,
)
from runner.server.inference import Role
from runner.server.wire.fields import (
    FORWARD_PARAMETERS,
    MAX_FUNCTION_TEXT,
    BadRequest,
    Fields,
    read_body,
    read_flag,
    read_metadata,
    read_page,
    read_query,
)
from runner.server.wire.replies import (
    EventStream,
    deleted_reply,
    json_reply,
    page_reply,
    reply_page,
    resource_routes,
    route,
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
    def find(request: Request) -> SessionRecord:
        return need(engine, SessionRecord, request.path_params["session_id"])

    async def update(request: Request) -> Response:
        body = await read_body(request)
        body.only("metadata")
        session = set_fields(engine, SessionRecord, find(request).id, metadata=read_metadata(body))
        return json_reply(render_session(engine, session))

    def browse(request: Request) -> Response:
        names = [name for name in request.query_params if name.startswith("metadata[")]
        query = read_query(request, *FORWARD_PARAMETERS, "agent_id", *names)
        page, agent_id = read_page(query), query.text("agent_id")
        wanted = {name.removeprefix("metadata[").removesuffix("]"): query.text(name) for name in names}
        found = [
            one
            for one in engine.store.children(SessionRecord, "")
            if agent_id in (None, one.agent.id) and all(one.metadata.get(key) == value for key, value in wanted.items())
        ]
        return reply_page([render_session(engine, one) for one in found], page)

    def delete(request: Request) -> Response:
        session_id = request.path_params["session_id"]
        try:
            delete_session(engine, session_id)
        except Conflict as error:
            raise BadRequest(str(error), code=error.code, status=409) from error
        return deleted_reply(session_id, "agent.session")

    return [
        *resource_routes(
            "/agents/sessions",
            "session_id",
            create=partial(_create, engine),
            browse=browse,
            retrieve=lambda request: json_reply(render_session(engine, find(request))),
            update=update,
            delete=delete,
        ),
        *_event_routes(engine, find),
        *_turn_routes(engine, find),
        *environments.routes(engine, find),
    ]


async def _create(engine: Engine, request: Request) -> Response:
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
        return json_reply(render_session(engine, session))
    return EventStream(
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
    for part in message.objects("content", most=MAX_PARTS) or ():
        if part.needed_choice("type", ("input_text", "input_image")) == "input_text":
            part.only("type", "text")
            parts.append(TextPart(text=part.needed_text("text", longest=MAX_TEXT)))
        else:
            part.only("type", "image_url")
            parts.append(ImagePart(url=part.needed_text("image_url", longest=MAX_IMAGE)))
    if not parts:
        message.need("content")
        raise message.invalid("content", "expected at least one part.", "invalid_value")
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
        try:
            with engine.store.transaction():
                if note_key(engine, session.id, key):
                    for act in acts:
                        act(session)
        except Conflict as error:
            raise BadRequest(str(error), code=error.code, status=409) from error
        return Response(status_code=202)

    def stream(request: Request) -> Response:
        read_flag(read_query(request, "include_obfuscation"), "include_obfuscation")
        session = find(request)
        return EventStream(stream_session(engine, session, SessionEvents(engine, session)))

    path = "/agents/sessions/{session_id}/events"
    return [route("POST", path, create), route("GET", path, stream)]


def _read_event(engine: Engine, event: Fields) -> Callable[[SessionRecord], object]:
    kind = event.needed_choice("type", (f"{_INPUT}message", f"{_INPUT}tool_result", f"{_INPUT}cancel"))
    if kind == f"{_INPUT}cancel":
        event.only("type")
        return lambda session: cancel_turn(engine, session)
    if kind == f"{_INPUT}message":
        event.only("type", "input")
        messages = tuple(_read_message(one) for one in event.objects("input", most=MAX_PARTS) or ())
        if not messages:
            event.need("input")
            raise event.invalid("input", "expected at least one message.", "invalid_value")
        return lambda session: start_turn(engine, session, messages)
    event.only("type", "turn_id", "call_id", "success", "output", "error")
    event.need("success")
    is_error = not event.flag("success")
    said = event.text("error", longest=MAX_FUNCTION_TEXT) if is_error else _read_output(event)
    output = FunctionOutput(call_id=event.needed_text("call_id"), output=said or "", is_error=is_error)
    turn_id = event.needed_text("turn_id")
    return lambda session: take_result(engine, session, turn_id, output)


def _read_output(event: Fields) -> str | None:
    if not isinstance(event.values.get("output"), list):
        return event.text("output", longest=MAX_FUNCTION_TEXT)
    texts = []
    for part in event.objects("output", most=MAX_PARTS) or ():
        part.needed_choice("type", ("input_text",))
        part.only("type", "text")
        texts.append(part.text("text", longest=MAX_FUNCTION_TEXT) or "")
    return "\n".join(texts)


def _turn_routes(engine: Engine, find: Callable[[Request], SessionRecord]) -> list[Route]:
    def find_turn(request: Request) -> RunRecord:
        return need(engine, RunRecord, request.path_params["turn_id"], find(request).thread_id)

    def browse(request: Request) -> Response:
        session = find(request)
        page = read_page(read_query(request, *FORWARD_PARAMETERS))
        found = engine.store.page(RunRecord, session.thread_id, page)
        return page_reply(found, lambda run: render_turn(session, run))

    def browse_items(request: Request) -> Response:
        page = read_page(read_query(request, *FORWARD_PARAMETERS))
        items = render_items(engine, find_turn(request))
        return reply_page(items, page)

    def browse_all_items(request: Request) -> Response:
        page = read_page(read_query(request, *FORWARD_PARAMETERS))
        runs = engine.store.children(RunRecord, find(request).thread_id)
        items = [item for run in runs for item in render_items(engine, run)]
        return reply_page(items, page)

    path = "/agents/sessions/{session_id}/turns"
    return [
        *resource_routes(
            path,
            "turn_id",
            browse=browse,
            retrieve=lambda request: json_reply(render_turn(find(request), find_turn(request))),
        ),
        route("GET", f"{path}/{{turn_id}}/items", browse_items),
        route("GET", "/agents/sessions/{session_id}/items", browse_all_items),
    ]
