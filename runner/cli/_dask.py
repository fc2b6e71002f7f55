"""`--engine dask`: attempts are made by the workers of a dask cluster, a local one or one that is there.

What goes to a worker is self-contained: the project's files by their hash, the scenario's name, and the names of
secrets, whose values come from the worker's own environment. What comes back is an attempt, as a player here would
have made it: repeats, limits, the kept play and the reports know no difference. What a worker makes on the remote side
it tells the play's journals at once, so that what it leaves when it dies is cleaned up.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.checks import Ask
from runner.cli._session import Session
from runner.domain.assistant import Assistant, Server
from runner.domain.report import Attempt, TurnFinished, TurnStarted, Variant
from runner.domain.scenario import Scenario
from runner.errors import RemoteError, UsageError
from runner.execution.judging import Asker
from runner.execution.player import Means, Player, Surroundings
from runner.journal import Journal

if TYPE_CHECKING:
    from runner.execution.play import Lane, PlayOptions

ENGINE = "dask"
CLOSING_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What a worker has to know to play scenarios of one variant; plain data, without any secret.

    `root` is the project's folder where the worker sees the same files; None: they are in what is sent along, by the
    hash that `files` has for each path. `cwd` and `project_file` are relative to it. `session` tells two times of one
    play apart: what is still on its way to a worker when one ends must not begin anything.
    """

    play_id: str
    session: str = ""
    variant: Variant
    root: str | None
    cwd: str
    project_file: str
    paths: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    jobs: int = 1
    requests_per_minute: float | None = None
    keeps: bool = False
    demands_synced: bool = False

    @property
    def topic(self) -> str:
        return f"runner-{self.play_id}-{self.session}"


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
        mark = secrets.token_hex(4)
        packages = [
            replace(_pack(lane.variant, _session_of(lane, sessions), paths, options, workers), session=mark)
            for lane in lanes
        ]
        contents: Any = None
        if address:
            packages = [replace(one, root=None) for one in packages]
            root = sessions[0].configuration.root
            whole = {digest: (root / name).read_bytes() for name, digest in packages[0].files.items()}
            [contents] = await client.scatter([whole], broadcast=True)
        journals = {one.variant.label: _Echo(lane.journal) for one, lane in zip(packages, lanes, strict=True)}

        def hear(event: tuple[float, Any]) -> None:
            told = event[1]
            journals[told["variant"]].take(told["worker"], told["line"])

        client.subscribe_topic(packages[0].topic, hear)
        try:
            yield tuple(
                replace(lane, elsewhere=_player_of(client, package, contents))
                for lane, package in zip(lanes, packages, strict=True)
            )
        finally:
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(CLOSING_S):
                    await client.run(_close_worlds, mark)


def _import_distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise UsageError("--engine dask needs dask: pip install 'assistant-runner[dask]'") from error
    return distributed


@asynccontextmanager
async def _open_client(distributed: Any, address: str, jobs: int) -> AsyncIterator[Any]:
    import dask

    # A worker that dies takes what it works at along once; what kills a second one as well is an error.
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
        if address:
            try:
                async with distributed.Client(address, asynchronous=True, timeout="10s") as client:
                    yield client
            except (OSError, TimeoutError) as error:
                raise UsageError(f"--engine dask={address}: no scheduler answers there: {error}") from error
            return
        processes = min(os.cpu_count() or 1, jobs)
        async with (
            distributed.LocalCluster(
                n_workers=processes, threads_per_worker=ceil(jobs / processes), processes=True,
                asynchronous=True, dashboard_address=None, silence_logs=50, preload=[__name__],
                # Otherwise it is a port that everybody's cluster wants.
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            ) as cluster,
            distributed.Client(cluster, asynchronous=True) as client,
        ):  # fmt: skip
            yield client


def check_engine(text: str, sessions: Sequence[Session]) -> None:
    """Raises UsageError for what is no engine, and for what can't leave this process."""
    is_local = not find_address(text)
    _import_distributed()
    from runner.execution.answering import find_code

    for session in sessions:
        if session.target.server is Server.EMBEDDED:
            raise UsageError(
                f"--engine dask: the server of target '{session.target.name}' lives in this process; `runner serve` "
                "keeps one up for all workers: name its base_url"
            )
        if not is_local and (code := find_code(session.configuration.project, session.configuration.scenarios)):
            raise UsageError(f"--engine dask: code of this project is not sent to other machines: {code[0].code}")


def _session_of(lane: Lane, sessions: Sequence[Session]) -> Session:
    return next(one for one in sessions if one.target.name == lane.variant.target)


