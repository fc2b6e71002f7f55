"""A verb of the program run in this process, as `python -m runner` would run it: most tests need no process of its own.

What only a process has is tested with one: signals, kills, several at once, an import, a closed pipe, a full disk.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from app_listening import listening_environment
from forked_verbs import what_the_program_starts_is_forked

from runner import cli
from runner.cli import Ending
from runner.execution import judging, player
from runner.sync import creating

# The folder, the environment and the standard streams are the whole process's.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Done:
    """How it ended, and what it printed."""

    code: int
    out: str
    err: str


def run_verb(*arguments: str, cwd: Path, environment: Mapping[str, str], given: bytes = b"") -> Done:
    """Run `runner ARGUMENTS` with this environment and no other; `given` comes in on its standard input.

    A test that runs an event loop of its own calls it on another thread, where no signal is heard.
    """
    with (
        _ONE_AT_A_TIME,
        chdir(cwd),
        _environment({**environment, **listening_environment()}),
        _streams(given) as caught,
        _nobody_else_syncs(),
        _what_failed_is_soon_asked_again(),
        what_the_program_starts_is_forked(),
    ):
        code = cli._run(list(arguments), Ending())
    return Done(code, *caught)


@contextmanager
def _nobody_else_syncs() -> Iterator[None]:
    """So nobody has to be waited for. Tests of syncs at the same time run processes, or take no verb."""
    looks_s = tuple(0.0 for _ in creating.LOOKS_S)
    with patch.object(creating, "SETTLE_S", 0.0), patch.object(creating, "LOOKS_S", looks_s):
        yield


@contextmanager
def _what_failed_is_soon_asked_again() -> Iterator[None]:
    """How long to wait is tested in virtual time (test_execution_simulated.py)."""
    pauses_s = {code: pause_s / 20 for code, pause_s in player.PAUSES_S.items()}
    with patch.dict(player.PAUSES_S, pauses_s), patch.object(judging, "RETRY_PAUSE_S", judging.RETRY_PAUSE_S / 20):
        yield


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    _replace_environment(wanted)
    try:
        yield
    finally:
        _replace_environment(before)


def _replace_environment(wanted: Mapping[str, str]) -> None:
    """Never empty for a moment: a server on another thread may look."""
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)


@contextmanager
def _streams(given: bytes) -> Iterator[list[str]]:
    """The standard streams, as pipes that the test holds the other ends of; what was printed is there at the end."""
    before = sys.stdin, sys.stdout, sys.stderr
    out, err = io.BytesIO(), io.BytesIO()
    caught: list[str] = []
    sys.stdin = io.TextIOWrapper(io.BytesIO(given), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(err, encoding="utf-8", errors="backslashreplace", write_through=True)
    try:
        yield caught
    finally:
        caught += [out.getvalue().decode(), err.getvalue().decode()]
        sys.stdin, sys.stdout, sys.stderr = before
