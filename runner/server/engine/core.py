"""The engine's parts, how long they live, and the feed, which tells subscribers what just became true."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4
from weakref import WeakValueDictionary

from runner import plugins
from runner.errors import WriteFailed
from runner.server.engine.search import Index
from runner.server.engine.state.file_storage import Blobs, ContainerRecord, StoredFileRecord
from runner.server.engine.state.records import (
    IdKind,
    MessageRecord,
    NewId,
    Record,
    RunRecord,
    RunState,
    StepRecord,
    ThreadRecord,
    ToolCall,
    random_id,
)
from runner.server.engine.state.store import Damaged, Missing, Store, open_database
from runner.server.inference import Inference, SourceMark
from runner.server.sandboxes import need_sandbox
from runner.server.tools import HostedTool, ToolSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """In seconds. A run that has not ended `run_s` after its creation is expired, as at OpenAI (10 minutes).

    `lease_s` is how long a process that fell silent is believed to be alive. `documents_s` is how long a run
    waits for the thread's files to become searchable. `attachment_store_days`: a store made for a message's files.
    `container_s`: a container that nobody uses, as at OpenAI (20 minutes).
    """

    run_s: float = 600.0
    lease_s: float = 10.0
    documents_s: float = 60.0
    attachment_store_days: int = 7
    container_s: float = 1_200.0

    @property
    def renewal_s(self) -> float:
        """How often a living process renews its leases, and looks for cancellations from elsewhere."""
        return self.lease_s / 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFinished:
    """The call at `number` of a step has its outcome; the step may go on."""

    step_id: str
    number: int
    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageGrew:
    """A message that has begun goes on with this text, or with a source that is cited here."""

    message_id: str
    text: str = ""
    source: SourceMark | None = None
    is_refusal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A session, or a run at work, was deleted: told to those who listen to the session's thread, or to the run."""


Event = RunRecord | StepRecord | MessageRecord | StoredFileRecord | CallFinished | MessageGrew | Gone
"""A record is told as it has just become: a run or a step in a state of its life, a message that has begun or ended, a
file that is no longer being indexed (to those who listen to its vector store).
"""
Listener = Callable[[Event], None]


class Feed:
    """Listeners by the id of a run, thread or vector store. Those of other processes are not reached: they poll."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}

    def subscribe(self, object_id: str, listener: Listener) -> Callable[[], None]:
        """Tell `listener` of everything from now on. Returns what ends that; call it once."""
        self._listeners.setdefault(object_id, []).append(listener)

        def unsubscribe() -> None:
            self._listeners[object_id].remove(listener)
            if not self._listeners[object_id]:
                del self._listeners[object_id]

        return unsubscribe

    def tell(self, object_id: str, *events: Event) -> None:
        for event in events:
            for listener in tuple(self._listeners.get(object_id, ())):
                listener(event)


_PACKAGE = "runner.server.tools"


class Toolbox:
    """Hosted tools by name."""

    def __init__(self, settings: ToolSettings) -> None:
        self.settings = settings
        self._tools: dict[str, HostedTool] = {}
        self._loading = asyncio.Lock()

    async def open(self, name: str) -> HostedTool:
        """The tool called `name`. Raises KeyError if there is none."""
        async with self._loading:
            if name not in self._tools:
                module = await asyncio.to_thread(plugins.load_plugin, _PACKAGE, name)
                self._tools[name] = module.create(self.settings)
            return self._tools[name]

    async def forget_gone(self, is_in_use: Callable[[str], bool]) -> None:
        for tool in tuple(self._tools.values()):
            await tool.forget_gone(is_in_use)

    async def close(self) -> None:
        for tool in self._tools.values():
            await tool.close()
        self._tools.clear()


_log = logging.getLogger("runner.server")


class Workers:
    """Starts, cancels and awaits tasks by the id of the object that they work on."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._unsettled: dict[str, Callable[[], None]] = {}

    @property
    def object_ids(self) -> tuple[str, ...]:
        return tuple(self._tasks)

    def start(self, object_id: str, work: Coroutine[Any, Any, None], on_break: Callable[[], None]) -> None:
        """Run `work` in the background. If it is cancelled or crashes (that is logged), `on_break` is called.

        A task that is cancelled before its first step never enters its own `try`: hence the callback.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[object_id] = task

        def settle(done: asyncio.Task[None]) -> None:
            is_current = self._tasks.get(object_id) is done
            if is_current:
                del self._tasks[object_id]
            error = None if done.cancelled() else done.exception()
            if error is not None:
                _log.error("work on %s broke off", object_id, exc_info=error)
            if is_current and (error is not None or done.cancelled()):
                self._unsettled[object_id] = on_break
                try:
                    self.settle()
                except (sqlite3.Error, Damaged):
                    _log.exception("the end of the work on %s could not be written down", object_id)

        task.add_done_callback(settle)

    def settle(self) -> None:
        """Write down what broke off and could not be written down yet. Raises what still stands in the way."""
        for object_id, on_break in tuple(self._unsettled.items()):
            on_break()
            del self._unsettled[object_id]

    def cancel(self, object_id: str) -> None:
        if (task := self._tasks.get(object_id)) is not None:
            task.cancel()

    async def stop(self) -> None:
        """Cancel every task and wait for it; done callbacks have run when this returns."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


