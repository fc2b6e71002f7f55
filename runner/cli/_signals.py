"""Ctrl-C and its kin: once asks to stop, twice stops."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from runner.cli._ending import without_hushed
from runner.execution.scheduler import Interruption

# A closed terminal (SIGHUP) is treated as a request to end.
_SIGNALS = {signal.SIGINT: signal.SIGINT, signal.SIGTERM: signal.SIGTERM, signal.SIGHUP: signal.SIGTERM}


@contextmanager
def tie_signals(interruption: Interruption) -> Iterator[None]:
    """Inside a running loop: signals request the interruption; a second one ends the process at once."""
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        if interruption.signal is not None:
            # The journal is written line by line, so it is whole.
            os._exit(128 + number)
        _say("\nrunner: stopping; runs are cancelled and cleaned up (press again to stop at once)\n")
        interruption.request(number)

    before = {received: signal.getsignal(received) for received in without_hushed(_SIGNALS)}
    for received in before:
        loop.add_signal_handler(received, on_signal, _SIGNALS[received])
    try:
        yield
    finally:
        for received, handler in before.items():
            loop.remove_signal_handler(received)
            signal.signal(received, handler)


def _say(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        pass  # the terminal is gone; there is nobody to tell
