"""What other tools call tests, as scenario files: what they ask, their rows, and our checks for theirs.

What has no counterpart is a comment with the reason where it would stand. The values come from a stranger: texts are
written so that they are read back as they are, and `${` in them means nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import chain, count
from typing import Any

from runner.config.exported_assistants import Export
from runner.config.file_schemas import UNFIT_CHARACTERS
from runner.config.importing import cut_note, hide_secrets, indent_lines, is_writable
from runner.config.scenarios import RESERVED
from runner.config.writing import STEP, protect
from runner.yaml_text import Style
from runner.yaml_text.yaml_document import show_comment, show_flow, show_lines, show_text

Json = Mapping[str, object]
Row = Mapping[str, object]

MOST_INLINE = 25
"""Rows that stand in the scenario's file; more get a file of their own."""
NAME_COLUMN = "name"
"""Which rows are named by, where each has one."""
LONGEST_NAME = 100
_WIDEST = 100
"""Characters of an item that stays on one line."""


@dataclass(frozen=True, slots=True)
class Column:
    """A hole in a text, which each row fills."""

    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """A text with holes in it."""

    parts: tuple[str | Column, ...]

    def columns(self) -> Iterator[str]:
        return (part.name for part in self.parts if isinstance(part, Column))

    def fill(self, row: Row) -> str:
        return "".join(part if isinstance(part, str) else show_value(row.get(part.name)) for part in self.parts)

    def __str__(self) -> str:
        """As it stands in a file."""
        return "".join(protect(part) if isinstance(part, str) else f"${{{part.name}}}" for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A part without counterpart: what it is called, why, and what it says."""

    what: str
    reason: str
    value: object = None

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.what}: {self.reason}"
        said = self.value if isinstance(self.value, str) else json.dumps(self.value, ensure_ascii=False, default=float)
        return f"{self.what}: {self.reason}: {cut_note(said)}"


Check = str | Mapping[str, Any]
"""A check as it is written, with a Template wherever it has a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One question, and what to expect of its answer."""

    ask: Template
    expect: tuple[Check | Lost, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One scenario. Without rows it is played once; `skip` is why it can't be played.

    `label` is what its row is called where several become one.
    """

    name: str
    label: str = ""
    assistant: str
    turns: tuple[Turn, ...]
    rows: tuple[Row, ...] = ()
    lost: tuple[Lost, ...] = ()
    skip: str = ""

    @property
    def all_lost(self) -> Iterator[Lost]:
        yield from self.lost
        for turn in self.turns:
            yield from (item for item in turn.expect if isinstance(item, Lost))


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A scenario file: `stem` is its name, `source` what it was read from, `code` the Python files beside it."""

    stem: str
    source: str
    scripts: tuple[Script, ...]
    lost: tuple[Lost, ...] = ()
    code: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs_judge(self) -> bool:
        """Whether a check of it is a question to a model."""
        return any(_asks(item) for script in self.scripts for turn in script.turns for item in turn.expect)

    @property
    def all_lost(self) -> tuple[Lost, ...]:
        return (*self.lost, *chain.from_iterable(script.all_lost for script in self.scripts))


def _asks(item: object) -> bool:
    if isinstance(item, Mapping):
        return not item.keys().isdisjoint(("judge", "factual")) or any(map(_asks, item.values()))
    return isinstance(item, list) and any(map(_asks, item))


@dataclass(slots=True)
class Columns:
    """What the fields of another tool's rows are called here: each path by a word of its own."""

    paths: dict[str, str] = field(default_factory=dict)

    def find(self, path: str) -> str:
        name = column_name(path)
        while self.paths.setdefault(name, path) != path:
            name += "_"
        return name

    def cut(self, text: str, holes: Iterable[re.Match[str]], path: int) -> Template:
        """A text with columns in its holes, whose paths are in this group."""
        parts: list[str | Column] = []
        at = 0
        for hole in holes:
            parts += [text[at : hole.start()], Column(self.find(hole[path]))]
            at = hole.end()
        parts.append(text[at:])
        return Template(tuple(part for part in parts if part != ""))


def look_up(value: Any, parts: Iterable[str]) -> Any:
    """What is in a value under these keys and numbers, one below the other; None for nothing."""
    for part in parts:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and len(part) < 10 and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def literal(text: object) -> Template:
    return Template((show_value(text),))


def show_value(value: object) -> str:
    """A value as it stands in a text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, Mapping | list | bool):
        return json.dumps(value, ensure_ascii=False, default=float)
    return str(value)


def make_name(text: str, otherwise: str) -> str:
    """A scenario's name from what describes it: one line, not too long, and fit for a file."""
    words = " ".join("".join(" " if not one.isprintable() or one in UNFIT_CHARACTERS else one for one in text).split())
    if len(words) > LONGEST_NAME:
        words = words[:LONGEST_NAME].rpartition(" ")[0] or words[:LONGEST_NAME]
    words = words.strip(" .")
    return otherwise if not words or RESERVED.fullmatch(words) else words


def gather(scripts: Iterable[Script], *, keeps_columns: bool = False) -> tuple[Script, ...]:
    """Scenarios that differ in texts alone as one with rows; `scripts` have one row each, or none.

    The first of its kind gives the name and the place; names are made unique. Columns that no text has are left out
    unless `keeps_columns` says that something else may look at them.
    """
    groups: dict[str, list[Script]] = {}
    for script in scripts:
        groups.setdefault(_shape(script), []).append(script)
    return tuple(_name_apart(_merge(group, keeps_columns=keeps_columns) for group in groups.values()))


def _shape(script: Script) -> str:
    """Equal for scenarios that rows can make of one: the same questions, the same checks but for their texts."""
    turns = [[str(turn.ask), _change(list(turn.expect), Template, lambda _: "*")] for turn in script.turns]
    rows = [sorted(row) for row in script.rows]
    return json.dumps([script.assistant, script.skip, list(map(str, script.lost)), turns, rows], default=str)


def _merge(group: Sequence[Script], *, keeps_columns: bool) -> Script:
    first = group[0]
    if len(group) == 1:
        return settle_script(first, keeps_columns=keeps_columns)
    rows = [dict(script.rows[0]) if script.rows else {} for script in group]
    turns = []
    for at, turn in enumerate(first.turns):
        items = [
            _unite([script.turns[at].expect[index] for script in group], rows) for index in range(len(turn.expect))
        ]
        turns.append(replace(turn, expect=tuple(items)))
    labels = [script.label for script in group]
    if all(labels) and len(set(labels)) == len(labels) and NAME_COLUMN not in rows[0]:
        rows = [{NAME_COLUMN: label, **row} for label, row in zip(labels, rows, strict=True)]
    name = make_name(_common_words(group), first.name)
    whole = replace(first, name=name, turns=tuple(turns), rows=tuple(rows))
    return settle_script(whole, keeps_columns=keeps_columns)


def _common_words(group: Sequence[Script]) -> str:
    """What the names begin with in common, if that is a few words."""
    shared = []
    for words in zip(*(script.name.split() for script in group), strict=False):
        if len(set(words)) > 1:
            break
        shared.append(words[0])
    return " ".join(shared).rstrip(" :,-") if len(shared) > 1 else ""


def _unite(items: Sequence[Any], rows: list[dict[str, object]]) -> Any:
    """One item for all rows: where their texts differ, a column is added to them."""
    first = items[0]
    if all(item == first for item in items):
        return first
    if isinstance(first, Template):
        texts = [item.fill(row) for item, row in zip(items, rows, strict=True)]
        name = next(one for one in chain(["expected"], (f"expected_{n}" for n in count(2))) if one not in rows[0])
        for row, text in zip(rows, texts, strict=True):
            row[name] = text
        return Template((Column(name),))
    if isinstance(first, Mapping):
        return {key: _unite([item[key] for item in items], rows) for key in first}
    return [_unite([item[at] for item in items], rows) for at in range(len(first))]


def settle_script(script: Script, *, keeps_columns: bool = False) -> Script:
    """A single row goes into the texts; of several, the columns that are used stay."""
    used = {name for turn in script.turns for name in (*turn.ask.columns(), *_columns_in(list(turn.expect)))}
    if keeps_columns and all(script.rows):
        kept = ({key: _as_field(one) if key in used else one for key, one in row.items()} for row in script.rows)
        return replace(script, rows=tuple(kept))
    wanted = used | {NAME_COLUMN}
    rows = tuple({key: _as_field(one) for key, one in row.items() if key in wanted} for row in script.rows)
    if len(rows) > 1 and used:
        return replace(script, rows=rows)
    row = rows[0] if rows else {}
    turns = (_change([turn.ask, *turn.expect], Template, lambda text: literal(text.fill(row))) for turn in script.turns)
    return replace(script, turns=tuple(Turn(ask=ask, expect=tuple(expect)) for ask, *expect in turns), rows=())


def _as_field(value: object) -> object:
    """A value that can stand inside of a text."""
    return value if isinstance(value, int | float | Decimal) else show_value(value)


def _columns_in(item: object) -> Iterator[str]:
    if isinstance(item, Template):
        yield from item.columns()
    elif isinstance(item, Mapping):
        yield from chain.from_iterable(map(_columns_in, item.values()))
    elif isinstance(item, list):
        yield from chain.from_iterable(map(_columns_in, item))


def _change(item: Any, kind: type, change: Callable[[Any], object]) -> Any:
    """The same with everything of a kind in it changed."""
    if isinstance(item, kind):
        return change(item)
    if isinstance(item, Mapping):
        return {key: _change(one, kind, change) for key, one in item.items()}
    return [_change(one, kind, change) for one in item] if isinstance(item, list) else item


def _name_apart(scripts: Iterable[Script]) -> Iterator[Script]:
    used: set[str] = set()
    for script in scripts:
        names = chain([script.name], (f"{script.name} ({n})" for n in count(2)))
        name = next(one for one in names if one.casefold() not in used)
        used.add(name.casefold())
        yield replace(script, name=name)


def write_suite(suite: Suite, clean: Callable[[str], str]) -> dict[str, str]:
    """The files of a suite by their names: the scenarios, and the rows of those that have many.

    `clean` takes secrets that are known by value out of a text.
    """
    hide = hide_secrets(clean)
    files: dict[str, str] = {}
    lines = [show_comment(hide(f"imported from {suite.source}")), *_show_lost(suite.lost, hide), "scenarios:"]
    for number, script in enumerate(suite.scripts, 1):
        rows = ""
        # In the scenario's own file `${` means something; in a file of data it is text.
        if len(script.rows) > MOST_INLINE or any("${" in str(row) for row in script.rows):
            rows = f"{suite.stem}.jsonl" if len(suite.scripts) == 1 else f"{suite.stem}-{number}.jsonl"
            shown = (json.dumps(row, ensure_ascii=False, default=float) for row in script.rows)
            files[rows] = hide("\n".join(shown) + "\n")
        lines += indent_lines(_show_script(script, rows, hide), STEP)
    code = {name: hide(text) for name, text in suite.code.items()}
    return {f"{suite.stem}.yaml": "\n".join(lines) + "\n", **files, **code}


def _show_script(script: Script, rows_file: str, hide: Callable[[str], str]) -> Iterator[str]:
    yield f"- name: {_show(protect(hide(script.name)), 2 * STEP)}"
    body = [f"assistant: {script.assistant}", *_show_lost(script.lost, hide)]
    if script.skip:
        body.append(f"skip: {_show(protect(hide(script.skip)), STEP)}")
    if not any(not isinstance(item, Lost) for turn in script.turns for item in turn.expect):
        body.append("smoke: true")
    if rows_file:
        has_names = all(NAME_COLUMN in row for row in script.rows)
        body.append(f"cases: {{file: {rows_file}, name: {NAME_COLUMN}}}" if has_names else f"cases: {rows_file}")
    elif script.rows:
        body += ["cases:", *(f"  - {show_flow(row, hide)}" for row in script.rows)]
    body.append("turns:")
    for turn in script.turns:
        body += indent_lines(_show_turn(turn, hide), STEP)
    yield from indent_lines(body, STEP)


def _show_turn(turn: Turn, hide: Callable[[str], str]) -> Iterator[str]:
    yield f"- ask: {_show(hide(str(turn.ask)), 2 * STEP)}"
    checks = [item for item in turn.expect if not isinstance(item, Lost)]
    yield from indent_lines(["expect:"] if checks else [], STEP)
    for item in turn.expect:
        shown = [show_comment(hide(f"{item}"))] if isinstance(item, Lost) else _show_check(item, hide)
        yield from indent_lines(shown, 2 * STEP if checks else STEP)


def _show_check(check: Check, hide: Callable[[str], str]) -> list[str]:
    """On one line where it fits; a mapping with a long text in it as a block."""
    written = _change(check, Template, lambda text: hide(str(text)))
    if isinstance(written, str):
        return [f"- {show_flow(written)}"]
    ((name, value),) = written.items()
    line = f"- {name}: {show_flow(value)}"
    if len(line) <= _WIDEST or not isinstance(value, Mapping):
        return [line if not isinstance(value, str) else f"- {name}: {_show(value, 2 * STEP)}"]
    return [f"- {name}:", *indent_lines(show_lines(value), 2 * STEP)]


def _show(text: str, indent: int) -> str:
    """A text after its key; the lines of a block are indented by `indent`, to which `_indent` adds the rest."""
    return show_text(text, Style.PLAIN, indent=indent)


def _show_lost(lost: Iterable[Lost], hide: Callable[[str], str]) -> list[str]:
    return [show_comment(hide(str(one))) for one in lost]


def templates_of(value: object, make: Callable[[str], Template]) -> Any:
    """A value out of a file with a Template for each text; what can't be written in a file of ours is refused.

    Raises ValueError.
    """
    if not is_writable(value):
        raise ValueError("it is nested too deep, or has a key that means something to YAML")
    return _change(value, str, make)


def column_name(path: str) -> str:
    """What a field is called as a column: a word."""
    word = re.sub(r"\W+", "_", path, flags=re.ASCII).strip("_") or "column"
    return f"_{word}" if word[0].isdigit() else word


MODEL_TO_CHOOSE = "gpt-6-luna"


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """What a file of another tool's declares and asks. A script's `assistant` is a key of `assistants`."""

    assistants: Mapping[str, Export]
    suite: Suite


def ask_for_meaning(wanted: Template) -> Template:
    """What a judge is asked where others compare embeddings."""
    return Template(("Does the answer mean the same as this text? ", *wanted.parts))
