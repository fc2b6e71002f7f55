"""Functions: tools that are answered on this side, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.domain.location import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """How the calls of a function are answered.

    `kind` is the file's name under `runner/functions`, `settings` are what its `Answerer` is built from.
    """

    kind: str
    settings: Mapping[str, object] = field(repr=False)
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A declared function. `parameters` is a JSON Schema of an object, of plain JSON values.

    With `strict` the API itself keeps the model to the schema.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, object]
    strict: bool = False
    answering: Answering
    location: Location
