"""Function tools of an exported assistant as `functions`: how each is answered is yet to be said, and says so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from runner.config.function_schema import MAX_DESCRIPTION_LENGTH, NAME_PATTERN
from runner.config.functions import RESERVED_NAMES, plain
from runner.config.writing import STEP, protect
from runner.yaml_text.scalars import show_text
from runner.yaml_text.spans import Style

Json = Mapping[str, object]

UNANSWERED = "error: nobody has said yet how this function is answered"
"""What the model is told, in the words that tell it of any call that failed."""
_TO_DO = "# to be replaced: returns, python or http, as docs/functions.md has them"
_MAX_DEPTH = 16
_KNOWN = frozenset({"name", "description", "parameters", "strict"})
_NO_PARAMETERS: Json = {"type": "object", "properties": {}}


def find_obstacle(function: object) -> str:
    """Why a function can't be declared as it is; "" if it can."""
    from runner.json_schema import check_schema, find_looseness

    if not isinstance(function, Mapping) or not re.fullmatch(NAME_PATTERN, str(function.get("name"))):
        return "it has no name that fits"
    if function["name"] in RESERVED_NAMES:
        return "its name means something else here"
    description, parameters = function.get("description") or "", function.get("parameters") or _NO_PARAMETERS
    if not isinstance(description, str) or len(description) > MAX_DESCRIPTION_LENGTH:
        return "its description does not fit"
    if not isinstance(parameters, Mapping) or parameters.get("type") != "object" or not is_writable(parameters):
        return "its parameters do not fit"
    try:
        check_schema(plain(parameters))
    except ValueError as error:
        return f"what describes its parameters {error}"
    looseness = find_looseness(parameters) if function.get("strict") is True else ""
    return f"it is strict, and {looseness}" if looseness else ""


def show_function(function: Json, hide: Callable[[str], str]) -> Iterator[str]:
    """The lines of one item of `functions`, at the left margin; `function` has no obstacle."""
    kept = {key: value for key, value in function.items() if key in _KNOWN and value not in (None, "", False, {})}
    head, *rest = show_mapping(kept, hide)
    yield f"- {head}"
    margin = " " * STEP
    yield from (margin + line for line in rest)
    yield margin + _TO_DO
    yield f"{margin}returns: {show_text(UNANSWERED, Style.PLAIN, indent=0, in_flow=True)}"


def leftovers(function: Json) -> Json:
    """What a declared function has no place for."""
    return {key: value for key, value in function.items() if key not in _KNOWN and value not in (None, "", {}, [])}


def show_mapping(value: Json, hide: Callable[[str], str]) -> Iterator[str]:
    """The lines of a block, at the left margin; lists and what is empty are in flow style."""
    for key, one in value.items():
        name = show_text(key, Style.PLAIN, indent=0, in_flow=True)
        if isinstance(one, Mapping) and one:
            yield f"{name}:"
            yield from (" " * STEP + line for line in show_mapping(one, hide))
        else:
            yield f"{name}: {_show_flow(one, hide)}"


def _show_flow(value: object, hide: Callable[[str], str]) -> str:
    match value:
        case Mapping():
            pairs = (f"{_show_flow(key, str)}: {_show_flow(one, hide)}" for key, one in value.items())
            return f"{{{', '.join(pairs)}}}"
        case list():
            return f"[{', '.join(_show_flow(one, hide) for one in value)}]"
        case str():
            return show_text(protect(hide(value)), Style.PLAIN, indent=0, in_flow=True)
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case _:
            return str(value)


def is_writable(value: object, depth: int = 0) -> bool:
    """Whether it can be written in a file of ours: not too deep, and no key that means something to YAML."""
    if depth > _MAX_DEPTH:
        return False
    if isinstance(value, Mapping):
        return all(key != "<<" and key.isprintable() and is_writable(one, depth + 1) for key, one in value.items())
    if isinstance(value, list):
        return all(is_writable(one, depth + 1) for one in value)
    return not isinstance(value, Decimal) or value.is_finite()
