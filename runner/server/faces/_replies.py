"""JSON answers, and the pace at which a client should ask again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from starlette.responses import Response

from runner.server.engine.paging import Page

Json = dict[str, object]
R = TypeVar("R")

_FASTEST_POLL_MS = 10
_SLOWEST_POLL_MS = 1000


def json_reply(body: object, *, status: int = 200, poll_after_ms: int | None = None) -> Response:
    """ASCII only: lone surrogates, which JSON allows, have no UTF-8."""
    headers = {} if poll_after_ms is None else {"openai-poll-after-ms": str(poll_after_ms)}
    content = json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")
    return Response(content, status_code=status, headers=headers, media_type="application/json")


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


def page_reply(page: Page[R], render: Callable[[R], Json]) -> Response:
    return json_reply(list_body([render(item) for item in page.items], has_more=page.has_more))


def deleted_reply(object_id: str, kind: str) -> Response:
    return json_reply({"id": object_id, "object": f"{kind}.deleted", "deleted": True})


def unix_seconds(time: float | None) -> int | None:
    return None if time is None else int(time)
