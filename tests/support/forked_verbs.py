"""A verb in a process of its own, forked off one that has the program imported: to be killed, or told to end.

It costs a tenth of what `python -m runner` does. What begins with the process is tested with that: exit codes, streams.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import TextIO
from unittest.mock import patch

from app_listening import listening_environment
from odd_packages import forget_plugins

import runner
from runner import side_process
from runner.server import extraction

_LATE = (
    "babel.numbers",
    "anyio._backends._asyncio",
    "httpcore2._backends.anyio",
    "openai.resources",
    "openai.types.beta",
    "pydantic_monty",
    "pypdf",
    "pypdfium2",
)
"""Modules of libraries that are imported on their first use."""


def _every_module() -> list[str]:
    """All of the program; what needs an extra that isn't installed is left out by whoever imports it."""
    found = pkgutil.walk_packages(runner.__path__, "runner.")
    return [one.name for one in found if one.name not in ("runner.__main__", "runner.pytest_plugin")]


_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload([*_every_module(), *_LATE, "warmed_up"])
Main = Callable[[tuple[str, ...]], None]
# Whoever asks how one process ended may be told of another's end.
_ONE_AT_A_TIME = threading.Lock()


class Forked:
    """The part of `subprocess.Popen` that tests use."""

    def __init__(self, main: Main, arguments: tuple[str, ...], cwd: Path, environment: Mapping[str, str]) -> None:
        (out, out_end), (err, err_end) = _FORKING.Pipe(duplex=False), _FORKING.Pipe(duplex=False)
        given = {**environment, **listening_environment()}
        self._process = _FORKING.Process(target=_run, args=(main, arguments, cwd, given, out_end, err_end), daemon=True)
        with _ONE_AT_A_TIME:
            self._process.start()
        self.stdout, self.stderr = _text(out), _text(err)
        for end in (out_end, err_end):
            end.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; the signal's number below 0, as usual."""
        with _ONE_AT_A_TIME:
            return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """How it ends. What it printed is printed, once, so that pytest shows it where a test fails."""
        if not self.stdout.closed:
            out, err = await asyncio.to_thread(self.communicate)
            print(f"-- process {self.pid} ended with {self.returncode}\n{out}{err}")
        assert self.returncode is not None, "whoever read its streams has waited for it"
        return self.returncode

    def communicate(self, timeout: float = 60) -> tuple[str, str]:
        """All that it prints from now on, when it has ended."""
        deadline = time.monotonic() + timeout
        try:
            with ThreadPoolExecutor() as threads:
                said = threads.map(lambda stream: stream.read(), (self.stdout, self.stderr))
                while self.returncode is None:
                    if time.monotonic() > deadline:
                        self.kill()
                        raise TimeoutError(f"the process has not ended within {timeout:g} s")
                    time.sleep(0.005)
                out, err = said
        finally:
            self._close()
        return out, err

    def _close(self) -> None:
        for stream in (self.stdout, self.stderr):
            stream.close()


def start_verb(*arguments: str, cwd: Path, environment: Mapping[str, str]) -> Forked:
    """`runner ARGUMENTS` with this environment and no other."""
    return Forked(_run_verb, arguments, cwd, environment)


def start_program(*arguments: str, cwd: Path, environment: Mapping[str, str]) -> Forked:
    """`python ARGUMENTS`, of which the first is the program's file."""
    return Forked(_run_program, arguments, cwd, environment)


