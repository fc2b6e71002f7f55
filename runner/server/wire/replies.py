"""What answers have in common: a resource's routes, JSON, lists, contents of files, errors, when to ask again."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from inspect import isawaitable
from mimetypes import guess_type
from pathlib import PurePosixPath
from typing import BinaryIO, TypeVar
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from runner.server.engine.core import Engine, need, set_fields
from runner.server.engine.state.file_storage import CHUNK_BYTES, ContainerFileRecord, FileRecord
from runner.server.engine.state.records import Record
from runner.server.engine.state.store import Missing, Page, PageRequest, Refusal
from runner.server.wire.fields import PAGE_PARAMETERS, BadRequest, Json, read_body, read_metadata, read_page, read_query

T = TypeVar("T")

DECLINED = "runner.declined"
"""The metadata key that marks a message which says why there is no answer."""

_FASTEST_POLL_MS = 10
_SLOWEST_POLL_MS = 1000


def json_reply(body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """ASCII only: lone surrogates, which JSON allows, have no UTF-8."""
    content = json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")
    return Response(content, status_code=status, headers=headers, media_type="application/json")


def reply_at_work(engine: Engine, body: Json, since: float | None) -> Response:
    """Tells who asks when to ask again, if work on it goes on `since` then."""
    headers = {} if since is None else {"openai-poll-after-ms": str(poll_pace_ms(engine.now() - since))}
    return json_reply(body, headers=headers)


def poll_pace_ms(age_s: float) -> int:
    """When to look again at work that began `age_s` ago: after a quarter of its age, within bounds."""
    return int(min(max(age_s * 250, _FASTEST_POLL_MS), _SLOWEST_POLL_MS))


def list_body(items: Sequence[Json], *, has_more: bool) -> Json:
    return {
        "object": "list",
        "data": items,
        "first_id": items[0]["id"] if items else None,
        "last_id": items[-1]["id"] if items else None,
        "has_more": has_more,
    }


def page_body(page: Page[T], render: Callable[[T], Json]) -> Json:
    return list_body([render(item) for item in page.items], has_more=page.has_more)


def cut_page(bodies: Sequence[Json], page: PageRequest) -> Json:
    """One page of objects that are given oldest first. Raises Refusal for a cursor that is none of them."""
    ordered = list(reversed(bodies)) if page.newest_first else list(bodies)
    ids = [body["id"] for body in ordered]
    if page.after is not None and page.after not in ids:
        raise Refusal(f"Invalid cursor: there is no object with id '{page.after}' in this list.", param="after")
    found = ordered[0 if page.after is None else ids.index(page.after) + 1 :]
    return list_body(found[: page.limit], has_more=len(found) > page.limit)


def deleted_body(object_id: str, kind: str) -> Json:
    return {"id": object_id, "object": f"{kind}.deleted", "deleted": True}


def unix_seconds(time: float | None) -> int | None:
    return None if time is None else int(time)


def render_head(record: Record, kind: str) -> Json:
    """What most objects begin with."""
    return {"id": record.id, "object": kind, "created_at": unix_seconds(record.created_at)}


def render_usage(read: int, said: int, **more: int) -> Json:
    """Tokens as OpenAI's newer APIs show them: nothing is cached here, and no thoughts are counted."""
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0, **more},
        "output_tokens": said,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + said,
    }


_ANY_TYPE = "application/octet-stream"


def reply_content_of(engine: Engine, file: FileRecord | ContainerFileRecord, path: str) -> Response:
    """Called as its path has it, and of the type that this tells. Raises Missing as below."""
    filename = PurePosixPath(path).name
    media_type, packing = guess_type(filename)
    return reply_content(engine, file, filename, media_type if media_type and not packing else _ANY_TYPE)


def reply_content(
    engine: Engine, file: FileRecord | ContainerFileRecord, filename: str, media_type: str = _ANY_TYPE
) -> Response:
    """Raises Missing if the file is gone since it was looked up."""
    try:
        content = engine.blobs.path(file.sha256).open("rb")
    except FileNotFoundError as error:
        raise Missing(file.KIND, file.id) from error
    headers = {
        "content-length": str(os.fstat(content.fileno()).st_size),
        "content-disposition": f"attachment; filename*=utf-8''{quote(filename, errors='replace')}",
    }
    # Of what is open already: starlette's own opens the file when it may be gone.
    return _Stream(_read(content), content.close, headers, media_type)


