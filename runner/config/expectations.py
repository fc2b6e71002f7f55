"""`expect` to expectations: each check built once, so that its own objections come out now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from runner.checks import TOOL_NAME
from runner.config.document import Document, Mistake, Where
from runner.config.schema import CHECKS
from runner.config.tool_schema import RETRIEVAL
from runner.did_you_mean import quote, suggest
from runner.domain.assistant import Assistant, ToolName
from runner.domain.scenario import Expectation
from runner.plugins import load_plugin
from runner.yaml_text import MapNode


def read_expectations(
    document: Document, items: list[Any], where: Where, assistant: Assistant | None
) -> tuple[Expectation, ...]:
    """The expectations of a turn, those with mistakes left out after reporting them.

    `assistant` is the one that is talked to, None where it is not known.
    """
    sound = [index for index in range(len(items)) if document.is_sound((*where, index))]
    written = [_as_written(items[index], (*where, index)) for index in sound]
    if assistant is not None:
        for one in written:
            _report_unknown_tools(document, one, assistant)
    expectations = tuple(_build(document, one) for one in written)
    _report_contradictions(document, written)
    return tuple(one for one in expectations if one is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A check as it stands in the file, in its full form."""

    name: str
    main_field: str
    parameters: Mapping[str, Any]
    fields: Mapping[str, Any]
    where: Where


def _as_written(item: Any, where: Where) -> _Written:
    name, value = next(iter(item.items())) if isinstance(item, dict) else (item, {})
    module = load_plugin(CHECKS, name)
    return _Written(
        name=name,
        main_field=module.MAIN_FIELD,
        parameters=value if isinstance(value, dict) else {module.MAIN_FIELD: value},
        fields=module.SCHEMA["properties"],
        where=(*where, name) if isinstance(item, dict) else where,
    )


def _report_unknown_tools(document: Document, written: _Written, assistant: Assistant) -> None:
    known = [*(tool.value for tool in ToolName), RETRIEVAL, *(function.name for function in assistant.functions)]
    for field, schema in written.fields.items():
        name = written.parameters.get(field)
        if schema.get("format") == TOOL_NAME and isinstance(name, str) and name.strip() not in known:
            is_short = not isinstance(document.find(written.where)[1], MapNode)
            place = written.where if is_short else (*written.where, field)
            message = f"there is no tool {quote(name)}, nor a function of the assistant"
            document.report(Mistake(where=place, message=message, hint=suggest(name, known)))


def _build(document: Document, written: _Written) -> Expectation | None:
    try:
        load_plugin(CHECKS, written.name).Check(**written.parameters)
    except ValueError as error:
        document.report(Mistake(where=written.where, message=str(error)))
        return None
    location = document.location(written.where, at_key=True)
    return Expectation(check=written.name, parameters=written.parameters, location=location)


def _report_contradictions(document: Document, written: list[_Written]) -> None:
    """Report what one check demands and its negation (the same name with `not_` in it) forbids."""
    for earlier, later in combinations(written, 2):
        for value in _demanded_and_forbidden(earlier, later):
            line = document.location(earlier.where, at_key=True).line
            message = f"{quote(value)} contradicts `{earlier.name}` on line {line}: no answer passes both"
            document.report(Mistake(where=later.where, message=message, hint="remove one of the two"))


def _demanded_and_forbidden(one: _Written, other: _Written) -> Iterator[str]:
    is_negation = one.name != other.name and _without_not(one.name) == _without_not(other.name)
    options = (one.fields.keys() & other.fields.keys()) - {one.main_field, other.main_field}
    if is_negation and all(one.parameters.get(name) == other.parameters.get(name) for name in options):
        texts = _texts(other.parameters.get(other.main_field))
        yield from (text for text in _texts(one.parameters.get(one.main_field)) if text in texts)


def _without_not(name: str) -> str:
    return name.replace("not_", "")


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
