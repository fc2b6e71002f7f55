"""The engine in a world where one seed decides everything: time, faults, order and kills.

Time is virtual: the event loop jumps to its next timer, so that an hour takes milliseconds. The backend is one of our
own, with a server's memory; a kill drops the loop where it stands, as kill -9 does.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import IO, Any

from runner.backends import GATE, Capabilities, Question
from runner.domain.assistant import Address, Assistant, Namespace, Project
from runner.domain.conversation import Run, RunId, RunStatus, ThreadId, Usage
from runner.domain.plan import Kind
from runner.domain.report import PlayEvent, Report, Variant
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import (
    KeyRejected,
    Location,
    QuotaUsedUp,
    RateLimited,
    RemoteError,
    RemoteMissing,
    RemoteUnreachable,
    UnclearOutcome,
)
from runner.execution.play import Lane, PlayOptions, Work, play
from runner.execution.player import Surroundings
from runner.execution.scheduler import Interruption
from runner.journal import Journal
from runner.kept_play import KeptPlay, Unit, read_play

PLACE = Location("s.yaml", 1, 1)
VARIANT = Variant(target="world", api="responses")
GUIDE = Assistant(address=Address("guide"), location=PLACE, name="Guide", model="gpt-6-luna")
PROJECT = Project(namespace=Namespace("simulated"), assistants=(GUIDE,), targets={}, default_target="world")
RIGHT = Expectation(check="contains", parameters={"value": "right"}, location=PLACE)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only by timers: when nothing is ready, it is the next timer's time."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(selectors.SelectSelector())

    def time(self) -> float:
        return self._now_s

    def _run_once(self) -> None:
        timers = [one._when for one in self._scheduled if not one._cancelled]
        if not self._ready and timers:
            self._now_s = max(self._now_s, min(timers))
        super()._run_once()


class Killed(KeyboardInterrupt):
    """The process is gone."""


def in_virtual_time(work: Coroutine[Any, Any, Any], *, killed_at_s: float | None = None) -> Any:
    """Run it; None if it is killed before its end: then nothing of it runs any more, no `finally` either."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    task = loop.create_task(work)

    def kill() -> None:
        raise Killed

    if killed_at_s is not None:
        loop.call_later(killed_at_s, kill)
    try:
        return loop.run_until_complete(task)
    except Killed:
        _forget(loop)
        return None
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _forget(loop: asyncio.AbstractEventLoop) -> None:
    """What still waits is kept for good: were it thrown away, its `finally` blocks would run, as no kill lets them."""
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        _GRAVE.append(task)
        asyncio.tasks._unregister_task(task)  # else each further kill looks through all that wait


_GRAVE: list[asyncio.Task[Any]] = []

Fate = Callable[["World", Question, int], Run]
"""What becomes of the n-th asking (from 0) of a scenario's question; raises what a backend raises."""


@dataclass
class World:
    """The remote side: what is there, what was asked how often, and what is to become of it."""

    fates: Mapping[str, Sequence[Fate]] = field(default_factory=dict)
    latency_s: Callable[[], float] = lambda: 0.1
    every_tenth_refused: bool = False
    threads: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    at_work: set[str] = field(default_factory=set)
    requests: int = 0
    numbers: int = 0
    is_closed: bool = False

    def next_id(self, kind: str) -> str:
        self.numbers += 1
        return f"{kind}_{self.numbers}"


class _Files:
    async def list_stores(self) -> tuple[()]:
        return ()


