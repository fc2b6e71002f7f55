"""The Responses API: /responses and /conversations."""

from __future__ import annotations

from starlette.routing import Route

from runner.server.engine.core import Engine

PATHS = ("responses", "conversations")


def routes(engine: Engine) -> list[Route]:
    from runner.server.faces.responses_api import responses

    return responses.routes(engine)
