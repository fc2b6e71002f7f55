"""Listening to one run: what is told of it here, and what other processes do to it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress

from runner.server.engine.core.engine import Engine
from runner.server.engine.core.feed import Event, RunChanged
from runner.server.engine.runs.runs import leave_run
from runner.server.engine.runs.sweep import sweep
from runner.server.engine.state.records import RunRecord
from runner.server.engine.state.refusals import Damaged


class Subscription:
    """Everything that is told of a run from now on, until it is closed."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self._engine = engine
        self._run_id = run_id
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self.close: Callable[[], None] = engine.feed.subscribe(run_id, self._events.put_nowait)

    def leave(self) -> None:
        """Whoever listened has gone, and the run was theirs alone."""
        leave_run(self._engine, self._run_id)

    async def next(self) -> Event | None:
        """What is told next; None if the run is gone.

        Where nothing is told for a while, the run is looked up: another process may have changed it, or have died.
        """
        while True:
            try:
                return await asyncio.wait_for(self._events.get(), self._engine.lifetimes.renewal_s)
            except TimeoutError:
                with suppress(sqlite3.Error, Damaged):
                    sweep(self._engine)
                run = self._engine.store.find(RunRecord, self._run_id)
                return None if run is None else RunChanged(run=run)
