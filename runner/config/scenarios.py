"""Scenario files to scenarios, and which of them a place in a file means."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any

from runner.config.cases import (
    KEY,
    Cases,
    Row,
    RowNames,
    columns_of,
    explain_missing_column,
    fill_row,
    find_unused,
    open_cases,
)
from runner.config.declared_tools import read_answers
from runner.config.expectations import Declared, Known, Reference, read_expectations, sees_rows
from runner.config.file_schemas import UNFIT_CHARACTERS, UNFIT_WORDS
from runner.config.paths import Place, Recipient, ScenarioFile, Unusable, read_file_item, unused_rows
from runner.did_you_mean import count, find_similar, quote, suggest
from runner.domain.assistant import Address
from runner.domain.files import LocalFile
from runner.domain.scenario import Expectation, Scenario, Turn, fold_name
from runner.errors import Location, Problem, UsageError, on_one_line
from runner.yaml_text import MapNode, Node, TextNode
from runner.yaml_text.yaml_document import Where, YamlDocument, is_visible

_MOST_LINES = 20
MOST_BROKEN_ROWS = 20
"""After so many rows with mistakes the others of a file are not looked at."""
# Devices on Windows.
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")

_Body = Mapping[str, Any]


class ScenarioNames:
    """The names of all scenarios of a play; two that differ only in case or in their Unicode form are one."""

    def __init__(self) -> None:
        self._first: dict[str, Location] = {}

    def claim(self, name: str, location: Location) -> Location | None:
        """None, and the name is taken; or where it was taken before."""
        earlier = self._first.setdefault(fold_name(name), location)
        return None if earlier is location else earlier


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """The scenarios of a file that have `cases`, by their places, and what reads the tree of one of their rows.

    `note` takes what is worth a look without being a mistake.
    """

    found: Mapping[Where, MapNode]
    read: Callable[[MapNode], YamlDocument]
    note: Callable[[str], None]


def read_scenarios(
    document: YamlDocument, declared: Reference, names: ScenarioNames, templates: Templates
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
    document: YamlDocument, where: Where, declared: Reference, names: ScenarioNames, templates: Templates
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
    filled = {(node.line, node.column) for _, node in columns_of(template, skip=(KEY,))}
    # A name is made of the row's, whatever stands there.
    filled.add((named[1].line, named[1].column) if named else (template.line, template.column))
    broken, row_names = 0, RowNames(base, cases.name_column)
    try:
        for row in _noting_unused(template, cases, defaults, templates.note):
            scenario = None
            if isinstance(row, Problem):
                document.take_over([row])
            else:
                found = _read_row(document, template, row, row_names, defaults, templates)
                if found is not None and isinstance(found.value, dict) and found.value:
                    scenario = next(_read_scenario(found, found.value, (), declared, names, row.location), None)
                document.take_over(_name_row(one, row, filled) for one in (found.problems if found else ()))
                if scenario is not None:
                    place = Location(document.file, template.line, template.column)
                    yield replace(scenario, location=row.location, item=row.as_item(), declared_at=place)
            broken += scenario is None
            if broken == MOST_BROKEN_ROWS:
                return
    except Unusable as error:
        document.report((*where, KEY), str(error), error.hint)


def _noting_unused(
    template: MapNode, cases: Cases, defaults: Node | None, note: Callable[[str], None]
) -> Iterator[Row | Problem]:
    """The rows; of the first, each column is noted that says nothing."""
    for row in cases.rows:
        if isinstance(row, Row) and row.number == 1 and not sees_rows(template):
            at = f"{on_one_line(row.location.file)}:{row.location.line}"
            for column in find_unused(template, row, cases.name_column, defaults):
                note(f"{at}: nothing uses the column {quote(column)}; `${{{column}}}` would")
        yield row


def _read_row(
    document: YamlDocument,
    template: MapNode,
    row: Row,
    names: RowNames,
    defaults: Node | None,
    templates: Templates,
) -> YamlDocument | None:
    """The scenario of a row as a document of its own; None after reporting that a column is missing."""
    try:
        tree = fill_row(template, row, names.find(row), defaults)
    except KeyError as error:
        problem = explain_missing_column(template, row, str(error.args[0]), document.file)
        # All rows of a file have the same columns, as a rule: the first that lacks one is named.
        if not any((one.line, one.column) == (problem.line, problem.column) for one in document.problems):
            document.take_over([problem])
        return None
    return templates.read(tree)


def _name_row(problem: Problem, row: Row, filled: Collection[tuple[int, int]]) -> Problem:
    """What came out of a row is found there."""
    if (problem.line, problem.column) not in filled or (problem.file == row.location.file and not row.is_inline):
        return problem
    return replace(problem, message=f"{problem.message} (the row {row.location.file}:{row.location.line})")


_Read = tuple[ScenarioFile, YamlDocument, Sequence[Scenario]]
"""A sound file that was asked for, and all scenarios in it."""


def choose_scenarios(read: Sequence[_Read], cwd: Path) -> tuple[Scenario, ...]:
    """Those that were asked for by line or name, in the order of their files. Raises UsageError for others."""
    row_places = dict.fromkeys(place for file, _, _ in read for place in file.places if place.rows)
    chosen = {scenario.name for place in row_places for scenario in _rows_at(place, read, cwd)}
    found: list[Scenario] = []
    for file, document, scenarios in read:
        here = set(chosen)
        for place in file.places:
            if place.name and not place.rows:
                here.update(one.name for one in _scenarios_called(place.name, document, scenarios))
            elif not place.rows:
                lines = [at.line for one in scenarios for at in (one.location, one.declared_at) if at]
                _refuse_line_beyond(place.line, cwd / document.file, document.file, lines)
                here.update(one.name for one in _scenarios_on(place.line, document, scenarios))
        found += [one for one in scenarios if not file.places or one.name in here]
    return tuple(found)


def _rows_at(place: Place, read: Sequence[_Read], cwd: Path) -> list[Scenario]:
    """What is made of the rows of a file, of one of them, or of those with a name, in all scenarios that have them.

    A row ends where the next one begins. What stands before the first, the columns' names say, is about all.
    """
    made = [one for _, _, scenarios in read for one in scenarios if one.declared_at]
    files = {one.location.file: os.path.realpath(cwd / one.location.file) for one in made}
    rows = [one for one in made if files[one.location.file] == place.rows]
    if not rows:
        raise unused_rows(place)
    if place.name:
        found = _called(place.name, rows)
        if not found:
            labels = [one.name.rpartition(" [")[2].rstrip("]") for one in rows]
            hint = suggest(place.name, labels)
            raise UsageError(f"{quote(place.asked)}: no row is called so{'; ' if hint else ''}{hint}")
        return found
    _refuse_line_beyond(place.line, Path(place.rows), rows[0].location.file, [one.location.line for one in rows])
    start = max((one.location.line for one in rows if one.location.line <= place.line), default=0)
    return [one for one in rows if one.location.line == start] or rows


def _refuse_line_beyond(line: int, path: Path, shown: str, starts: Iterable[int]) -> None:
    """Raises UsageError for what comes after a file's last line: what was there is gone, or has moved."""
    with path.open("rb") as file:
        last = sum(1 for _ in file)
    if line > last:
        known = sorted({*starts})
        few = f"{', '.join(map(str, known[:_MOST_LINES]))}{', ...' * (len(known) > _MOST_LINES)}"
        raise UsageError(
            f"{on_one_line(shown)} has {count(last, 'line')}, and no line {line}; scenarios begin on {few}"
        )


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
    found = _called(name, scenarios)
    if not found:
        hint = suggest(name, [scenario.name for scenario in scenarios])
        raise UsageError(
            f"there is no scenario {quote(name)} in {on_one_line(document.file)}{'; ' if hint else ''}{hint}"
        )
    return found


