"""The process's background tasks: one for each object that it works on."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any

from runner.server.engine.refusals import Damaged

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
