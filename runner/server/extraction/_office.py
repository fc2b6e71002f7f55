"""An Office file of today: a zip archive of XML parts (ECMA-376, part 2), and the paragraphs and tables in a part.

Nothing is unpacked to disk, so names in the archive can't reach anything; what is read is counted while it unpacks.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple, Self
from xml.parsers import expat

from runner.server.extraction import ENCRYPTED, MALFORMED, MAX_CHARACTERS, TOO_MANY_CHARACTERS, Unreadable
from runner.server.extraction._rows import Run, Sheet, join_runs

MAX_PACKED_BYTES = 256 << 20
"""Of a zip archive's members that are read, unpacked."""
MAX_NESTING = 500
"""Of XML elements."""

_TOO_LARGE_UNPACKED = f"it unpacks to more than {MAX_PACKED_BYTES >> 20} MiB"
_BLOCK_BYTES = 1 << 16
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
_NAMESPACES = {  # words of a namespace's URI and our prefix; the rest of the URI depends on the edition
    ("wordprocessingml", "main"): "w",
    ("drawingml", "main"): "a",
    ("presentationml", "main"): "p",
    ("officeDocument", "math"): "m",
    ("officeDocument", "relationships"): "r",
    ("package", "relationships"): "rel",
    ("markup-compatibility", "2006"): "mc",
}


class Link(NamedTuple):
    """From one part to another; `kind` is the last word of the relationship's type: slide, footnotes, header."""

    id: str
    kind: str
    part: str


Start = Callable[[str, dict[str, str]], None]


