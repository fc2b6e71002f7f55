"""What other servers do, as they were seen to do it: be strict in what is sent, and take what can be understood."""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from email import message_from_bytes
from functools import partial
from urllib.parse import unquote

import assistants_wire as threads_wire
import pytest
import responses_wire as wire
from backend_talk import KEY, hurry
from responses_wire import Keeper
from stored_project import StoredProject
from wire_server import CLOSE, Seen, refusal, reply, wire_server

from runner import connections
from runner.backends import Endpoint
from runner.backends.assistants.backend import open_backend
from runner.domain.assistant import History
from runner.domain.conversation import Ending, FileId, StoreId
from runner.domain.files import Chunking, FileUse
from runner.domain.plan import Kind
from runner.errors import RemoteError, RemoteMissing
from runner.journal import Journal

ANSWERED = wire.response(wire.message())


@pytest.fixture
def talk(tmp_path):
    return partial(wire.talking, tmp_path)


@pytest.fixture
def talk_of_threads(tmp_path):
    """Like `talk`, with Assistants v2."""
    return partial(_talk_of_threads, tmp_path)


@asynccontextmanager
async def _talk_of_threads(folder, answer):
    async with wire_server(answer) as server:
        with Journal(folder / "journal.jsonl") as journal:
            async with open_backend(Endpoint(base_url=server.url, key=KEY), journal, sleep=hurry) as backend:
                yield backend, server, journal


@pytest.fixture
def unseen_closing(monkeypatch):
    """The race: the server closes a connection right after the pool has looked whether it did."""
    look = connections._WatchedStream.get_extra_info
    monkeypatch.setattr(
        connections._WatchedStream, "get_extra_info", lambda self, info: info != "is_readable" and look(self, info)
    )


# llama.cpp -------------------------------------------------------------------------------------------------------


