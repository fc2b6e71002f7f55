"""Makes the JSON Schemas that the wheel carries, for editors."""

from __future__ import annotations

from runner.config.file_schemas import schema_text


def make() -> dict[str, str]:
    return {f"runner/config/schemas/{kind}.json": schema_text(kind) for kind in ("assistants", "scenario")}