class Package:
    """An open file. Every method raises Unreadable for what can't be read."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            if file.read(8) == _OLE_MAGIC:
                is_encrypted = _ENCRYPTED_STREAM in file.read(_BLOCK_BYTES * 64)
                raise Unreadable(ENCRYPTED if is_encrypted else "it is of an older format than its name says")
        try:
            self._archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise Unreadable(f"{MALFORMED}: it is no Office file, or a damaged one") from error
        self._left = MAX_PACKED_BYTES

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def refuse_excess(self) -> None:
        """For readers that unpack by themselves; what an archive says of its sizes is what they go by, too."""
        if sum(info.file_size for info in self._archive.infolist()) > MAX_PACKED_BYTES:
            raise Unreadable(_TOO_LARGE_UNPACKED)

    def main_part(self) -> str:
        part = next((link.part for link in self.links("") if link.kind == "officeDocument"), None)
        if part is None:
            raise Unreadable(f"{MALFORMED}: it says nowhere where its text is")
        return part

    def links(self, part: str) -> tuple[Link, ...]:
        """Where a part ("" for the whole file) refers to inside the file, in the order of the references."""
        folder, name = posixpath.split(part)
        place = posixpath.join(folder, "_rels", f"{name}.rels")
        found: list[Link] = []

        def start(element: str, attributes: dict[str, str]) -> None:
            if element == "rel:Relationship" and attributes.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, attributes.get("Target", ""))).lstrip("/")
                kind = attributes.get("Type", "").rsplit("/", 1)[-1]
                found.append(Link(attributes.get("Id", ""), kind, target))

        if self.has(place):
            self.parse(place, start)
        return tuple(found)

    def has(self, part: str) -> bool:
        return part in self._archive.NameToInfo

    def parse(
        self,
        part: str,
        start: Start,
        end: Callable[[str], None] | None = None,
        text: Callable[[str], None] | None = None,
    ) -> None:
        """Read a part of XML. Names come as `w:p`, whatever prefix the file uses; others as they are."""
        parser = expat.ParserCreate(namespace_separator=" ")
        depth = 0

        def open_element(name: str, attributes: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            if depth > MAX_NESTING:
                raise Unreadable(f"{MALFORMED}: its elements are nested more than {MAX_NESTING} deep")
            start(_shorten(name), {_shorten(key): value for key, value in attributes.items()})

        def close_element(name: str) -> None:
            nonlocal depth
            depth -= 1
            if end is not None:
                end(_shorten(name))

        parser.StartElementHandler = open_element
        parser.EndElementHandler = close_element
        parser.CharacterDataHandler = text
        parser.StartDoctypeDeclHandler = _refuse_doctype
        try:
            for block in self._unpack(part):
                parser.Parse(block)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise Unreadable(f"{MALFORMED}: {posixpath.basename(part)} is no well-formed XML") from error

    def _unpack(self, part: str) -> Iterator[bytes]:
        if not self.has(part):
            raise Unreadable(f"{MALFORMED}: it lacks its part {posixpath.basename(part)}")
        info = self._archive.getinfo(part)
        if info.flag_bits & 1:
            raise Unreadable(ENCRYPTED)
        with self._archive.open(info) as file:
            while block := file.read(_BLOCK_BYTES):
                self._left -= len(block)
                if self._left < 0:
                    raise Unreadable(_TOO_LARGE_UNPACKED)
                yield block


def _refuse_doctype(*_: object) -> None:
    # Entities of its own (XXE, billions of laughs) need one, and Office writes none.
    raise Unreadable(f"{MALFORMED}: its XML declares a document type")


@cache
def _shorten(name: str) -> str:
    """`w:p` for `http://schemas.openxmlformats.org/wordprocessingml/2006/main p`."""
    uri, _, local = name.rpartition(" ")
    words = uri.split("/")
    known = (short for (family, last), short in _NAMESPACES.items() if family in words and words[-1] == last)
    prefix = next(known, "")
    return f"{prefix}:{local}" if prefix else local


_TEXTS = frozenset({"w:t", "a:t", "m:t"})
_PARAGRAPHS = frozenset({"w:p", "a:p"})
_RUNS = frozenset({"w:r", "a:r", "a:fld"})
_BREAKS = frozenset({"w:br", "w:cr", "a:br"})
_SIGNS = {"w:tab": "\t", "w:ptab": "\t", "w:noBreakHyphen": "-", "m:den": "/", "m:sup": "^"}
_TABLES = frozenset({"w:tbl", "a:tbl"})
_ROWS = frozenset({"w:tr", "a:tr"})
_CELLS = frozenset({"w:tc", "a:tc"})
_SHAPES = frozenset({"p:sp", "p:graphicFrame", "p:grpSp"})
# What was moved away, deleted or formatted before, and what old programs see instead of what comes before it.
_HIDDEN = frozenset({"w:moveFrom", "w:del", "mc:Fallback", "w:pPrChange", "w:rPrChange", "w:sectPr"})
_OFF = frozenset({"0", "false", "off", "none", "noStrike"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How the characters of a run, or of a style, look; None is as it would be without."""

    is_hidden: bool | None = None
    is_struck: bool | None = None
    raised: str | None = None
    """`superscript`, `subscript` or, of either back to the line, `baseline`."""

    def over(self, below: Look) -> Look:
        """This look where it says something, else `below`."""
        return Look(
            is_hidden=below.is_hidden if self.is_hidden is None else self.is_hidden,
            is_struck=below.is_struck if self.is_struck is None else self.is_struck,
            raised=self.raised or below.raised,
        )


@dataclass(slots=True, kw_only=True)
class Paragraph:
    """What a paragraph says of its style and its place in a list, while it is read; "" where it says nothing."""

    style: str = ""
    list_id: str = ""
    level: str = ""


IN_PARAGRAPH = {"w:pStyle": "style", "w:numId": "list_id", "w:ilvl": "level"}
"""Where a Paragraph has the value of an element."""
Labels = Callable[[Paragraph], str]
"""The number that stands before a paragraph of a list; called once for each paragraph, in their order."""


def read_part(
    package: Package, part: str, looks: Mapping[str, Look] | None = None, label: Labels = lambda _: ""
) -> str:
    """The text of one part; `looks` are those of the styles, by their ids. Raises Unreadable."""
    flow = _Flow(looks or {}, label)
    package.parse(part, flow.start, flow.end, flow.text)
    return flow.finish()