def _called(name: str, scenarios: Iterable[Scenario]) -> list[Scenario]:
    """The one with this name; all the cases of one; or the case whose row is called so."""
    wanted = fold_name(name)
    names = [(fold_name(one.name), one) for one in scenarios]
    cases = [(own, one) for own, one in names if one.declared_at]
    return (
        [one for own, one in names if own == wanted]
        or [one for own, one in cases if own.startswith(f"{wanted} [")]
        or [one for own, one in cases if own.endswith(f" [{wanted}]")]
    )


def _read_scenario(
    document: YamlDocument,
    body: _Body,
    where: Where,
    declared: Reference,
    names: ScenarioNames,
    row: Location | None = None,
) -> Iterator[Scenario]:
    """The scenario, if it has no mistakes; `row` is where the row stands that it is made of."""
    name = _read_name(document, body, where, names, row)
    address = _read_address(document, body, where, declared)
    assistant = declared.assistants.get(address)
    turns, expectations = _read_turns(document, body, where, declared, assistant)
    parameters = None if assistant is None else assistant.parameters
    functions = read_answers(document, _place_of(document, where, "functions"), declared.root, parameters)
    _demand_expectations(document, body, where)
    _refuse_unfit_passes(document, body, where)
    if document.is_sound(where) and document.is_sound(("defaults",)):
        yield Scenario(
            name=name,
            assistant=Address(address),
            turns=turns,
            expectations=expectations,
            tags=tuple(body.get("tags", ())),
            smoke=body.get("smoke", False),
            timeout_s=_seconds(body.get("timeout")),
            timeout_location=_location_of(document, body, where, "timeout"),
            queue_timeout_s=_seconds(body.get("queue_timeout")),
            queue_timeout_location=_location_of(document, body, where, "queue_timeout"),
            functions=functions,
            description=body.get("description", ""),
            skip=body.get("skip", ""),
            repeat=int(body.get("repeat", 1)),
            pass_at_least=int(body["pass_at_least"]) if "pass_at_least" in body else None,
            continues=body.get("on_failure") == "continue",
            golden=body.get("golden", False),
            location=document.location(where),
        )