class SimulatedBackend:
    """Implements `Backend` as far as a play without files needs it."""

    capabilities = Capabilities(
        stores_assistants=False,
        tools=frozenset(),
        functions=True,
        input_types=frozenset(),
        settings=frozenset(),
    )

    def __init__(self, world: World, journal: Journal) -> None:
        self.files = _Files()
        self._world = world
        self._journal = journal

    async def list_assistants(self, *, in_full: bool = False) -> tuple[()]:
        return ()

    async def ask(self, question: Question) -> Run:
        world, gate = self._world, GATE.get()
        assert gate is not None
        await gate.enter(question.deadline_s)
        number = self._journal.intend(Kind.THREAD, "guide", question.tags)
        world.requests += 1
        while world.every_tenth_refused and world.requests % 10 == 0:
            gate.refused("slow down (429)", None, is_sent_again=True)
            await asyncio.sleep(0.25)
            world.requests += 1
        gate.accepted(None)
        thread = question.thread_id
        if thread is None:
            thread = ThreadId(world.next_id("thread"))
            world.threads.add(thread)
            self._journal.created(number, thread)
        else:
            self._journal.refused(number, "it is there already")
        name = question.text
        nth = world.asked[name]
        world.asked[name] += 1
        world.at_work.add(name)
        started = asyncio.get_running_loop().time()
        await asyncio.sleep(world.latency_s())
        fates = world.fates.get(name, (right,))
        try:
            run = fates[min(nth, len(fates) - 1)](world, question, nth)
        except RemoteError:
            self._journal.deleted(Kind.THREAD, thread)
            world.threads.discard(thread)
            raise
        finally:
            world.at_work.discard(name)
        if run.status is RunStatus.CANCELLED:
            await asyncio.sleep(question.deadline_s)
        return Run(**{**_fields(run), "thread_id": thread, "duration_s": asyncio.get_running_loop().time() - started})

    async def delete_thread(self, thread_id: ThreadId) -> None:
        await asyncio.sleep(0.01)
        self._world.threads.discard(thread_id)

    async def find_threads(self, tags: Mapping[str, str]) -> tuple[ThreadId, ...] | None:
        return None

    async def find_containers(self, response_id: str) -> tuple[tuple[str, ...], bool]:
        return (), True


def _fields(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in Run.__dataclass_fields__}


def _run(world: World, **fields: Any) -> Run:
    usage = Usage(input_tokens=90, output_tokens=10, total_tokens=100)
    whole = {"status": RunStatus.COMPLETED, "usage": usage, "model": "gpt-6-luna", **fields}
    return Run(id=RunId(world.next_id("run")), thread_id=ThreadId(""), **whole)


def says(text: str) -> Fate:
    return lambda world, _question, _nth: _run(world, text=text)


def ends(status: RunStatus, code: str | None = None, error: str = "It broke.") -> Fate:
    return lambda world, _question, _nth: _run(world, status=status, error_code=code, error=error, usage=None)


def refuses() -> Fate:
    return lambda world, _question, _nth: _run(world, refusal="I can't.")


def raises(error: RemoteError) -> Fate:
    def fate(_world: World, _question: Question, _nth: int) -> Run:
        raise error

    return fate


right, wrong, silent = says("right"), says("nonsense"), says("")
broke = ends(RunStatus.FAILED, "server_error")
EVERY_FATE: Mapping[str, tuple[Sequence[Fate], str]] = {
    "a wrong answer": ((wrong,), "failed"),
    "a refusal": ((refuses(),), "failed"),
    "an empty answer": ((silent,), "errored"),
    "incomplete": ((ends(RunStatus.INCOMPLETE),), "errored"),
    "cancelled": ((ends(RunStatus.EXPIRED),), "errored"),
    "still at work at the deadline": ((ends(RunStatus.CANCELLED),), "errored"),
    "a prompt that is not taken": ((ends(RunStatus.FAILED, "invalid_prompt"),), "errored"),
    "server error, once": ((broke, right), "passed"),
    "server error, three times": ((broke, broke, broke, right), "passed"),
    "server error, for ever": ((broke,), "errored"),
    "no tokens for a moment": (
        (ends(RunStatus.FAILED, "rate_limit_exceeded", "Please try again in 250ms."), right),
        "passed",
    ),
    "a limit that is told": ((raises(RateLimited("busy", status=429, pause_s=20.0)), right), "passed"),
    "a limit beyond the deadline": ((raises(RateLimited("busy", status=429, pause_s=90_000.0)),), "errored"),
    "too large for the limit": ((raises(RateLimited("too large", status=429)),), "errored"),
    "503 to a create": ((raises(UnclearOutcome("the server failed", status=503)), right), "passed"),
    "a lost answer": ((raises(UnclearOutcome("the connection broke")),), "errored"),
    "nothing answers": ((raises(RemoteUnreachable("nothing answers")),), "errored"),
    "it is not there": ((raises(RemoteMissing("no such thing", status=404)),), "errored"),
    "a bad request": ((raises(RemoteError("bad", status=400)),), "errored"),
}
"""Every way in which a scenario can fail, as what is asked the n-th time, and its outcome."""
FATAL: Mapping[str, RemoteError] = {
    "the key": KeyRejected("no", status=401),
    "the quota": QuotaUsedUp("no", status=429),
}


