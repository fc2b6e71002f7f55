"""Checks that may take long are judged in a process beside the play, which is ended when one takes too long."""

from __future__ import annotations

import asyncio
import math
import pickle
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from runner import side_process
from runner.checks import Ask, Exchange, Part, Tier, build_part
from runner.checks._packages import import_check
from runner.did_you_mean import count
from runner.domain.conversation import Output, Run
from runner.domain.judgement import ENOUGH_S, Answers, Questions
from runner.domain.report import Outcome, Verdict
from runner.domain.result_json import as_plain
from runner.domain.scenario import Expectation, expectations_in
from runner.errors import CheckBroken, Location
from runner.patience import in_a_hurry
from runner.side_process import LENGTH, SPARE_S, START_S, Desk, describe_ending, frame, kill, read_plain

LIMIT_S = 10.0
ASKING_LIMIT_S = 60.0
"""Of a package's check that asks: it may ask others than the judge, too. Waiting for the judge isn't counted."""
MOST_REQUESTS = 100
"""That such a check may make about one answer."""
MOST_WORKERS, MOST_ASKING = 2, 8
LONGEST_AT_HAND, MOST_AT_HAND, MOST_FOUND_AT_HAND = 3_000, 20_000, 100_000
"""Characters that runner's own checks are done with in a moment: of one text, of all that came with the answer, and of
what was found in documents, which is twenty passages at OpenAI, of some 3,200 characters each.
"""
MOMENT_S = 0.05
"""What users' patterns, paths and schemas may take while everybody waits."""
SHORT_S, SLOW_S = 0.001, 0.1
LONGEST_TEXT, LARGEST_VERDICT, LARGEST_REQUEST = 500, 1_000_000, 50_000_000
MOST_ENDED, MOST_ENDED_ANYWHERE = 3, 10
"""So often a check is ended, or meets a limit of its own, before it isn't tried on further answers; a package's, whose
code is the same wherever it stands, at all places together.
"""


def _is_long(run: Run) -> bool:
    lengths = [len(run.text), *(len(file.text or "") for file in run.files)]
    for step in run.steps:
        lengths += [len(step.input), len(step.output)]
    found = sum(len(one.text) for step in run.steps for one in step.results)  # only words are looked for in it
    return max(lengths) > LONGEST_AT_HAND or sum(lengths) > MOST_AT_HAND or found > MOST_FOUND_AT_HAND


