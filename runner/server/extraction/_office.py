"""An Office file of today: a zip archive of XML parts that refer to each other (ECMA-376, part 2).

Nothing is unpacked to disk, so names in the archive can't reach anything; what is read is counted while it unpacks.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple, Self
from xml.parsers import expat

from runner.server.extraction import ENCRYPTED, MALFORMED, Unreadable

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
