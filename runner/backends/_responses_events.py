"""Server-sent events out of bytes, wherever the bytes are cut.

Written here rather than taken from the SDK: its reader believes that a stream which ends has said everything, imports
the types of every API, and raises what `json` raises. What counts here is that an event is whole: it is handed on once
its blank line is there, and not a byte before. Source: WHATWG HTML, section 9.2.6.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runner.backends._reading import Malformed

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its name ("" where it has none) and its data, lines joined."""

    name: str
    data: str


class EventReader:
    """Takes bytes in pieces of any size."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._searched = 0
        self._swallows_newline = False
        self._is_first_line = True
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """The events that are whole now. Raises Malformed for text that is not UTF-8."""
        self._rest += chunk
        for line in self._take_lines():
            event = self._read_line(line)
            if event is not None:
                yield event

    def _take_lines(self) -> Iterator[bytes]:
        """Whole lines, ended by LF, CR or CRLF; the LF of a CRLF may come in the next chunk."""
        while True:
            if self._swallows_newline and self._rest:
                if self._rest[0] == 0x0A:
                    del self._rest[0]
                self._swallows_newline = False
            end = self._find_line_end()
            if end is None:
                return
            line = bytes(self._rest[:end])
            self._swallows_newline = self._rest[end] == 0x0D
            del self._rest[: end + 1]
            self._searched = 0
            yield line

    def _find_line_end(self) -> int | None:
        newline = self._rest.find(b"\n", self._searched)
        before = newline if newline >= 0 else len(self._rest)
        carriage_return = self._rest.find(b"\r", self._searched, before)
        self._searched = before
        if carriage_return >= 0:
            return carriage_return
        return newline if newline >= 0 else None

    def _read_line(self, line: bytes) -> ServerEvent | None:
        """The event that a blank line ends; None for any other line."""
        if self._is_first_line:
            line, self._is_first_line = line.removeprefix(_BOM), False
        if not line:
            return self._finish()
        try:
            field, _, value = line.decode().partition(":")
        except UnicodeDecodeError:
            raise Malformed("its text is not UTF-8") from None
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        return None

    def _finish(self) -> ServerEvent | None:
        event = ServerEvent(self._name, "\n".join(self._data)) if self._data else None
        self._name, self._data = "", []
        return event
