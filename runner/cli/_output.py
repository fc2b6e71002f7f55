"""The standard streams, made so that what is printed never decides what becomes of the work.

A reader that has gone, an encoding that lacks a character, a stream that was closed before we came: the work goes on,
and the exit code is the work's.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# A pipe without a reader, a terminal that was closed: nobody is there who could miss anything.
_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EIO})
_MOST_COLUMNS_DIGITS = 5
ENOUGH_FILES = 4096


class _Descriptor(io.FileIO):
    """Takes whatever is written; what can't be handed on is dropped, and `refusal` is why."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "wb", closefd=False)
        self.refusal: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        if self.refusal is None:
            try:
                return self._write_when_possible(data)
            except OSError as error:
                self.refusal = error
        return memoryview(data).nbytes

    def _write_when_possible(self, data: ReadableBuffer) -> int:
        # Another program may have left the stream non-blocking, which is a property of the pipe, not of ours.
        while (written := super().write(data)) is None:
            from select import select

            select([], [self], [])
        return written


class Output:
    """The streams of this process from here on. `refusal` is why not all of stdout could be written, if it matters."""

    def __init__(self) -> None:
        _open_closed_ones()
        _ignore_impossible_sizes()
        _allow_many_files()
        self._stdout: _Descriptor | None = None
        if sys.stdin is None:
            sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - the process's own
        if sys.stdout is sys.__stdout__:
            sys.stdout, self._stdout = _take_over(sys.stdout, 1)
        if sys.stderr is sys.__stderr__:
            sys.stderr, _ = _take_over(sys.stderr, 2)

    def finish(self) -> OSError | None:
        """Hand over the last lines. Returns why something could not be, where somebody will miss it: a full disk."""
        sys.stdout.flush()
        refusal = self._stdout.refusal if self._stdout else None
        return None if refusal is None or refusal.errno in _GONE else refusal


def _open_closed_ones() -> None:
    """What was closed (`>&-`) leads nowhere from now on, or the next file that is opened would take its place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def _take_over(stream: TextIO | None, number: int) -> tuple[TextIO, _Descriptor | None]:
    if os.name == "nt" and stream is not None:  # consoles there are written to in ways of their own
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        return stream, None
    if stream is not None:
        stream.flush()
    descriptor = _Descriptor(number)
    text = io.TextIOWrapper(
        io.BufferedWriter(descriptor),
        encoding=stream.encoding if stream is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=number == 2 or descriptor.isatty(),
    )
    return text, descriptor


def _ignore_impossible_sizes() -> None:
    """A terminal of no columns is a mistake of whoever set the variables: nothing could be shown on it."""
    for name in ("COLUMNS", "LINES"):
        value = os.environ.get(name, "")
        if not (value.isdecimal() and len(value) <= _MOST_COLUMNS_DIGITS and int(value) > 0):
            os.environ.pop(name, None)


def count_descriptors() -> int | None:
    """How many files and connections this process may have open; None if that is not limited, or not known."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return None if soft == resource.RLIM_INFINITY else soft
    return None


def _allow_many_files() -> None:
    """As many as the system lets us have: some (macOS: 256) allow few until they are asked."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