def _pack(variant: Variant, session: Session, paths: tuple[str, ...], options: PlayOptions, workers: int) -> Package:
    from runner.cli._plays import find_inputs

    root = session.configuration.root
    inputs = {*find_inputs(session.configuration), *_find_texts(session)}
    return Package(
        play_id=options.play_id,
        variant=variant,
        root=str(root),
        cwd=os.path.relpath(Path.cwd().resolve(), root),
        project_file=os.path.relpath(session.configuration.file.resolve(), root),
        paths=paths,
        files={os.path.relpath(path, root): sha256(path.read_bytes()).hexdigest() for path in sorted(inputs)},
        jobs=ceil(options.jobs / workers),
        requests_per_minute=options.requests_per_minute and options.requests_per_minute / workers,
        keeps=options.keeps,
        demands_synced=options.demands_synced,
    )


def _find_texts(session: Session) -> list[Path]:
    """The files of instructions."""
    from runner.config.writing import Unwritable, find_instructions_file

    text = session.configuration.file.read_text(encoding="utf-8")
    found = []
    for one in session.configuration.project.assistants:
        with suppress(Unwritable):
            if name := find_instructions_file(text, one.address):
                found.append((session.configuration.file.parent / name).resolve())
    return found


class _Echo:
    """A worker's journal entries, taken over into the play's own under numbers of its own."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._numbers: dict[tuple[str, int], int] = {}

    def take(self, worker: str, line: Mapping[str, Any]) -> None:
        from runner.domain.plan import Kind

        fields = dict(line)
        entry, number = fields.pop("entry"), fields.get("number", 0)
        journal = self._journal
        match entry:
            case "intent":
                kind = Kind(fields["kind"])
                self._numbers[worker, number] = journal.intend(kind, fields["label"], fields.get("tags", {}))
            case "created" if "number" in fields:
                journal.created(self._numbers.pop((worker, number)), fields["id"])
            case "created":
                journal.found(Kind(fields["kind"]), fields["id"], fields.get("label", ""))
            case "refused":
                journal.refused(self._numbers.pop((worker, number)), fields["reason"])
            case "deleted":
                journal.deleted(Kind(fields["kind"]), fields["id"])


def _player_of(client: Any, package: Package, contents: Any) -> Callable[[Surroundings, Means], Any]:
    return lambda around, means: _Elsewhere(client, package, contents, around, means)


class _Elsewhere:
    """Makes attempts like a `Player`, on whichever worker has room."""

    def __init__(self, client: Any, package: Package, contents: Any, around: Surroundings, means: Means) -> None:
        self._client = client
        self._package = package
        self._contents = contents
        self._around = around
        self._means = means

    async def play(self, scenario: Scenario, assistant: Assistant) -> Attempt:
        """One attempt. Raises RemoteError where two workers died over it."""
        self._around.emit(TurnStarted(scenario=scenario, variant=self._package.variant, number=1))
        future = self._client.submit(
            _play_attempt, self._package, self._contents, scenario.name, assistant.address, pure=False
        )
        try:
            made: tuple[Attempt, str] = await future
        except asyncio.CancelledError:
            with suppress(Exception):
                await future.cancel()
            raise
        attempt, self._means.stage.definitions[assistant.address] = made
        turns = []
        for turn in attempt.turns:
            booked = self._means.budget.book(turn, self._package.variant)
            turns.append(booked)
            self._around.emit(TurnFinished(scenario=scenario, variant=self._package.variant, result=booked))
        self._means.budget.book_judging(attempt.verdicts)
        return replace(attempt, turns=tuple(turns))


# What follows runs on a worker.

_worlds: dict[tuple[str, str], asyncio.Task[_World]] = {}
"""What is open on this worker, by session and variant: the one place where a process has to remember it."""
_over: set[str] = set()
"""The sessions that have ended."""


def dask_setup(_worker: object) -> None:
    """For distributed, on the workers of a local cluster: of Ctrl-C at a terminal the play hears, which ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


async def _play_attempt(
    package: Package, contents: Mapping[str, bytes] | None, scenario: str, assistant: str
) -> tuple[Attempt, str]:
    key = package.session, package.variant.label
    if package.session in _over:
        raise asyncio.CancelledError
    if key not in _worlds:
        _worlds[key] = asyncio.ensure_future(_World.open(package, contents))
    world = await asyncio.shield(_worlds[key])
    return await world.play(scenario, assistant)


async def _close_worlds(session: str) -> None:
    _over.add(session)
    for key in [key for key in _worlds if key[0] == session]:
        with suppress(RemoteError):
            await (await _worlds.pop(key)).close()


class _ToldJournal(Journal):
    """A journal whose entries go to the play's process, too, before anything is sent that they are about."""

    def __init__(self, path: Path, tell: Callable[[Mapping[str, object]], None]) -> None:
        super().__init__(path)
        self._tell = tell

    def add(self, entry: str, **fields: object) -> None:
        super().add(entry, **fields)
        self._tell({"entry": entry, **fields})


