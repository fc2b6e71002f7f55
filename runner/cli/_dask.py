"""`--engine dask`: attempts are made by the workers of a dask cluster, a local one or one that is there.

What goes to a worker is self-contained: the project's files by their hash, the scenario's name, and the names of
secrets, whose values come from the worker's own environment. What comes back is an attempt, as a player here would
have made it: repeats, limits, the kept play and the reports know no difference. What a worker makes on the remote side
it tells the play's journals at once, so that what it leaves when it dies is cleaned up.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from itertools import count
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.checks import Ask
from runner.cli._session import Session, open_ask, session_on
from runner.domain.assistant import Assistant, Server
from runner.domain.report import Attempt, PlayEvent, TurnFinished, TurnResult, TurnStarted, Variant
from runner.domain.scenario import Scenario
from runner.errors import RemoteError, UsageError
from runner.execution.limits import Limits
from runner.execution.player import Means, Player, Surroundings
from runner.journal import Journal

if TYPE_CHECKING:
    from runner.backends import Backend
    from runner.execution.play import Lane, PlayOptions
    from runner.execution.stage import KeptOpen, Stage

ENGINE = "dask"
CLOSING_S = 30.0
GATHER_S = 0.02
"""How long orders and results wait for others to go with."""
WORKER_WAIT_S = 60.0
"""How long a play waits for a worker where there is none."""
LIST_EVERY_S = 5.0
"""How often workers that have joined are looked for."""


_Order = tuple[int, str, str]
"""A number for the answer, a scenario's name, and the assistant's address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """An attempt, the hash of the definition that was asked, and the turns of earlier tries that failed in passing."""

    attempt: Attempt
    definition: str
    tried: tuple[TurnResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What a worker has to know to play scenarios of one variant; plain data, without any secret.

    `root` is the project's folder where the worker sees the same files; None: they are in what is sent along, by the
    hash that `files` has for each path. `cwd` and `project_file` are relative to it. `options` are a worker's share.
    """

    variant: Variant
    options: PlayOptions
    root: str | None
    cwd: str
    project_file: str
    paths: tuple[str, ...]
    files: Mapping[str, str]

    @property
    def topic(self) -> str:
        return f"runner-{self.options.play_id}"


def find_address(text: str) -> str:
    """The cluster's address, "" for a local one. Raises UsageError."""
    name, _, address = text.partition("=")
    if name != ENGINE or (address and "://" not in address):
        raise UsageError(f"--engine {text!r}: write dask, or dask=tcp://HOST:PORT")
    return address


@asynccontextmanager
async def on_cluster(
    address: str, lanes: Sequence[Lane], sessions: Sequence[Session], paths: tuple[str, ...], options: PlayOptions
) -> AsyncIterator[tuple[Lane, ...]]:
    """The same lanes, whose attempts are made by a cluster's workers until the block ends. Raises UsageError."""
    distributed = _import_distributed()
    async with _open_client(distributed, address, options.jobs) as client:
        workers = max(1, len((await client.scheduler.identity())["workers"]))
        by_target = {one.target.name: one for one in sessions}
        packages = [_pack(one.variant, by_target[one.variant.target], paths, options, workers) for one in lanes]
        contents: Any = None
        if address:
            packages = [replace(one, root=None) for one in packages]
            root = sessions[0].configuration.root
            whole = {digest: (root / name).read_bytes() for name, digest in packages[0].files.items()}
            [contents] = await client.scatter([whole], broadcast=True)
        journals = {one.variant.label: _Echo(lane.journal) for one, lane in zip(packages, lanes, strict=True)}

        there = _Cluster(client, contents)

        def hear(event: tuple[float, Any]) -> None:
            told = event[1]
            journals[told["variant"]].take(told["worker"], told["line"])
            there.heard[told["worker"], told["variant"]] += 1

        client.subscribe_topic(packages[0].topic, hear)
        try:
            yield tuple(
                replace(lane, elsewhere=partial(_Elsewhere, there, package))
                for lane, package in zip(lanes, packages, strict=True)
            )
        finally:
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(CLOSING_S):
                    await there.close()


def _import_distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise UsageError("--engine dask needs dask: pip install 'assistant-runner[dask]'") from error
    return distributed


@asynccontextmanager
async def _open_client(distributed: Any, address: str, jobs: int) -> AsyncIterator[Any]:
    import dask

    # The profiler looks at each worker every 10 ms, for a page that nobody opens.
    with dask.config.set({"distributed.worker.profile.enabled": False}):
        if address:
            async with AsyncExitStack() as opened:
                client = distributed.Client(address, asynchronous=True, timeout="10s")
                try:
                    await opened.enter_async_context(client)
                except (OSError, TimeoutError) as error:
                    raise UsageError(f"--engine dask={address}: no scheduler answers there: {error}") from error
                try:
                    await client.wait_for_workers(1, timeout=WORKER_WAIT_S)
                except TimeoutError as error:
                    message = f"the cluster has no worker, after {WORKER_WAIT_S:g} s"
                    raise UsageError(f"--engine dask={address}: {message}") from error
                yield client
            return
        processes = min(os.cpu_count() or 1, jobs)
        async with (
            distributed.LocalCluster(
                n_workers=processes, threads_per_worker=1, processes=True,
                asynchronous=True, silence_logs=50, preload=[__name__],
                dashboard_address="127.0.0.1:0", worker_dashboard_address="127.0.0.1:0",
            ) as cluster,
            distributed.Client(cluster, asynchronous=True, direct_to_workers=True) as client,
        ):  # fmt: skip
            yield client


def check_engine(text: str, sessions: Sequence[Session]) -> None:
    """Raises UsageError for what is no engine, and for what can't leave this process."""
    is_local = not find_address(text)
    _import_distributed()
    from runner.functions.python import find_code

    for session in sessions:
        if session.target.server is Server.EMBEDDED:
            raise UsageError(
                f"--engine dask: the server of target '{session.target.name}' lives in this process; `runner serve` "
                "keeps one up for all workers: name its base_url"
            )
        if not is_local and (code := find_code(session.configuration.project, session.configuration.scenarios)):
            raise UsageError(f"--engine dask: code of this project is not sent to other machines: {code[0].code}")


def _pack(variant: Variant, session: Session, paths: tuple[str, ...], options: PlayOptions, workers: int) -> Package:
    from runner.cli._plays import find_inputs

    root = session.configuration.root
    inputs = {*find_inputs(session.configuration), *_find_texts(session)}
    jobs, rate = ceil(options.jobs / workers), options.requests_per_minute and options.requests_per_minute / workers
    return Package(
        variant=variant,
        # What limits the whole is minded where all results come together.
        options=replace(options, jobs=jobs, requests_per_minute=rate, limits=Limits()),
        root=str(root),
        cwd=os.path.relpath(Path.cwd().resolve(), root),
        project_file=os.path.relpath(session.configuration.file.resolve(), root),
        paths=paths,
        files={os.path.relpath(path, root): sha256(path.read_bytes()).hexdigest() for path in sorted(inputs)},
    )


def _find_texts(session: Session) -> Iterator[Path]:
    """What else the project has to have to be read: instructions in files."""
    from runner.config.writing import Unwritable, find_instructions_file

    project = session.configuration.project
    text = session.configuration.file.read_text(encoding="utf-8")
    for one in project.assistants:
        with suppress(Unwritable):
            if name := find_instructions_file(text, one.address):
                yield (session.configuration.file.parent / name).resolve()


class _Echo:
    """A worker's journal entries, taken over into the play's own under numbers of its own."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._numbers: dict[tuple[str, int], int] = {}

    def take(self, worker: str, line: Mapping[str, Any]) -> None:
        from runner.domain.plan import Kind

        fields = dict(line)
        entry, number = fields.pop("entry"), fields.get("number", 0)
        if entry == "intent":
            kind = Kind(fields["kind"])
            self._numbers[worker, number] = self._journal.intend(kind, fields["label"], fields.get("tags", {}))
        elif entry in ("created", "refused", "deleted"):
            if number:
                fields["number"] = self._numbers.pop((worker, number))
            self._journal.record(entry, **fields)


class _Cluster:
    """The cluster's workers, each with what plays the scenarios of a package there.

    `heard` counts the journal entries that came from each, for each variant.
    """

    def __init__(self, client: Any, contents: Any) -> None:
        self.heard = Counter[tuple[str, str]]()
        self._client = client
        self._contents = contents
        self._seats: dict[tuple[str, str], _Seat] = {}
        self._lost: set[str] = set()
        self._listing = asyncio.Lock()
        self._listed_at = -math.inf

    async def play(self, package: Package, scenario: str, assistant: str) -> _Made:
        """An attempt, on the worker that has least to do. Raises RemoteError where two workers died over it."""
        for _ in range(2):
            seat = await self._find_seat(package)
            try:
                return await seat.play(scenario, assistant)
            except _WorkerLost:
                # The scheduler may not know of it yet. What its nanny starts in its place has another address.
                self._lost.add(seat.worker)
                self._listed_at = -math.inf
        raise RemoteError(f"two workers of the cluster died while they played '{scenario}'")

    async def close(self) -> None:
        await asyncio.gather(*(self._leave(*place) for place in self._seats), return_exceptions=True)

    async def _leave(self, worker: str, label: str) -> None:
        told = await self._seats[worker, label].close()
        # Entries come by way of the scheduler: the last may still be on theirs when the worker has answered.
        while self.heard[worker, label] < told:  # noqa: ASYNC110 - a few times at the end, within CLOSING_S
            await asyncio.sleep(GATHER_S)

    async def _find_seat(self, package: Package) -> _Seat:
        waited_s = 0.0
        while True:
            async with self._listing:
                if (now := time.monotonic()) - self._listed_at > LIST_EVERY_S:
                    await self._list(package)
                    self._listed_at = now
                free = [seat for (_, label), seat in self._seats.items() if label == package.variant.label]
            if free:
                return min(free, key=len)
            if waited_s > WORKER_WAIT_S:
                raise RemoteError("the cluster has no worker left")
            self._listed_at = -math.inf
            await asyncio.sleep(0.1)
            waited_s += 0.1

    async def _list(self, package: Package) -> None:
        """Take a seat on each worker that is new, and give up those of workers that are gone."""
        label = package.variant.label
        workers = set((await self._client.scheduler.identity())["workers"]) - self._lost
        for worker in [worker for worker, of in self._seats if of == label and worker not in workers]:
            del self._seats[worker, label]
        for worker in sorted(workers):
            if (worker, label) not in self._seats:
                where = {"workers": [worker], "allow_other_workers": False, "pure": False}
                future = self._client.submit(_World, package, self._contents, actor=True, **where)
                with suppress(TimeoutError, OSError, RuntimeError):
                    async with asyncio.timeout(WORKER_WAIT_S):
                        self._seats[worker, label] = _Seat(worker, await future, future)


class _WorkerLost(Exception):
    """Dask says so of a worker; what it was at is not known."""


class _Seat:
    """What plays on one worker; its length is how many attempts are under way there.

    Many go there with one call, and many come back: a call costs both sides as much as playing a scenario does.
    """

    def __init__(self, worker: str, actor: Any, future: Any) -> None:
        self.worker = worker
        self._actor = actor
        self._future = future  # without it dask would let the actor go
        self._orders: list[_Order] = []
        self._is_ordered = asyncio.Event()
        self._made: dict[int, asyncio.Future[Any]] = {}
        self._numbers = count(1)
        self._courier = asyncio.ensure_future(self._carry())

    def __len__(self) -> int:
        return len(self._made)

    async def play(self, scenario: str, assistant: str) -> _Made:
        """Raises _WorkerLost, and whatever is raised there."""
        if self._courier.done():
            raise _WorkerLost
        number = next(self._numbers)
        self._made[number] = asyncio.get_running_loop().create_future()
        self._orders.append((number, scenario, assistant))
        self._is_ordered.set()
        try:
            made: _Made = await self._made[number]
            return made
        finally:
            del self._made[number]

    async def close(self) -> int:
        """How many journal entries came from there."""
        self._courier.cancel()
        told: int = await self._actor.close()
        return told

    async def _carry(self) -> None:
        try:
            await asyncio.gather(self._give(), self._take())
        except Exception as error:  # noqa: BLE001 - dask has many; what the work raises comes back as data
            for waiting in self._made.values():
                if not waiting.done():
                    waiting.set_exception(_WorkerLost(str(error)))

    async def _give(self) -> None:
        while await self._is_ordered.wait():
            await asyncio.sleep(GATHER_S)
            self._is_ordered.clear()
            orders, self._orders = self._orders, []
            await self._actor.give(orders)

    async def _take(self) -> None:
        while True:
            for number, made in await self._actor.take():
                waiting = self._made.get(number)
                if waiting is None or waiting.done():
                    continue
                if isinstance(made, Exception):
                    waiting.set_exception(made)
                else:
                    waiting.set_result(made)


class _Elsewhere:
    """Makes attempts like a `Player`, on whichever worker has room."""

    def __init__(self, cluster: _Cluster, package: Package, around: Surroundings, means: Means) -> None:
        self._cluster = cluster
        self._package = package
        self._around = around
        self._means = means

    async def play(self, scenario: Scenario, assistant: Assistant) -> Attempt:
        """One attempt. Raises RemoteError where two workers died over it."""
        self._around.emit(TurnStarted(scenario=scenario, variant=self._package.variant, number=1))
        made = await self._cluster.play(self._package, scenario.name, assistant.address)
        self._means.stage.definitions[assistant.address] = made.definition
        turns = []
        for turn in (*made.tried, *made.attempt.turns):
            booked = self._means.budget.book(turn, self._package.variant)
            turns.append(booked)
            self._around.emit(TurnFinished(scenario=scenario, variant=self._package.variant, result=booked))
        self._means.budget.book_judging(made.attempt.verdicts)
        return replace(made.attempt, turns=tuple(turns[len(made.tried) :]))


# What follows runs on a worker.


def dask_setup(_worker: object) -> None:
    """For distributed, on the workers of a local cluster: of Ctrl-C at a terminal the play hears, which ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _ToldJournal(Journal):
    """A journal whose entries go to the play's process, too, before anything is sent that they are about."""

    def __init__(self, path: Path, tell: Callable[[Mapping[str, object]], None]) -> None:
        super().__init__(path)
        self._tell = tell

    def add(self, entry: str, **fields: object) -> None:
        super().add(entry, **fields)
        self._tell({"entry": entry, **fields})


class _World:
    """The project and its opened target on a worker, for all attempts of one play and variant: an actor of dask's.

    It is asked directly, so that an attempt costs the scheduler nothing. Everything is opened by the first attempt.
    """

    def __init__(self, package: Package, contents: Mapping[str, bytes] | None) -> None:
        self._package = package
        self._contents = contents
        self._opened: KeptOpen[tuple[Player, Stage]] | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._finished: list[tuple[int, _Made | Exception]] = []
        self._heard: ContextVar[list[TurnResult]] = ContextVar("heard")
        self._is_finished = asyncio.Event()
        self._is_closed = False
        self._told = 0

    async def give(self, orders: Sequence[_Order]) -> None:
        """Begin these attempts."""
        if self._is_closed:
            return
        for order in orders:
            task = asyncio.ensure_future(self._make(*order))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def take(self) -> list[tuple[int, _Made | Exception]]:
        """What has finished since the last time, waited for; by the orders' numbers."""
        await self._is_finished.wait()
        await asyncio.sleep(GATHER_S)
        self._is_finished.clear()
        finished, self._finished = self._finished, []
        return finished

    async def close(self) -> int:
        """End what is under way: nobody waits for it any more. What is still on its way here begins nothing.

        Returns how many journal entries went to the play.
        """
        self._is_closed = True
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self._is_finished.set()
        if self._opened is not None:
            with suppress(Exception):  # who was told of it is gone
                await self._opened.close()
        return self._told

    async def _make(self, number: int, scenario: str, assistant: str) -> None:
        made: _Made | Exception
        try:
            made = await self._play(scenario, assistant)
        except Exception as error:  # noqa: BLE001 - it is raised where the play is
            made = error
        self._finished.append((number, made))
        self._is_finished.set()

    async def _play(self, scenario: str, assistant: str) -> _Made:
        from runner.execution.stage import KeptOpen

        if self._opened is None:
            self._opened = KeptOpen(self._open())
        player, stage = await self._opened.get()
        found = self._project.find_assistant(assistant)
        assert found is not None, "the same files have the same assistants"
        heard: list[TurnResult] = []
        self._heard.set(heard)
        attempt = await player.play(self._scenarios[scenario], found)
        tried = tuple(heard[: len(heard) - len(attempt.turns)])
        return _Made(attempt=attempt, definition=stage.definitions.get(found.address, ""), tried=tried)

    def _hear(self, event: PlayEvent) -> None:
        if isinstance(event, TurnFinished):
            self._heard.get().append(event.result)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[tuple[Player, Stage]]:
        import shutil

        package, folder = self._package, Path(tempfile.mkdtemp(prefix="runner-worker-"))
        try:
            self._session = await asyncio.to_thread(_read_project, package, self._contents, folder)
            self._scenarios = {one.name: one for one in self._session.configuration.scenarios}
            model, project = package.variant.model, self._session.configuration.project
            self._project = project.with_model(model) if model else project
            async with AsyncExitStack() as opened:
                journal = opened.enter_context(_ToldJournal(folder / "journal.jsonl", self._tell))
                backend, _ = await opened.enter_async_context(self._session.open_target(journal))
                judge = self._session.on_judge(self._scenarios.values())
                ask = await opened.enter_async_context(open_ask(judge, journal, package.options.jobs))
                player, means = await self._furnish(backend, journal, ask)
                yield player, means.stage
                await means.stage.close()
                # What can't be removed stays in the play's journal, which says so.
                await means.cleaner.finish()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _furnish(self, backend: Backend, journal: Journal, ask: Ask) -> tuple[Player, Means]:
        from runner.execution.judging import prepare_checks
        from runner.execution.play import Lane, furnish
        from runner.execution.scheduler import Interruption
        from runner.execution.stage import Cleaner
        from runner.sync import read_remote

        options, clean = self._package.options, self._session.redactor.clean
        await asyncio.to_thread(prepare_checks, tuple(self._scenarios.values()))
        around = Surroundings(emit=self._hear, clock=time.monotonic, interruption=Interruption(), clean=clean, ask=ask)
        lane = Lane(variant=self._package.variant, project=self._project, backend=backend, journal=journal)
        cleaner = Cleaner(backend, journal, keeps=options.keeps)
        means = furnish(lane, await read_remote(backend), cleaner, options, around)
        return Player(around, means), means

    def _tell(self, line: Mapping[str, object]) -> None:
        from distributed import get_worker

        worker = get_worker()
        told = {"variant": self._package.variant.label, "worker": worker.address, "line": dict(line)}
        worker.log_event(self._package.topic, told)
        self._told += 1


def _read_project(package: Package, contents: Mapping[str, bytes] | None, folder: Path) -> Session:
    """The project as this worker sees it, with the secrets of this worker's environment."""
    from runner.config import load_configuration
    from runner.redaction import Redactor

    root = Path(package.root) if package.root else folder / "project"
    if contents is not None:
        for name, digest in package.files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents[digest])
    cwd = root / package.cwd
    cwd.mkdir(parents=True, exist_ok=True)
    configuration = load_configuration(
        file=root / package.project_file, scenario_paths=package.paths, cwd=cwd.resolve(), environment=os.environ
    )
    redactor = Redactor(configuration.secrets)
    return session_on(configuration, package.variant.target, redactor, needs_key=False)
