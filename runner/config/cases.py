"""`cases`: a scenario that is played once for each row of a list or a file, with `${column}` filled in.

A row goes into the scenario's tree before that is read: a number is held to what a number has to be, as if it stood
there. Not here: what a scenario is (`scenarios.py`), nor `${env:NAME}` (`loading.py`), which rows never bring in.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import partial
from operator import is_
from pathlib import Path
from typing import Any, TypeVar

from runner.config.paths import ROW_TYPES, Reporting, Unusable, find_file
from runner.did_you_mean import count, quote, suggest
from runner.domain.scenario import fold_name
from runner.errors import Location, Problem
from runner.yaml_text import ListNode, MapNode, Node, Style, TextNode
from runner.yaml_text.yaml_document import Where, YamlDocument, coerce, is_visible

KEY, NAME = "cases", "name"
NodeT = TypeVar("NodeT", TextNode, ListNode, MapNode, Node)
LONGEST_FIELD = 1_000_000
_LONGEST_LABEL = 60
_MOST_DEPTH = 50
_MOST_DIGITS = 100
_HALF = re.compile("[\ud800-\udfff]")
_COLUMN = re.compile(r"\$\$\{|\$\{([^}:\n]{1,80})\}")
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_UNFIT = re.compile(r'[/\\:*?"<>|\s]+')


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row: its values as nodes, by column, and where it stands. `number` counts from 1."""

    number: int
    values: Mapping[str, Node]
    location: Location
    is_inline: bool = False

    def find(self, column: str) -> Node | None:
        """The value of a column, or of a part of one: `order.total`, `lines.0.price`."""
        if column in self.values:
            return self.values[column]
        first, _, rest = column.partition(".")
        found: Node | None = self.values.get(first) if rest else None
        for part in rest.split("."):
            if isinstance(found, MapNode):
                entry = found.find(part)
                found = entry[1] if entry else None
            elif isinstance(found, ListNode) and part.isdecimal() and int(part) < len(found.items):
                found = found.items[int(part)]
            else:
                return None
        return found

    def as_item(self) -> dict[str, object]:
        """The row as plain values: numbers, texts, lists, mappings."""
        return {column: coerce(node, {}, {}) for column, node in self.values.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """What `cases` says: the rows, one after the other, and the column with their names (None: none was chosen).

    In the place of a row that is none there is what is wrong with it.
    """

    rows: Iterator[Row | Problem]
    name_column: str | None = None


def open_cases(document: YamlDocument, template: MapNode, where: Where, root: Path) -> Cases | None:
    """The cases of a scenario, where `cases` is sound; None after reporting what is wrong with their file."""
    entry = template.find(KEY)
    place: Where = (*where, KEY)
    if entry is None or not document.is_sound(place):
        return None
    node, name_column = entry[1], None
    if isinstance(node, MapNode):
        named = node.find(NAME)
        name_column = named[1].text if named and isinstance(named[1], TextNode) else None
        key = "file" if node.find("file") else "rows"
        source = node.find(key)
        if source is None:
            return None
        node, place = source[1], (*place, key)
    if isinstance(node, ListNode):
        return Cases(rows=_inline_rows(node, document.file), name_column=name_column)
    assert isinstance(node, TextNode), "the schema takes a list or a path"
    with Reporting(document, place):
        path = find_file(node.text, folder=document.folder, root=root)
        if path.suffix.lower() not in ROW_TYPES:
            raise Unusable(f"{quote(node.text)} is no file of rows", f"there can be {', '.join(ROW_TYPES)}")
        shown = os.path.normpath(Path(document.file).parent / node.text)
        return Cases(rows=_rows_of(path, shown), name_column=name_column)
    return None


def _inline_rows(node: ListNode, file: str) -> Iterator[Row]:
    for number, one in enumerate(node.items, start=1):
        assert isinstance(one, MapNode), "the schema takes mappings only"
        # Written as everywhere in the file: `$${` is `${`.
        values = {key.text: _change_texts(value, _unescape_node) for key, value in one.entries}
        yield Row(number=number, values=values, location=Location(file, one.line, one.column), is_inline=True)


class _BadRow(Exception):
    """What is wrong on a line of a file of rows: the line, a message and a hint."""

    def __init__(self, line: int, message: str, hint: str = "") -> None:
        self.line, self.message, self.hint = line, message, hint
        super().__init__(message)

    def in_file(self, file: str) -> Problem:
        return Location(file, self.line, 1).problem(self.message, hint=self.hint)


_Read = Iterator[tuple[int, Mapping[str, object] | _BadRow]]
"""Each row of a file with its line."""


def _rows_of(path: Path, shown: str) -> Iterator[Row | Problem]:
    """The rows of a file, read as they are asked for. Raises Unusable where it can't be read at all."""
    reader = {".csv": _read_csv, ".json": _read_json, ".jsonl": _read_json_lines}[path.suffix.lower()]
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line, values in reader(file):
                number += 1
                yield _as_found(values, number, Location(shown, line, 1))
    except _BadRow as error:
        number += 1
        yield error.in_file(shown)
    except UnicodeDecodeError as error:
        raise Unusable(f"{quote(shown)} is not UTF-8 text", "save it as UTF-8") from error
    except OSError as error:
        raise Unusable(f"{quote(shown)} can't be read: {error.strerror}") from error
    if not number:
        raise Unusable(f"{quote(shown)} has no rows")


def _as_found(values: Mapping[str, object] | _BadRow, number: int, location: Location) -> Row | Problem:
    if isinstance(values, _BadRow):
        return values.in_file(location.file)
    line = location.line
    try:
        nodes = {_whole_text(column, line): _as_node(value, line) for column, value in values.items()}
    except _BadRow as error:
        return error.in_file(location.file)
    return Row(number=number, values=nodes, location=location)


def _read_csv(file: Any) -> _Read:
    csv.field_size_limit(LONGEST_FIELD)
    first = file.readline()
    file.seek(0)
    separators = [one for one in (",", ";", "\t") if one in first]
    reader = csv.reader(file, delimiter=separators[0] if separators else ",", strict=True)
    columns: list[str] = []
    before = 0
    try:
        for values in reader:
            line, before = before + 1, reader.line_num
            if not columns:
                columns = _check_columns([value.strip() for value in values], line)
            elif values:
                lacks = len(values) < len(columns)
                hint = "a value is missing" if lacks else f"quote values that hold {quote(reader.dialect.delimiter)}"
                told = _BadRow(line, f"{count(len(values), 'value')} for {count(len(columns), 'column')}", hint)
                yield line, dict(zip(columns, values, strict=True)) if len(values) == len(columns) else told
    except csv.Error as error:
        raise _BadRow(before + 1, str(error), "is a quotation mark missing?") from error


def _check_columns(columns: list[str], line: int) -> list[str]:
    for index, column in enumerate(columns):
        if not column:
            raise _BadRow(line, f"column {index + 1} has no name", "the first line names the columns")
        if column in columns[:index]:
            raise _BadRow(line, f"the column {quote(column)} is there twice", "rename one")
    return columns


def _read_json_lines(file: Any) -> _Read:
    decoder = _row_decoder()
    for line, text in enumerate(file, start=1):
        if text.strip():
            try:
                with _telling(line):
                    value = decoder.decode(text.strip())
                yield line, _as_row(value, line)
            except _BadRow as error:
                yield line, error


def _read_json(file: Any) -> _Read:
    text = file.read()
    decoder = _row_decoder()
    space = re.compile(r"[\s,]*")
    at = _skip(space, text, 0)
    if text[at : at + 1] != "[":
        raise Unusable("the file holds no list of rows", "write a list of objects, or JSON Lines into a .jsonl file")
    with _telling(1):
        json.loads(text, parse_float=str, parse_int=str)  # as a whole: commas and brackets, too
    at, line, seen = _skip(space, text, at + 1), 1, 0
    while text[at : at + 1] != "]":
        line, seen = line + text.count("\n", seen, at), at
        with _telling(line):
            value, at = decoder.raw_decode(text, at)
        yield line, _as_row(value, line)
        at = _skip(space, text, at)


def _skip(space: re.Pattern[str], text: str, at: int) -> int:
    match = space.match(text, at)
    return match.end() if match else at


def _row_decoder() -> json.JSONDecoder:
    return json.JSONDecoder(
        parse_float=Decimal,
        parse_int=_read_whole_number,
        parse_constant=_refuse_constant,
        object_pairs_hook=_without_duplicates,
    )


@contextmanager
def _telling(line: int) -> Iterator[None]:
    """What is wrong with JSON that begins on this line."""
    try:
        yield
    except RecursionError:
        raise _BadRow(line, "it is nested too deeply") from None
    except (ValueError, InvalidOperation) as error:
        found = getattr(error, "lineno", 1)
        raise _BadRow(line + found - 1, f"not valid JSON: {getattr(error, 'msg', error)}") from error


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number")


def _read_whole_number(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits; at most {_MOST_DIGITS} are read")
    return int(digits)


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The last of two values would stand for both without a word."""
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {quote(key)} is there twice")
        found[key] = value
    return found


def _as_row(value: object, line: int) -> Mapping[str, object]:
    if not isinstance(value, dict) or not value:
        raise _BadRow(line, "it is no object with values", 'write each row as {"column": "value"}')
    return value


def _as_node(value: object, line: int, depth: int = 0) -> Node:
    """A value of a data file as if it were written in YAML: without quotes, where those make no difference."""
    if depth > _MOST_DEPTH:
        raise _BadRow(line, "it is nested too deeply")
    if isinstance(value, Mapping):
        entries = tuple(
            (TextNode(line=1, column=1, text=_whole_text(str(key), line)), _as_node(one, line, depth + 1))
            for key, one in value.items()
        )
        return MapNode(line=1, column=1, entries=entries)
    if isinstance(value, list):
        return ListNode(line=1, column=1, items=tuple(_as_node(one, line, depth + 1) for one in value))
    if isinstance(value, str):
        plain = TextNode(line=1, column=1, text=_whole_text(value, line))
        return plain if str(coerce(plain, {}, {})) == value else replace(plain, style=Style.DOUBLE_QUOTED)
    word = ("true" if value else "false") if isinstance(value, bool) else "null" if value is None else str(value)
    return TextNode(line=1, column=1, text=word)


def _whole_text(text: str, line: int) -> str:
    """Raises _BadRow for half of a character, which nothing could be sent or written with."""
    half = None if text.isascii() else _HALF.search(text)
    if half:
        raise _BadRow(line, f"\\u{ord(half.group()):04x} is half of a character", "write both halves")
    return text


def columns_of(node: Node, skip: Sequence[str] = ()) -> Iterator[tuple[str, TextNode]]:
    """The columns that a tree asks for, with each place; not below the keys `skip`."""
    if isinstance(node, TextNode):
        yield from ((match[1].strip(), node) for match in _COLUMN.finditer(node.text) if match[1])
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from columns_of(item)
    else:
        for key, value in node.entries:
            if key.text not in skip:
                yield from columns_of(value)


def find_unused(template: MapNode, row: Row, name_column: str | None, defaults: Node | None) -> list[str]:
    """The columns of a row that say nothing: no `${COLUMN}`, no name. Those that begin with `_` are for people."""
    asked = {name for name, _ in columns_of(template, skip=(KEY,))}
    asked |= {name for name, _ in columns_of(defaults)} if defaults else set()
    used = asked | {name.partition(".")[0] for name in asked} | {NAME, name_column}
    return [column for column in row.values if column not in used and not column.startswith("_")]


def fill_row(template: MapNode, row: Row, name: str, defaults: Node | None) -> MapNode:
    """The scenario of a row as a tree of its own, with what holds by default. Raises KeyError for a missing column."""
    own = {key.text for key, _ in template.entries} | {KEY}
    shared = defaults.entries if isinstance(defaults, MapNode) else ()
    entries = [entry for entry in template.entries if entry[0].text not in (KEY, "name")]
    entries += [entry for entry in shared if entry[0].text not in own]
    named = template.find("name")
    key, node = named or (TextNode(line=template.line, column=template.column, text="name"), template)
    title = TextNode(line=node.line, column=node.column, text=_escape(name), style=Style.DOUBLE_QUOTED)
    filled = tuple((key, _change_texts(value, partial(_fill, row))) for key, value in entries)
    return replace(template, entries=((key, title), *filled))


class RowNames:
    """What the rows of a scenario are called: `refunds [order 12]`; what no name may hold is left out.

    `column` is the one that was chosen for it, and its values have to differ. Without one it is NAME where a row has
    that, which may have been meant for something else: what is there again, or empty, gets the row's number.
    """

    def __init__(self, base: str, column: str | None) -> None:
        self._base = base
        self._is_filled = any(match[1] for match in _COLUMN.finditer(base))
        self._column = column
        self._seen = set[str]()

    def find(self, row: Row) -> str:
        """The name of the next row. Raises KeyError for a missing column."""
        if self._is_filled:
            return _unescape(_fill_text(self._base, row))
        if self._column is not None:
            label = _fit(_text_of(row, self._column)) or str(row.number)
        else:
            value = row.values.get(NAME)
            is_said = isinstance(value, TextNode) and coerce(value, {}, {}) is not None
            label = (_fit(_text_of(row, NAME)) if is_said else "") or str(row.number)
            if fold_name(label) in self._seen:
                label = f"{label} {row.number}"
            self._seen.add(fold_name(label))
        return f"{_unescape(self._base)} [{label}]"


def _fit(text: str) -> str:
    label = _UNFIT.sub(" ", text)
    return "".join(one for one in label if is_visible(one)).strip(" .")[:_LONGEST_LABEL]


def _fill(row: Row, node: TextNode) -> Node:
    whole = _COLUMN.fullmatch(node.text)
    if whole and whole[1]:
        value = row.find(whole[1].strip())
        if value is None:
            raise KeyError(whole[1].strip())
        return _change_texts(value if row.is_inline else move(value, node), _escape_node)
    text = _fill_text(node.text, row)
    return node if text == node.text else replace(node, text=text, style=_style_of(node))


def _change_texts(node: Node, change: Callable[[TextNode], Node]) -> Node:
    """The tree with those texts changed that have a `${` in them; the same one where none has."""
    if isinstance(node, TextNode):
        return change(node) if "${" in node.text else node
    if isinstance(node, ListNode):
        items = tuple(_change_texts(item, change) for item in node.items)
        return node if all(map(is_, items, node.items)) else replace(node, items=items)
    entries = tuple((key, _change_texts(value, change)) for key, value in node.entries)
    is_same = all(new is old for (_, new), (_, old) in zip(entries, node.entries, strict=True))
    return node if is_same else replace(node, entries=entries)


def _style_of(node: TextNode) -> Style:
    """A text that is put together is a text, but for what is a number as a whole."""
    return Style.PLAIN if node.plain and _NUMBER.fullmatch(node.text) else Style.DOUBLE_QUOTED


def _fill_text(text: str, row: Row) -> str:
    return _COLUMN.sub(lambda match: match[0] if match[1] is None else _escape(_text_of(row, match[1].strip())), text)


def _text_of(row: Row, column: str) -> str:
    value = row.find(column)
    if not isinstance(value, TextNode):
        raise KeyError(column)
    return value.text


def _escape(text: str) -> str:
    """Data never asks for a variable of the environment."""
    return text.replace("${", "$${")


def _unescape(text: str) -> str:
    return text.replace("$${", "${")


def _escape_node(node: TextNode) -> TextNode:
    return replace(node, text=_escape(node.text))


def _unescape_node(node: TextNode) -> TextNode:
    return replace(node, text=_unescape(node.text))


def move(node: NodeT, to: Node) -> NodeT:
    """The same at the place of another."""
    moved = replace(node, line=to.line, column=to.column)
    if isinstance(moved, ListNode):
        return replace(moved, items=tuple(move(one, to) for one in moved.items))
    if isinstance(moved, MapNode):
        return replace(moved, entries=tuple((move(key, to), move(one, to)) for key, one in moved.entries))
    return moved


def explain_missing_column(template: MapNode, row: Row, column: str, file: str) -> Problem:
    """What is wrong with a row that lacks a column, at the place that asks for it."""
    place = next((node for name, node in columns_of(template, skip=(KEY,)) if name == column), None)
    line, at = (place.line, place.column) if place else (template.line, template.column)
    value = row.find(column)
    message = f"there is no column {quote(column)} in the row {row.location.file}:{row.location.line}"
    hint = suggest(column, list(row.values), kind="its columns are")
    if value is not None:
        message = f"the column {quote(column)} holds a {'list' if isinstance(value, ListNode) else 'mapping'}"
        hint = f"it can only stand alone, as in '${{{column}}}'"
    return Problem(file=file, line=line, column=at, message=message, hint=hint)
