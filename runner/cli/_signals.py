"""Ctrl-C and its kin: at whatever moment they come they end the program, with an exit code of their own.

While a verb listens, once asks its work to stop and twice stops it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from runner.execution.scheduler import Interruption

EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143
_ONE_PRESS_S = 0.05
# A closed terminal (SIGHUP) is a request to end, too.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ending:
    """`exit_code` is the one for a program that was told to end, by the signal that said so."""

    def __init__(self) -> None:
        self.exit_code = EXIT_INTERRUPTED

    def listen(self) -> None:
        for number in _without_hushed((signal.SIGTERM, signal.SIGHUP)):
            signal.signal(number, self._end)

    def ignore_all(self) -> None:
        """The work is done and its exit code known: nothing that comes now is to change that."""
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self.exit_code = EXIT_TERMINATED
        # Whoever handles Ctrl-C well, as an event loop does, handles this too. Shells have background jobs ignore it.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)


@contextmanager
def tie_signals(interruption: Interruption) -> Iterator[None]:
    """Inside a running loop: signals request the interruption; a second one ends the process at once.

    Python hears signals on the main thread alone: on another one, whoever lives on the main thread hears them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    is_again = _notice_again()

    def on_signal(number: int) -> None:
        if is_again():
            # The journal is written line by line, so it is whole.
            os._exit(128 + number)
        if interruption.signal is not None:
            return
        _say("\nrunner: stopping; runs are cancelled and cleaned up (press again to stop at once)\n")
        interruption.request(number)

    before = {number: signal.getsignal(number) for number in _without_hushed(_ENDING)}
    _handle(before, lambda number: on_signal(signal.SIGTERM if number is signal.SIGHUP else number))
    try:
        yield
    finally:
        from asyncio import get_running_loop

        for number, handler in before.items():
            get_running_loop().remove_signal_handler(number)
            signal.signal(number, handler)


class Stoppable(Protocol):
    should_exit: bool


def tie_stop(server: Stoppable) -> None:
    """Inside the running loop that serves. Being stopped is how a server's work ends: it is no interruption."""

    is_again = _notice_again()

    def on_signal(number: int) -> None:
        if is_again():
            # What was acknowledged is in the database; what was at work is settled by its lease.
            os._exit(128 + number)
        server.should_exit = True

    _handle(_without_hushed(_ENDING), on_signal)


def _notice_again() -> Callable[[], bool]:
    """Inside a running loop: whether this is another press than the first one that it was asked about.

    `timeout` and other wrappers send one press twice: to the process, and to its group.
    """
    from asyncio import get_running_loop

    loop = get_running_loop()
    first_s: float | None = None

    def is_again() -> bool:
        nonlocal first_s
        first_s = loop.time() if first_s is None else first_s
        return loop.time() - first_s > _ONE_PRESS_S

    return is_again


def _handle(numbers: Iterable[signal.Signals], on_signal: Callable[[signal.Signals], None]) -> None:
    from asyncio import get_running_loop

    for number in numbers:
        get_running_loop().add_signal_handler(number, on_signal, number)


def _without_hushed(numbers: Iterable[signal.Signals]) -> tuple[signal.Signals, ...]:
    """Without SIGHUP where `nohup` has us ignore it."""
    return tuple(
        number for number in numbers if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    )


def _say(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        pass  # the terminal is gone; there is nobody to tell