def scenario(name: str, *, turns: int = 1, **fields: Any) -> Scenario:
    """Its questions are its name: the world knows by it what is asked."""
    asked = tuple(Turn(ask=name, expectations=(RIGHT,), location=PLACE) for _ in range(turns))
    return Scenario(name=name, assistant=GUIDE.address, turns=asked, location=PLACE, **fields)


@dataclass(frozen=True, kw_only=True)
class Played:
    report: Report
    outcomes: dict[str, str]
    events: list[PlayEvent]
    took_s: float


class Simulation:
    """Plays scenarios in a world, in a folder; again and again, as a user resumes a play that was cut off."""

    def __init__(self, folder: Path, world: World, scenarios: Sequence[Scenario], *, seed: int = 0) -> None:
        self.world = world
        self._folder = folder
        self._units = [Unit(scenario=one, variant=VARIANT, fingerprint=one.name) for one in scenarios]
        self._random = Random(seed)
        self._files: list[IO[Any]] = []

    def play(
        self,
        *,
        killed_at_s: float | None = None,
        interrupted_at_s: float | None = None,
        project: Project = PROJECT,
        **options: Any,
    ) -> Played | None:
        """None if it was killed. A second call goes on with what the first one left."""
        work = self._play(interrupted_at_s, project, options)
        try:
            return in_virtual_time(work, killed_at_s=killed_at_s)  # type: ignore[no-any-return]
        finally:
            # Of a process that was killed the system closes the files.
            while self._files:
                self._files.pop().close()

    async def _play(self, interrupted_at_s: float | None, project: Project, options: Mapping[str, Any]) -> Played:
        loop = asyncio.get_running_loop()
        interruption, events = Interruption(), list[PlayEvent]()
        if interrupted_at_s is not None:
            loop.call_later(interrupted_at_s, interruption.request, 2)
        around = Surroundings(
            emit=events.append, clock=loop.time, interruption=interruption, random=self._random.random
        )
        resumed = read_play(self._folder) if (self._folder / "results.jsonl").exists() else None
        done = {key for key in resumed.finished if _is_done(resumed.result_of(self._unit(key)))} if resumed else set()
        spent = resumed.spent if resumed else None
        kept = KeptPlay(self._folder, (unit.key for unit in self._units), spent=spent)
        with closing(kept), Journal(self._folder / "journal.jsonl") as journal:
            self._files += [kept._file, journal._file]
            kept.begin(
                {
                    "units": [unit.key for unit in self._units],
                    "planned": len(self._units),
                    "variants": [asdict(VARIANT)],
                }
            )
            for key in done:
                assert resumed is not None
                kept.results.add(key, resumed.place_of(key))
            lane = Lane(
                variant=VARIANT, project=project, backend=SimulatedBackend(self.world, journal), journal=journal
            )
            left = [unit for unit in self._units if unit.key not in done]
            attempts = {unit.key: resumed.attempts_of(unit) for unit in left} if resumed else {}
            work = Work(lanes=(lane,), units=left, planned=len(self._units), attempts=attempts)
            report = await play(work, PlayOptions(play_id="p", **options), around, kept)
            kept.finish(report)
        outcomes = {result.scenario.name: result.counted_as for result in report.results}
        return Played(report=report, outcomes=outcomes, events=events, took_s=report.duration_s)

    def _unit(self, key: tuple[str, str]) -> Unit:
        return next(unit for unit in self._units if unit.key == key)


def _is_done(result: Any) -> bool:
    return result is not None and result.counted_as in ("passed", "failed", "flaky", "skipped")
