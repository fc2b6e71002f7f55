"""A process beside this one, which does what it is told and is ended when that takes too long: both ends of the talk.

Nothing in Python can interrupt code where it is: what it does in C (`re`, say) holds the lock that all of the program
waits for.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import is_dataclass
from enum import Enum
from io import BytesIO
from pathlib import Path
from typing import Any

START_S = 60.0
SPARE_S = 2.0
LENGTH = 8
"""Bytes before each message, which say how long it is."""
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from {module} import work; work()"
_PLAIN = frozenset({"runner", "decimal", "datetime", "pathlib"})


def spawn(module: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A process that begins with the function `work` of a module, and what to talk to it by. Raises OSError.

    By a socket, not pipes: of it the end can be seen although a process that was left behind there holds it open.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(
                [sys.executable, "-X", "utf8", "-c", _PROGRAM.format(module=module), *sys.path],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
    return process, ours


def kill(process: subprocess.Popen[bytes]) -> None:
    """With whatever it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def describe_ending(code: int | None) -> str:
    if code is None:
        return "it could not be ended"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def frame(message: bytes) -> bytes:
    return len(message).to_bytes(LENGTH) + message


def _member(kind: object, name: str) -> Enum:
    if not (isinstance(kind, type) and issubclass(kind, Enum)):
        raise pickle.UnpicklingError(f"{name} of {kind!r} is no plain data")
    return kind[name]


class _PlainUnpickler(pickle.Unpickler):
    """Makes objects of classes that only hold what they are given, and calls nothing else: the code of packages, from
    whose processes it comes, is not to act here.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "getattr"):
            # Before Python 3.11.4 members of an Enum are pickled so.
            return _member
        package = module.partition(".")[0]
        # With a dot, a name leads on from a class to its methods, and to what its module has imported.
        if package in _PLAIN and "." not in name and module != "runner.__main__":
            found = super().find_class(module, name)
            if isinstance(found, type) and (package != "runner" or is_dataclass(found) or issubclass(found, Enum)):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no plain data")


def read_plain(message: bytes) -> Any:
    """What such a process has pickled. Raises UnpicklingError for anything but plain data."""
    try:
        return _PlainUnpickler(BytesIO(message)).load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:
        # Of bytes that are no pickle, it may be anything.
        raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from error


class SideProcess:
    """One that is waited for. Raises OSError if it can't be started."""

    def __init__(self, module: str) -> None:
        self._process, self._socket = spawn(module)
        try:
            self._receive(time.monotonic() + START_S)
        except (EOFError, TimeoutError) as error:
            raise OSError(f"it did not begin ({self.end()})") from error
        except BaseException:
            self.end()
            raise

    def ask(self, order: bytes, limit_s: float) -> Any:
        """What it says to that. Raises TimeoutError, or EOFError with how it ended: then, it is over."""
        deadline_s = time.monotonic() + limit_s
        try:
            self._socket.settimeout(limit_s)
            self._socket.sendall(frame(order))
            return read_plain(self._receive(deadline_s))
        except TimeoutError:
            self.end()
            raise
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise EOFError(self.end()) from error
        except BaseException:
            self.end()
            raise

    def _receive(self, deadline_s: float) -> bytes:
        return self._receive_exactly(int.from_bytes(self._receive_exactly(LENGTH, deadline_s)), deadline_s)

    def _receive_exactly(self, size: int, deadline_s: float) -> bytes:
        found = bytearray()
        while len(found) < size:
            self._socket.settimeout(max(0.001, deadline_s - time.monotonic()))
            piece = self._socket.recv(min(size - len(found), 1 << 20))
            if not piece:
                raise EOFError
            found += piece
        return bytes(found)

    def end(self) -> str:
        """How it ended."""
        kill(self._process)
        self._socket.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(SPARE_S)
        return describe_ending(self._process.poll())


class Desk:
    """The other end, in such a process. Its `work` makes one before anything else, then serves at it."""

    def __init__(self) -> None:
        self._orders, self._said = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(0), "wb")
        self._conversing = threading.Lock()
        # Whatever is printed here, or read, is not ours.
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        with suppress(OSError):
            # Should all the memory that there is be taken, the system ends this process and no other.
            Path("/proc/self/oom_score_adj").write_text("1000")

    def serve(self, obey: Callable[[Any], bytes]) -> None:
        """Until nobody has an order; nothing that was left here (threads, say) is waited for."""
        with suppress(EOFError, OSError):
            said = pickle.dumps("ready")
            while True:
                said = obey(self.converse(said))
        os._exit(0)

    def converse(self, message: bytes) -> Any:
        """The answer to what is said. Raises EOFError if nobody is there any more."""
        with self._conversing:
            self._said.write(frame(message))
            self._said.flush()
            length = int.from_bytes(self._orders.read(LENGTH))
            if not length:
                raise EOFError
            return pickle.loads(self._orders.read(length))

    @staticmethod
    def watch(limit_s: float) -> None:
        """Should nobody be left to end this process, it ends by itself."""
        faulthandler.dump_traceback_later(limit_s + SPARE_S, exit=True)

    @staticmethod
    def rest() -> None:
        faulthandler.cancel_dump_traceback_later()