def _refuse_unfit_passes(document: YamlDocument, body: _Body, where: Where) -> None:
    if "pass_at_least" in body and "repeat" not in body and body["pass_at_least"] == 1:
        message = "`pass_at_least` says nothing without `repeat`: it is played once, and has to pass"
        hint = "add `repeat: N`, or remove it"
        document.report(_place_of(document, where, "pass_at_least"), message, hint)
    places = [_place_of(document, where, key) for key in ("repeat", "pass_at_least")]
    if all(document.is_sound(place) for place in places):
        repeat, needed = body.get("repeat", 1), body.get("pass_at_least", 1)
        if needed > repeat:
            message = f"it can't pass {needed} times: it is played {repeat} time{'s' * (repeat != 1)}"
            document.report(places[1], message, "lower `pass_at_least`, or raise `repeat`")


def _location_of(document: YamlDocument, body: _Body, where: Where, key: str) -> Location | None:
    return document.location(_place_of(document, where, key)) if key in body else None


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, Decimal) else None


def _read_name(document: YamlDocument, body: _Body, where: Where, names: ScenarioNames, row: Location | None) -> str:
    is_written = "name" in body
    name = str(body["name"]) if is_written else PurePath(document.file).stem
    place: Where = (*where, "name") if is_written else where
    if (where and not is_written) or not document.is_sound((*where, "name")):
        return name
    unfit = [one for one in name if one in UNFIT_CHARACTERS or not is_visible(one)]
    if unfit or name != name.strip(" .") or RESERVED.fullmatch(name):
        reason = f"it holds {unfit[0]!r}" if unfit else "files can't be called so on every system"
        hint = "choose another" if is_written else "add a `name`"
        hint += f" without any of {UNFIT_WORDS}" if unfit else ""
        document.report(place, f"{quote(name)} can't be a scenario's name: {reason}", hint)
    elif earlier := names.claim(name, row or document.location(place)):
        message = f"the name {quote(name)} is also used in {earlier.file}:{earlier.line}"
        hint = "scenario names must be unique, whatever their case"
        if row is not None:
            document.take_over([row.problem(message, hint=hint)])
            return name
        document.report(place, message, hint if is_written else f"{hint}; add a `name`")
    return name


