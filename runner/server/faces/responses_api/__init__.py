"""The Responses API: /responses and /conversations."""

from __future__ import annotations

from starlette.routing import Route

from runner.server.engine.core.engine import Engine
from runner.server.faces.responses_api import conversations, responses


def routes(engine: Engine) -> list[Route]:
    return [route for part in (responses, conversations) for route in part.routes(engine)]
