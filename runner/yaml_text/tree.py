"""YAML as a tree of texts: nodes with their places, built without recursion and without trust."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import yaml

from runner.errors import Problem

MAX_DEPTH = 50
MAX_NODES = 500_000
"""Of a whole file, each alias counted with all that it stands for."""

_COMMENT = re.compile(r"[ \t]*(#[^\r\n]*)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_QUOTE_IT = "put quotes around the whole text"


class Style(Enum):
    """How a value is written."""

    PLAIN = ""
    SINGLE_QUOTED = "'"
    DOUBLE_QUOTED = '"'
    LITERAL = "|"
    FOLDED = ">"
    BLOCK = "block"
    FLOW = "flow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where a value stands in the text: character offsets, `end` exclusive, with its anchor.

    A block's end is that of its last value: comments and blank lines that follow are not part of it. An alias has a
    span of its own; what it stands for keeps its line and column.
    """

    start: int
    end: int
    is_alias: bool = False


_NOWHERE = Span(start=0, end=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextNode:
    """A scalar; `comment` is what follows it on the same line, from its `#` on."""

    line: int
    column: int
    text: str
    style: Style = Style.PLAIN
    comment: str = ""
    span: Span = field(default=_NOWHERE, compare=False)

    @property
    def plain(self) -> bool:
        """Whether it is unquoted."""
        return self.style is Style.PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNode:
    line: int
    column: int
    items: tuple[Node, ...]
    style: Style = Style.BLOCK
    span: Span = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapNode:
    """A mapping with unique keys, in the file's order."""

    line: int
    column: int
    entries: tuple[tuple[TextNode, Node], ...]
    style: Style = Style.BLOCK
    span: Span = field(default=_NOWHERE, compare=False)

    def find(self, key: str) -> tuple[TextNode, Node] | None:
        return next((entry for entry in self.entries if entry[0].text == key), None)


Node = TextNode | ListNode | MapNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A file's tree, as far as it could be read; `root` is None when there is nothing to go on with."""

    root: Node | None
    problems: tuple[Problem, ...] = ()


def parse_yaml(text: str, *, file: str) -> Parsed:
    """The tree of one YAML document. `text` holds no hidden characters (`read_text` sees to that)."""
    return _parse_quickly(text, file) or _parse(text, file)


def _parse_quickly(text: str, file: str) -> Parsed | None:
    """What libyaml makes of it, in a tenth of the time; None where PyYAML's own parser has to say what is there."""
    if _QUICK is None or _LEFT_TO_PYYAML.search(text):
        return None
    builder = _Builder(file, text)
    try:
        root = builder.build(_QUICK)
    except (_GiveUp, yaml.YAMLError, ValueError, OverflowError):
        return None
    return None if builder.problems else Parsed(root=root)


def _parse(text: str, file: str) -> Parsed:
    builder = _Builder(file, text)
    try:
        root = builder.build(_Loader)
    except _GiveUp as stop:
        return Parsed(root=None, problems=(*builder.problems, stop.problem))
    except yaml.MarkedYAMLError as error:
        return Parsed(root=None, problems=(*builder.problems, explain_syntax(error, file=file, text=text)))
    except (ValueError, OverflowError) as error:
        # PyYAML lets these through: "\U00110000", a %YAML directive of 5,000 digits.
        line, column = builder.line, builder.column
        message = f"not valid YAML: {error}"
        broken = Problem(file=file, line=line, column=column, message=message, hint="look at what follows this")
        return Parsed(root=None, problems=(*builder.problems, broken))
    return Parsed(root=root, problems=tuple(builder.problems))


class _Loader(yaml.SafeLoader):
    """PyYAML's own, but a text in brackets may hold a '?', as in YAML 1.2: `{ask: How much is it?, expect: []}`."""

    def scan_plain(self) -> Any:
        peek = super().peek
        # It looks at the characters one by one to find the end, and takes the text from elsewhere.
        self.__dict__["peek"] = lambda index=0: "-" if (found := peek(index)) == "?" else found
        try:
            return super().scan_plain()
        finally:
            del self.__dict__["peek"]


_QUICK = getattr(yaml, "CSafeLoader", None)
"""Its events only: they come without recursion, however deep a file is nested. Not every build of PyYAML has it."""
_LEFT_TO_PYYAML = re.compile(r"\t|\ufeff|[|>][-+0-9]*#|^[ -]*\?(?:\s|$)", re.MULTILINE)
"""Tabs and comments right after '|', which libyaml takes in more places; a BOM, which it doesn't count among the
characters; and keys after a '?', which it places elsewhere."""


class _GiveUp(Exception):
    """The rest of the file can't be read safely."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


def _place(event: yaml.Event) -> tuple[int, int]:
    """Line and column of an event, from 1; PyYAML counts from 0."""
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _span(event: yaml.Event) -> Span:
    start, end = event.start_mark, event.end_mark
    return Span(start=start.index, end=end.index) if start and end else _NOWHERE


class _Open:
    """A list or mapping whose end has not been seen; a mapping's children alternate between key and value."""

    def __init__(self, event: yaml.CollectionStartEvent) -> None:
        self.line, self.column = _place(event)
        self.anchor: str | None = event.anchor
        self.start = event.start_mark.index if event.start_mark else 0
        self.is_mapping = isinstance(event, yaml.MappingStartEvent)
        self.style = Style.FLOW if event.flow_style else Style.BLOCK
        self.children: list[Node] = []
        self.nodes = 1
        self.height = 1


@dataclass(frozen=True, slots=True)
class _Anchored:
    """A node that an alias can stand for, with what it would add to the file."""

    node: Node
    nodes: int
    height: int


class _Builder:
    """Turns parser events into a tree, without recursion: depth is checked before anything is built."""

    def __init__(self, file: str, text: str) -> None:
        self.problems: list[Problem] = []
        self.line = self.column = 1
        self._file = file
        self._text = text
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored | None] = {}
        self._root: Node | None = None
        self._is_quick = False

    def build(self, loader: Any) -> Node:
        self._is_quick = loader is _QUICK
        documents = 0
        for event in yaml.parse(self._text, Loader=loader):
            self.line, self.column = _place(event)
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._stop("a second document begins here", "keep one document in a file: remove '---'")
            else:
                self._take(event)
        root = self._root
        if root is None or (isinstance(root, TextNode) and root.plain and not root.text):
            raise self._stop("the file is empty", at=(1, 1))
        return root

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._add(self._text_node(event), anchor=event.anchor, nodes=1, height=1)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._refuse_tag(event.tag)
            if len(self._open) >= MAX_DEPTH:
                raise self._stop(f"nested deeper than {MAX_DEPTH} levels")
            if event.anchor is not None:
                self._anchors[event.anchor] = None
            self._open.append(_Open(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close(self._open.pop(), event)
        elif isinstance(event, yaml.AliasEvent):
            self._expand(event)

    def _text_node(self, event: yaml.ScalarEvent) -> TextNode:
        style, text = Style(event.style or ""), event.value
        # PyYAML places nothing elsewhere.
        if self._is_quick and style is Style.PLAIN and not text:
            raise self._stop("libyaml may see another text or place here than PyYAML")
        if event.tag is not None:
            self._refuse_tag(event.tag)
            style, text = Style.SINGLE_QUOTED, f"!{text}"
        span = _span(event)
        comment = _COMMENT.match(self._text, span.end) if style is Style.PLAIN else None
        if style in (Style.LITERAL, Style.FOLDED):
            span = replace(span, end=span.start + len(self._text[span.start : span.end].rstrip()))
        return TextNode(
            line=self.line,
            column=self.column,
            text=self._readable(text),
            style=style,
            comment=comment[1] if comment else "",
            span=span,
        )

    def _readable(self, text: str) -> str:
        """Pairs of `\\ud83d\\ude00`, as JSON writes them, become one character; half a pair is refused."""
        if text.isascii():
            return text
        joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        if half := _SURROGATE.search(joined):
            self._report(f"\\u{ord(half.group()):04x} is half of a character", "write both halves, or the character")
        return _SURROGATE.sub("\ufffd", joined)

    def _refuse_tag(self, tag: str | None) -> None:
        if tag is not None:
            self._report("a tag ('!...') is not accepted", "put quotes around a text that begins with '!'")

    def _close(self, done: _Open, event: yaml.Event) -> None:
        last = done.children[-1].span.end if done.children else done.start
        end = _span(event).end if done.style is Style.FLOW else last
        at = {"line": done.line, "column": done.column}
        span = Span(start=done.start, end=end)
        node: Node
        if done.is_mapping:
            node = MapNode(**at, entries=self._unique_entries(done.children), style=done.style, span=span)
        else:
            node = ListNode(**at, items=tuple(done.children), style=done.style, span=span)
        self._add(node, anchor=done.anchor, nodes=done.nodes, height=done.height)

    def _unique_entries(self, children: list[Node]) -> tuple[tuple[TextNode, Node], ...]:
        entries: dict[str, tuple[TextNode, Node]] = {}
        for key, value in zip(children[::2], children[1::2], strict=True):
            where = (key.line, key.column)
            if not isinstance(key, TextNode):
                self._report("a key must be text", "put quotes around a text that begins with '{' or '['", where)
            elif key.plain and key.text == "<<":
                self._report("merge keys ('<<') are not accepted", "write the keys out", where)
            elif key.text in entries:
                first = entries[key.text][0].line
                self._report(f"{key.text!r} is also written on line {first}", "keep one of the two", where)
            else:
                entries[key.text] = (key, value)
        return tuple(entries.values())

    def _expand(self, event: yaml.AliasEvent) -> None:
        name = event.anchor or ""
        if name not in self._anchors:
            hint = "put quotes around a text that begins with '*'"
            raise self._stop(f"the alias '*{name}' stands for nothing: there is no '&{name}' before it", hint)
        anchored = self._anchors[name]
        if anchored is None:
            raise self._stop(f"the alias '*{name}' stands inside what it stands for", "remove it")
        if len(self._open) + anchored.height > MAX_DEPTH:
            raise self._stop(f"the alias '*{name}' nests deeper than {MAX_DEPTH} levels")
        node = replace(anchored.node, span=replace(_span(event), is_alias=True))
        self._add(node, anchor=None, nodes=anchored.nodes, height=anchored.height)

    def _add(self, node: Node, *, anchor: str | None, nodes: int, height: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = _Anchored(node, nodes, height)
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        parent.children.append(node)
        parent.nodes += nodes
        parent.height = max(parent.height, height + 1)
        if parent.nodes > MAX_NODES:
            raise self._stop(f"more than {MAX_NODES:,} values, counting what aliases stand for", "split the file")

    def _report(self, message: str, hint: str = "", at: tuple[int, int] | None = None) -> None:
        self.problems.append(self._problem(message, hint, at))

    def _stop(self, message: str, hint: str = "", at: tuple[int, int] | None = None) -> _GiveUp:
        return _GiveUp(self._problem(message, hint, at))

    def _problem(self, message: str, hint: str, at: tuple[int, int] | None) -> Problem:
        line, column = at or (self.line, self.column)
        return Problem(file=self._file, line=line, column=column, message=message, hint=hint)


_COMPLAINTS = (
    ("character '\\t'", "a tab stands where YAML wants spaces", "indent with spaces"),
    ("tab character", "a tab stands where YAML wants spaces", "indent with spaces"),
    ("that cannot start any token", "an unquoted text can't begin with {character}", _QUOTE_IT),
    ("while scanning an alias", "'*' begins an alias, and no name follows", _QUOTE_IT),
    ("while scanning an anchor", "'&' begins an anchor, and no name follows", _QUOTE_IT),
    ("tag", "'!' begins a tag, which is not accepted", _QUOTE_IT),
    ("unknown escape character", "", "in single quotes a backslash is only a backslash"),
    ("expected escape sequence", "", "in single quotes a backslash is only a backslash"),
    ("unexpected end of stream", "the closing quote is missing", "the text begins here"),
    ("unexpected document separator", "the closing quote is missing", "the text begins here"),
    ("block scalar", "", "nothing but a comment may follow '|' or '>' on its line"),
    ("could not find expected ':'", "a key without ':'", "write 'key: value', or quote the text"),
    ("expected <block end>", "this doesn't fit what stands before it", "check indentation and quotes"),
    ("sequence entries are not allowed", "a list can't begin here", "put '-' on a line of its own"),
    ("block collections", "this can't begin here", "put it on a line of its own"),
)
"""A fragment of PyYAML's message, and what we say instead, "" for PyYAML's own words, with a hint."""


def explain_syntax(error: yaml.MarkedYAMLError, *, file: str, text: str) -> Problem:
    """The problem behind PyYAML's error, at the place where the user has to change something."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem(file=file, line=1, column=1, message=f"not valid YAML: {error}")
    if error.context_mark is not None and "while parsing a flow" in (error.context or ""):
        message = f"what '[' or '{{' opens here is not closed, or a comma is missing, on line {mark.line + 1}"
        hint = "put quotes around texts that hold any of , : [ ] { }"
        if any("${" in line for line in text.splitlines()[mark.line : mark.line + 1]):
            hint = "in brackets, put quotes around what has ${...} in it"
        mark = error.context_mark
    else:
        message, hint = _say(error, text.splitlines()[mark.line : mark.line + 1], mark.column)
    if hint == "the text begins here" and error.context_mark is not None:
        mark, hint = error.context_mark, "close the quote that opens here"
    return Problem(file=file, line=mark.line + 1, column=mark.column + 1, message=message, hint=hint)


def _say(error: yaml.MarkedYAMLError, lines: list[str], column: int) -> tuple[str, str]:
    """What is wrong, and what to do. `lines` holds the line of the mistake, or nothing at the file's end."""
    problem = f"{error.problem or ''} {error.context or ''}"
    if "mapping values are not allowed" in problem:
        return _explain_second_colon(lines[0][:column] if lines else "")
    for fragment, message, hint in _COMPLAINTS:
        if fragment in problem:
            shown = message or f"not valid YAML: {error.problem}"
            return shown.replace("{character}", _quoted_character(problem)), hint
    return f"not valid YAML: {error.problem or error}", ""


def _explain_second_colon(before: str) -> tuple[str, str]:
    if ": " in before:
        return "a second ': ' in one line", "put quotes around the text after the first"
    return "this key follows a text that has not ended", "check the indentation, and the ':' of the line before"


def _quoted_character(problem: str) -> str:
    """The first thing that PyYAML's message quotes, with its quotes."""
    return "'" + problem.partition("'")[2].partition("'")[0] + "'"