def _read_address(document: YamlDocument, body: _Body, where: Where, declared: Reference) -> str:
    """The address of a scenario's assistant; "" after reporting that there is none."""
    address = body.get("assistant")
    place = _place_of(document, where, "assistant")
    if "assistant" not in body:
        if "turns" not in body or find_similar("assistant", body):
            return ""  # another mistake says already what is wrong
        known = f"declared are {', '.join(declared.addresses)}" if declared.addresses else ""
        document.report(where, "the key 'assistant' is missing", known)
    elif declared.addresses is not None and document.is_sound(place) and address not in declared.addresses:
        hint = suggest(str(address), declared.addresses, kind="declared are")
        document.report(place, f"unknown assistant {quote(str(address))}", hint)
    return str(address)


def _place_of(document: YamlDocument, where: Where, key: str) -> Where:
    """Where a value that a scenario uses is written: in the scenario itself, or in the file's defaults."""
    _, node = document.find(where)
    is_own = isinstance(node, MapNode) and node.find(key) is not None
    return (*where, key) if is_own or not where else ("defaults", key)


def _read_turns(
    document: YamlDocument, body: _Body, where: Where, declared: Reference, assistant: Declared | None
) -> tuple[tuple[Turn, ...], tuple[Expectation, ...]]:
    """The turns, and what is expected of all of them together."""
    bodies = body.get("turns")
    turns: list[Turn] = []
    known = Known(declared=declared, assistant=assistant, files=None if assistant is None else assistant.files)
    for index, one in enumerate(bodies if isinstance(bodies, list) else ()):
        if isinstance(one, dict):
            place = (*where, "turns", index)
            attachments = _read_attachments(document, place, declared.root, assistant)
            # A mistake (a misspelt `attach`, say) may hide the very file that a check is about.
            is_known = all(document.is_sound((*place, key)) for key in one if key != "expect")
            brought = {file.name for file in attachments}
            files = {*known.files, *brought} if known.files is not None and is_known else None
            known = replace(known, files=files)
            turns.append(
                Turn(
                    ask=str(one.get("ask")),
                    attachments=attachments,
                    expectations=_read_expect(document, one, place, known),
                    location=document.location(place),
                )
            )
    return tuple(turns), _read_expect(document, body, where, known)


def _read_expect(document: YamlDocument, body: _Body, where: Where, known: Known) -> tuple[Expectation, ...]:
    expect = body.get("expect")
    return read_expectations(document, expect, (*where, "expect"), known) if isinstance(expect, list) else ()


def _read_attachments(
    document: YamlDocument, where: Where, root: Path, assistant: Declared | None
) -> tuple[LocalFile, ...]:
    tools = None if assistant is None else assistant.tools
    recipient = None if tools is None else Recipient(tools=tools, takes_input=True)
    files: dict[Path, LocalFile] = {}
    for place, item in document.sound_items(*where, "attach"):
        file = read_file_item(item, place, document, root=root, recipient=recipient)
        if file is not None and file.path in files:
            document.report(place, f"{quote(file.name)} is attached twice", "keep one of the two")
        if file is not None:
            files[file.path] = file
    return tuple(files.values())


def _demand_expectations(document: YamlDocument, body: _Body, where: Where) -> None:
    turns = body.get("turns")
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns) or not turns:
        return
    # An unknown key may well be a misspelt `expect`; then that is what there is to say.
    unsound = any(
        not document.is_sound((*where, "turns", index, key))
        for index, turn in enumerate(turns)
        for key in turn.keys() - {"ask", "attach"}
    )
    expects = any("expect" in one for one in (body, *turns))
    if not unsound and body.get("smoke", False) is False and not expects:
        hint = "add `expect` to a turn, or `smoke: true` if it is enough that an answer comes"
        document.report((*where, "turns"), "no turn expects anything, so this scenario can't fail", hint, at_key=True)
