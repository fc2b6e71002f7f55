"""Makes docs/checks.md out of the checks' own schemas."""

from __future__ import annotations

from runner.checks import EXPECTATIONS
from runner.plugins import load_plugin, plugin_names

HEAD = """# Checks

Made by `docs/make_checks.py` out of `runner/checks/`; don't edit it here.

`expect` is a list. `check: value` sets the check's main field, marked * below; a mapping is always the full form:
`number: {value: 39.25, tolerance: 0.01}`. A turn passes when its answer is complete and every check holds. On a
refusal, a decline, an empty or incomplete answer nothing passes, negative checks included.
"""


def make() -> dict[str, str]:
    return {"docs/checks.md": "\n".join([HEAD, *map(describe, plugin_names("runner.checks"))])}


def describe(name: str) -> str:
    module = load_plugin("runner.checks", name)
    rows = [row(field, schema, module.MAIN_FIELD) for field, schema in module.SCHEMA["properties"].items()]
    table = "\n".join(["| Field | Value | Meaning |", "|---|---|---|", *rows])
    return f"## {name}\n\n{module.SCHEMA['description']}\n\n{table}\n"


def row(field: str, schema: dict[str, object], main_field: str) -> str:
    if schema.get("format") == EXPECTATIONS:
        schema = {**schema, "type": "a check or a list of checks"}
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    value = ", ".join(map(str, schema["enum"])) if isinstance(schema.get("enum"), list) else " or ".join(kinds)
    default = f" (default {str(schema['default']).lower()})" if "default" in schema else ""
    mark = "*" if field == main_field else ""
    meaning = str(schema["description"]).replace("|", "\\|")
    return f"| `{field}`{mark} | {value}{default} | {meaning} |"
