"""The body of the request, without its input; `${NAME}` stands where an environment variable holds a secret."""

from __future__ import annotations

from runner.exporting import Export, json_text


def render(export: Export) -> str:
    return json_text(export.show(export.body, "${{{}}}".format))
