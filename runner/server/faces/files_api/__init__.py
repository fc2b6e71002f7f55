"""The Files API and the vector stores made of files: /files and /vector_stores."""

from __future__ import annotations

from starlette.routing import Route

from runner.server.engine.core.engine import Engine
from runner.server.faces.files_api import files, vector_stores


def routes(engine: Engine) -> list[Route]:
    return [route for part in (files, vector_stores) for route in part.routes(engine)]
