"""Checks that may take long are judged in a process beside the play, which is ended when one takes too long.

Nothing in Python can interrupt a check where it is: what it does in C (`re`, say) holds the lock that all of the
program waits for.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace

from runner.checks import Exchange, Part, build_part
from runner.domain.conversation import Run
from runner.domain.report import Verdict
from runner.domain.result_json import as_plain
from runner.domain.scenario import Expectation
from runner.errors import Location

LIMIT_S = 10.0
SPARE_S = 2.0
MOST_WORKERS = 2
LONGEST_AT_HAND = 20_000
"""Characters, of the answer and all that came with it, that runner's own checks are done with in a moment."""
SLOW_S = 0.1
LONGEST_TEXT = 500
MOST_ENDED = 3
"""So often a check is ended before it isn't tried on further answers."""


def _count_characters(run: Run) -> int:
    steps = sum(len(one.input) + len(one.output) + sum(len(found.text) for found in one.results) for one in run.steps)
    return len(run.text) + steps + sum(len(file.text or "") for file in run.files)


class Workers:
    """Judge at hand what is done in a moment, else in processes, each started when it is needed, and kept."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._places = asyncio.Semaphore(MOST_WORKERS)
        self._idle: list[_Worker] = []
        self._slow: set[Location] = set()
        self._ended: Counter[Location] = Counter()

    async def judge(self, part: Part, exchange: Exchange) -> Verdict:
        run, place = exchange.run, part.expectation.location
        if part.is_foreign or place in self._slow or _count_characters(run) > LONGEST_AT_HAND:
            return await self._judge_apart(part, exchange)
        started_s = time.thread_time()
        verdict = part.judge(run, exchange)
        # A user's pattern has a time limit of its own; others needn't wait for it more than once.
        if time.thread_time() - started_s > SLOW_S:
            self._slow.add(place)
        return verdict

    async def _judge_apart(self, part: Part, exchange: Exchange) -> Verdict:
        order = pickle.dumps((part.expectation, exchange, self._limit_s))
        place, limit = part.expectation.location, f"more than {self._limit_s:g} s"
        async with self._places:
            if self._ended[place] >= MOST_ENDED:
                return part.break_off(f"not tried: on {MOST_ENDED} answers the check took {limit}, and was ended")
            try:
                worker = self._idle.pop() if self._idle else await asyncio.to_thread(_Worker)
            except OSError as error:
                return part.break_off(f"no process could be started for the check: {error.strerror}")
            try:
                async with asyncio.timeout(self._limit_s):
                    verdict = await asyncio.to_thread(worker.judge, order)
            except TimeoutError:
                worker.end()
                self._ended[place] += 1
                return part.break_off(f"the check took {limit}, and was ended")
            except EOFError:
                return part.break_off(f"the check ended its process ({worker.end()})")
            except BaseException:
                worker.end()
                raise
            self._idle.append(worker)
            return verdict

    def close(self) -> None:
        while self._idle:
            self._idle.pop().end()


_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from runner.execution.apart import work; work()"


class _Worker:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-X", "utf8", "-c", _PROGRAM, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdin is not None, "it is a pipe"
        assert self._process.stdout is not None, "it is a pipe"
        self._orders, self._verdicts = self._process.stdin, self._process.stdout
        # Until it is there, no check's time has begun.
        self._verdicts.readline()

    def judge(self, order: bytes) -> Verdict:
        """Raises EOFError if the process ended."""
        try:
            self._orders.write(order)
            self._orders.flush()
            verdict: Verdict = pickle.load(self._verdicts)
        except (OSError, pickle.UnpicklingError) as error:
            raise EOFError from error
        return verdict

    def end(self) -> str:
        """End it, with whatever it started; how it ended."""
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        code = self._process.wait()
        for pipe in (self._orders, self._verdicts):
            with suppress(OSError):
                pipe.close()
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def work() -> None:
    """What such a process does until nobody has an order for it."""
    orders, verdicts = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # Whatever a check prints, or reads, is not ours.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    verdicts.write(b"\n")
    verdicts.flush()
    with suppress(EOFError):
        while True:
            expectation, exchange, limit_s = pickle.load(orders)
            # Should nobody be left to end this process, it ends by itself.
            faulthandler.dump_traceback_later(limit_s + SPARE_S, exit=True)
            verdicts.write(_judge(expectation, exchange))
            verdicts.flush()
            faulthandler.cancel_dump_traceback_later()
    os._exit(0)


def _judge(expectation: Expectation, exchange: Exchange) -> bytes:
    part = build_part(expectation)
    try:
        return pickle.dumps(_tidy(part.judge(exchange.run, exchange)))
    except BaseException as error:  # noqa: BLE001 - what a check exits with, or finds, may be anything
        return pickle.dumps(_tidy(part.break_off(f"the check broke: {type(error).__name__}: {error}")))


def _tidy(verdict: Verdict) -> Verdict:
    """With texts that are texts, and short, and details that are JSON, whatever a package's check has found."""
    if not (verdict.score is None or 0 <= verdict.score <= 1):
        raise ValueError(f"the score {verdict.score} is not between 0 and 1")
    return replace(
        verdict,
        expected=str(verdict.expected)[:LONGEST_TEXT],
        found=str(verdict.found)[:LONGEST_TEXT],
        reason=str(verdict.reason)[:LONGEST_TEXT],
        details=as_plain(dict(verdict.details)),
    )
