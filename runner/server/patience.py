"""How long a connection may keep us waiting: for a request's headers, and for its body.

uvicorn itself has a limit only for the pause between two requests.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Headers must be complete within `headers_s`; a body brings `least_bytes` in every `body_s`, or its end."""

    headers_s: float = 10.0
    body_s: float = 20.0
    least_bytes: int = 1024


class PatientProtocol(H11Protocol):
    """uvicorn's protocol with these limits: a connection that breaks one is closed."""

    patience = Patience()
    _timer: asyncio.TimerHandle | None = None
    _is_for_body = False
    _received_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received_bytes += len(data)
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        """Keep the timer that fits what is being waited for; a running one is not put off."""
        awaits_body = self.conn.their_state is h11.SEND_BODY
        # Between two requests uvicorn's own timer runs.
        is_between = self.cycle is not None and not self.conn.trailing_data[0]
        awaits_headers = self.conn.their_state is h11.IDLE and not is_between
        if self.transport.is_closing() or not (awaits_body or awaits_headers):
            self._stop_watching()
        elif self._timer is None or self._is_for_body != awaits_body:
            self._start_timer(is_for_body=awaits_body)

    def _start_timer(self, *, is_for_body: bool) -> None:
        self._stop_watching()
        self._is_for_body = is_for_body
        self._received_bytes = 0
        seconds = self.patience.body_s if is_for_body else self.patience.headers_s
        self._timer = self.loop.call_later(seconds, self._time_is_up)

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_is_up(self) -> None:
        # Reading is paused while the application is behind: that is not the client's fault.
        has_done_enough = self._received_bytes >= self.patience.least_bytes or self.flow.read_paused
        if self._is_for_body and has_done_enough:
            self._start_timer(is_for_body=True)
        else:
            self._timer = None
            self.transport.close()


def patient_protocol(patience: Patience) -> type[PatientProtocol]:
    """The protocol as uvicorn wants it: a class, which it makes an object of for each connection."""
    return type("PatientProtocol", (PatientProtocol,), {"patience": patience})
