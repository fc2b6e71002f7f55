"""Makes the JSON Schemas that are shipped for editors, composed from the plug-ins."""

from __future__ import annotations

from runner.config.file_schemas import schema_text

KINDS = ("assistants", "scenario")


def make() -> dict[str, str]:
    return {f"runner/config/schemas/{kind}.json": schema_text(kind) for kind in KINDS}
