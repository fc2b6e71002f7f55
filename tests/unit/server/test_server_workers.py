"""Background work that breaks off, and what is written down of it."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from runner.server.engine.core import Workers


async def test_an_end_that_could_not_be_written_down_is_written_once_there_is_room() -> None:
    room, written = False, []

    def write() -> None:
        if not room:
            raise sqlite3.OperationalError("database or disk is full")
        written.append("ended")

    workers = Workers()
    workers.start("run_1", break_off(), on_break=write)
    await workers.stop()
    with pytest.raises(sqlite3.OperationalError):
        workers.settle()

    room = True
    workers.settle()
    workers.settle()
    assert written == ["ended"]


async def break_off() -> None:
    await asyncio.sleep(0)
    raise ValueError("broken")
