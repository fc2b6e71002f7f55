"""`functions` of assistants and of scenarios: their schema, and how each is answered. Nothing is run for that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from runner.config.declared_tools import RETRIEVAL
from runner.config.local_files import Unusable, find_file
from runner.did_you_mean import quote, suggest
from runner.domain.assistant import ToolName
from runner.domain.functions import Answering, Function
from runner.plugins import load_plugin, plugin_names
from runner.yaml_text.coercion import as_json
from runner.yaml_text.yaml_document import Mistake, Where, YamlDocument

RESERVED_NAMES = frozenset({*(tool.value for tool in ToolName), RETRIEVAL, "auto", "none", "required"})
"""Words that mean something else wherever a function's name can stand."""
_NO_PARAMETERS: Mapping[str, object] = {"type": "object", "properties": {}}

_Body = Mapping[str, Any]

FUNCTIONS = "runner.functions"
MAX_DESCRIPTION_LENGTH = 10_000
NAME_PATTERN = r"^[a-zA-Z0-9_-]{1,64}$"
NAME_WORDS = "1 to 64 letters, digits, '_' or '-'."
_Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of the project, as one of its files names them."""

    folder: Path
    root: Path

    def find(self, named: str) -> Path:
        return find_file(named, folder=self.folder, root=self.root)


def read_functions(document: YamlDocument, body: _Body, where: Where, root: Path) -> tuple[Function, ...]:
    """The functions of the assistant at `where`, those with mistakes left out after reporting them."""
    where = (*where, "functions")
    items = body.get("functions")
    first: dict[str, Where] = {}
    functions = []
    for index, item in enumerate(items if isinstance(items, list) else ()):
        place = (*where, index)
        if not isinstance(item, dict) or not document.is_sound(place):
            continue
        _check_name(document, item["name"], place, first)
        function = _read_function(document, item, place, root)
        if function is not None and document.is_sound(place):
            functions.append(function)
    return tuple(functions)


def read_answers(
    document: YamlDocument, written: object, where: Where, root: Path, functions: tuple[Function, ...] | None
) -> Mapping[str, Answering]:
    """What a scenario says about its assistant's functions; `functions` is None where those are not known."""
    answers: dict[str, Answering] = {}
    declared = None if functions is None else [function.name for function in functions]
    for name, body in written.items() if isinstance(written, dict) else ():
        place = (*where, name)
        if not document.is_sound(place):
            continue
        if declared is not None and name not in declared:
            message = f"the assistant has no function {quote(name)}"
            hint = suggest(name, declared, kind="it has") or "declare it under the assistant's `functions`"
            document.report(Mistake(where=place, at_key=True, message=message, hint=hint))
            continue
        answering = _read_answering(document, body, place, root)
        if answering is not None:
            answers[name] = answering
    return answers


def _check_name(document: YamlDocument, name: str, place: Where, first: dict[str, Where]) -> None:
    earlier = first.setdefault(name.casefold(), place)
    if name in RESERVED_NAMES:
        message = f"{quote(name)} can't be a function's name: it means something else"
        document.report(Mistake(where=(*place, "name"), message=message, hint="choose another"))
    elif earlier != place:
        line = document.location((*earlier, "name")).line
        message = f"the function {quote(name)} is also declared on line {line}"
        hint = "names must be unique, whatever their case"
        document.report(Mistake(where=(*place, "name"), message=message, hint=hint))


def _read_function(document: YamlDocument, item: _Body, place: Where, root: Path) -> Function | None:
    parameters = as_json(item.get("parameters", _NO_PARAMETERS))
    assert isinstance(parameters, dict), "the schema has seen to that"
    _check_parameters(document, parameters, place, is_strict=item.get("strict", False))
    answering = _read_answering(document, item, place, root)
    if answering is None:
        return None
    return Function(
        name=item["name"],
        description=item.get("description", ""),
        parameters=parameters,
        strict=item.get("strict", False),
        answering=answering,
        location=document.location(place),
    )


