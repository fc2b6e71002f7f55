"""Follow the stream of one response to the event that ends it; nothing but that event is believed to be the answer.

The deltas before it only say that something is going on. So no event that is doubled, misplaced, unknown or missing
can change an answer: either the last event is there, whole and about this response, or there is no answer in the
stream and the response is to be read again by its id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from runner.backends._failures import Refusal
from runner.backends._json_fields import Json, Malformed, identifier, optional_text, part, read_object, text
from runner.backends._waiting import QUEUED
from runner.backends.responses.wire import WireResponse, read_container_ids, read_response

_ENDINGS = {f"response.{status}": status for status in ("completed", "failed", "incomplete")}
_NO_MORE = "[DONE]"
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


class ResponseListener:
    """Implements `Listener`. `ending` is None as long as the last event has not come, and for ever if it never does."""

    def __init__(
        self, on_container: Callable[[str], None] = lambda _: None, on_status: Callable[[str], None] = lambda _: None
    ) -> None:
        """`on_container` is told of each container, as soon as it is there: it outlives an answer that never comes.

        `on_status` is told what the response says of itself.
        """
        self._on_container = on_container
        self._on_status = on_status
        self.remote_id: str | None = None
        self.status = QUEUED
        self.refusal: Refusal | None = None
        self._ending: WireResponse | None = None
        self._contradicts_itself = False
        self._is_closed = False
        self._reader = EventReader()

    @property
    def ending(self) -> WireResponse | None:
        """What the response came to; None too if the stream tells two different endings."""
        return None if self._contradicts_itself else self._ending

    def hear(self, chunk: bytes) -> bool:
        for event in self._reader.feed(chunk):
            if not self._is_closed:
                self._note(event)
        return self._is_closed or self._ending is not None

    def take(self, body: Json) -> None:
        """A server that does not stream answers with the whole response."""
        response = read_response(body)
        self.remote_id, self.status = response.id, response.status
        self._ending = response if response.is_over else None

    def _note(self, event: ServerEvent) -> None:
        if event.data.strip() == _NO_MORE:
            self._is_closed = True
            return
        body = read_object(event.data.encode())
        kind = optional_text(body, "type") or event.name
        if kind == "error":
            # Some servers nest what OpenAI has at the top.
            said = part(body, "error") or body
            message = optional_text(said, "message") or "no reason is given"
            self.refusal = Refusal(message=message, code=optional_text(said, "code"))
        elif kind.startswith("response.") and isinstance(body.get("response"), dict):
            self._note_response(kind, part(body, "response"))
        elif kind == "response.output_item.added" and isinstance(body.get("item"), dict):
            for container_id in read_container_ids((part(body, "item"),)):
                self._on_container(container_id)

    def _note_response(self, kind: str, body: Json) -> None:
        response_id = identifier(body)
        if self.remote_id is None:
            self.remote_id = response_id
        if response_id != self.remote_id:
            return
        self.status = text(body, "status")
        self._on_status(self.status)
        if kind not in _ENDINGS:
            return
        if self.status != _ENDINGS[kind]:
            raise Malformed(f"the event {kind} comes with the status '{self.status}'")
        response = read_response(body)
        self._contradicts_itself |= self._ending is not None and response != self._ending
        self._ending = response


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its name ("" where it has none) and its data, lines joined."""

    name: str
    data: str


class EventReader:
    """Takes bytes in pieces of any size."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._ended_in_cr = False
        self._is_first_line = True
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """The events that are whole now. Raises Malformed for text that is not UTF-8."""
        for line in self._take_lines(chunk):
            event = self._read_line(line)
            if event is not None:
                yield event

    def _take_lines(self, chunk: bytes) -> Iterator[bytes]:
        """Whole lines, ended by LF, CR or CRLF; the LF of a CRLF may come in the next chunk."""
        if not chunk:
            return
        rest = chunk.removeprefix(b"\n") if self._ended_in_cr else chunk
        self._ended_in_cr = rest.endswith(b"\r")
        first, *others = _LINE_END.split(rest)
        self._rest += first
        for begun in others:
            line, self._rest = bytes(self._rest), bytearray(begun)
            yield line

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
