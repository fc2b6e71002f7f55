"""Wire: what the faces of all APIs share: the routes of a resource, reading bodies, forms and queries, answering.

Belongs here: what two APIs have in common to the letter. Doesn't: an API's own words (`faces/`), rules (`engine/`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.core import Engine
from runner.server.engine.state.records import Record
from runner.server.wire.fields import PAGE_PARAMETERS, read_page, read_query
from runner.server.wire.replies import Json, deleted_reply, page_reply

R = TypeVar("R", bound=Record)
Answer = Callable[[Request], Response | Awaitable[Response]]


def route(method: str, path: str, answer: Answer) -> Route:
    async def endpoint(request: Request) -> Response:
        reply = answer(request)
        return await reply if isawaitable(reply) else reply

    return Route(path, endpoint, methods=[method])


def resource_routes(path: str, key: str, **answers: Answer) -> list[Route]:
    """What can be done with the list at `path`, and with one object in it, whose id is the path parameter `key`."""
    one = f"{path}/{{{key}}}"
    places = {
        "create": ("POST", path),
        "browse": ("GET", path),
        "retrieve": ("GET", one),
        "update": ("POST", one),
        "delete": ("DELETE", one),
    }
    return [route(*places[name], answer) for name, answer in answers.items()]


def browsing(
    engine: Engine,
    cls: type[R],
    render: Callable[[R], Json],
    *,
    parent_id: Callable[[Request], str] = lambda _: "",
    parameters: Sequence[str] = PAGE_PARAMETERS,
    filtered_by: str | None = None,
) -> Answer:
    """Answers with a page of one parent's objects, of those alone that have the value asked for in a field."""

    def browse(request: Request) -> Response:
        query = read_query(request, *parameters, *((filtered_by,) if filtered_by else ()))
        page = read_page(query)
        value = query.text(filtered_by) if filtered_by else None
        matching = {} if filtered_by is None or value is None else {filtered_by: value}
        return page_reply(engine.store.page(cls, parent_id(request), page, matching), render)

    return browse


def deleting(key: str, delete: Callable[[str], object], shown_as: str) -> Answer:
    """Deletes the object whose id is the path parameter `key`."""

    def answer(request: Request) -> Response:
        object_id = request.path_params[key]
        delete(object_id)
        return deleted_reply(object_id, shown_as)

    return answer