class ForkedWorker:
    """The process that `runner.side_process` starts for checks, and the part of `subprocess.Popen` that it uses."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        with _ONE_AT_A_TIME:
            return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while (code := self.returncode) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a worker", timeout)
            time.sleep(0.005)
        return code


def start_worker(module: str) -> tuple[ForkedWorker, socket.socket]:
    """In place of `runner.side_process.spawn`: a tenth of what that costs."""
    ours, theirs = socket.socketpair()
    with theirs, _ONE_AT_A_TIME:
        given = (theirs, module, os.getcwd(), dict(os.environ))
        process = _FORKING.Process(target=_run_worker, args=given, daemon=True)
        process.start()
    return ForkedWorker(process), ours


class ForkedReaders:
    """Stands for `subprocess` in `runner.server.extraction`, whose tests read hundreds of files."""

    DEVNULL = subprocess.DEVNULL
    TimeoutExpired = subprocess.TimeoutExpired

    @staticmethod
    def run(command: Sequence[str], *, timeout: float, **_: object) -> subprocess.CompletedProcess[bytes]:
        arguments = tuple(command[command.index("-c") + 1 :])
        reader = Forked(_run_reader, arguments, Path.cwd(), os.environ)
        try:
            out, err = reader.communicate(timeout)
        except TimeoutError as error:
            raise subprocess.TimeoutExpired(command, timeout) from error
        assert reader.returncode is not None
        return subprocess.CompletedProcess(command, reader.returncode, out.encode(), err.encode())


@contextmanager
def what_the_program_starts_is_forked() -> Iterator[None]:
    """Where another test has had something forked already: nobody who plays is to wait for the imports."""
    if not is_ready():
        yield
        return
    with patch.object(side_process, "spawn", start_worker), patch.object(extraction, "subprocess", ForkedReaders):
        yield


def is_ready() -> bool:
    return forkserver._forkserver._forkserver_pid is not None  # type: ignore[attr-defined]


class Programs:
    """Runs programs that all import this library, whose import takes long: in processes forked off one that has it."""

    def __init__(self, library: str) -> None:
        self._orders, theirs = _FORKING.Pipe()
        process = _FORKING.Process(target=_run_programs, args=(theirs, library), daemon=True)
        with theirs, _ONE_AT_A_TIME:
            process.start()

    def run(self, *arguments: str, cwd: Path, environment: Mapping[str, str]) -> tuple[int, str, str]:
        """Its exit code, and what it printed; as `start_program`."""
        streams = tuple(str(cwd / f"printed.{name}") for name in ("out", "err"))
        self._orders.send((arguments, str(cwd), dict(environment), streams))
        assert self._orders.poll(60), "the program has not ended within 60 s"
        code = self._orders.recv()
        out, err = (Path(one).read_text("utf-8") for one in streams)
        return code, out, err

    def close(self) -> None:
        """The process ends with its orders."""
        self._orders.close()


@dataclass(frozen=True)
class Serving:
    """`runner serve` on a port of its own, and the four lines that it says hello with."""

    process: Forked
    hello: list[str]

    @property
    def exports(self) -> dict[str, str]:
        lines = [line.removeprefix("export ") for line in self.hello if line.startswith("export ")]
        return dict(line.split("=", 1) for line in lines)

    @property
    def url(self) -> str:
        return self.exports["OPENAI_BASE_URL"]

    async def stop(self, *signals: signal.Signals) -> tuple[int | None, str]:
        """The exit code and what was written to stderr."""
        for number in signals or (signal.SIGTERM,):
            self.process.send_signal(number)
            await asyncio.sleep(0.1)
        _, err = await asyncio.to_thread(self.process.communicate, 20)
        return self.process.returncode, err


@contextmanager
def serving(folder: Path, *arguments: str, environment: Mapping[str, str]) -> Iterator[Serving]:
    process = start_verb("serve", "--port", "0", *arguments, cwd=folder, environment=environment)
    try:
        yield Serving(process, [process.stdout.readline().rstrip("\n") for _ in range(4)])
    finally:
        if not process.stdout.closed:
            process.kill()
            process.communicate()


def _text(end: Connection) -> TextIO:
    with end:
        return open(os.dup(end.fileno()), encoding="utf-8")


def _run(
    main: Main, arguments: tuple[str, ...], cwd: Path, environment: Mapping[str, str], out: Connection, err: Connection
) -> None:
    for end, number in ((out, 1), (err, 2)):
        os.dup2(end.fileno(), number)
        end.close()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    main(arguments)


def _run_worker(theirs: socket.socket, module: str, cwd: str, environment: Mapping[str, str]) -> None:
    os.setsid()
    os.chdir(cwd)
    with theirs:
        os.dup2(theirs.fileno(), 0)
    os.environ.clear()
    os.environ.update(environment)
    forget_plugins()
    import_module(module).work()


def _run_programs(orders: Connection, library: str) -> None:
    import_module(library)
    gc.freeze()
    with suppress(EOFError):
        while True:
            arguments, cwd, environment, streams = orders.recv()
            if not (pid := os.fork()):
                _run_redirected(arguments, cwd, environment, streams)
            orders.send(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _run_redirected(
    arguments: tuple[str, ...], cwd: str, environment: Mapping[str, str], streams: tuple[str, str]
) -> None:
    """It doesn't come back."""
    code = 1
    try:
        for path, number in zip(streams, (1, 2), strict=True):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environment)
        _run_program(arguments)
        code = 0
    except BaseException:  # noqa: BLE001 - as Python ends a program
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run_reader(arguments: tuple[str, ...]) -> None:
    extraction.work_as_child([*arguments])


def _run_verb(arguments: tuple[str, ...]) -> None:
    from runner import cli

    sys.argv = ["runner", *arguments]
    cli.main([*arguments])


def _run_program(arguments: tuple[str, ...]) -> None:
    sys.argv = [*arguments]
    runpy.run_path(arguments[0], run_name="__main__")
