"""What the client does with runs and files that go wrong, or take their time."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import assistants_wire as wire
import pytest
from backend_talk import KEY, CountingGate, always, talking
from wire_server import Seen, refusal, reply, wire_server

from runner.backends import GATE, QUEUED_TOO_LONG, Endpoint
from runner.backends.assistants.backend import open_backend
from runner.domain.conversation import FileId, RunStatus, StoreId
from runner.domain.files import Chunking, FileUse
from runner.domain.plan import Kind
from runner.errors import DeadlineExceeded, RemoteError, UsageError
from runner.journal import Journal

STORE = {"id": "vs_1", "object": "vector_store", "created_at": 7, "metadata": {}}


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager]:
    return partial(talking, tmp_path)


# Runs ------------------------------------------------------------------------------------------------------------


def playing(*runs: dict, cancelled: dict | None = None, steps: list | None = None, messages: list | None = None):
    """A server whose run shows these states one after the other, the last one for ever."""
    left = list(runs)
    lists = {"messages": messages or [[wire.message()]], "steps": steps or [[]]}

    def answer(seen: Seen) -> list:
        last = seen.path.rsplit("/", 1)[1]
        if last in lists:
            rows = lists[last].pop(0) if len(lists[last]) > 1 else lists[last][0]
            return reply(wire.page(*rows))
        if last == "cancel":
            left[:] = [cancelled or wire.run("cancelled")]
            return reply(left[0])
        return reply(left.pop(0) if len(left) > 1 else left[0])

    return answer


async def test_a_turn_in_a_new_thread_takes_four_requests(talk):
    async with talk(playing(wire.run("queued"), wire.run())) as (backend, server, journal):
        run = await backend.ask(wire.question(store_id=StoreId("vs_1"), tags={"runner.play": "p"}))
        assert (run.status, run.text) == (RunStatus.COMPLETED, "It is 39.25.")
        assert server.calls[:2] == ["POST /threads/runs", "GET /threads/thread_1/runs/run_1"]
        assert sorted(server.calls[2:]) == ["GET /threads/thread_1/messages", "GET /threads/thread_1/runs/run_1/steps"]
        assert server.seen[0].json["thread"] == {
            "messages": [{"role": "user", "content": "How much?"}],
            "metadata": {"runner.play": "p"},
            "tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}},
        }
        assert journal.live == ((Kind.THREAD, "thread_1"),)


async def test_a_later_turn_takes_no_more_and_a_store_is_given_to_its_thread_once(talk):
    async with talk(playing(wire.run())) as (backend, server, _):
        thread_id = (await backend.ask(wire.question())).thread_id
        del server.seen[:]
        for _ in range(2):
            await backend.ask(wire.question(thread_id=thread_id, store_id=StoreId("vs_1")))
        posts = [call for call in server.calls if call.startswith("POST")]
        assert posts == ["POST /threads/thread_1", "POST /threads/thread_1/runs", "POST /threads/thread_1/runs"]
        assert server.seen[1].json["additional_messages"] == [{"role": "user", "content": "How much?"}]


async def test_a_later_turn_passes_the_gate_as_the_first_one_does(talk):
    gate = CountingGate()
    token = GATE.set(gate)
    try:
        async with talk(playing(wire.run())) as (backend, _, _):
            thread_id = (await backend.ask(wire.question())).thread_id
            await backend.ask(wire.question(thread_id=thread_id))
    finally:
        GATE.reset(token)
    assert (gate.entered, gate.taken) == (2, 2)


@pytest.mark.fault("S1")
@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelling", "dreaming"])
async def test_a_run_that_does_not_end_is_cancelled_at_the_deadline(talk, status):
    async with talk(playing(wire.run(status)), hurried=False) as (backend, server, _):
        run = await backend.ask(wire.question(deadline_s=0.15))
        assert run.status is RunStatus.CANCELLED
        assert run.error == f"the run was still '{status}' after 0 s, and was cancelled"
        assert server.calls[-1] == "POST /threads/thread_1/runs/run_1/cancel"


@pytest.mark.fault("S1")
async def test_a_run_that_is_queued_for_too_long_is_cancelled_before_the_turn_s_time_is_over(talk):
    async with talk(playing(wire.run("queued")), hurried=False) as (backend, server, _):
        run = await backend.ask(wire.question(queue_s=0.15))
        assert (run.status, run.error_code) == (RunStatus.CANCELLED, QUEUED_TOO_LONG)
        assert run.error == "the run was still 'queued' after 0.15 s, and was cancelled"
        assert server.calls[-1] == "POST /threads/thread_1/runs/run_1/cancel"


@pytest.mark.fault("S1")
async def test_a_run_at_work_for_longer_than_the_queue_may_take_goes_on_to_its_deadline(talk):
    async with talk(playing(wire.run("in_progress")), hurried=False) as (backend, _, _):
        run = await backend.ask(wire.question(queue_s=0.05, deadline_s=0.3))
        assert (run.error_code, run.error) == (None, "the run was still 'in_progress' after 0 s, and was cancelled")


@pytest.mark.fault("S1", "S2")
async def test_a_run_that_can_t_be_cancelled_either_is_said_to_be_so(talk, monkeypatch):
    monkeypatch.setattr("runner.backends.assistants.backend.CANCELLING_S", 0.1)
    stuck = playing(wire.run("in_progress"), cancelled=wire.run("cancelling"))
    async with talk(stuck, hurried=False) as (backend, _, _):
        run = await backend.ask(wire.question(deadline_s=0.3))
        assert "and could not be cancelled: it was 'cancelling'" in run.error


async def test_functions_that_a_run_waits_for_end_it_with_their_names(talk):
    async with talk(playing(wire.waiting(("call_1", "rate", "{}")))) as (backend, server, _):
        run = await backend.ask(wire.question())
        assert run.status is RunStatus.FAILED
        assert run.error == "the assistant calls functions that nothing here answers: rate"
        assert "POST /threads/thread_1/runs/run_1/cancel" in server.calls


async def test_a_last_step_that_is_listed_late_is_read_again_once(talk):
    late = [[wire.step(status="in_progress")], [wire.step({"type": "file_search", "file_search": {}})]]
    async with talk(playing(wire.run(), steps=late)) as (backend, server, _):
        run = await backend.ask(wire.question())
        assert [(step.tool, step.completed) for step in run.steps] == [("file_search", True)]
        assert sum(call.endswith("/steps") for call in server.calls) == 2


async def test_the_server_s_poll_delay_is_kept(tmp_path):
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    def answer(seen: Seen) -> list:
        if seen.path.endswith(("/messages", "/steps")):
            return reply(wire.page())
        return reply(wire.run("queued" if seen.method == "POST" else "completed"), openai_poll_after_ms="777")

    async with wire_server(answer) as server:
        with Journal(tmp_path / "journal.jsonl") as journal:
            async with open_backend(Endpoint(base_url=server.url, key=KEY), journal, sleep=sleep) as backend:
                await backend.ask(wire.question())
    assert slept == [0.777]


# Files -----------------------------------------------------------------------------------------------------------


def batch(status: str = "completed", **counts: int) -> dict:
    empty = dict.fromkeys(("in_progress", "completed", "failed", "cancelled", "total"), 0)
    return {"id": "vsfb_1", "created_at": 7, "status": status, "file_counts": empty | counts}


def indexing(*batches: dict, files: tuple[dict, ...] = ()):
    left = list(batches)

    def answer(seen: Seen) -> list:
        if seen.path == "/files":
            return reply({"id": f"file-{len(seen.body)}", "object": "file"})
        if seen.path.endswith("/files"):
            return reply(wire.page(*files))
        return reply(left.pop(0) if len(left) > 1 else left[0])

    return answer


TWO = {FileId("file-1"): "a" * 64, FileId("file-2"): "b" * 64}


async def test_files_are_attached_together_with_their_hashes_and_waited_for(talk):
    states = (batch("in_progress"), batch("in_progress", in_progress=2, total=2), batch(completed=2, total=2))
    async with talk(indexing(*states)) as (backend, server, _):
        await backend.files.attach_files(StoreId("vs_1"), TWO, deadline_s=5)
        assert server.seen[0].json["files"][0] == {"file_id": "file-1", "attributes": {"runner.sha256": "a" * 64}}
        assert len(server.seen) == 3


async def test_a_file_says_how_it_is_to_be_cut_up_only_if_that_was_said(talk):
    chunking = {FileId("file-2"): Chunking(max_tokens=200, overlap_tokens=50)}
    async with talk(indexing(batch(completed=2, total=2))) as (backend, server, _):
        await backend.files.attach_files(StoreId("vs_1"), TWO, deadline_s=5, chunking=chunking)
        first, second = server.seen[0].json["files"]
        assert "chunking_strategy" not in first
        assert second["attributes"] == {"runner.sha256": "b" * 64, "runner.chunking": "200/50"}
        static = {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}
        assert second["chunking_strategy"] == {"type": "static", "static": static}


async def test_more_files_than_a_batch_takes_go_in_several(talk):
    many = {FileId(f"file-{number}"): "a" * 64 for number in range(2001)}
    states = (batch(completed=2000, total=2000), batch(completed=1, total=1))
    async with talk(indexing(*states)) as (backend, server, _):
        await backend.files.attach_files(StoreId("vs_1"), many, deadline_s=5)
        assert [len(seen.json["files"]) for seen in server.seen] == [2000, 1]


async def test_each_file_that_failed_is_named_with_its_reason(talk, tmp_path):
    (tmp_path / "scan.pdf").write_bytes(b"x")
    broken = {"status": "failed", "last_error": {"code": "invalid_file", "message": "No text."}}
    files = ({"id": "file-1", **broken}, {"id": "file-2", "status": "completed", "last_error": None})
    async with talk(indexing(batch(completed=1, failed=1, total=2), files=files)) as (backend, _, _):
        with pytest.raises(RemoteError, match=r"while attaching 2 files .*: the file file-1: No text.$"):
            await backend.files.attach_files(StoreId("vs_1"), TWO, deadline_s=5)
        uploaded = await backend.files.upload_file(tmp_path / "scan.pdf", "scan.pdf", FileUse.FILE_SEARCH)
    async with talk(indexing(batch(failed=1, total=1), files=({"id": uploaded, **broken},))) as (backend, _, _):
        await backend.files.upload_file(tmp_path / "scan.pdf", "scan.pdf", FileUse.FILE_SEARCH)
        with pytest.raises(RemoteError, match=r"while attaching 'scan.pdf' .*: 'scan.pdf': No text.$"):
            await backend.files.attach_files(StoreId("vs_1"), {uploaded: "a" * 64}, deadline_s=5)


@pytest.mark.parametrize(
    "state",
    [batch(), batch(completed=1, total=1), batch(completed=3, total=2), batch("cancelled", cancelled=2, total=2)],
    ids=["all zero", "too few", "too many", "cancelled"],
)
async def test_counts_that_don_t_add_up_are_an_error(talk, state):
    async with talk(indexing(state)) as (backend, _, _):
        with pytest.raises(RemoteError, match=r"the server reports .* of 2 that were attached"):
            await backend.files.attach_files(StoreId("vs_1"), TWO, deadline_s=5)


async def test_files_that_are_never_indexed_end_at_the_deadline_with_the_last_state(talk):
    async with talk(indexing(batch("in_progress", in_progress=2, total=2)), hurried=False) as (backend, _, _):
        with pytest.raises(DeadlineExceeded, match="the last state is: in_progress, 0 of 2 files done"):
            await backend.files.attach_files(StoreId("vs_1"), TWO, deadline_s=0.1)


async def test_only_files_that_can_be_searched_are_listed(talk):
    rows = [
        {"id": "file-1", "status": "completed", "attributes": {"runner.sha256": "ab", "runner.name": "menu.txt"}},
        {"id": "file-2", "status": "failed", "attributes": {"runner.sha256": "cd"}},
        {"id": "file-3", "status": "completed", "attributes": None},
    ]
    async with talk(always(*reply(wire.page(*rows)))) as (backend, _, _):
        stored = await backend.files.list_store_files(StoreId("vs_1"))
    assert [(one.file_id, one.sha256, one.filename) for one in stored] == [
        ("file-1", "ab", "menu.txt"),
        ("file-3", "", ""),
    ]


async def test_a_store_is_tagged_in_the_call_that_creates_it_and_expires(talk):
    async with talk(always(*reply(STORE))) as (backend, server, journal):
        await backend.files.create_store("play", {"runner.play": "p"}, expires_after_days=1)
        assert server.seen[0].json == {
            "name": "play",
            "metadata": {"runner.play": "p"},
            "expires_after": {"anchor": "last_active_at", "days": 1},
        }
        await backend.files.delete_store(StoreId("vs_1"))
        assert journal.live == ()


async def test_a_file_is_sent_under_the_name_given_whatever_it_is_called_here(talk, tmp_path):
    path = tmp_path / "abc.tmp"
    path.write_bytes(b"Burger 23.75")
    async with talk(always(*reply({"id": "file-1"}))) as (backend, server, journal):
        await backend.files.upload_file(path, "Menü “1”.txt", FileUse.INPUT, expires_after_days=1)
        body = server.seen[0].body
        assert "Menü “1”.txt".encode() in body
        assert b"Burger 23.75" in body
        assert b"user_data" in body
        assert b'"expires_after[seconds]"\r\n\r\n86400' in body
        assert journal.live == ((Kind.FILE, "file-1"),)


async def test_a_large_file_is_sent_in_constant_memory(tmp_path):
    path = tmp_path / "large.txt"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    received = 0

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        head = await reader.readuntil(b"\r\n\r\n")
        left = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while left:
            chunk = await reader.read(65_536)
            received += len(chunk)
            left -= len(chunk)
        writer.write(reply({"id": "file-1"})[0])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    with Journal(tmp_path / "journal.jsonl") as journal:
        async with open_backend(Endpoint(base_url=url, key=KEY), journal) as backend:
            tracemalloc.start()
            try:
                await backend.files.upload_file(path, "large.txt", FileUse.FILE_SEARCH)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
    server.close()
    assert received > path.stat().st_size
    assert peak < 8 * 1024 * 1024


async def test_a_file_that_can_t_be_read_stops_before_anything_is_sent(talk, tmp_path):
    async with talk(always(*reply({"id": "file-1"}))) as (backend, server, _):
        with pytest.raises(UsageError, match=r"'gone.txt' can't be read: No such file"):
            await backend.files.upload_file(tmp_path / "gone.txt", "gone.txt", FileUse.FILE_SEARCH)
        assert server.seen == []


async def test_a_file_that_fails_half_way_is_named_and_leaves_nothing_unclear(talk, tmp_path, monkeypatch):
    path = tmp_path / "torn.txt"
    path.write_bytes(b"x" * 200_000)
    monkeypatch.setattr("runner.backends._files._open_file", lambda *_: (_TornFile(path), 200_000))
    async with talk(always(*reply({"id": "file-1"}))) as (backend, _, journal):
        with pytest.raises(RemoteError, match=r"while uploading 'torn.txt' .*: a file can't be read: Input/output"):
            await backend.files.upload_file(path, "torn.txt", FileUse.FILE_SEARCH)
        assert journal.unclear == ()


async def test_a_file_that_shrinks_while_it_is_sent_is_no_mystery(talk, tmp_path, monkeypatch):
    path = tmp_path / "short.txt"
    path.write_bytes(b"x" * 200_000)
    monkeypatch.setattr("runner.backends._files._open_file", lambda *_: (_ShrinkingFile(path), 200_000))
    async with talk(always(*reply({"id": "file-1"}))) as (backend, _, journal):
        with pytest.raises(RemoteError, match=r"while uploading 'short.txt' .*: a file changed while it was sent"):
            await backend.files.upload_file(path, "short.txt", FileUse.FILE_SEARCH)
        assert journal.unclear == ()


@pytest.mark.fault("N9")
async def test_a_file_too_large_for_the_server_is_named_with_its_size(talk, tmp_path):
    path = tmp_path / "big.pdf"
    path.write_bytes(b"x" * 2048)
    async with talk(always(*refusal(413, "The limit is 1 kB."))) as (backend, _, _):
        with pytest.raises(
            RemoteError, match=r"uploading 'big.pdf' \(2,048 bytes\): it is too large .*The limit is 1 kB"
        ):
            await backend.files.upload_file(path, "big.pdf", FileUse.FILE_SEARCH)


class _TornFile(io.FileIO):
    """A file on a disk that gives up after the first piece."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(size)


class _ShrinkingFile(io.FileIO):
    """A file that somebody else cuts short meanwhile."""

    def read(self, size: int | None = -1, /) -> bytes:
        return b"" if self.tell() else super().read(size)


async def test_an_upload_tells_how_many_bytes_went_out(talk, tmp_path):
    path, told = tmp_path / "large.txt", []
    path.write_bytes(b"x" * 200_000)
    async with talk(always(*reply({"id": "file-1"}))) as (backend, _, _):
        await backend.files.upload_file(path, "large.txt", FileUse.FILE_SEARCH, progress=told.append)
    assert told == sorted(told)
    assert len(told) > 2
    assert told[-1] == 200_000
