"""/models: the names in use, and whatever else is asked for: any name is accepted."""

from __future__ import annotations

from starlette.routing import Route

from runner.server.engine.core import Engine
from runner.server.engine.state.records import AssistantRecord
from runner.server.wire.fields import Json
from runner.server.wire.replies import resource_routes

PATHS = ("models",)


def routes(engine: Engine) -> list[Route]:
    def names() -> list[str]:
        used = {assistant.brief.model for assistant in engine.store.children(AssistantRecord, "")}
        return [engine.inference.name, *sorted(used - {engine.inference.name})]

    return resource_routes(
        "/models",
        "model:path",
        browse=lambda _: {"object": "list", "data": [_render(name) for name in names()]},
        retrieve=lambda request: _render(request.path_params["model"]),
    )


def _render(name: str) -> Json:
    return {"id": name, "object": "model", "created": 0, "owned_by": "runner"}
