"""What `expect` may hold, and what it holds: the schemas of checks, and how they are read, those inside others too."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

from runner.checks import (
    API_NAME,
    EXPECTATIONS,
    FILE_NAME,
    JSON_SCHEMA,
    MODEL_NAME,
    MOST_DEPTH,
    PROJECT_CODE,
    TARGET_NAME,
    TOOL_NAME,
    Tier,
    build_part,
    is_ours,
)
from runner.checks._packages import AddedModule, load_check
from runner.config.declared_targets import EMBEDDED
from runner.config.declared_tools import RETRIEVAL, locate_code, report_misspelt
from runner.config.paths import Reporting
from runner.did_you_mean import find_similar, quote, suggest
from runner.domain.assistant import Function, ToolName
from runner.domain.scenario import Expectation
from runner.errors import UsageError
from runner.plugins import plugin_names
from runner.yaml_text import ListNode, MapNode, Node, TextNode
from runner.yaml_text.reading import Json, list_of, mapping
from runner.yaml_text.yaml_document import Where, YamlDocument, as_json

CHECKS = "runner.checks"


def expect_schema(description: str, *, example: object) -> Json:
    return list_of({"$ref": "#/$defs/expectation"}, examples=[example], description=description)


def checks_in(node: Node) -> frozenset[str]:
    """The names of checks that stand anywhere in a tree, as whatever."""
    match node:
        case TextNode():
            return frozenset({node.text} & _check_names())
        case ListNode():
            return frozenset().union(*map(checks_in, node.items))
        case MapNode():
            return frozenset().union(*(checks_in(one) for entry in node.entries for one in entry))


def sees_rows(node: Node) -> bool:
    """Whether a check in a tree may look at the row of `cases`: code of the project, or a package's."""
    return any(find_fault(one) or one == "python" or not is_ours(load_check(one)) for one in checks_in(node))


@cache
def _check_names() -> frozenset[str]:
    return frozenset(plugin_names(CHECKS))


def expectation_schema(wanted: frozenset[str] | None = None) -> Json:
    """The schema of one expectation. Of checks that aren't wanted it has nothing but the names; None wants all.

    So it is of those that can't be used, which is told where they stand.
    """
    named = [name for name in plugin_names(CHECKS) if wanted is None or name in wanted]
    checks = {name: load_check(name) for name in named if not find_fault(name)}
    forms: Json = {name: {} for name in plugin_names(CHECKS)}
    bare = [name for name in named if name not in checks or _stands_alone(checks[name].SCHEMA)]
    by_name: list[Json] = [{"enum": bare, "title": "check"}] if bare else []
    forms |= {name: _check_value(check.SCHEMA, check.MAIN_FIELD, by_name) for name, check in checks.items()}
    one = mapping(forms, title="check", minProperties=1, maxProperties=1)
    return {"anyOf": [*by_name, one]} if bare else one


def find_fault(name: str) -> str:
    """Why a check can't be used, which an installed package adds."""
    try:
        load_check(name)
    except UsageError as error:
        return str(error)
    return ""


def _check_value(schema: Json, main_field: str, by_name: list[Json]) -> Json:
    """Both ways to write a check: the value of its main field, or a mapping, which is the full form.

    `by_name` is a check inside that is written as its name alone.
    Where the main field is a mapping itself (`_takes_mapping`), one that has none of the check's fields is its value.
    """
    full = _with_checks(schema)
    main = full["properties"][main_field]
    described = {"description": schema.get("description", "")}
    is_full = {"anyOf": [{"required": [name]} for name in full["properties"]]}
    if schema["properties"][main_field].get("format") == EXPECTATIONS:
        one, main = main["anyOf"]
        if _takes_mapping(schema["properties"], main_field):
            full = {"type": "object", "if": is_full, "then": full, "else": one}
        return {"anyOf": [*by_name, main, full], **described}
    if _takes_mapping(schema["properties"], main_field):
        return {"if": is_full, "then": full, "else": main, **described}
    return {"anyOf": [main, full], **described}


def _stands_alone(schema: Json) -> bool:
    """Whether the check's name is enough."""
    return not {"required", "minProperties"} & schema.keys()


def _takes_mapping(fields: Mapping[str, Any], main_field: str) -> bool:
    """Whether the short form can be a mapping: a check where checks are all that there is, or a JSON Schema."""
    main = fields[main_field]
    return main.get("type") == "object" or (main.get("format") == EXPECTATIONS and len(fields) == 1)


