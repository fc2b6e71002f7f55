"""Scenario files to scenarios, and which of them a place in a file means."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import combinations
from pathlib import Path, PurePath
from typing import Any
from unicodedata import normalize

from runner.checks import EXPECTATIONS, FILE_NAME, MOST_DEPTH, TARGET_NAME, TOOL_NAME, build_part
from runner.config.cases import KEY, Row, columns_of, explain_missing_column, fill_row, name_row, open_cases
from runner.config.declared_targets import EMBEDDED
from runner.config.declared_tools import RETRIEVAL, read_answers
from runner.config.file_schemas import CHECKS
from runner.config.paths import Recipient, ScenarioFile, Unusable, read_file_item
from runner.did_you_mean import find_similar, quote, suggest
from runner.domain.assistant import Address, Assistant, ToolName
from runner.domain.files import LocalFile
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import Location, Problem, UsageError, on_one_line
from runner.plugins import load_plugin
from runner.yaml_text import MapNode, Node, TextNode
from runner.yaml_text.coercion import as_json, is_visible
from runner.yaml_text.yaml_document import Mistake, Where, YamlDocument

MOST_BROKEN_ROWS = 20
"""After so many rows with mistakes the others of a file are not looked at."""
_NOT = "not_"
_WRAPPING = " .!*_`\"'"
"""What some checks overlook around a text: see `checks/one_of.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What checks may name; each is None where it is not known.

    `assistant` is the one that is talked to, `files` are the names of all that it has been given by then, `targets` are
    the project's.
    """

    assistant: Assistant | None
    files: Collection[str] | None
    targets: Collection[str] | None


def read_expectations(document: YamlDocument, items: list[Any], where: Where, known: Known) -> tuple[Expectation, ...]:
    """The expectations of a turn, those with mistakes left out after reporting them."""
    written = _read_written(document, items, where)
    expectations = tuple(_build(document, one, known) for one in written)
    for one in written:
        if document.is_sound(one.where):
            _report_unknown_target(document, one, known)
            if known.assistant is not None:
                _report_impossible_tool(document, one, known.assistant)
                if known.files is not None:
                    _report_missing_file(document, one, known.assistant, known.files)
    _report_contradictions(document, written)
    return tuple(one for one in expectations if one is not None)


def _read_written(document: YamlDocument, items: list[Any], where: Where) -> list[_Written]:
    sound = [index for index in range(len(items)) if document.is_sound((*where, index))]
    return [_as_written(items[index], (*where, index)) for index in sound]


def _read_part(document: YamlDocument, item: Any, where: Where, known: Known, depth: int) -> Expectation | None:
    """A check inside another. It may be one way of several, or what must not be: only an unknown name is wrong."""
    if depth > MOST_DEPTH:
        message = f"checks stand more than {MOST_DEPTH} deep inside each other here"
        document.report(Mistake(where=where, message=message, hint="make it flatter"))
    if not document.is_sound(where):
        return None
    written = _as_written(item, where)
    found = _build(document, written, known, depth)
    if document.is_sound(written.where):
        _report_unknown_target(document, written, known)
        if known.assistant is not None:
            _report_unknown_tool(document, written, known.assistant)
    return found


def _read_parts(
    document: YamlDocument, value: Any, schema: Mapping[str, Any], where: Where, known: Known, depth: int
) -> Any:
    """A parameter with every check that stands in it read, as its schema says where."""
    if schema.get("format") == EXPECTATIONS:
        items = (
            [(one, (*where, index)) for index, one in enumerate(value)] if isinstance(value, list) else [(value, where)]
        )
        return tuple(_read_part(document, item, place, known, depth + 1) for item, place in items)
    if isinstance(value, dict):
        named, others = schema.get("properties", {}), schema.get("additionalProperties")
        inner = {key: named.get(key, others if isinstance(others, dict) else {}) for key in value}
        return {key: _read_parts(document, one, inner[key], (*where, key), known, depth) for key, one in value.items()}
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        items_of = schema["items"]
        return [_read_parts(document, one, items_of, (*where, i), known, depth) for i, one in enumerate(value)]
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

    def names(self, kind: str) -> Iterator[tuple[str, Where]]:
        """Each text that stands where the schema has this `format`, alone or in a list, with its place."""
        for field, schema in self.fields.items():
            value, place = self.parameters.get(field), self.place_of(field)
            if isinstance(value, str) and schema.get("format") == kind:
                yield value.strip(), place
            elif isinstance(value, list) and schema.get("items", {}).get("format") == kind:
                yield from ((str(one).strip(), (*place, index)) for index, one in enumerate(value))

    def place_of(self, field: str) -> Where:
        return (*self.where, field) if self.is_full else self.where


def _as_written(item: Any, where: Where) -> _Written:
    name, value = next(iter(item.items())) if isinstance(item, dict) else (item, {})
    module = load_plugin(CHECKS, name)
    fields = module.SCHEMA["properties"]
    # Where checks are all that a check has, a mapping without its field is one of them.
    is_part = len(fields) == 1 and fields[module.MAIN_FIELD].get("format") == EXPECTATIONS
    is_full = isinstance(value, dict) and (not is_part or module.MAIN_FIELD in value)
    return _Written(
        name=name,
        main_field=module.MAIN_FIELD,
        parameters=value if is_full else {module.MAIN_FIELD: value},
        fields=fields,
        where=(*where, name) if isinstance(item, dict) else where,
        is_full=is_full,
    )


def _build(document: YamlDocument, written: _Written, known: Known, depth: int = 0) -> Expectation | None:
    parameters = {
        name: _read_parts(document, value, written.fields.get(name, {}), written.place_of(name), known, depth)
        for name, value in written.parameters.items()
    }
    if not document.is_sound(written.where):
        return None
    location = document.location(written.where, at_key=True)
    expectation = Expectation(check=written.name, parameters=parameters, location=location)
    try:
        build_part(expectation)
    except ValueError as error:
        document.report(Mistake(where=written.where, message=str(error)))
        return None
    return expectation


def _report_unknown_target(document: YamlDocument, written: _Written, known: Known) -> None:
    every = None if known.targets is None else (*known.targets, EMBEDDED)
    for name, place in written.names(TARGET_NAME):
        if every is not None and name not in every:
            hint = suggest(name, every, kind="declared are")
            document.report(Mistake(where=place, message=f"there is no target {quote(name)}", hint=hint))


def _report_unknown_tool(document: YamlDocument, written: _Written, assistant: Assistant) -> bool:
    """A name that is no tool's; whether there was one."""
    every = [*(tool.value for tool in ToolName), RETRIEVAL, *(function.name for function in assistant.functions)]
    unknown = [(name, place) for name, place in written.names(TOOL_NAME) if name not in every]
    for name, place in unknown:
        message = f"there is no tool {quote(name)}, nor a function of the assistant"
        document.report(Mistake(where=place, message=message, hint=suggest(name, every)))
    return bool(unknown)


def _report_impossible_tool(document: YamlDocument, written: _Written, assistant: Assistant) -> None:
    """A name that is no tool's, and the call of a tool that the assistant doesn't have."""
    if _report_unknown_tool(document, written, assistant) or _NOT in written.name:
        return
    functions = [function.name for function in assistant.functions]
    own = {ToolName.FILE_SEARCH.value if tool == RETRIEVAL else tool for tool in (*assistant.tool_names, *functions)}
    for name, place in written.names(TOOL_NAME):
        if (ToolName.FILE_SEARCH.value if name == RETRIEVAL else name) not in own:
            message = f"the assistant {quote(assistant.address)} doesn't have the tool {name}, so it can't call it"
            document.report(Mistake(where=place, message=message, hint=f"add {name} to its `tools`"))
        else:
            _report_impossible_arguments(document, written, name, assistant)


def _report_impossible_arguments(document: YamlDocument, written: _Written, name: str, assistant: Assistant) -> None:
    """Arguments that a strict function never gets: the API keeps the model to its schema."""
    from runner.json_schema import find_mismatch

    function = next((one for one in assistant.functions if one.name == name and one.strict), None)
    arguments = written.parameters.get("arguments")
    if function is None or not isinstance(arguments, dict):
        return
    known = function.parameters.get("properties", {})
    assert isinstance(known, Mapping), "a strict schema lists its properties"
    for key, value in arguments.items():
        place = (*written.where, "arguments", key)
        if key not in known and value is not None:
            message = f"the function {name} has no argument {quote(key)}"
            document.report(Mistake(where=place, at_key=True, message=message, hint=suggest(key, known)))
        # Of lists and mappings a part may be meant; what a `$ref` leads to stands elsewhere.
        elif isinstance(value, str | int | Decimal) and "$ref" not in str(known[key]):
            mismatch = find_mismatch(as_json(value), known[key])
            if mismatch:
                message = f"the function {name} never gets this: {mismatch}"
                document.report(Mistake(where=place, message=message))


def _report_missing_file(
    document: YamlDocument, written: _Written, assistant: Assistant, files: Collection[str]
) -> None:
    """A file that the assistant never gets; a page that it finds on the web has an address in a name's place."""
    if ToolName.WEB_SEARCH.value in assistant.tool_names or _NOT in written.name:
        return
    if not any(written.names(FILE_NAME)):
        return
    check = load_plugin(CHECKS, written.name).Check(**written.parameters)
    for name, place in written.names(FILE_NAME):
        if not any(check.names(file) for file in files):
            message = f"no file that the assistant has by then is called {quote(name)}"
            hint = suggest(name, sorted(files)) or "attach it, or list it under the assistant's `files`"
            document.report(Mistake(where=place, message=message, hint=hint))


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
    if first and second and not {_fold_text(text) for text in first} & {_fold_text(text) for text in second}:
        yield second[0]


def _whole_answers(written: _Written) -> list[str]:
    """The texts of which the answer has to be one, all of it; none where the check leaves room for others."""
    is_whole = written.name == "equals" or (written.name == "one_of" and not written.parameters.get("inside"))
    return _texts(written.parameters.get(written.main_field)) if is_whole else []


def _fold_text(text: str) -> str:
    return " ".join(text.casefold().split()).strip(_WRAPPING)


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


# Names become parts of file names, on any system.
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
UNFIT_CHARACTERS = '/\\:*?"<>|'

_Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What scenarios may refer to. `addresses` are all that the file declares, `assistants` those without mistakes.

    `addresses` and `targets` are None where the project's file could not be read: then nothing is said about unknown
    ones.
    """

    root: Path
    addresses: tuple[str, ...] | None
    assistants: Mapping[str, Assistant]
    targets: tuple[str, ...] | None = None


class ScenarioNames:
    """The names of all scenarios of a play; two that differ only in case or in their Unicode form are one."""

    def __init__(self) -> None:
        self._first: dict[str, Location] = {}

    def claim(self, name: str, location: Location) -> Location | None:
        """None, and the name is taken; or where it was taken before."""
        earlier = self._first.setdefault(_fold(name), location)
        return None if earlier is location else earlier


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """The scenarios of a file that have `cases`, by their places, and what reads the tree of one of their rows."""

    found: Mapping[Where, MapNode]
    read: Callable[[MapNode], YamlDocument]


def read_scenarios(
    document: YamlDocument, declared: Declared, names: ScenarioNames, templates: Templates
) -> Iterator[Scenario]:
    """The scenarios of a file, those with mistakes left out after reporting them."""
    value = document.value
    if not isinstance(value, dict):
        return
    if "scenarios" not in value:
        if () in templates.found:
            yield from _read_cases(document, (), declared, names, templates)
        else:
            yield from _read_scenario(document, value, (), declared, names)
        return
    defaults = value.get("defaults")
    bodies = value["scenarios"]
    for index, body in enumerate(bodies if isinstance(bodies, list) else ()):
        if ("scenarios", index) in templates.found:
            yield from _read_cases(document, ("scenarios", index), declared, names, templates)
        elif isinstance(body, dict):
            whole = {**defaults, **body} if isinstance(defaults, dict) else body
            yield from _read_scenario(document, whole, ("scenarios", index), declared, names)


def _read_cases(
    document: YamlDocument, where: Where, declared: Declared, names: ScenarioNames, templates: Templates
) -> Iterator[Scenario]:
    """A scenario for each row. What is wrong with many rows is said of the first."""
    template = templates.found[where]
    cases = open_cases(document, template, where, declared.root)
    if cases is None:
        return
    key, node = document.find(("defaults",)) if where else (None, None)
    defaults = node if key else None
    named = template.find("name")
    base = named[1].text if named and isinstance(named[1], TextNode) else PurePath(document.file).stem
    filled = {(node.line, node.column) for node in columns_of(template, skip=(KEY,)).values()}
    broken = 0
    try:
        for row in cases.rows:
            found = _read_row(document, template, row, (base, cases.name_column), defaults, templates)
            body = found.value if found is not None and isinstance(found.value, dict) else None
            scenario = next(_read_scenario(found, body, (), declared, names), None) if found and body else None
            if found is not None and found.problems:
                document.take_over(found.problems, lambda one, row=row: _name_row(one, row, filled))  # type: ignore[misc]
            if scenario is None:
                broken += 1
                if broken == MOST_BROKEN_ROWS:
                    return
            else:
                place = Location(document.file, template.line, template.column)
                yield replace(scenario, location=row.location, item=row.as_item(), declared_at=place)
    except Unusable as error:
        document.report(error.at((*where, KEY)))


def _read_row(
    document: YamlDocument,
    template: MapNode,
    row: Row,
    naming: tuple[str, str | None],
    defaults: Node | None,
    templates: Templates,
) -> YamlDocument | None:
    """The scenario of a row as a document of its own; None after reporting that a column is missing."""
    try:
        tree = fill_row(template, row, name_row(naming[0], row, naming[1]), defaults)
    except KeyError as error:
        problem = explain_missing_column(template, row, str(error.args[0]), document.file)
        # All rows of a file have the same columns, as a rule: the first that lacks one is named.
        if not any((one.line, one.column) == (problem.line, problem.column) for one in document.problems):
            document.take_over([problem], lambda one: one)
        return None
    return templates.read(tree)


def _name_row(problem: Problem, row: Row, filled: Collection[tuple[int, int]]) -> Problem:
    """What came out of a row is found there."""
    if (problem.line, problem.column) not in filled:
        return problem
    return replace(problem, message=f"{problem.message} (the row {row.location.file}:{row.location.line})")


def choose_scenarios(file: ScenarioFile, document: YamlDocument, scenarios: Sequence[Scenario]) -> list[Scenario]:
    """Those of a sound file that were asked for by line or name, in its order. Raises UsageError for others."""
    if file.is_whole:
        return list(scenarios)
    chosen = {scenario.name for line in file.lines for scenario in _scenarios_on(line, document, scenarios)}
    chosen |= {scenario.name for name in file.names for scenario in _scenarios_called(name, document, scenarios)}
    return [scenario for scenario in scenarios if scenario.name in chosen]


def _scenarios_on(line: int, document: YamlDocument, scenarios: Sequence[Scenario]) -> list[Scenario]:
    """What stands between a scenario's first line and the next one's, or the next key's at the top, is its own.

    The line of a row is one scenario, any other of a scenario with `cases` are all of them.
    """
    by_line: dict[int, list[Scenario]] = {}
    for scenario in scenarios:
        for place in {scenario.location, scenario.declared_at or scenario.location}:
            if place.file == document.file:
                by_line.setdefault(place.line, []).append(scenario)
    root = document.root
    tops = root.entries if isinstance(root, MapNode) and root.find("scenarios") else ()
    starts = [start for start in {*by_line, *(key.line for key, _ in tops)} if start <= line]
    found = by_line.get(max(starts, default=0)) if tops or len(scenarios) > 1 else [*scenarios]
    if not found:
        known = ", ".join(map(str, sorted(by_line)))
        raise UsageError(f"{on_one_line(document.file)}:{line} is in no scenario; they begin on lines {known}")
    return found


def _scenarios_called(name: str, document: YamlDocument, scenarios: Sequence[Scenario]) -> list[Scenario]:
    """The one with this name, or all the cases of one."""
    found = [scenario for scenario in scenarios if _fold(scenario.name) == _fold(name)] or [
        scenario
        for scenario in scenarios
        if scenario.declared_at and _fold(scenario.name).startswith(f"{_fold(name)} [")
    ]
    if not found:
        hint = suggest(name, [scenario.name for scenario in scenarios])
        raise UsageError(
            f"there is no scenario {quote(name)} in {on_one_line(document.file)}{'; ' if hint else ''}{hint}"
        )
    return found


def _fold(name: str) -> str:
    return normalize("NFKC", name).casefold()


def _read_scenario(
    document: YamlDocument, body: _Body, where: Where, declared: Declared, names: ScenarioNames
) -> Iterator[Scenario]:
    name = _read_name(document, body, where, names)
    address = _read_address(document, body, where, declared)
    assistant = declared.assistants.get(address)
    turns, expectations = _read_turns(document, body, where, declared, assistant)
    functions = read_answers(
        document,
        body.get("functions"),
        _place_of(document, where, "functions"),
        declared.root,
        None if assistant is None else assistant.functions,
    )
    _demand_expectations(document, body, where)
    _refuse_too_many_passes(document, body, where)
    if document.is_sound(where) and document.is_sound(("defaults",)):
        yield Scenario(
            name=name,
            assistant=Address(address),
            turns=turns,
            expectations=expectations,
            tags=tuple(body.get("tags", ())),
            smoke=body.get("smoke", False),
            timeout_s=_seconds(body.get("timeout")),
            timeout_location=document.location(_place_of(document, where, "timeout")) if "timeout" in body else None,
            functions=functions,
            description=body.get("description", ""),
            skip=body.get("skip", ""),
            repeat=int(body.get("repeat", 1)),
            pass_at_least=int(body["pass_at_least"]) if "pass_at_least" in body else None,
            continues=body.get("on_failure") == "continue",
            golden=body.get("golden", False),
            location=document.location(where),
        )


def _refuse_too_many_passes(document: YamlDocument, body: _Body, where: Where) -> None:
    places = [_place_of(document, where, key) for key in ("repeat", "pass_at_least")]
    if all(document.is_sound(place) for place in places):
        repeat, needed = body.get("repeat", 1), body.get("pass_at_least", 1)
        if needed > repeat:
            message = f"it can't pass {needed} times: it is played {repeat} time{'s' * (repeat != 1)}"
            hint = "lower `pass_at_least`, or raise `repeat`"
            document.report(Mistake(where=places[1], message=message, hint=hint))


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, Decimal) else None


def _read_name(document: YamlDocument, body: _Body, where: Where, names: ScenarioNames) -> str:
    is_written = "name" in body
    name = str(body["name"]) if is_written else PurePath(document.file).stem
    place: Where = (*where, "name") if is_written else where
    if (where and not is_written) or not document.is_sound((*where, "name")):
        return name
    unfit = [one for one in name if one in UNFIT_CHARACTERS or not is_visible(one)]
    if unfit or name != name.strip(" .") or RESERVED.fullmatch(name):
        reason = f"it holds {unfit[0]!r}" if unfit else "files can't be called so on every system"
        hint = "choose another" if is_written else "add a `name`"
        message = f"{quote(name)} can't be a scenario's name: {reason}"
        document.report(Mistake(where=place, message=message, hint=hint))
    elif earlier := names.claim(name, document.location(place)):
        message = f"the name {quote(name)} is also used in {earlier.file}:{earlier.line}"
        hint = "scenario names must be unique, whatever their case"
        document.report(Mistake(where=place, message=message, hint=hint if is_written else f"{hint}; add a `name`"))
    return name


def _read_address(document: YamlDocument, body: _Body, where: Where, declared: Declared) -> str:
    """The address of a scenario's assistant; "" after reporting that there is none."""
    address = body.get("assistant")
    place = _place_of(document, where, "assistant")
    if "assistant" not in body:
        if "turns" not in body or find_similar("assistant", body):
            return ""  # another mistake says already what is wrong
        known = f"declared are {', '.join(declared.addresses)}" if declared.addresses else ""
        document.report(Mistake(where=where, message="the key 'assistant' is missing", hint=known))
    elif declared.addresses is not None and document.is_sound(place) and address not in declared.addresses:
        hint = suggest(str(address), declared.addresses, kind="declared are")
        document.report(Mistake(where=place, message=f"unknown assistant {quote(str(address))}", hint=hint))
    return str(address)


def _place_of(document: YamlDocument, where: Where, key: str) -> Where:
    """Where a value that a scenario uses is written: in the scenario itself, or in the file's defaults."""
    _, node = document.find(where)
    is_own = isinstance(node, MapNode) and node.find(key) is not None
    return (*where, key) if is_own or not where else ("defaults", key)


def _read_turns(
    document: YamlDocument, body: _Body, where: Where, declared: Declared, assistant: Assistant | None
) -> tuple[tuple[Turn, ...], tuple[Expectation, ...]]:
    """The turns, and what is expected of all of them together."""
    bodies = body.get("turns")
    turns: list[Turn] = []
    files: set[str] | None = None if assistant is None else {file.name for file in assistant.files}
    for index, one in enumerate(bodies if isinstance(bodies, list) else ()):
        if isinstance(one, dict):
            place = (*where, "turns", index)
            attachments = _read_attachments(document, one, place, declared.root, assistant)
            # A mistake (a misspelt `attach`, say) may hide the very file that a check is about.
            is_known = all(document.is_sound((*place, key)) for key in one if key != "expect")
            files = files | {file.name for file in attachments} if files is not None and is_known else None
            known = Known(assistant=assistant, files=files, targets=declared.targets)
            turns.append(_read_turn(document, one, place, attachments, known))
    known = Known(assistant=assistant, files=files, targets=declared.targets)
    return tuple(turns), _read_expect(document, body, where, known)


def _read_expect(document: YamlDocument, body: _Body, where: Where, known: Known) -> tuple[Expectation, ...]:
    expect = body.get("expect")
    return read_expectations(document, expect, (*where, "expect"), known) if isinstance(expect, list) else ()


def _read_turn(
    document: YamlDocument,
    body: _Body,
    where: Where,
    attachments: tuple[LocalFile, ...],
    known: Known,
) -> Turn:
    return Turn(
        ask=str(body.get("ask")),
        attachments=attachments,
        expectations=_read_expect(document, body, where, known),
        location=document.location(where),
    )


def _read_attachments(
    document: YamlDocument, body: _Body, where: Where, root: Path, assistant: Assistant | None
) -> tuple[LocalFile, ...]:
    items = body.get("attach")
    if assistant is None or not isinstance(items, list):
        return ()
    recipient = Recipient(tools=assistant.tool_names, takes_input=True)
    files: dict[Path, LocalFile] = {}
    for index, item in enumerate(items):
        place = (*where, "attach", index)
        if document.is_sound(place):
            file = read_file_item(item, place, document, root=root, recipient=recipient)
            if file is not None and file.path in files:
                message = f"{quote(file.name)} is attached twice"
                document.report(Mistake(where=place, message=message, hint="keep one of the two"))
            if file is not None:
                files[file.path] = file
    return tuple(files.values())


def _demand_expectations(document: YamlDocument, body: _Body, where: Where) -> None:
    turns = body.get("turns")
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns) or not turns:
        return
    # An unknown key may well be a misspelt `expect`; then that is what there is to say.
    unsound = any(
        not document.is_sound((*where, "turns", index, key)) for index, turn in enumerate(turns) for key in turn
    )
    expects = any("expect" in one for one in (body, *turns))
    if not unsound and body.get("smoke", False) is False and not expects:
        message = "no turn expects anything, so this scenario can't fail"
        hint = "add `expect` to a turn, or `smoke: true` if it is enough that an answer comes"
        document.report(Mistake(where=(*where, "turns"), at_key=True, message=message, hint=hint))
