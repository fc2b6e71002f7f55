"""The Agents API (beta): agents, sessions, turns, items, events, hosted environments and artifacts."""

from __future__ import annotations

from starlette.routing import Route

from runner.server.engine.core import Engine

PATHS = ("agents",)


def routes(engine: Engine) -> list[Route]:
    from runner.server.faces.agents_api import agents, sessions

    # `/agents/sessions` before `/agents/{agent_id}`.
    return [*sessions.routes(engine), *agents.routes(engine)]
