"""Scenario files to scenarios, and which of them a place in a file means."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any
from unicodedata import normalize

from runner.config.declared_functions import read_answers
from runner.config.expectations import read_expectations
from runner.config.local_files import Recipient, read_file_item
from runner.config.paths import ScenarioFile
from runner.did_you_mean import find_similar, quote, suggest
from runner.domain.assistant import Address, Assistant
from runner.domain.files import LocalFile
from runner.domain.location import Location
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import UsageError, on_one_line
from runner.yaml_text import MapNode
from runner.yaml_text.scalars import is_visible
from runner.yaml_text.yaml_document import Mistake, Where, YamlDocument

# Names become parts of file names, on any system.
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_UNFIT_CHARACTERS = '/\\:*?"<>|'

_Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What scenarios may refer to. `addresses` are all that the file declares, `assistants` those without mistakes.

    `addresses` is None where the project's file could not be read: then nothing is said about unknown ones.
    """

    root: Path
    addresses: tuple[str, ...] | None
    assistants: Mapping[str, Assistant]


class ScenarioNames:
    """The names of all scenarios of a play; two that differ only in case or in their Unicode form are one."""

    def __init__(self) -> None:
        self._first: dict[str, Location] = {}

    def claim(self, name: str, location: Location) -> Location | None:
        """None, and the name is taken; or where it was taken before."""
        earlier = self._first.setdefault(_fold(name), location)
        return None if earlier is location else earlier


def read_scenarios(document: YamlDocument, declared: Declared, names: ScenarioNames) -> Iterator[Scenario]:
    """The scenarios of a file, those with mistakes left out after reporting them."""
    value = document.value
    if not isinstance(value, dict):
        return
    if "scenarios" not in value:
        yield from _read_scenario(document, value, (), declared, names)
        return
    defaults = value.get("defaults")
    bodies = value["scenarios"]
    for index, body in enumerate(bodies if isinstance(bodies, list) else ()):
        if isinstance(body, dict):
            whole = {**defaults, **body} if isinstance(defaults, dict) else body
            yield from _read_scenario(document, whole, ("scenarios", index), declared, names)


def choose_scenarios(file: ScenarioFile, document: YamlDocument, scenarios: Sequence[Scenario]) -> list[Scenario]:
    """Those of a sound file that were asked for by line or name, in its order. Raises UsageError for others."""
    if file.is_whole:
        return list(scenarios)
    chosen = [_scenario_on(line, document, scenarios) for line in file.lines]
    chosen += [_scenario_called(name, document, scenarios) for name in file.names]
    return [scenario for scenario in scenarios if scenario in chosen]


def _scenario_on(line: int, document: YamlDocument, scenarios: Sequence[Scenario]) -> Scenario:
    """What stands between a scenario's first line and the next one's, or the next key's at the top, is its own."""
    by_line = {scenario.location.line: scenario for scenario in scenarios}
    root = document.root
    tops = root.entries if isinstance(root, MapNode) and root.find("scenarios") else ()
    starts = [start for start in {*by_line, *(key.line for key, _ in tops)} if start <= line]
    found = by_line.get(max(starts, default=0)) if tops else scenarios[0]
    if found is None:
        known = ", ".join(map(str, by_line))
        raise UsageError(f"{on_one_line(document.file)}:{line} is in no scenario; they begin on lines {known}")
    return found


def _scenario_called(name: str, document: YamlDocument, scenarios: Sequence[Scenario]) -> Scenario:
    found = next((scenario for scenario in scenarios if _fold(scenario.name) == _fold(name)), None)
    if found is None:
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
    turns = _read_turns(document, body, where, declared, assistant)
    functions = read_answers(
        document,
        body.get("functions"),
        _place_of(document, where, "functions"),
        declared.root,
        None if assistant is None else assistant.functions,
    )
    _demand_expectations(document, body, where)
    if document.is_sound(where) and document.is_sound(("defaults",)):
        yield Scenario(
            name=name,
            assistant=Address(address),
            turns=turns,
            tags=tuple(body.get("tags", ())),
            smoke=body.get("smoke", False),
            timeout_s=_seconds(body.get("timeout")),
            timeout_location=document.location(_place_of(document, where, "timeout")) if "timeout" in body else None,
            functions=functions,
            location=document.location(where),
        )


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, Decimal) else None


def _read_name(document: YamlDocument, body: _Body, where: Where, names: ScenarioNames) -> str:
    is_written = "name" in body
    name = str(body["name"]) if is_written else PurePath(document.file).stem
    place: Where = (*where, "name") if is_written else where
    if (where and not is_written) or not document.is_sound((*where, "name")):
        return name
    unfit = [one for one in name if one in _UNFIT_CHARACTERS or not is_visible(one)]
    if unfit or name != name.strip(" .") or _RESERVED.fullmatch(name):
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
) -> tuple[Turn, ...]:
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
            turns.append(_read_turn(document, one, place, attachments, assistant, files))
    return tuple(turns)


def _read_turn(
    document: YamlDocument,
    body: _Body,
    where: Where,
    attachments: tuple[LocalFile, ...],
    assistant: Assistant | None,
    files: Collection[str] | None,
) -> Turn:
    expect = body.get("expect")
    expectations: tuple[Expectation, ...] = ()
    if isinstance(expect, list):
        expectations = read_expectations(document, expect, (*where, "expect"), assistant=assistant, files=files)
    return Turn(
        ask=str(body.get("ask")),
        attachments=attachments,
        expectations=expectations,
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
    if not unsound and body.get("smoke", False) is False and not any("expect" in turn for turn in turns):
        message = "no turn expects anything, so this scenario can't fail"
        hint = "add `expect` to a turn, or `smoke: true` if it is enough that an answer comes"
        document.report(Mistake(where=(*where, "turns"), at_key=True, message=message, hint=hint))
