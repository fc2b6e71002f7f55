"""Follow the stream of one response to the event that ends it; nothing but that event is believed to be the answer.

The deltas before it only say that something is going on. So no event that is doubled, misplaced, unknown or missing
can change an answer: either the last event is there, whole and about this response, or there is no answer in the
stream and the response is to be read again by its id.
"""

from __future__ import annotations

from runner.backends._reading import Json, Malformed, identifier, optional_text, part, read_object, text
from runner.backends._responses_events import EventReader, ServerEvent
from runner.backends._responses_wire import WireResponse, read_response
from runner.backends._streaming import Refusal

_ENDINGS = {f"response.{status}": status for status in ("completed", "failed", "incomplete")}
_NO_MORE = "[DONE]"


class ResponseListener:
    """Implements `Listener`. `ending` is None as long as the last event has not come, and for ever if it never does."""

    def __init__(self) -> None:
        self.remote_id: str | None = None
        self.status = "queued"
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

    def _note_response(self, kind: str, body: Json) -> None:
        response_id = identifier(body)
        if self.remote_id is None:
            self.remote_id = response_id
        if response_id != self.remote_id:
            return
        self.status = text(body, "status")
        if kind not in _ENDINGS:
            return
        if self.status != _ENDINGS[kind]:
            raise Malformed(f"the event {kind} comes with the status '{self.status}'")
        response = read_response(body)
        self._contradicts_itself |= self._ending is not None and response != self._ending
        self._ending = response
