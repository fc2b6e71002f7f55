"""The Assistants API: /assistants and /threads, with messages, runs and steps."""

from __future__ import annotations

from starlette.routing import Route

from runner.server.engine.core import Engine

PATHS = ("assistants", "threads")


def routes(engine: Engine) -> list[Route]:
    from runner.server.faces.assistants_api import assistants, messages, runs

    # /threads/runs comes before /threads/{thread_id}, which it would match, too.
    return [route for part in (assistants, runs, messages) for route in part.routes(engine)]
