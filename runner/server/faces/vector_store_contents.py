"""/vector_stores/{store_id}/files/{file_id}/content"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.engine import Engine
from runner.server.engine.searching import read_stored_text
from runner.server.faces._replies import json_reply
from runner.server.faces._vector_stores import find_stored_file


def routes(engine: Engine) -> list[Route]:
    async def content(request: Request) -> Response:
        text = await read_stored_text(engine, find_stored_file(engine, request))
        return json_reply(
            {
                "object": "vector_store.file_content.page",
                "data": [{"type": "text", "text": text}],
                "has_more": False,
                "next_page": None,
            }
        )

    return [Route("/vector_stores/{store_id}/files/{file_id}/content", content, methods=["GET"])]