class Workers:
    """Judge at hand what is done in a moment, else in processes, each started when it is needed, and kept."""

    def __init__(self, limit_s: float | None = None, asking_limit_s: float | None = None) -> None:
        self._limits_s = {False: limit_s or LIMIT_S, True: asking_limit_s or ASKING_LIMIT_S}
        # Whoever waits for the judge is not to keep those waiting who need no one.
        self._places = {False: asyncio.Semaphore(MOST_WORKERS), True: asyncio.Semaphore(MOST_ASKING)}
        self._at_hand = asyncio.Lock()
        self._idle: list[tuple[str, _Worker]] = []
        self._slow: Counter[Location] = Counter()
        self._ended: Counter[Location | str] = Counter()
        self._why_ended: dict[Location | str, str] = {}

    async def judge(self, part: Part, exchange: Exchange, ask: Ask) -> Verdict:
        run, place = exchange.run, part.expectation.location
        # The first time, it may be what it has to load.
        if part.is_foreign or self._slow[place] > 1 or _is_long(run):
            return await self._judge_apart(part, exchange, ask)
        async with self._at_hand:
            started_s = time.thread_time()
            with in_a_hurry(MOMENT_S) as hurry:
                verdict = part.judge(run, exchange)
            took_s = time.thread_time() - started_s
            if took_s > SHORT_S:
                # Many that take a little would be a long time together: let others be heard in between.
                await asyncio.sleep(0)
        self._slow[place] += 2 if hurry.is_over else took_s > SLOW_S
        return await self._judge_apart(part, exchange, ask) if hurry.is_over else verdict

    async def _judge_apart(self, part: Part, exchange: Exchange, ask: Ask) -> Verdict:
        asks = part.tier is not Tier.FREE
        place, limit_s = part.expectation.location, self._limits_s[asks]
        kind = part.expectation.check if part.is_foreign else ""
        async with self._places[asks]:
            for one, most in ((place, MOST_ENDED), (kind, MOST_ENDED_ANYWHERE)):
                if self._ended[one] >= most:
                    return part.break_off(f"not tried: on {count(most, 'answer')} {self._why_ended[one]}")
            try:
                worker = self._take_idle(kind) or await _start_worker(part)
            except TimeoutError:
                return self._give_up(
                    part, f"the process of the check was not ready, with its imports, after {START_S:g} s"
                )
            except OSError as error:
                return part.break_off(f"no process could be started for the check: {error.strerror or error}")
            try:
                # Not sooner: many wait for their place, and each has a copy of the answer then.
                order = pickle.dumps((part.expectation, exchange, limit_s))
                judged = await _attend(worker, order, ask, limit_s)
            except TimeoutError:
                await worker.end()
                return self._give_up(part, f"the check took more than {limit_s:g} s, and was ended")
            except EOFError:
                return self._give_up(part, f"the check ended its process ({await worker.end()})")
            except BaseException:
                worker.end_now()
                raise
            self._idle.append((kind, worker))
        verdict = judged.verdict
        is_hopeless = judged.met_limit and verdict.outcome is Outcome.ERRORED
        return self._give_up(part, verdict.reason) if is_hopeless else verdict

    def _take_idle(self, kind: str) -> _Worker | None:
        """What a package's check has left in a process (threads, say) is not to be another's trouble."""
        for place, (one, worker) in enumerate(self._idle):
            if one == kind:
                del self._idle[place]
                if worker.process.poll() is None:
                    return worker
                worker.end_now()
                break
        if len(self._idle) >= MOST_WORKERS + MOST_ASKING:
            self._idle.pop(0)[1].end_now()
        return None

    def _give_up(self, part: Part, why: str) -> Verdict:
        """Once more; the last time is the one that is told of the answers on which it isn't tried."""
        whose: list[Location | str] = [part.expectation.location]
        whose += [part.expectation.check] if part.is_foreign else []
        for one in whose:
            self._ended[one] += 1
            self._why_ended[one] = why
        return part.break_off(why)

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[1].end_now()


@dataclass(frozen=True, slots=True)
class _Judged:
    """`met_limit`: a pattern, a path or a schema took longer than it may."""

    verdict: Verdict
    met_limit: bool = False


async def _attend(worker: _Worker, order: bytes, ask: Ask, limit_s: float) -> _Judged:
    """The verdict of a check that is judged there, and told what it asks.

    Raises TimeoutError once it was busy for so long, EOFError if the process ended.
    """
    clock, left_s, requests, judge_s = asyncio.get_running_loop().time, limit_s, 0, 0.0
    while True:
        started_s = clock()
        async with asyncio.timeout(left_s):
            said = await worker.converse(order)
        left_s -= clock() - started_s
        if isinstance(said, _Judged):
            return said
        requests += 1
        answer = _refuse(requests, judge_s) or await _answer(said, ask)
        judge_s += answer.seconds if isinstance(answer, Answers) else 0.0
        order = pickle.dumps(answer)


def _refuse(requests: int, judge_s: float) -> Answers | str | CheckBroken | None:
    if requests > MOST_REQUESTS:
        return CheckBroken(f"it asked more than {MOST_REQUESTS} times about one answer")
    if judge_s >= ENOUGH_S:
        return CheckBroken(f"it took the judge {judge_s:.0f} s, and after {ENOUGH_S:g} s it isn't asked again")
    return None


async def _answer(said: Any, ask: Ask) -> Answers | str | CheckBroken:
    try:
        return await (ask(said) if isinstance(said, Questions) else ask.run(*said))
    except CheckBroken as error:
        return error
    except Exception as error:  # noqa: BLE001 - what goes wrong in a check, and in what it asks, is its verdict
        return CheckBroken(f"the check broke: {type(error).__name__}: {error}")


async def _start_worker(part: Part) -> _Worker:
    """Until it is there, with what a package's check imports, no check's time has begun.

    Raises OSError, and TimeoutError for an import that does not end.
    """
    process, ours = side_process.spawn(__name__)
    reader, writer = await asyncio.open_connection(sock=ours)
    worker = _Worker(process, reader, writer)
    try:
        async with asyncio.timeout(START_S):
            await worker.read()
        if part.is_foreign:
            async with asyncio.timeout(START_S):
                await worker.converse(pickle.dumps((part.expectation, None, START_S)))
    except TimeoutError:
        await worker.end()
        raise
    except EOFError as error:
        raise OSError(f"it did not begin ({await worker.end()})") from error
    except BaseException:
        worker.end_now()
        raise
    return worker