def write_event(name: str, data: Json) -> bytes:
    """ASCII only: JSON's escapes keep lone surrogates and line separators out of the stream."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'), allow_nan=False)}\n\n".encode("ascii")


def stream_events(
    events: AsyncIterator[bytes],
    at_end: Callable[[], None] = lambda: None,
    *,
    content_type: str = "text/event-stream",
) -> Response:
    return _Stream(events, at_end, {"content-type": content_type, "cache-control": "no-cache"})


class _Stream(StreamingResponse):
    """However it ends, `at_end` is called."""

    def __init__(
        self,
        parts: AsyncIterator[bytes],
        at_end: Callable[[], None],
        headers: Mapping[str, str],
        media_type: str | None = None,
    ) -> None:
        self._at_end = at_end
        super().__init__(parts, headers=headers, media_type=media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._at_end()


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """What the work comes to, once the body has been read. Raises ClientDisconnect if the client leaves before."""

    async def leave() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(leave())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        working.cancel()
        leaving.cancel()


async def _read(content: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(content.read, CHUNK_BYTES):
        yield chunk


_NOT_FOUND: Mapping[str, str] = {
    "assistant": "No assistant found with id '{id}'.",
    "thread": "No thread found with id '{id}'.",
    "message": "No message found with id '{id}'.",
    "run": "No run found with id '{id}'.",
    "step": "No run step found with id '{id}'.",
    "file": "No such File object: {id}",
    "vector_store": "Vector store with id '{id}' not found.",
    "stored_file": "No file found with id '{id}' in vector store '{parent}'.",
    "batch": "No file batch found with id '{id}' in vector store '{parent}'.",
    "response": "Response with id '{id}' not found.",
    "conversation": "Conversation with id '{id}' not found.",
    "item": "Item with id '{id}' not found.",
    "agent": "No agent found with id '{id}'.",
    "request_batch": "No batch found with id '{id}'.",
    "session": "No session found with id '{id}'.",
    "environment": "No environment found with id '{id}'.",
    "artifact": "No artifact found with id '{id}'.",
    "container": "Container with id '{id}' not found.",
    "container_file": "Container file with id '{id}' not found.",
    "model": "The model '{id}' does not exist",
    "named_agent": "Agent '{id}' not found.",
    "agent_version": "Version '{id}' of agent '{parent}' not found.",
}


_CONFLICTS = frozenset({"conflict_error", "active_turn_not_steerable"})
"""Those that OpenAI's newer APIs answer with 409; the older ones answer all conflicts with 400."""


def error_reply(status: int, message: str, *, code: str | None = None, kind: str = "invalid_request_error") -> Response:
    error = {"message": message, "type": kind, "param": None, "code": code}
    return json_reply({"error": error}, status=status)


async def answer_bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, BadRequest)
    reply = {"message": error.message, "type": "invalid_request_error", "param": error.param, "code": error.code}
    # The Files API says it twice.
    is_about_files = request.url.path.startswith("/v1/files")
    detail = {"detail": {"message": error.message, "code": error.code}} if is_about_files else {}
    return json_reply({"error": reply, **detail}, status=error.status)


def describe_missing(error: Missing) -> str:
    return _NOT_FOUND[error.kind].format(id=error.object_id, parent=error.parent_id)


async def answer_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    bad = BadRequest(str(error), param=error.param, code=error.code, status=409 if error.code in _CONFLICTS else 400)
    if isinstance(error, Missing):
        bad = BadRequest(describe_missing(error), param="id" if error.kind == "file" else None, status=404)
    return await answer_bad_request(request, bad)


R = TypeVar("R", bound=Record)
Answered = Json | Response
Answer = Callable[[Request], Answered | Awaitable[Answered]]
"""What comes of a request: the body of an answer, or an answer that has more to it."""


def route(method: str, path: str, answer: Answer) -> Route:
    async def endpoint(request: Request) -> Response:
        answered = answer(request)
        found = await answered if isawaitable(answered) else answered
        return found if isinstance(found, Response) else json_reply(found)

    return Route(path, endpoint, methods=[method])


def resource_routes(path: str, key: str, **answers: Answer) -> list[Route]:
    """What can be done with the list at `path`, and with one object in it, whose id is the path parameter `key`.

    An answer called `get_WORD` or `post_WORD` is for what is at that word below the object.
    """
    one = f"{path}/{{{key}}}"
    places = {
        "create": ("POST", path),
        "browse": ("GET", path),
        "retrieve": ("GET", one),
        "update": ("POST", one),
        "delete": ("DELETE", one),
    }

    def place_of(name: str) -> tuple[str, str]:
        method, _, word = name.partition("_")
        return places.get(name) or (method.upper(), f"{one}/{word}")

    return [route(*place_of(name), answer) for name, answer in answers.items()]


def finding(
    engine: Engine, cls: type[R], key: str, parent: Callable[[Request], Record] | None = None
) -> Callable[[Request], R]:
    """Finds the object whose id is the path parameter `key`, of that parent if there is one. Raises Missing."""
    return lambda request: need(engine, cls, request.path_params[key], parent(request).id if parent else "")


def noting(
    engine: Engine, find: Callable[[Request], R], render: Callable[[R], Answered], *, is_needed: bool = False
) -> Answer:
    """Changes an object's metadata."""

    async def update(request: Request) -> Answered:
        body = await read_body(request)
        body.only("metadata")
        if is_needed and "metadata" not in body.values:
            body.need("metadata")
        found = find(request)
        return render(set_fields(engine, type(found), found.id, metadata=read_metadata(body)))

    return update


def browsing(
    engine: Engine,
    cls: type[R],
    render: Callable[[R], Json],
    *,
    parent: Callable[[Request], Record] | None = None,
    parameters: Sequence[str] = PAGE_PARAMETERS,
    filtered_by: str | None = None,
) -> Answer:
    """Answers with a page of one parent's objects, of those alone that have the value asked for in a field."""

    def browse(request: Request) -> Json:
        query = read_query(request, *parameters, *((filtered_by,) if filtered_by else ()))
        page = read_page(query)
        value = query.text(filtered_by) if filtered_by else None
        matching = {} if filtered_by is None or value is None else {filtered_by: value}
        return page_body(engine.store.page(cls, parent(request).id if parent else "", page, matching), render)

    return browse


def deleting(key: str, delete: Callable[[str], object], shown_as: str) -> Answer:
    """Deletes the object whose id is the path parameter `key`."""

    def answer(request: Request) -> Json:
        object_id = request.path_params[key]
        delete(object_id)
        return deleted_body(object_id, shown_as)

    return answer
