"""The form that an assistant's answers are to have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class PlainFormat(Enum):
    """A form without options; the value is the word users write."""

    TEXT = "text"
    JSON_OBJECT = "json_object"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaFormat:
    """JSON that fits a schema. `strict` has the API keep the model to it; else the schema is a request."""

    name: str
    schema: Mapping[str, object]
    strict: bool = False
    description: str = ""


ResponseFormat = PlainFormat | SchemaFormat
