"""The Responses API: /responses and /conversations."""

from __future__ import annotations

from runner.server.faces.responses_api.responses import routes

__all__ = ["routes"]