def llama(seen: Seen) -> list:
    """Its own server: it keeps nothing, and closes every connection right after a stream that promised to go on."""
    if seen.path != "/responses":
        return reply({"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}, 404)
    if any(item.get("role") == "assistant" and item.get("type") != "message" for item in seen.json["input"]):
        return refusal(400, "Cannot determine type of 'item'")
    return [*wire.answer_with(ANSWERED, seen), CLOSE]


async def test_llama_is_told_what_a_replayed_answer_is(talk):
    async with talk(llama, history=History.REPLAY) as (backend, server, _):
        first = await backend.ask(wire.question(is_last=False))
        second = await backend.ask(wire.question(thread_id=first.thread_id))
        assert second.ending is Ending.ANSWERED
        assert [item["type"] for item in server.seen[-1].json["input"]] == ["message"] * 3


async def test_a_question_that_meets_a_connection_just_closed_is_asked_again(talk, unseen_closing):
    async with talk(llama, history=History.REPLAY) as (backend, server, _):
        runs = [await backend.ask(wire.question()) for _ in range(20)]
        assert {run.ending for run in runs} == {Ending.ANSWERED}
        assert server.calls == ["POST /responses"] * 20


async def test_a_create_that_the_server_never_read_is_sent_again(talk, unseen_closing):
    """Its connection was closed before; the machine at the other end says so."""

    def answer(seen: Seen) -> list:
        store = reply({"id": "vs_1", "created_at": 7, "metadata": {}})
        return [*(store if seen.path == "/vector_stores" else wire.answer_with(ANSWERED, seen)), CLOSE]

    async with talk(answer) as (backend, server, journal):
        store = await backend.files.create_store("one", {"a": "b"})
        run = await backend.ask(wire.question())
        assert (store.id, run.ending) == (StoreId("vs_1"), Ending.ANSWERED)
        assert server.calls == ["POST /vector_stores", "POST /responses"]
        assert journal.unclear == ()


async def test_nothing_is_listed_where_nothing_is_kept(talk):
    async with talk(llama, history=History.REPLAY) as (backend, server, _):
        assert await backend.files.list_stores() == ()
        assert server.calls == []


async def test_every_verb_ends_well_on_a_server_that_keeps_nothing(tmp_path):
    async with wire_server(llama) as server:
        project = StoredProject(tmp_path)
        project.write(
            "version: 1\nnamespace: not-openai-1\ntarget: llama\n"
            f"targets:\n  llama: {{api: responses, base_url: '{server.url}', history: replay}}\n"
            "assistants:\n  guide:\n    model: m\n"
        )
        (tmp_path / "scenarios").mkdir()
        (tmp_path / "scenarios" / "one.yaml").write_text(
            "assistant: guide\nsmoke: true\nturns: [{ask: One}, {ask: Two}]\n"
        )
        for verb in ("plan", "sync", "list", "clean", "destroy", "sync --check"):
            done = await project.run(*verb.split())
            assert done.code == 0, f"{verb}: {done.out}{done.err}"
        assert server.calls == []
        done = await project.run("play")
        assert done.code == 0, done.out + done.err
        assert server.calls == ["POST /responses"] * 2


@pytest.mark.parametrize(
    "answer",
    [
        refusal(404, "File Not Found"),
        refusal(404, "The requested resource was not found"),
        reply({"detail": "Not Found"}, 404),
        reply({"detail": "Method Not Allowed"}, 405),
        reply("<html>Cannot POST /v1/conversations", 404),
        reply("", 404),
    ],
    ids=["llama.cpp", "others", "FastAPI", "a page for every path", "Express", "nothing"],
)
async def test_a_server_without_conversations_is_told_from_its_refusal(talk, answer):
    async with talk(lambda _: answer) as (backend, _, _):
        with pytest.raises(RemoteError, match="for a server that keeps no conversations, set `history: replay`"):
            await backend.ask(wire.question(is_last=False))


# LiteLLM ---------------------------------------------------------------------------------------------------------

LONG_ID = "resp_" + base64.b64encode(b"litellm:model_id:".ljust(299, b"x")).decode()


async def test_an_id_is_any_text_that_can_be_sent_back(talk):
    assert (len(LONG_ID), LONG_ID[-1]) == (405, "=")
    keeper = Keeper({**ANSWERED, "id": LONG_ID})
    async with talk(keeper) as (backend, server, journal):
        run = await backend.ask(wire.question(is_last=True))
        await backend.ask(wire.question(thread_id=run.thread_id))
        assert server.seen[-1].json["previous_response_id"] == LONG_ID
        await backend.delete_thread(run.thread_id)
        assert unquote(server.seen[-1].path) == f"/responses/{LONG_ID}"
        assert "/" not in server.seen[-1].path.removeprefix("/responses/")
        assert journal.live == ()


# OGX -------------------------------------------------------------------------------------------------------------


class Ogx:
    """It answers 200 to a batch with `files`, and attaches none of them."""

    def __init__(self, *, fails: str = "") -> None:
        self.attached: dict[str, dict] = {}
        self._fails = fails

    def __call__(self, seen: Seen) -> list:
        parts = seen.path.split("/")
        if "file_batches" in parts:
            counts = dict.fromkeys(("in_progress", "completed", "failed", "cancelled", "total"), 0)
            return reply({"id": "batch_1", "status": "completed", "created_at": 1.5, "file_counts": counts})
        if seen.method == "POST":
            self.attached[seen.json["file_id"]] = seen.json
            return self._file(seen.json["file_id"], "in_progress")
        if parts[-1] == "files":
            rows = [{"id": one, "status": "completed", **body} for one, body in self.attached.items()]
            return reply({"object": "list", "data": rows, "has_more": False})
        return self._file(parts[-1], "failed" if parts[-1] == self._fails else "completed")

    def _file(self, file_id: str, status: str) -> list:
        error = {"code": "server_error", "message": "No text."} if status == "failed" else None
        return reply({"id": file_id, "created_at": 7, "status": status, "last_error": error})


FILES = {FileId(f"file-{number}"): "a" * 64 for number in range(10)}


async def test_files_that_a_batch_left_out_are_attached_one_by_one(talk):
    ogx = Ogx()
    ogx.attached["file-3"] = {"file_id": "file-3"}
    async with talk(ogx) as (backend, server, _):
        chunking = {FileId("file-1"): Chunking(max_tokens=200, overlap_tokens=50)}
        await backend.files.attach_files(StoreId("vs_1"), FILES, deadline_s=5, chunking=chunking)
        singly = [seen.json["file_id"] for seen in server.seen if str(seen) == "POST /vector_stores/vs_1/files"]
        assert sorted(singly) == sorted(set(FILES) - {"file-3"})
        assert ogx.attached["file-0"]["attributes"] == {"runner.sha256": "a" * 64}
        assert ogx.attached["file-1"]["chunking_strategy"]["static"]["max_chunk_size_tokens"] == 200
        stored = await backend.files.list_store_files(StoreId("vs_1"))
        assert {one.file_id for one in stored} == set(FILES)
        await backend.files.attach_files(StoreId("vs_1"), {FileId("file-99"): "b" * 64}, deadline_s=5)
        assert server.calls.count("POST /vector_stores/vs_1/file_batches") == 1


async def test_a_file_that_fails_by_itself_is_named_with_its_reason(talk):
    async with talk(Ogx(fails="file-2")) as (backend, _, _):
        with pytest.raises(RemoteError, match=r"while attaching 10 files .* the file file-2: No text\."):
            await backend.files.attach_files(StoreId("vs_1"), FILES, deadline_s=5)


# open-assistant-api ----------------------------------------------------------------------------------------------


class OpenAssistant:
    """Its threads are begun step by step, its times have a fraction, and it has no vector stores.

    It takes `runs` in `/threads/runs` for a thread's id, and leaves out the messages that come with a run.
    """

    def __init__(self) -> None:
        self.messages: list[str] = []

    def __call__(self, seen: Seen) -> list:
        match seen.method, seen.path.strip("/").split("/"):
            case "GET", ["assistants"]:
                return reply(threads_wire.page(threads_wire.assistant(created_at=1795910993.0)))
            case _, ["vector_stores"]:
                return reply({"detail": "Not Found"}, 404)
            case "POST", ["threads"]:
                return reply({"id": "thread_1", "object": "thread", "created_at": 1795910993.5, "metadata": None})
            case "POST", ["threads", "runs"]:
                return reply({"message": "thread runs not found", "type": "ResourceNotFoundError"}, 404)
            case "POST", ["threads", "thread_1", "messages"]:
                self.messages.append(seen.json["content"])
                return reply(threads_wire.message(seen.json["content"], role="user", created_at=7.25))
            case "POST", ["threads", "thread_1", "runs"]:
                return reply(threads_wire.run("queued", created_at=8.25))
            case "GET", ["threads", "thread_1", "messages"]:
                said = f"Heard {len(self.messages)}: {self.messages[-1]}"
                return reply(threads_wire.page(threads_wire.message(said, created_at=9.25, metadata=None)))
            case "GET", [*_, "steps"]:
                return reply(threads_wire.page())
            case "DELETE", _:
                return reply({"id": "thread_1", "deleted": True})
        return reply(threads_wire.run(created_at=8.25))


async def test_a_thread_is_begun_step_by_step_where_it_can_t_be_begun_at_once(talk_of_threads):
    async with talk_of_threads(OpenAssistant()) as (backend, server, journal):
        first = await backend.ask(threads_wire.question(text="One?"))
        assert journal.live == ((Kind.THREAD, "thread_1"),)
        second = await backend.ask(threads_wire.question(text="Two?", thread_id=first.thread_id))
        other = await backend.ask(threads_wire.question(text="Three?"))
        assert [run.text for run in (first, second, other)] == ["Heard 1: One?", "Heard 2: Two?", "Heard 3: Three?"]
        assert server.calls.count("POST /threads/runs") == 1
        assert journal.unclear == ()


async def test_stores_are_not_missed_where_none_are_needed(talk_of_threads):
    async with talk_of_threads(OpenAssistant()) as (backend, _, _):
        (one,) = await backend.list_assistants()
        assert (one.created_at, await backend.files.list_stores()) == (1795910993, ())
        with pytest.raises(RemoteMissing, match="has no /vector_stores"):
            await backend.files.create_store("one", {})


async def test_a_missing_assistant_is_no_reason_to_begin_a_thread_step_by_step(talk_of_threads):
    def answer(_: Seen) -> list:
        return refusal(404, "No assistant found with id 'asst_1'.")

    async with talk_of_threads(answer) as (backend, server, _):
        with pytest.raises(RemoteMissing, match="No assistant found"):
            await backend.ask(threads_wire.question())
        assert server.calls == ["POST /threads/runs"]


# All of them -----------------------------------------------------------------------------------------------------


async def test_a_404_names_the_address_that_was_asked(talk):
    async with talk(lambda _: refusal(404, "No such store.")) as (backend, server, _):
        with pytest.raises(RemoteMissing) as caught:
            await backend.files.list_store_files(StoreId("vs_1"))
    assert f"(404): No such store.; what was asked for is {server.url}/vector_stores/vs_1/files" in str(caught.value)


@pytest.mark.parametrize(
    "moves",
    [
        refusal(400, "Too much.", "context_length_exceeded"),
        refusal(400, "the request exceeds the available context size. try increasing the context size"),
        refusal(400, "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens"),
        refusal(400, "prompt is too long: 9000 tokens > 8192 maximum"),
        wire.streamed(wire.event("error", message="Too much.", code="context_length_exceeded")),
    ],
    ids=["code", "llama.cpp", "vLLM", "others", "in the stream"],
)
async def test_a_context_that_overflows_hints_at_the_number_of_results(talk, moves):
    async with talk(lambda _: moves) as (backend, _, _):
        with pytest.raises(RemoteError, match="with file_search, a smaller `max_num_results` makes it shorter"):
            await backend.ask(wire.question())


async def test_a_run_that_fails_for_its_context_hints_at_it_too(talk):
    error = {"code": "server_error", "message": "The request exceeds the available context size."}
    async with talk(Keeper(wire.response(status="failed", error=error))) as (backend, _, _):
        run = await backend.ask(wire.question())
    assert run.error is not None
    assert run.error.startswith("The request exceeds the available context size. (what the model is given is too long")
    assert run.error.count("max_num_results") == 1


@pytest.mark.parametrize("name", ['a"b.md', '"', 'a\\"b.txt', "a%22b.md", "ä ☂.txt"])
async def test_a_file_keeps_its_name_on_the_wire(talk, tmp_path, name):
    (tmp_path / "x").write_bytes(b"one\r\ntwo\0")
    async with talk(lambda _: reply({"id": "file-1"})) as (backend, server, _):
        await backend.files.upload_file(tmp_path / "x", name, FileUse.FILE_SEARCH, expires_after_days=1)
    (seen,) = server.seen
    form = message_from_bytes(b"Content-Type: " + seen.headers["content-type"].encode() + b"\r\n\r\n" + seen.body)
    parts = form.get_payload()
    names = [one.get_param("name", header="content-disposition") for one in parts]
    *_, file = parts
    assert sorted(names) == ["expires_after[anchor]", "expires_after[seconds]", "file", "purpose"]
    assert file.get_payload(decode=True) == b"one\r\ntwo\0"
    disposition = next(line for line in seen.body.split(b"\r\n") if b'name="file"' in line).decode()
    written = disposition.partition('filename="')[2].removesuffix('"')
    assert written.replace("\\\\", "\\").replace('\\"', '"') == name


async def test_an_endpoint_where_nobody_listens_is_not_asked_again(tmp_path):
    project = StoredProject(tmp_path)
    project.write(
        "version: 1\nnamespace: not-openai-2\ntarget: here\n"
        "targets:\n  here: {api: responses, server: embedded, inference: {base_url: 'http://127.0.0.1:9/v1'}}\n"
        "assistants:\n  guide:\n    model: m\n"
    )
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "one.yaml").write_text("assistant: guide\nsmoke: true\nturns: [{ask: One}]\n")
    done = await project.run("play")
    assert done.code == 3
    assert "The inference at http://127.0.0.1:9/v1: the connection failed" in done.out
    assert "again" not in done.out + done.err
