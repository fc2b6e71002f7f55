"""Reads a Word document of 1997 to 2003; runs in a process of its own. Emits all of its text.

The text lies in pieces, in two encodings, that a table in a second stream puts in order. Source: [MS-DOC], sections
2.4.1 (retrieving text), 2.4.3 (tables), 2.5 (the file information block) and 2.9.178 (pieces).
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from runner.server.extraction import Unreadable
from runner.server.extraction._limits import ENCRYPTED, MALFORMED
from runner.server.extraction._rows import Sheet

if TYPE_CHECKING:
    from runner.server.extraction._child import Emit

_IS_WORD = 0xA5EC
_FIRST_OF_97 = 0x00C1
_ENCRYPTED, _SECOND_TABLE = 0x0100, 0x0200
_FLAGS_AT, _TEXT_LENGTHS_AT, _PIECES_AT, _PARAGRAPHS_AT = 0x0A, 0x4C, 0x01A2, 0x0102
_EIGHT_BIT = 0x4000_0000
_PAGE_BYTES = 512
_ENDS_ROW = b"\x17\x24\x01"  # the property sprmPFTtp, set
_CELL_MARK, _FIELD_BEGIN, _FIELD_SEPARATOR, _FIELD_END = "\x07", "\x13", "\x14", "\x15"
_LINE_ENDS = frozenset("\r\v\f\x0e")
_SIGNS = {"\t": "\t", "\x1e": "-"}


class _Piece(NamedTuple):
    """Text and where in the main stream its first character is; each has `width` bytes."""

    text: str
    offset: int
    width: int


def read(path: str, emit: Emit) -> None:
    stream, table = _read_streams(path)
    row_ends = _RowEnds(stream, _block(stream, table, _PARAGRAPHS_AT))
    writer = _Writer()
    for piece in _find_pieces(stream, _block(stream, table, _PIECES_AT)):
        place = piece.offset
        for sign in piece.text:
            writer.add(sign, sign == _CELL_MARK and place in row_ends)
            place += piece.width if sign <= "\uffff" else 2 * piece.width
    text = writer.finish()
    emit({"text": text}, len(text))


def _read_streams(path: str) -> tuple[bytes, bytes]:
    """The stream with the text, and the one with the tables about it."""
    import olefile

    if not olefile.isOleFile(path):
        raise Unreadable(f"{MALFORMED}: it is no Word document of 1997 to 2003; save it as .docx")
    with olefile.OleFileIO(path) as file:
        if not file.exists("WordDocument"):
            raise Unreadable(ENCRYPTED if file.exists("EncryptedPackage") else f"{MALFORMED}: it is no Word document")
        stream = file.openstream("WordDocument").read()
        identity, version = struct.unpack_from("<HH", stream)
        (flags,) = struct.unpack_from("<H", stream, _FLAGS_AT)
        if identity != _IS_WORD or version < _FIRST_OF_97:
            raise Unreadable("it was written by a Word older than that of 1997; save it as .docx")
        if flags & _ENCRYPTED:
            raise Unreadable(ENCRYPTED)
        return stream, file.openstream("1Table" if flags & _SECOND_TABLE else "0Table").read()


def _block(stream: bytes, table: bytes, place: int) -> bytes:
    """A block of the table stream; its start and length stand at `place`."""
    start, length = struct.unpack_from("<II", stream, place)
    return table[start : start + length]


def _find_pieces(stream: bytes, block: bytes) -> Iterator[_Piece]:
    position = 0
    while block[position : position + 1] == b"\x01":  # formatting
        position += 3 + int(struct.unpack_from("<H", block, position + 1)[0])
    if block[position : position + 1] != b"\x02":
        raise Unreadable(f"{MALFORMED}: it says nowhere where its text is")
    (length,) = struct.unpack_from("<I", block, position + 1)
    plan = block[position + 5 : position + 5 + length]
    count = (len(plan) - 4) // 12
    starts = struct.unpack_from(f"<{count + 1}I", plan)
    left = sum(struct.unpack_from("<8I", stream, _TEXT_LENGTHS_AT))
    for number in range(count):
        (place,) = struct.unpack_from("<I", plan, 4 * (count + 1) + 8 * number + 2)
        size = min(starts[number + 1] - starts[number], left)
        left -= max(0, size)
        if size > 0:
            yield _read_piece(stream, place, size)


def _read_piece(stream: bytes, place: int, size: int) -> _Piece:
    if place & _EIGHT_BIT:
        offset = (place & ~_EIGHT_BIT) // 2
        return _Piece(stream[offset : offset + size].decode("cp1252", "replace"), offset, 1)
    return _Piece(stream[place : place + 2 * size].decode("utf-16-le", "replace"), place, 2)


class _RowEnds:
    """The places in the main stream where a cell mark ends a row of a table."""

    def __init__(self, stream: bytes, block: bytes) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        count = (len(block) - 4) // 8
        for number in range(count):
            (page,) = struct.unpack_from("<I", block, 4 * (count + 1) + 4 * number)
            start = (page & 0x003F_FFFF) * _PAGE_BYTES
            self._read_page(stream[start : start + _PAGE_BYTES])

    def _read_page(self, page: bytes) -> None:
        if len(page) < _PAGE_BYTES:
            return
        count = min(page[-1], 0x1D)
        places = struct.unpack_from(f"<{count + 1}I", page)
        for number in range(count):
            start = 2 * page[4 * (count + 1) + 13 * number]
            size = 2 * page[start] - 1 if page[start] else 2 * page[start + 1] + 1
            if start and _ENDS_ROW in page[start : start + 1 + size]:
                self._starts.append(places[number])
                self._ends.append(places[number + 1])

    def __contains__(self, place: int) -> bool:
        number = bisect_right(self._starts, place) - 1
        return number >= 0 and place < self._ends[number]


class _Writer:
    """Characters into lines and rows. The instructions of fields are left out, their results are not."""

    def __init__(self) -> None:
        self._sheet = Sheet()
        self._signs: list[str] = []
        self._cells: list[str] = []
        self._fields: list[bool] = []  # of each open field, whether its result is being read

    def add(self, sign: str, ends_row: bool) -> None:
        if sign == _FIELD_BEGIN:
            self._fields.append(False)
        elif sign == _FIELD_SEPARATOR and self._fields:
            self._fields[-1] = True
        elif sign == _FIELD_END and self._fields:
            self._fields.pop()
        elif all(self._fields):
            self._write(sign, ends_row)

    def finish(self) -> str:
        self._end_line()
        self._end_row()
        return self._sheet.finish()

    def _write(self, sign: str, ends_row: bool) -> None:
        if ends_row:
            self._end_row()
        elif sign == _CELL_MARK:
            self._cells.append(self._take_line())
        elif sign in _LINE_ENDS:
            self._end_line()
        elif sign >= " " or sign in _SIGNS:
            self._signs.append(_SIGNS.get(sign, sign))

    def _take_line(self) -> str:
        line = "".join(self._signs).strip()
        self._signs.clear()
        return line

    def _end_line(self) -> None:
        line = self._take_line()
        if self._cells:  # a cell of several paragraphs stays in its row
            self._signs.extend((line, " ") if line else ())
        elif line:
            self._sheet.place(line)

    def _end_row(self) -> None:
        cells = " ".join(filter(None, self._cells))
        self._cells.clear()
        if cells:
            self._sheet.place(cells)
