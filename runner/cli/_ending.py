"""Being told to end: at whatever moment it comes, it ends the program like Ctrl-C, with an exit code of its own."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from types import FrameType

EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


def without_hushed(numbers: Iterable[signal.Signals]) -> tuple[signal.Signals, ...]:
    """Without SIGHUP where `nohup` has us ignore it."""
    return tuple(
        number for number in numbers if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    )


class Ending:
    """`exit_code` is the one for a program that was told to end, by the signal that said so."""

    def __init__(self) -> None:
        self.exit_code = EXIT_INTERRUPTED

    def listen(self) -> None:
        """A closed terminal (SIGHUP) is a request to end, too."""
        for number in without_hushed((signal.SIGTERM, signal.SIGHUP)):
            signal.signal(number, self._end)

    def ignore_all(self) -> None:
        """The work is done and its exit code known: nothing that comes now is to change that."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self.exit_code = EXIT_TERMINATED
        # Whoever handles Ctrl-C well, as an event loop does, handles this too. Shells have background jobs ignore it.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)