def _with_checks(schema: Json) -> Json:
    """A check's schema with what stands for checks in it, at any depth, as the files have them."""
    if schema.get("format") == EXPECTATIONS:
        one = {"$ref": "#/$defs/expectation"}
        return {
            "anyOf": [one, list_of(one)],
            "description": schema["description"],
            "examples": schema["examples"],
        }
    inner = (key for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict))
    deeper = {key: _with_checks(schema[key]) for key in inner}
    if "properties" in schema:
        deeper["properties"] = {name: _with_checks(one) for name, one in schema["properties"].items()}
    return {**schema, **deeper}


_NOT = "not_"
_NEARLY = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """An assistant as far as its declaration is sound; None stands for what a mistake hides.

    `functions` are those without mistakes, `function_names` of all; `files` are the names of its standing files.
    """

    address: str
    tools: frozenset[str] | None = None
    functions: tuple[Function, ...] = ()
    function_names: frozenset[str] | None = None
    files: frozenset[str] | None = None

    @property
    def parameters(self) -> Mapping[str, Mapping[str, object] | None] | None:
        """Of each function, by its name; None where a mistake hides them."""
        known = {one.name: one.parameters for one in self.functions}
        return None if self.function_names is None else {name: known.get(name) for name in self.function_names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What scenarios may refer to. `addresses` are all that the file declares, `assistants` as far as they are sound,
    `targets` all with their APIs, `models` those that it names anywhere.

    `addresses`, `targets` and `has_judge` are None where the project's file could not be read: then nothing is said
    about unknown ones.
    """

    root: Path
    addresses: tuple[str, ...] | None
    assistants: Mapping[str, Declared]
    targets: Mapping[str, str] | None = None
    has_judge: bool | None = None
    models: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What checks may name: what is declared, the assistant that is talked to, and the names of all files that it has
    been given by then. None stands for what is not known.
    """

    declared: Reference
    assistant: Declared | None
    files: Collection[str] | None


def read_expectations(document: YamlDocument, items: list[Any], where: Where, known: Known) -> tuple[Expectation, ...]:
    """The expectations of a turn, those with mistakes left out after reporting them."""
    sound = [index for index in range(len(items)) if _is_usable(document, items[index], (*where, index))]
    written = [_as_written(items[index], (*where, index)) for index in sound]
    expectations = [_read(document, one, known, _TOP) for one in written]
    _report_contradictions(document, written)
    return tuple(one for one in expectations if one is not None)


def _is_usable(document: YamlDocument, item: Any, where: Where) -> bool:
    if not document.is_sound(where):
        return False
    fault = find_fault(next(iter(item)) if isinstance(item, dict) else item)
    if fault:
        document.report(where, fault)
    return not fault


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stand:
    """How deep in others a check stands, and whether those want that it doesn't hold."""

    depth: int
    is_negated: bool


_TOP = _Stand(depth=0, is_negated=False)


def _read(document: YamlDocument, written: _Written, known: Known, stand: _Stand) -> Expectation | None:
    found = _build(document, written, known, stand)
    if document.is_sound(written.where):
        _report_unknown_place(document, written, known)
        _report_other_model(document, written, known)
        assistant = known.assistant
        if assistant and not _report_unknown_tool(document, written, assistant):
            demands = _demands(written, stand)
            _report_impossible_arguments(document, written, assistant, names_only=not demands)
            if demands:
                _report_impossible(document, written, assistant, known)
            elif found is not None and not _allows_only(written) and _is_idle(document, written, assistant, known):
                found = replace(found, is_idle=True)
    return found


def _demands(written: _Written, stand: _Stand) -> bool:
    """Whether it wants something to be there. A check that says "not" does where another "not" is around it."""
    return stand.is_negated is (_NOT in written.name) and not _allows_only(written)


def _allows_only(written: _Written) -> bool:
    return written.name == "tool_calls" and written.parameters.get("mode") == "subset"


def _read_part(document: YamlDocument, item: Any, where: Where, known: Known, stand: _Stand) -> Expectation | None:
    """A check inside another."""
    if stand.depth > MOST_DEPTH:
        document.report(where, f"checks stand more than {MOST_DEPTH} deep inside each other here", "make it flatter")
    return _read(document, _as_written(item, where), known, stand) if _is_usable(document, item, where) else None


def _read_parts(
    document: YamlDocument, value: Any, schema: Mapping[str, Any], where: Where, known: Known, stand: _Stand
) -> Any:
    """A parameter with every check that stands in it read, as its schema says where."""
    if schema.get("format") == EXPECTATIONS:
        items = (
            [(one, (*where, index)) for index, one in enumerate(value)] if isinstance(value, list) else [(value, where)]
        )
        return tuple(_read_part(document, item, place, known, stand) for item, place in items)
    if isinstance(value, dict):
        named, others = schema.get("properties", {}), schema.get("additionalProperties")
        inner = {key: named.get(key, others if isinstance(others, dict) else {}) for key in value}
        return {key: _read_parts(document, one, inner[key], (*where, key), known, stand) for key, one in value.items()}
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        items_of = schema["items"]
        return [_read_parts(document, one, items_of, (*where, i), known, stand) for i, one in enumerate(value)]
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A check as it stands in the file, in its full form."""

    name: str
    main_field: str
    parameters: Mapping[str, Any]
    fields: Mapping[str, Any]
    where: Where
    is_full: bool

    def names(self, kind: str) -> Iterator[_Named]:
        """Each text that stands where the schema has this `format`, at any depth."""
        for field, schema in self.fields.items():
            if field in self.parameters:
                whole = _Named(name="", where=self.place_of(field), beside=self.parameters, within=self.where)
                yield from _find_named(self.parameters[field], schema, kind, whole)

    def place_of(self, field: str) -> Where:
        return (*self.where, field) if self.is_full else self.where


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """A name, its place, and the mapping in which it stands, with that one's place."""

    name: str
    where: Where
    beside: Mapping[str, Any]
    within: Where


def _find_named(value: Any, schema: Mapping[str, Any], kind: str, here: _Named) -> Iterator[_Named]:
    if isinstance(value, str) and schema.get("format") == kind:
        yield replace(here, name=value.strip())
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, one in enumerate(value):
            yield from _find_named(one, schema["items"], kind, replace(here, where=(*here.where, index)))
    elif isinstance(value, dict):
        for key in value.keys() & schema.get("properties", {}).keys():
            place = _Named(name="", where=(*here.where, key), beside=value, within=here.where)
            yield from _find_named(value[key], schema["properties"][key], kind, place)


def _as_written(item: Any, where: Where) -> _Written:
    name, value = next(iter(item.items())) if isinstance(item, dict) else (item, {})
    module = load_check(name)
    fields = module.SCHEMA["properties"]
    is_full = isinstance(value, dict) and (not _takes_mapping(fields, module.MAIN_FIELD) or bool(fields.keys() & value))
    return _Written(
        name=name,
        main_field=module.MAIN_FIELD,
        parameters=value if is_full else {module.MAIN_FIELD: value},
        fields=fields,
        where=(*where, name) if isinstance(item, dict) else where,
        is_full=is_full,
    )


def _build(document: YamlDocument, written: _Written, known: Known, stand: _Stand) -> Expectation | None:
    inside = _Stand(depth=stand.depth + 1, is_negated=stand.is_negated is not (written.name == "not"))
    parameters = {
        name: _read_parts(document, value, written.fields.get(name, {}), written.place_of(name), known, inside)
        for name, value in written.parameters.items()
    }
    for field, schema in written.fields.items():
        if schema.get("format") == PROJECT_CODE and field in parameters:
            arguments = getattr(load_check(written.name), "CODE_ARGUMENTS", ())
            named, place = str(parameters[field]), written.place_of(field)
            parameters[field] = locate_code(document, named, place, known.declared.root, arguments)
    _report_switch(document, written)
    if not document.is_sound(written.where):
        return None
    found = _build_sound(document, written, parameters, known)
    if found is not None:
        for field, schema in written.fields.items():
            if schema.get("format") == JSON_SCHEMA and field in parameters:
                report_misspelt(document, as_json(parameters[field]), written.place_of(field), asserts=True)
    return found


def _build_sound(
    document: YamlDocument, written: _Written, parameters: Mapping[str, Any], known: Known
) -> Expectation | None:
    location = document.location(written.where, at_key=True)
    expectation = Expectation(check=written.name, parameters=parameters, location=location)
    with Reporting(document, written.where):
        part = build_part(expectation)
        if part.tier is Tier.PAID and not part.combines and known.declared.has_judge is False:
            hint = "add `judge: {target: NAME, model: DATED_MODEL}` there"
            message = f"`{written.name}` needs a judge, and assistants.yaml declares none"
            document.report(written.where, message, hint, at_key=True)
        return expectation
    return None


def _report_switch(document: YamlDocument, written: _Written) -> None:
    """`refuses: true`: read as the short form it would look for the word "true"."""
    value = written.parameters.get(written.main_field)
    if not written.is_full and (hint := advise_on_switch(written.name, value)):
        document.report(written.where, f"`{written.name}` isn't switched on or off", hint)


_SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def advise_on_switch(name: str, value: object) -> str:
    """What to write for a check that is "true", "no" or such a word; "" for others, and other checks."""
    if not isinstance(value, str) or value not in _SWITCHES or not _stands_alone(load_check(name).SCHEMA):
        return ""
    return f"write `- {name}`, by itself" if _SWITCHES[value] else f"leave it out, or write `- not: {name}`"


def _report_unknown_place(document: YamlDocument, written: _Written, known: Known) -> None:
    targets = None if known.declared.targets is None else (*known.declared.targets, EMBEDDED)
    apis = tuple(plugin_names("runner.backends"))
    for format_, what, every in ((TARGET_NAME, "target", targets), (API_NAME, "api", apis)):
        for one in written.names(format_):
            if every is not None and one.name not in every:
                hint = suggest(one.name, every, kind="declared are" if what == "target" else "known are")
                document.report(one.where, f"there is no {what} {quote(one.name)}", hint)


def _report_other_model(document: YamlDocument, written: _Written, known: Known) -> None:
    """A model that is nearly one of the file's; `--model` may name any."""
    for one in written.names(MODEL_NAME):
        if one.name not in known.declared.models and (meant := _find_meant(one.name, known.declared.models)):
            message = f"assistants.yaml names no model {quote(one.name)}"
            document.report(one.where, message, f"did you mean {quote(meant)}?")


def _find_meant(name: str, known: Collection[str]) -> str:
    """The name that a typo was meant to be, where another would do as well; other digits make another name."""
    digits = [one for one in name if one.isdigit()]
    alike = [one for one in known if [digit for digit in one if digit.isdigit()] == digits]
    return find_similar(name, alike, likeness=_NEARLY) or ""


def _report_unknown_tool(document: YamlDocument, written: _Written, assistant: Declared) -> bool:
    """A name that is no tool's; whether there was one."""
    if assistant.function_names is None:
        return False
    own = [*sorted(assistant.tools or ()), *sorted(assistant.function_names)]
    every = list(dict.fromkeys([*own, *(tool.value for tool in ToolName), RETRIEVAL]))
    unknown = [one for one in written.names(TOOL_NAME) if one.name not in every]
    for one in unknown:
        message = f"there is no tool {quote(one.name)}, nor a function of the assistant"
        document.report(one.where, message, suggest(one.name, own if find_similar(one.name, own) else every))
    return bool(unknown)


def _report_impossible(document: YamlDocument, written: _Written, assistant: Declared, known: Known) -> None:
    """Why no answer of this assistant can pass a check: a tool that it doesn't have, a file that it never gets."""
    if assistant.tools is None or assistant.function_names is None:
        return
    own = {_today(tool) for tool in (*assistant.tools, *assistant.function_names)}
    for one in written.names(TOOL_NAME):
        if _today(one.name) not in own:
            message = f"the assistant {quote(assistant.address)} doesn't have the tool {one.name}, so it can't call it"
            document.report(one.where, message, f"add {one.name} to its `tools`")
    module, apis = load_check(written.name), (known.declared.targets or {}).values()
    needed = getattr(module, "NEEDS_TOOLS", ())
    if needed and own.isdisjoint(needed) and getattr(module, "NEEDS_NONE_ON", None) not in apis:
        told = f"the tool {needed[0]}" if len(needed) == 1 else f"one of the tools {', '.join(needed)}"
        message = f"`{written.name}` needs {told}; the assistant {quote(assistant.address)} doesn't have it"
        document.report(written.where, message, f"add {needed[0]} to its `tools`", at_key=True)
    elif known.files is not None:
        _report_missing_file(document, written, assistant.tools, known.files)


def _today(tool: str) -> str:
    return ToolName.FILE_SEARCH.value if tool == RETRIEVAL else tool


def _report_impossible_arguments(
    document: YamlDocument, written: _Written, assistant: Declared, *, names_only: bool
) -> None:
    """Arguments that the function never gets: a call that doesn't fit its schema is not answered."""
    from runner.json_schema import find_impossible, find_unknown

    functions = {function.name: function for function in assistant.functions}
    for named in written.names(TOOL_NAME):
        function, arguments = functions.get(named.name), named.beside.get("arguments")
        if function is None or not isinstance(arguments, dict):
            continue
        find = find_unknown if names_only else find_impossible
        for one in find(as_json(arguments), function.parameters):
            says = f"the function {named.name} has no argument {quote(one.place[-1])}" if one.is_unknown else ""
            message = says or f"the function {named.name} never gets this: {one.message}"
            place = (*named.within, "arguments", *one.place)
            document.report(place, message, one.hint, at_key=one.is_unknown)


def _names_any(document: YamlDocument, written: _Written, files: Collection[str]) -> bool:
    """Raises ValueError where a package's check can't tell."""
    module = load_check(written.name)
    if isinstance(module, AddedModule):
        place = document.location(written.where, at_key=True)
        expectation = Expectation(check=written.name, parameters=written.parameters, location=place)
        return module.names_any(expectation, files)
    check = module.Check(**written.parameters)
    return any(check.names(file) for file in files)


def _report_missing_file(
    document: YamlDocument, written: _Written, tools: frozenset[str], files: Collection[str]
) -> None:
    """A file that the assistant never gets; a page that it finds on the web has an address in a name's place."""
    if ToolName.WEB_SEARCH.value in tools or not any(written.names(FILE_NAME)):
        return
    with Reporting(document, written.where):
        for one in () if _names_any(document, written, files) else written.names(FILE_NAME):
            hint = suggest(one.name, sorted(files)) or "attach it, or list it under the assistant's `files`"
            document.report(one.where, _missing_file(one.name), hint)


def _missing_file(name: str) -> str:
    return f"no file that the assistant has by then is called {quote(name)}"


def _is_idle(document: YamlDocument, written: _Written, assistant: Declared, known: Known) -> bool:
    """Whether what a check forbids can't come anyway: a tool, a file that isn't there. One by a typo is a mistake."""
    if assistant.tools is None or assistant.function_names is None:
        return False
    own = {_today(tool) for tool in (*assistant.tools, *assistant.function_names)}
    tools, files = list(written.names(TOOL_NAME)), list(written.names(FILE_NAME))
    if tools:
        return own.isdisjoint(_today(one.name) for one in tools)
    if not files or known.files is None or ToolName.WEB_SEARCH.value in own:
        return False
    if _names_any(document, written, known.files):
        return False
    for one in files:
        if meant := _find_meant(one.name, known.files):
            hint = f"did you mean {quote(meant)}?"
            document.report(one.where, _missing_file(one.name), hint)
    return True


def _report_contradictions(document: YamlDocument, written: list[_Written]) -> None:
    """Report what one check demands and another forbids."""
    for earlier, later in combinations(written, 2):
        for value in (*_demanded_and_forbidden(earlier, later), *_other_whole_answer(earlier, later)):
            line = document.location(earlier.where, at_key=True).line
            message = f"{quote(value)} contradicts `{earlier.name}` on line {line}: no answer passes both"
            document.report(later.where, message, "remove one of the two")


def _demanded_and_forbidden(one: _Written, other: _Written) -> Iterator[str]:
    """What a check demands and its negation (the same name with `not_` in it) forbids."""
    is_negation = one.name != other.name and one.name.replace(_NOT, "") == other.name.replace(_NOT, "")
    options = (one.fields.keys() & other.fields.keys()) - {one.main_field, other.main_field}
    if is_negation and all(one.parameters.get(name) == other.parameters.get(name) for name in options):
        texts = _texts(other.parameters.get(other.main_field))
        yield from (text for text in _texts(one.parameters.get(one.main_field)) if text in texts)


def _other_whole_answer(one: _Written, other: _Written) -> Iterator[str]:
    """What is demanded as the whole answer, where another is demanded already."""
    from runner.checks.one_of import fold_value

    first, second = _whole_answers(one), _whole_answers(other)
    try:
        wanted, known = ({fold_value(text, case=False) for text in texts} for texts in (first, second))
    except ValueError:  # one is no text to look for, which is told by itself
        return
    if first and second and wanted.isdisjoint(known):
        yield second[0]


def _whole_answers(written: _Written) -> list[str]:
    """The texts of which the answer has to be one, all of it; none where the check leaves room for others."""
    is_whole = written.name == "equals" or (written.name == "one_of" and not written.parameters.get("inside"))
    return _texts(written.parameters.get(written.main_field)) if is_whole else []


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
