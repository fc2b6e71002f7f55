"""Batches as the engine works on them: how many at once, what a broken window leaves, and what a bug in one costs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from runner.server.engine.batches import (
    REQUESTS_AT_ONCE,
    BatchAnswerRecord,
    BatchOrder,
    BatchState,
    Reply,
    RequestBatchRecord,
    cancel_batch,
    count_answers,
    go_on,
    start_batch,
)
from runner.server.engine.core import Engine, need, open_engine
from runner.server.engine.documents import delete_file, keep_file
from runner.server.engine.state.file_storage import FileRecord
from runner.server.inference.offline import create

DONE = Reply(status=200, request_id="req_1", body='{"usage": null}')


def begin(engine: Engine, count: int, send) -> str:
    lines = (
        {"custom_id": str(number), "method": "POST", "url": "/v1/responses", "body": {"model": "m"}}
        for number in range(count)
    )
    arrival = engine.blobs.write(json.dumps(line).encode() + b"\n" for line in lines)
    file = keep_file(engine, arrival, filename="in.jsonl", purpose="batch")
    return start_batch(engine, BatchOrder(endpoint="/v1/responses", input_file_id=file.id, window="24h"), send).id


async def ended(engine: Engine, batch_id: str) -> RequestBatchRecord:
    async with asyncio.timeout(10):
        while (batch := need(engine, RequestBatchRecord, batch_id)).state.is_active:
            await asyncio.sleep(0.01)
    return batch


async def test_only_so_many_requests_are_made_at_once(tmp_path: Path) -> None:
    at_once: list[int] = []
    open_ = 0

    async def send(_: str, __: bytes) -> Reply:
        nonlocal open_
        open_ += 1
        at_once.append(open_)
        await asyncio.sleep(0.001)
        open_ -= 1
        return DONE

    async with open_engine(tmp_path, create({})) as engine:
        batch = await ended(engine, begin(engine, 3 * REQUESTS_AT_ONCE, send))

    assert (batch.state, batch.total) == (BatchState.COMPLETED, 3 * REQUESTS_AT_ONCE)
    assert max(at_once) == REQUESTS_AT_ONCE


async def test_a_window_that_has_passed_ends_the_batch_with_what_was_answered(tmp_path: Path) -> None:
    now = 1000.0
    first = asyncio.Event()

    async def send_one(_: str, __: bytes) -> Reply:
        if first.is_set():
            await asyncio.Event().wait()
        first.set()
        return DONE

    async def never(_: str, __: bytes) -> Reply:
        raise AssertionError("nothing is asked after the window")

    async with open_engine(tmp_path, create({}), now=lambda: now) as engine:
        batch_id = begin(engine, 3, send_one)
        await first.wait()
        await asyncio.sleep(0.05)
    now += 90_000
    async with open_engine(tmp_path, create({}), now=lambda: now) as engine:
        go_on(engine, never)
        batch = await ended(engine, batch_id)
        outputs, errors = (
            engine.blobs.path(need(engine, FileRecord, file_id or "").sha256).read_text("utf-8").splitlines()
            for file_id in (batch.output_file_id, batch.error_file_id)
        )

    assert batch.state is BatchState.EXPIRED
    assert [json.loads(row)["custom_id"] for row in outputs] == ["0"]
    assert [json.loads(row)["error"]["code"] for row in errors] == ["batch_expired", "batch_expired"]


async def test_a_bug_breaks_a_batch_off_and_the_next_look_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: str, __: bytes) -> Reply:
        raise RuntimeError("a bug")

    async def sound(_: str, __: bytes) -> Reply:
        return DONE

    async with open_engine(tmp_path, create({})) as engine:
        batch_id = begin(engine, 1, broken)
        while batch_id in engine.workers.object_ids:
            await asyncio.sleep(0.01)
        assert need(engine, RequestBatchRecord, batch_id).state is BatchState.IN_PROGRESS
        go_on(engine, sound)
        assert (await ended(engine, batch_id)).state is BatchState.COMPLETED
    assert "broke off" in caplog.text


async def test_a_batch_whose_file_goes_before_all_is_answered_fails_with_what_was(tmp_path: Path) -> None:
    async def send(_: str, __: bytes) -> Reply:
        if engine.store.children(BatchAnswerRecord):
            await asyncio.Event().wait()
        return DONE

    async with open_engine(tmp_path, create({})) as engine:
        batch_id = begin(engine, 3, send)
        async with asyncio.timeout(10):
            while not engine.store.children(BatchAnswerRecord):
                await asyncio.sleep(0.01)
        delete_file(engine, need(engine, RequestBatchRecord, batch_id).input_file_id)
    async with open_engine(tmp_path, create({})) as engine:
        go_on(engine, send)
        batch = await ended(engine, batch_id)
        counted = count_answers(engine, batch)

    assert (batch.state, [one.message for one in batch.mistakes]) == (BatchState.FAILED, ["The input file is gone."])
    assert batch.output_file_id is not None
    assert counted[0] >= 1


async def test_another_process_can_cancel_a_batch_whose_requests_are_quick(tmp_path: Path) -> None:
    async def send(_: str, __: bytes) -> Reply:
        await asyncio.sleep(0)
        if len(asked) == REQUESTS_AT_ONCE:
            cancel_batch(other, batch_id)
        asked.append(1)
        return DONE

    asked: list[int] = []
    async with open_engine(tmp_path, create({})) as engine, open_engine(tmp_path, create({})) as other:
        batch_id = begin(engine, 10 * REQUESTS_AT_ONCE, send)
        batch = await ended(engine, batch_id)

    assert batch.state is BatchState.CANCELLED
    assert len(asked) < 4 * REQUESTS_AT_ONCE