def _check_parameters(document: YamlDocument, parameters: dict[str, object], place: Where, *, is_strict: bool) -> None:
    # The schema library costs a tenth of a second: `--help` must not pay for it.
    from runner.json_schema import check_schema, find_looseness

    place = (*place, "parameters")
    if parameters.get("type") != "object":
        hint = "write `type: object`, and each argument under `properties`"
        document.report(
            Mistake(where=place, at_key=True, message="the arguments of a function are an object", hint=hint)
        )
        return
    try:
        check_schema(parameters)
    except ValueError as error:
        document.report(Mistake(where=place, at_key=True, message=str(error)))
        return
    looseness = find_looseness(parameters) if is_strict else ""
    if looseness:
        document.report(
            Mistake(
                where=place, at_key=True, message=f"is not strict: {looseness}", hint="mend that, or remove `strict`"
            )
        )


def _read_answering(document: YamlDocument, body: _Body, place: Where, root: Path) -> Answering | None:
    """How the mapping at `place` says that a function is answered; None after reporting what is wrong with it."""
    kinds = [kind for kind in plugin_names(FUNCTIONS) if kind in body]
    if len(kinds) != 1:
        known = ", ".join(plugin_names(FUNCTIONS))
        message = f"{' and '.join(kinds)} exclude each other" if kinds else "it is not said how it is answered"
        hint = "remove all but one" if kinds else f"add one of {known}"
        document.report(Mistake(where=place, message=message, hint=hint))
        return None
    (kind,) = kinds
    place = (*place, kind)
    module = load_plugin(FUNCTIONS, kind)
    written = as_json(body[kind] if isinstance(body[kind], dict) else {module.MAIN_FIELD: body[kind]})
    try:
        locate = getattr(module, "locate", None)
        settings = locate(written, _Files(document.folder, root)) if locate else written
        module.Answerer(**settings)
    except Unusable as error:
        document.report(error.at(place))
        return None
    except ValueError as error:
        document.report(Mistake(where=place, message=str(error)))
        return None
    return Answering(kind=kind, settings=settings, location=document.location(place, at_key=True))


@cache
def answer_forms() -> _Json:
    """What can stand under each way to answer, by its name."""
    modules = {name: load_plugin(FUNCTIONS, name) for name in plugin_names(FUNCTIONS)}
    return {name: _forms(module.SCHEMA, module.MAIN_FIELD) for name, module in modules.items()}


def declared_function() -> _Json:
    """One item of an assistant's `functions`."""
    return {
        "type": "object",
        "title": "key",
        "description": "A function that the assistant can call, and how the call is answered.",
        "properties": {
            "name": {
                "type": "string",
                "pattern": NAME_PATTERN,
                "examples": ["exchange_rate"],
                "description": f"The function's name: {NAME_WORDS}",
            },
            "description": {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_DESCRIPTION_LENGTH,
                "examples": ["Today's rate of a currency."],
                "description": "What the model is told about it.",
            },
            "parameters": {
                "type": "object",
                "examples": [{"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}],
                "description": "A JSON Schema of the arguments, with `type: object`; none by default.",
            },
            "strict": {
                "type": "boolean",
                "default": False,
                "examples": [True],
                "description": "True has the API keep the model to the schema.",
            },
            **answer_forms(),
        },
        "required": ["name"],
        "additionalProperties": False,
    }


def answers_by_name() -> _Json:
    """A scenario's `functions`; each is one `function_answer`."""
    return {
        "type": "object",
        "examples": [{"exchange_rate": {"returns": 1.08}}],
        "description": "How functions of the assistant are answered here, by their names.",
        "propertyNames": {"pattern": NAME_PATTERN, "description": f"A function's name is {NAME_WORDS}"},
        "additionalProperties": {"$ref": "#/$defs/function_answer"},
    }


def function_answer() -> _Json:
    """One way to answer, by its name."""
    return {
        "type": "object",
        "description": "How a function is answered.",
        "properties": answer_forms(),
        "additionalProperties": False,
    }


def _forms(full: _Json, main_field: str) -> _Json:
    """The value of the main field, or a mapping, which is always the full form."""
    main = full["properties"][main_field]
    kinds = main["type"] if isinstance(main["type"], list) else [main["type"]]
    # A bare `null` is more likely a value that was forgotten.
    short = {**main, "type": [kind for kind in kinds if kind not in ("object", "null")]}
    return {"anyOf": [short, full], "description": full["description"]}