def read_look(look: Look, name: str, attributes: Mapping[str, str]) -> Look:
    """A look with what one element of a run's properties adds to it."""
    value = attributes.get("w:val", "")
    if name in {"w:vanish", "w:webHidden"}:
        return replace(look, is_hidden=value not in _OFF)
    if name in {"w:strike", "w:dstrike"}:
        return replace(look, is_struck=value not in _OFF)
    if name == "w:vertAlign":
        return replace(look, raised=value)
    if name == "a:rPr":
        baseline = attributes.get("baseline", "0")
        raised = {"0": None}.get(baseline, "subscript" if baseline.startswith("-") else "superscript")
        return replace(look, is_struck=attributes.get("strike", "noStrike") not in _OFF, raised=raised)
    return look


class _Flow:
    def __init__(self, looks: Mapping[str, Look], label: Labels) -> None:
        self._looks = looks
        self._label = label
        self._sheet = Sheet()
        self._runs: list[Run] = []
        self._open_looks: list[Look] = []  # of runs; a run may hold a box with paragraphs of its own
        self._paragraph = Paragraph()
        self._number = ""
        self._describes_paragraph = False
        self._is_text = False
        self._is_hidden_shape = False
        self._hidden = 0
        self._left = MAX_CHARACTERS

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._hidden or name in _HIDDEN or attributes.get("type") == "slidenum":
            self._hidden += 1
        elif self._describes_paragraph:
            if name in IN_PARAGRAPH:
                setattr(self._paragraph, IN_PARAGRAPH[name], attributes.get("w:val", ""))
        elif name in _TEXTS:
            self._is_text = True
        elif name in _SIGNS:
            self._add(_SIGNS[name])
        elif name in _BREAKS:
            self._end_line()
        elif name in _RUNS:
            self._open_looks.append(Look())
        elif self._open_looks and name == "w:rStyle":
            style = self._looks.get(attributes.get("w:val", ""), Look())
            self._open_looks[-1] = self._open_looks[-1].over(style)
        else:
            self._start_block(name, attributes)
            if self._open_looks:
                self._open_looks[-1] = read_look(self._open_looks[-1], name, attributes)

    def _start_block(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in _PARAGRAPHS:
            self._end_line()
            self._paragraph = Paragraph()
            self._number = ""
        elif name == "w:pPr":
            self._describes_paragraph = True
        elif name in _TABLES:
            self._sheet.open_table()
        elif name in _ROWS:
            self._sheet.start_row()
        elif name in _CELLS:
            self._sheet.start_cell()
        elif name == "p:cNvPr" and attributes.get("hidden", "0") not in _OFF:
            self._is_hidden_shape = True

    def end(self, name: str) -> None:
        if self._hidden:
            self._hidden -= 1
        elif name == "w:pPr":
            self._describes_paragraph = False
            self._number = self._label(self._paragraph)
        elif name in _TEXTS:
            self._is_text = False
        elif name in _RUNS:
            self._open_looks.pop()
        elif name in _PARAGRAPHS:
            self._end_line()
        elif name in _TABLES:
            self._sheet.close_table()
        elif name in _SHAPES:
            self._is_hidden_shape = False

    def text(self, text: str) -> None:
        if self._is_text and not self._hidden:
            self._left -= len(text)
            if self._left < 0:
                raise Unreadable(TOO_MANY_CHARACTERS)
            self._add(text)

    def finish(self) -> str:
        self._end_line()
        return self._sheet.finish()

    def _add(self, text: str) -> None:
        run = self._open_looks[-1] if self._open_looks else Look()
        look = run.over(self._looks.get(self._paragraph.style, Look()))
        if not (look.is_hidden or self._is_hidden_shape):
            self._runs.append(Run(text, raised=look.raised or "", is_struck=bool(look.is_struck)))

    def _end_line(self) -> None:
        line = join_runs(self._runs).strip()
        self._runs.clear()
        if line:
            self._sheet.place(f"{self._number} {line}".lstrip())
            self._number = ""
