"""The formats that an answer may be asked to have."""

from __future__ import annotations

from collections.abc import Mapping

from runner.server.faces._bodies import Fields
from runner.server.faces._names import read_name

_KINDS = ("text", "json_object", "json_schema")


def read_format(body: Fields) -> Mapping[str, object] | None:
    """The API's mapping as it was sent; None for `auto`."""
    if body.values.get("response_format") == "auto":
        return None
    wanted = body.mapping("response_format")
    if wanted is None:
        return None
    wanted.need("type")
    if wanted.choice("type", _KINDS) != "json_schema":
        wanted.only("type")
        return wanted.values
    wanted.only("type", "json_schema")
    wanted.need("json_schema")
    schema = wanted.mapping("json_schema") or Fields({})
    schema.only("name", "description", "schema", "strict")
    read_name(schema, "name")
    schema.text("description")
    schema.mapping("schema")
    schema.flag("strict")
    return wanted.values