@dataclass(frozen=True, slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def converse(self, order: bytes) -> object:
        """What the process says to that. Raises EOFError if it ended."""
        try:
            self.writer.write(frame(order))
            await self.writer.drain()
            return await self.read()
        except (OSError, pickle.UnpicklingError) as error:
            raise EOFError from error

    async def read(self) -> object:
        length = int.from_bytes(await self.reader.readexactly(LENGTH))
        return read_plain(await self.reader.readexactly(length))

    async def end(self) -> str:
        """End it, with whatever it started; how it ended."""
        self._kill()
        deadline_s = time.monotonic() + SPARE_S
        # A process that has taken much memory is a while in giving it back.
        while (code := self.process.poll()) is None and time.monotonic() < deadline_s:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.005)
        return describe_ending(code)

    def end_now(self) -> None:
        self._kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(SPARE_S)

    def _kill(self) -> None:
        kill(self.process)
        self.writer.transport.abort()


def work() -> None:
    """What such a process does until nobody has an order for it."""
    desk = _AskingDesk()
    desk.serve(lambda order: _judge(desk, *order))


class _AskingDesk(Desk):
    """What checks ask, in such a process: the one that plays is told, and answers."""

    def __init__(self) -> None:
        super().__init__()
        self.limit_s = 0.0
        self.loop = asyncio.new_event_loop()

    async def __call__(self, questions: Questions, /) -> Answers:
        if not isinstance(questions, Questions):
            raise CheckBroken(f"it asked with {type(questions).__name__}, no Questions")
        answers: Answers = await self._ask(questions)
        return answers

    async def run(self, code: str, arguments: Mapping[str, object], timeout_s: float) -> Output:
        return Output(await self._ask((code, arguments, timeout_s)))

    async def judge(self, part: Part, exchange: Exchange) -> Verdict:
        if part.tier is Tier.FREE:
            # Beside the loop, as at the top: it may have one of its own.
            return await asyncio.to_thread(part.judge, exchange.run, exchange)
        return await part.judge_here(exchange, self)

    async def _ask(self, said: object) -> Any:
        message = pickle.dumps(said)
        if len(message) > LARGEST_REQUEST:
            raise CheckBroken(f"it asked with {len(message):,} bytes; at most {LARGEST_REQUEST:,} are passed on")
        try:
            read_plain(message)
        except pickle.UnpicklingError as error:
            raise CheckBroken(f"it asked with what a play can't read: {error}") from error
        self.rest()
        answer = await asyncio.to_thread(self.converse, message)
        self.watch(self.limit_s)
        if isinstance(answer, CheckBroken):
            raise answer
        return answer


def _judge(desk: _AskingDesk, expectation: Expectation, exchange: Exchange | None, limit_s: float) -> bytes:
    """What is to be said of it; without an exchange it is only imported, and what goes wrong there is told later."""
    desk.limit_s = limit_s
    desk.watch(limit_s)
    try:
        if exchange is None:
            for one in expectations_in(expectation):
                import_check(one.check)
            return pickle.dumps(None)
        part = build_part(expectation, load=import_check)
        with in_a_hurry(math.inf) as hurry:
            if part.tier is Tier.FREE:
                verdict = part.judge(exchange.run, exchange)
            else:
                verdict = desk.loop.run_until_complete(part.judge_here(exchange, desk))
        said = pickle.dumps(_Judged(_tidy(verdict), hurry.is_over))
        if len(said) > LARGEST_VERDICT:
            raise ValueError(f"what it found takes {len(said):,} bytes; at most {LARGEST_VERDICT:,} are kept")
        return said
    except BaseException as error:  # noqa: BLE001 - what a check exits with, or finds, may be anything
        reason = f"the check broke: {type(error).__name__}: {error}"
        name, place = expectation.check, expectation.location
        return pickle.dumps(_Judged(_tidy(Verdict(outcome=Outcome.ERRORED, check=name, location=place, reason=reason))))
    finally:
        desk.rest()


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
