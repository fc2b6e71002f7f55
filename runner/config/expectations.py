"""`expect` to expectations: each check is built once, so that it can object; what can never pass is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from runner.checks import FILE_NAME, TOOL_NAME
from runner.config.declared_tools import RETRIEVAL
from runner.config.file_schemas import CHECKS
from runner.did_you_mean import quote, suggest
from runner.domain.assistant import Assistant, ToolName
from runner.domain.scenario import Expectation
from runner.plugins import load_plugin
from runner.yaml_text import MapNode
from runner.yaml_text.yaml_document import Mistake, Where, YamlDocument

_NOT = "not_"
_WRAPPING = " .!*_`\"'"
"""What some checks overlook around a text: see `checks/one_of.py`."""


def read_expectations(
    document: YamlDocument,
    items: list[Any],
    where: Where,
    *,
    assistant: Assistant | None,
    files: Collection[str] | None,
) -> tuple[Expectation, ...]:
    """The expectations of a turn, those with mistakes left out after reporting them.

    `assistant` is the one that is talked to, `files` are the names of all that it has been given by then; each is None
    where it is not known.
    """
    sound = [index for index in range(len(items)) if document.is_sound((*where, index))]
    written = [_as_written(items[index], (*where, index)) for index in sound]
    expectations = tuple(_build(document, one) for one in written)
    for one in written:
        if assistant is not None and document.is_sound(one.where):
            _report_impossible_tool(document, one, assistant)
            if files is not None:
                _report_missing_file(document, one, assistant, files)
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

    def texts(self, kind: str) -> Iterator[tuple[str, str]]:
        """Each field whose schema has this `format`, with the text that it is given."""
        for field, schema in self.fields.items():
            value = self.parameters.get(field)
            if schema.get("format") == kind and isinstance(value, str):
                yield field, value.strip()

    def place_of(self, field: str, document: YamlDocument) -> Where:
        is_short = not isinstance(document.find(self.where)[1], MapNode)
        return self.where if is_short else (*self.where, field)


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


def _build(document: YamlDocument, written: _Written) -> Expectation | None:
    try:
        load_plugin(CHECKS, written.name).Check(**written.parameters)
    except ValueError as error:
        document.report(Mistake(where=written.where, message=str(error)))
        return None
    location = document.location(written.where, at_key=True)
    return Expectation(check=written.name, parameters=written.parameters, location=location)


def _report_impossible_tool(document: YamlDocument, written: _Written, assistant: Assistant) -> None:
    """A name that is no tool's, and the call of a tool that the assistant doesn't have."""
    functions = [function.name for function in assistant.functions]
    every = [*(tool.value for tool in ToolName), RETRIEVAL, *functions]
    own = {ToolName.FILE_SEARCH.value if tool == RETRIEVAL else tool for tool in (*assistant.tool_names, *functions)}
    for field, name in written.texts(TOOL_NAME):
        place = written.place_of(field, document)
        if name not in every:
            message = f"there is no tool {quote(name)}, nor a function of the assistant"
            document.report(Mistake(where=place, message=message, hint=suggest(name, every)))
        elif _NOT not in written.name and (ToolName.FILE_SEARCH.value if name == RETRIEVAL else name) not in own:
            message = f"the assistant {quote(assistant.address)} doesn't have the tool {name}, so it can't call it"
            document.report(Mistake(where=place, message=message, hint=f"add {name} to its `tools`"))


def _report_missing_file(
    document: YamlDocument, written: _Written, assistant: Assistant, files: Collection[str]
) -> None:
    """A file that the assistant never gets; a page that it finds on the web has an address in a name's place."""
    if ToolName.WEB_SEARCH.value in assistant.tool_names or _NOT in written.name:
        return
    check = load_plugin(CHECKS, written.name).Check(**written.parameters)
    for field, name in written.texts(FILE_NAME):
        if not any(check.names(file) for file in files):
            message = f"no file that the assistant has by then is called {quote(name)}"
            hint = suggest(name, sorted(files)) or "attach it, or list it under the assistant's `files`"
            document.report(Mistake(where=written.place_of(field, document), message=message, hint=hint))


def _report_contradictions(document: YamlDocument, written: list[_Written]) -> None:
    """Report what one check demands and another forbids."""
    for earlier, later in combinations(written, 2):
        for value in (*_demanded_and_forbidden(earlier, later), *_other_whole_answer(earlier, later)):
            line = document.location(earlier.where, at_key=True).line
            message = f"{quote(value)} contradicts `{earlier.name}` on line {line}: no answer passes both"
            document.report(Mistake(where=later.where, message=message, hint="remove one of the two"))


def _demanded_and_forbidden(one: _Written, other: _Written) -> Iterator[str]:
    """What a check demands and its negation (the same name with `not_` in it) forbids."""
    is_negation = one.name != other.name and one.name.replace(_NOT, "") == other.name.replace(_NOT, "")
    options = (one.fields.keys() & other.fields.keys()) - {one.main_field, other.main_field}
    if is_negation and all(one.parameters.get(name) == other.parameters.get(name) for name in options):
        texts = _texts(other.parameters.get(other.main_field))
        yield from (text for text in _texts(one.parameters.get(one.main_field)) if text in texts)


def _other_whole_answer(one: _Written, other: _Written) -> Iterator[str]:
    """What is demanded as the whole answer, where another is demanded already."""
    first, second = _whole_answers(one), _whole_answers(other)
    if first and second and not {_fold(text) for text in first} & {_fold(text) for text in second}:
        yield second[0]


def _whole_answers(written: _Written) -> list[str]:
    """The texts of which the answer has to be one, all of it; none where the check leaves room for others."""
    is_whole = written.name == "equals" or (written.name == "one_of" and not written.parameters.get("inside"))
    return _texts(written.parameters.get(written.main_field)) if is_whole else []


def _fold(text: str) -> str:
    return " ".join(text.casefold().split()).strip(_WRAPPING)


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