class _World:
    """The project and its opened target on a worker, for all attempts of one play and variant."""

    def __init__(self, session: Session, package: Package, folder: Path) -> None:
        self._session = session
        self._package = package
        self._folder = folder
        self._scenarios = {one.name: one for one in session.configuration.scenarios}
        model = package.variant.model
        project = session.configuration.project
        self._project = project.with_model(model) if model else project
        self._ready: asyncio.Future[tuple[Player, Any]] = asyncio.get_running_loop().create_future()
        self._attempts: set[asyncio.Task[Attempt]] = set()
        self._over = asyncio.Event()
        self._keeper = asyncio.ensure_future(self._keep_open())

    @classmethod
    async def open(cls, package: Package, contents: Mapping[str, bytes] | None) -> _World:
        folder = Path(tempfile.mkdtemp(prefix="runner-worker-"))
        session = await asyncio.to_thread(_read_project, package, contents, folder)
        world = cls(session, package, folder)
        await asyncio.shield(world._ready)
        return world

    async def play(self, scenario: str, assistant: str) -> tuple[Attempt, str]:
        player, stage = self._ready.result()
        found = self._project.find_assistant(assistant)
        assert found is not None, "the same files have the same assistants"
        attempt = asyncio.ensure_future(player.play(self._scenarios[scenario], found))
        self._attempts.add(attempt)
        try:
            return await attempt, stage.definitions.get(assistant, "")
        finally:
            self._attempts.discard(attempt)

    async def close(self) -> None:
        """What an interruption finds under way ends first, so that nothing is made behind the cleaner's back."""
        for attempt in self._attempts:
            attempt.cancel()
        await asyncio.gather(*self._attempts, return_exceptions=True)
        self._over.set()
        await self._keeper

    async def _keep_open(self) -> None:
        """Open everything, and close it when it is over: by one task, as contexts of asyncio want it."""
        import shutil

        try:
            async with AsyncExitStack() as opened:
                journal = opened.enter_context(_ToldJournal(self._folder / "journal.jsonl", self._tell))
                target = await opened.enter_async_context(self._session.open_target(journal))
                ask: Ask = Asker()
                if judge := self._session.on_judge(self._scenarios.values()):
                    ask = await opened.enter_async_context(judge.open_judge(journal))
                cleaner, stage = await self._furnish(target.backend, journal, ask)
                await self._over.wait()
                await stage.close()
                # What can't be removed stays in the play's journal, which says so.
                await cleaner.finish()
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _furnish(self, backend: Any, journal: Journal, ask: Ask) -> tuple[Any, Any]:
        import time

        from runner.execution.budget import Budget, Limits
        from runner.execution.judging import prepare_checks
        from runner.execution.limiter import Limiter
        from runner.execution.scheduler import Interruption
        from runner.execution.stage import Cleaner, Stage
        from runner.sync import read_remote

        package, clean = self._package, self._session.redactor.clean
        await asyncio.to_thread(prepare_checks, tuple(self._scenarios.values()))
        around = Surroundings(
            emit=lambda _: None, clock=time.monotonic, interruption=Interruption(), clean=clean, ask=ask
        )
        stage = Stage(
            backend,
            self._project.namespace,
            package.play_id,
            await read_remote(backend),
            demands_synced=package.demands_synced,
            clean=clean,
        )
        cleaner = Cleaner(backend, journal, keeps=package.keeps)
        means = Means(
            variant=package.variant,
            backend=backend,
            stage=stage,
            cleaner=cleaner,
            limiter=Limiter(
                jobs=package.jobs,
                clock=around.clock,
                sleep=around.sleep,
                per_minute=package.requests_per_minute,
            ),
            budget=Budget(Limits(), self._project.prices, around.interruption),
            keeps=package.keeps,
        )
        self._ready.set_result((Player(around, means), stage))
        return cleaner, stage

    def _tell(self, line: Mapping[str, object]) -> None:
        from distributed import get_worker

        worker = get_worker()
        told = {"variant": self._package.variant.label, "worker": worker.address, "line": dict(line)}
        worker.log_event(self._package.topic, told)


def _read_project(package: Package, contents: Mapping[str, bytes] | None, folder: Path) -> Session:
    """The project as this worker sees it, with the secrets of this worker's environment."""
    from runner.cli._targets import key_variables
    from runner.config import load_configuration
    from runner.config.declared_targets import find_target
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
    target = find_target(configuration.project, package.variant.target)
    keys = {os.environ.get(variable, "") for variable in key_variables(target)} - {""}
    return Session(configuration=configuration, target=target, redactor=Redactor(configuration.secrets | keys))
