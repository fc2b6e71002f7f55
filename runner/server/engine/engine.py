"""The engine's parts, and how long they live."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4
from weakref import WeakValueDictionary

from runner.errors import WriteFailed
from runner.server.engine.blobs import Blobs
from runner.server.engine.container_records import ContainerRecord
from runner.server.engine.database import open_database
from runner.server.engine.expiry import Lifetimes
from runner.server.engine.feed import Feed, RunChanged
from runner.server.engine.ids import NewId, random_id
from runner.server.engine.index import Index
from runner.server.engine.records import RunRecord, RunState, ThreadRecord
from runner.server.engine.refusals import Damaged
from runner.server.engine.store import Store
from runner.server.engine.toolbox import Toolbox
from runner.server.engine.workers import Workers
from runner.server.inference import Inference
from runner.server.sandboxes import need_sandbox
from runner.server.tools import ToolSettings

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
    new_id: NewId
    owner: str
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
    new_id: NewId = random_id,
    tools: ToolSettings | None = None,
) -> AsyncIterator[Engine]:
    """An engine on a state folder (made if missing), for as long as the context lasts.

    At its end all work is cancelled and settled. Raises WriteFailed if the folder can't be used, UsageError if the
    sandbox is not there.
    """
    tools = tools or ToolSettings()
    need_sandbox(tools.sandbox)
    database = _prepare(state)
    try:
        store = Store(open_database(database))
        index = Index(database)
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
        new_id=new_id,
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
        await _close_inference(inference)
        index.close()
        store.close()


def _prepare(state: Path) -> Path:
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise WriteFailed(f"cannot make the embedded server's state folder {state}: {error.strerror}") from error
    return state / "server.db"


async def _close_inference(inference: Inference) -> None:
    close = getattr(inference, "close", None)
    if close is not None:
        await close()


async def _keep_leases(engine: Engine) -> None:
    """Show that this process is alive, forget what is gone, and stop what another process asked to cancel."""
    while True:
        await asyncio.sleep(engine.lifetimes.renewal_s)
        # The database may be busy for too long, its disk full, an object damaged: the next round tries again.
        with contextlib.suppress(sqlite3.Error, OSError, Damaged):
            engine.store.renew_leases(engine.owner, engine.now() + engine.lifetimes.lease_s)
            for object_id in engine.workers.object_ids:
                run = engine.store.find(RunRecord, object_id)
                if run is not None and run.state is RunState.CANCELLING:
                    engine.feed.tell(run.id, RunChanged(run=run))
                    engine.workers.cancel(object_id)
            await engine.toolbox.forget_gone(engine.is_in_use)
