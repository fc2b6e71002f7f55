"""Ctrl-C and its kin for a server: once asks it to stop, twice stops it."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Protocol

from runner.cli._ending import without_hushed

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stoppable(Protocol):
    should_exit: bool


def tie_stop(server: Stoppable) -> None:
    """Inside the running loop that serves. Being stopped is how a server's work ends: it is no interruption."""
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        if server.should_exit:
            # What was acknowledged is in the database; what was at work is settled by its lease.
            os._exit(128 + number)
        server.should_exit = True

    for number in without_hushed(_SIGNALS):
        loop.add_signal_handler(number, on_signal, number)