INDEXED_AT_ONCE = 2
STALE_ARRIVAL_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What the functions of this package work with. `owner` names this process in leases; `now` is in Unix seconds."""

    store: Store
    blobs: Blobs
    index: Index
    inference: Inference
    lifetimes: Lifetimes
    now: Callable[[], float]
    owner: str
    new_id: NewId = random_id
    toolbox: Toolbox = field(default_factory=lambda: Toolbox(ToolSettings()))
    workers: Workers = field(default_factory=Workers)
    feed: Feed = field(default_factory=Feed)
    container_locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    indexing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(INDEXED_AT_ONCE))

    def hold(self, object_id: str) -> None:
        """Take an object into this process's care."""
        self.store.hold(object_id, self.owner, self.now() + self.lifetimes.lease_s)

    def is_in_use(self, place_id: str) -> bool:
        """Whether there is such a thread, or such a container that has not expired."""
        container = self.store.find(ContainerRecord, place_id)
        if container is not None:
            return not container.has_expired(self.now())
        return self.store.find(ThreadRecord, place_id) is not None


@contextlib.asynccontextmanager
async def open_engine(
    state: Path,
    inference: Inference,
    *,
    lifetimes: Lifetimes | None = None,
    now: Callable[[], float] = time.time,
    tools: ToolSettings | None = None,
) -> AsyncIterator[Engine]:
    """An engine on a state folder (made if missing), for as long as the context lasts.

    At its end all work is cancelled and settled. Raises WriteFailed if the folder can't be used, UsageError if the
    sandbox is not there.
    """
    tools = tools or ToolSettings()
    need_sandbox(tools.sandbox)
    database = _prepare(state)
    with contextlib.ExitStack() as opened:
        try:
            store = opened.enter_context(contextlib.closing(Store(open_database(database))))
            index = opened.enter_context(contextlib.closing(Index(database)))
            blobs = Blobs(state / "blobs")
            blobs.discard_stale(now() - STALE_ARRIVAL_S)
        except (sqlite3.Error, OSError) as error:
            raise WriteFailed(f"cannot use the embedded server's state {state}: {error}") from error
        engine = Engine(
            store=store,
            blobs=blobs,
            index=index,
            inference=inference,
            lifetimes=lifetimes or Lifetimes(),
            now=now,
            owner=uuid4().hex,
            toolbox=Toolbox(tools),
        )
        keeper = asyncio.create_task(_keep_leases(engine))
        try:
            yield engine
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await engine.workers.stop()
            await engine.toolbox.close()
            if (close := getattr(inference, "close", None)) is not None:
                await close()


def _prepare(state: Path) -> Path:
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise WriteFailed(f"cannot make the embedded server's state folder {state}: {error.strerror}") from error
    return state / "server.db"


async def _keep_leases(engine: Engine) -> None:
    """Show that this process is alive, forget what is gone, and stop what another process cancelled or deleted."""
    while True:
        await asyncio.sleep(engine.lifetimes.renewal_s)
        # The database may be busy for too long, its disk full, an object damaged: the next round tries again.
        with contextlib.suppress(sqlite3.Error, OSError, Damaged):
            engine.store.renew_leases(engine.owner, engine.now() + engine.lifetimes.lease_s)
            for object_id in engine.workers.object_ids:
                run = engine.store.find(RunRecord, object_id)
                if run is not None and run.state is RunState.CANCELLING:
                    engine.feed.tell(run.id, run)
                    engine.workers.cancel(object_id)
                elif run is None and object_id.startswith(IdKind.RUN.prefix):
                    engine.workers.cancel(object_id)
            await engine.toolbox.forget_gone(engine.is_in_use)


R = TypeVar("R", bound=Record)


def need(engine: Engine, cls: type[R], object_id: str, parent_id: str = "") -> R:
    """The record. Raises Missing if there is none, or if it belongs to another parent."""
    record = engine.store.find(cls, object_id)
    if record is None or (parent_id and record.parent_id != parent_id):
        raise Missing(cls.KIND, object_id, parent_id)
    return record


def drop(engine: Engine, cls: type[R], object_id: str) -> None:
    """Delete a record with everything that it is the parent of. Raises Missing if there is none."""
    engine.store.delete(need(engine, cls, object_id).id)


def set_fields(engine: Engine, cls: type[R], object_id: str, **fields: object) -> R:
    """Change a record; what is None stays as it is. Raises Missing if there is none."""
    said: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    with engine.store.transaction():
        record = replace(need(engine, cls, object_id), **said)
        engine.store.replace(record)
    return record
