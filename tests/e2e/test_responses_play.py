"""Play and sync on the Responses API: how many requests they take, and that nothing is left."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest
import responses_wire as wire
from assistants_wire import GUIDE, HERE, function
from backend_talk import KEY
from verbs import run_verb
from wire_server import Seen, WireServer, refusal, reply, wire_server

from runner.backends import Backend, Deployment, Endpoint
from runner.backends.responses.backend import open_backend
from runner.domain.assistant import Answering, Assistant, Namespace, Project, Tool, ToolName
from runner.domain.conversation import RunStatus, ThreadId
from runner.domain.files import FileUse, LocalFile
from runner.domain.report import Outcome, Report, Variant
from runner.domain.scenario import Scenario, Turn
from runner.errors import RemoteError
from runner.execution.play import Lane, PlayOptions, Work, play
from runner.execution.player import Surroundings
from runner.execution.scheduler import Interruption
from runner.execution.stage import bring_code_files, deployment_if_identical
from runner.journal import Journal
from runner.kept_play import KeptPlay, Unit
from runner.sync import (
    RemoteState,
    apply_plan,
    decide,
    read_desired,
    read_remote,
)

NAMESPACE = Namespace("tests-000001")


class Service(wire.Keeper):
    """A Responses API with files and vector stores; `stores` are those that exist, by id."""

    def __init__(self) -> None:
        super().__init__(wire.response(wire.message()))
        self.stores: dict[str, dict] = {}
        self.ids: Counter = Counter()

    def __call__(self, seen: Seen) -> list:
        parts = seen.path.strip("/").split("/")
        if str(seen) == "POST /responses":
            return wire.answer_with(wire.response(wire.message(), id=self._next_id("resp")), seen)
        if str(seen) == "POST /files":
            return reply({"id": self._next_id("file"), "object": "file"})
        if parts[0] == "vector_stores":
            return self._answer_about_stores(seen, parts)
        return super().__call__(seen)

    def _answer_about_stores(self, seen: Seen, parts: list[str]) -> list:
        if str(seen) == "GET /vector_stores":
            return reply({"object": "list", "data": list(self.stores.values()), "has_more": False})
        if str(seen) == "POST /vector_stores":
            store = {"id": self._next_id("vs"), "created_at": 7, "metadata": seen.json["metadata"]}
            self.stores[store["id"]] = store
            return reply(store)
        if len(parts) == 2 and seen.method == "POST":
            self.stores[parts[1]]["metadata"] = seen.json["metadata"]
            return reply(self.stores[parts[1]])
        if parts[-1] == "file_batches":
            count = len(seen.json["files"])
            counts = {"in_progress": 0, "completed": count, "failed": 0, "cancelled": 0, "total": count}
            return reply({"id": "vsfb_1", "status": "completed", "file_counts": counts})
        if seen.method == "DELETE":
            self.stores.pop(parts[1], None)
            return reply({"id": parts[1], "deleted": True})
        return reply({"object": "list", "data": [], "has_more": False})

    def _next_id(self, prefix: str) -> str:
        self.ids[prefix] += 1
        return f"{prefix}_{self.ids[prefix]}"


def attachment(folder: Path, name: str, use: FileUse) -> LocalFile:
    path = folder / name
    path.write_text("Burger 23.75")
    return LocalFile(path=path, name=name, size_bytes=12, use=use, location=HERE)


def guide(*files: LocalFile, tools: tuple[Tool, ...] = ()) -> Assistant:
    return Assistant(
        address=GUIDE.address, location=HERE, name="Guide", model="gpt-6-luna", tools=tools, files=tuple(files)
    )


async def play_one(
    assistant: Assistant,
    backend: Backend,
    journal: Journal,
    *turns: tuple[LocalFile, ...],
    clock: Callable[[], float] = time.monotonic,
    timeout_s: float | None = None,
) -> Report:
    asked = tuple(Turn(ask="How much?", attachments=files, location=HERE) for files in turns)
    scenario = Scenario(
        name="one", assistant=assistant.address, turns=asked, smoke=True, timeout_s=timeout_s, location=HERE
    )
    project = Project(namespace=NAMESPACE, assistants=(assistant,), targets={}, default_target="x")
    around = Surroundings(emit=lambda _event: None, clock=clock, interruption=Interruption())
    variant = Variant(target="x", api="responses")
    unit = Unit(scenario=scenario, variant=variant)
    lane = Lane(variant=variant, project=project, backend=backend, journal=journal)
    with closing(KeptPlay(journal.path.parent / "kept", [unit.key])) as kept:
        work = Work(lanes=[lane], units=[unit], planned=1)
        report = await play(work, PlayOptions(play_id="p1"), around, kept)
        return replace(report, results=tuple(report.results))


def before_cleaning(server: WireServer) -> list[str]:
    calls = server.calls
    first = next((at for at, call in enumerate(calls) if call.startswith("DELETE")), len(calls))
    return calls[:first]


async def play_and_count(tmp_path: Path, assistant: Assistant, *turns: tuple[LocalFile, ...]) -> list[str]:
    """The requests up to the verdict; everything that was made is gone afterwards."""
    async with wire.talking(tmp_path, Service()) as (backend, server, journal):
        report = await play_one(assistant, backend, journal, *turns)
        assert report.counts["passed"] == 1
        assert (report.leftovers, journal.live, journal.unclear) == ((), (), ())
        return before_cleaning(server)


async def test_a_scenario_of_one_turn_takes_one_request(tmp_path):
    assert await play_and_count(tmp_path, guide(tools=wire.TOOLS), ()) == ["POST /responses"]


@pytest.mark.parametrize(
    ("slow", "reason", "answers"),
    [
        ("POST /responses", "the answer came too late; `timeout: 5` is for the whole scenario", 1),
        ("POST /files", "the time was up before the question was asked; `timeout: 5` is for the whole scenario", 0),
    ],
)
async def test_what_comes_after_the_scenario_s_time_does_not_count(tmp_path, slow, reason, answers):
    now = [0.0]

    class Slow(Service):
        def __call__(self, seen: Seen) -> list:
            now[0] += 6.0 * (str(seen) == slow)
            return super().__call__(seen)

    receipt = attachment(tmp_path, "receipt.pdf", FileUse.INPUT)
    async with wire.talking(tmp_path, Slow()) as (backend, server, journal):
        report = await play_one(guide(), backend, journal, (receipt,), (), clock=lambda: now[0], timeout_s=5)
        assert (report.leftovers, journal.live) == ((), ())
    ((turn,),) = [result.turns for result in report.results]
    assert (turn.outcome, turn.reason) == (Outcome.ERRORED, reason)
    assert server.calls.count("POST /responses") == answers


async def test_an_input_file_takes_one_more(tmp_path):
    receipt = attachment(tmp_path, "receipt.pdf", FileUse.INPUT)
    assert await play_and_count(tmp_path, guide(), (receipt,)) == ["POST /files", "POST /responses"]


async def test_a_file_for_the_code_interpreter_takes_one_more(tmp_path):
    table = attachment(tmp_path, "table.csv", FileUse.CODE_INTERPRETER)
    assert await play_and_count(tmp_path, guide(tools=wire.TOOLS), (table,)) == ["POST /files", "POST /responses"]


async def test_a_file_to_search_takes_three_more(tmp_path):
    receipt = attachment(tmp_path, "receipt.pdf", FileUse.FILE_SEARCH)
    assert await play_and_count(tmp_path, guide(tools=wire.TOOLS), (receipt,)) == [
        "POST /files",
        "POST /vector_stores",
        "POST /vector_stores/vs_1/file_batches",
        "POST /responses",
    ]


async def test_several_turns_take_one_more_in_all(tmp_path):
    calls = await play_and_count(tmp_path, guide(), (), (), ())
    assert calls == ["POST /conversations", *["POST /responses"] * 3]


async def test_a_document_is_uploaded_as_the_user_s_and_an_image_to_be_seen(tmp_path):
    async with wire.talking(tmp_path, Service()) as (backend, server, _):
        for name, purpose in (("receipt.pdf", b"user_data"), ("menu.png", b"vision")):
            file = attachment(tmp_path, name, FileUse.INPUT)
            await backend.files.upload_file(file.path, file.name, FileUse.INPUT)
            assert purpose in server.seen[-1].body


class FailedIndex(Service):
    """A service whose files never get as far as being searchable: each look at the batch is answered by the next."""

    def __init__(self, *batches: dict) -> None:
        super().__init__()
        self._batches = list(batches)

    def _answer_about_stores(self, seen: Seen, parts: list[str]) -> list:
        if "file_batches" not in parts:
            return super()._answer_about_stores(seen, parts)
        if parts[-1] == "files":
            failed = {"id": "file_1", "status": "failed", "last_error": {"code": "invalid_file", "message": "No text."}}
            rows = [failed] if self._batches[0]["file_counts"].get("failed") else []
            return reply({"object": "list", "data": rows, "has_more": False})
        counts = {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0}
        batch = self._batches.pop(0) if len(self._batches) > 1 else self._batches[0]
        return reply({"id": "vsfb_1", **batch, "file_counts": counts | batch["file_counts"]})


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ({"status": "completed", "file_counts": {"failed": 1, "total": 1}}, "'receipt.pdf': No text."),
        ({"status": "completed", "file_counts": {}}, "of 1 that were attached"),
        ({"status": "completed", "file_counts": {"completed": 2, "total": 2}}, "of 1 that were attached"),
        ({"status": "cancelled", "file_counts": {"cancelled": 1, "total": 1}}, "of 1 that were attached"),
    ],
    ids=["failed", "all zero", "too many", "cancelled"],
)
async def test_s10_a_file_that_can_t_be_searched_is_an_error_before_the_question_is_asked(tmp_path, batch, words):
    receipt = attachment(tmp_path, "receipt.pdf", FileUse.FILE_SEARCH)
    working = {"status": "in_progress", "file_counts": {"in_progress": 1, "total": 1}}
    async with wire.talking(tmp_path, FailedIndex(working, batch)) as (backend, server, journal):
        report = await play_one(guide(tools=wire.TOOLS), backend, journal, (receipt,))
    (turn,) = report.results[0].turns
    assert (turn.outcome, report.exit_code, report.leftovers, journal.live) == (Outcome.ERRORED, 3, (), ())
    assert words in turn.reason
    assert "POST /responses" not in server.calls


async def test_s10_a_store_that_is_gone_by_then_is_an_error_before_the_question_is_asked(tmp_path):
    def answer(seen: Seen) -> list:
        if seen.path.endswith("file_batches"):
            return refusal(404, "No vector store found with id 'vs_1'.")
        return service(seen)

    service = Service()
    receipt = attachment(tmp_path, "receipt.pdf", FileUse.FILE_SEARCH)
    async with wire.talking(tmp_path, answer) as (backend, server, journal):
        report = await play_one(guide(tools=wire.TOOLS), backend, journal, (receipt,))
    assert report.counts["errored"] == 1
    assert "No vector store found with id 'vs_1'." in report.results[0].turns[0].reason
    assert "POST /responses" not in server.calls


async def test_s3_every_call_of_a_play_is_answered_whatever_is_wrong_with_it(tmp_path):
    calls = (
        wire.call("rate", "c1", '{"to": "DKK"}'),
        wire.call("nobody", "c2", "{}"),
        wire.call("rate", "c3", '{"to": '),
        wire.call("rate", "c4", '{"to": 1}'),
        wire.call("hang", "c5", '{"to": "DKK"}'),
    )
    (tmp_path / "slow.py").write_text("def hang(to):\n    while True:\n        pass\n")
    slow = {"file": tmp_path / "slow.py", "function": "hang", "root": tmp_path, "code": "slow.py:hang", "timeout": 1}
    hanging = function("hang", answering=Answering(kind="python", settings=slow, location=HERE))
    assistant = replace(guide(), functions=(function(), hanging))
    keeper = wire.Keeper(wire.response(*calls), wire.response(wire.message(), id="resp_2"))
    async with wire.talking(tmp_path, keeper) as (backend, server, journal):
        report = await play_one(assistant, backend, journal, ())
    outputs = {item["call_id"]: item["output"] for item in server.seen[1].json["input"]}
    assert report.counts["passed"] == 1
    assert [outputs.pop("c1"), list(outputs)] == ["1", ["c2", "c3", "c4", "c5"]]
    assert all(output.startswith("error: ") for output in outputs.values()), outputs


# Sync ------------------------------------------------------------------------------------------------------------


async def synced(tmp_path: Path, backend: Backend, assistant: Assistant) -> tuple[str, ...]:
    """What a sync tells: the kinds of the objects, and its notes."""
    desired = await read_desired((assistant,))
    plan, _ = await decide(desired, NAMESPACE, backend, now_s=lambda: 1_000_000.0)
    told: list[str] = []
    with Journal(tmp_path / "sync.jsonl") as journal:
        await apply_plan(plan, backend, journal, tell=lambda applied: told.append(applied.change.kind.value))
    return (*told, *plan.notes)


@asynccontextmanager
async def playing(tmp_path: Path, server: WireServer) -> AsyncIterator[tuple[Backend, Journal]]:
    """A backend with a journal of its own, as each command has one."""
    with Journal(tmp_path / "play.jsonl") as journal:
        async with open_backend(Endpoint(base_url=server.url, key=KEY), journal) as backend:
            yield backend, journal


async def test_a_sync_makes_stores_and_no_assistants_and_a_second_one_reads_one_list(tmp_path):
    knowledge = attachment(tmp_path, "city.md", FileUse.FILE_SEARCH)
    assistant = guide(knowledge, tools=wire.TOOLS)
    async with wire.talking(tmp_path, Service()) as (backend, server, _):
        kind, note, said = await synced(tmp_path, backend, assistant)
        assert (kind, note[:29]) == ("vector store", "this API stores no assistants")
        assert "a definition travels with each request" in note
        assert said.startswith("assistant travel-guide: its definition is ")
        assert not [call for call in server.calls if "assistants" in call]
        del server.seen[:]
        await synced(tmp_path, backend, assistant)
        assert server.calls == ["GET /vector_stores"]


async def test_play_uses_the_synced_store_where_its_mark_is_right(tmp_path):
    knowledge = attachment(tmp_path, "city.md", FileUse.FILE_SEARCH)
    assistant = guide(knowledge, tools=wire.TOOLS)
    async with wire.talking(tmp_path, Service()) as (backend, server, _):
        await synced(tmp_path, backend, assistant)
        remote = await read_remote(backend)
        deployed = deployment_if_identical(assistant, NAMESPACE, remote)
        assert (deployed.assistant_id, deployed.store_ids) == (None, ("vs_1",))
        del server.seen[:]
        async with playing(tmp_path, server) as (mine, journal):
            assert (await play_one(assistant, mine, journal, ())).counts["passed"] == 1
        assert before_cleaning(server) == ["GET /vector_stores", "POST /responses"]
        assert server.seen[1].json["tools"][0]["vector_store_ids"] == ["vs_1"]


async def test_play_makes_a_store_of_its_own_where_the_synced_one_is_not_the_file_s(tmp_path):
    knowledge = attachment(tmp_path, "city.md", FileUse.FILE_SEARCH)
    assistant = guide(knowledge, tools=wire.TOOLS)
    service = Service()
    async with wire.talking(tmp_path, service) as (backend, server, _):
        await synced(tmp_path, backend, assistant)
        knowledge.path.write_text("Burger 24.75")
        assert deployment_if_identical(assistant, NAMESPACE, await read_remote(backend)) is None
        async with playing(tmp_path, server) as (mine, journal):
            report = await play_one(assistant, mine, journal, ())
        asked = next(seen for seen in server.seen if str(seen) == "POST /responses")
        assert (report.leftovers, asked.json["tools"][0]["vector_store_ids"]) == ((), ["vs_2"])
        assert list(service.stores) == ["vs_1"]


async def test_without_files_to_search_the_declared_assistant_is_always_the_deployed_one(tmp_path):
    table = attachment(tmp_path, "table.csv", FileUse.CODE_INTERPRETER)
    assistant = guide(table, tools=(Tool(name=ToolName.CODE_INTERPRETER),))
    deployed = deployment_if_identical(assistant, NAMESPACE, RemoteState(stores_assistants=False))
    assert (deployed.assistant_id, deployed.store_ids, deployed.code_file_ids) == (None, (), ())
    async with wire.talking(tmp_path, Service()) as (backend, server, journal):
        brought = await bring_code_files(deployed, backend, deadline_s=5.0)
        assert brought.code_file_ids == ("file_1",)
        await play_one(assistant, backend, journal, ())
        assert server.seen[-1].method == "DELETE"
        asked = next(seen for seen in server.seen if str(seen) == "POST /responses")
        assert asked.json["tools"] == [
            {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file_2"]}}
        ]


# The command line ------------------------------------------------------------------------------------------------


ASSISTANTS = """
version: 1
namespace: tests-000001
target: {target}
targets:
  streamed: {{api: responses, base_url: '{url}', key_env: RESPONSES_KEY}}
  looked_at: {{api: responses, base_url: '{url}', key_env: RESPONSES_KEY, background: true}}
  replayed: {{api: responses, base_url: '{url}', history: replay}}
assistants:
  guide:
    name: Guide
    model: gpt-6-luna
    instructions: You are a guide.
"""
SCENARIO = """
assistant: guide
turns:
  - ask: How much?
    expect: [{number: 39.25}]
  - ask: How much again?
    expect: [{number: 39.25}]
"""


@pytest.mark.parametrize(
    ("target", "calls"),
    [
        ("streamed", ["POST /conversations", "POST /responses", "POST /responses"]),
        ("looked_at", ["POST /conversations", "POST /responses", "POST /responses"]),
        ("replayed", ["POST /responses", "POST /responses"]),
    ],
)
async def test_the_same_files_play_on_each_kind_of_target(tmp_path, target, calls):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "one.yaml").write_text(SCENARIO)
    async with wire_server(Service()) as server:
        (tmp_path / "assistants.yaml").write_text(ASSISTANTS.format(target=target, url=server.url))
        environment = {**os.environ, "RESPONSES_KEY": KEY}
        done = await asyncio.to_thread(run_verb, "play", cwd=tmp_path, environment=environment)
        assert done.code == 0, done.out + done.err
        assert before_cleaning(server) == calls
        deleted = [call for call in server.calls if call.startswith("DELETE /responses/")]
        assert len(deleted) == (0 if target == "replayed" else 2)
        assert ("background" in server.seen[1].json, "stream" in server.seen[1].json) == (
            target == "looked_at",
            target != "looked_at",
        )


async def test_a_play_of_one_turn_has_nothing_to_delete(tmp_path):
    async with wire.talking(tmp_path, Service()) as (backend, server, journal):
        report = await play_one(guide(), backend, journal, ())
    assert report.counts["passed"] == 1
    assert server.calls == ["POST /responses"]
    assert server.seen[0].json["store"] is False


async def test_one_turn_that_may_be_forgotten_is_one_request_and_leaves_nothing(tmp_path):
    async with wire.talking(tmp_path, Service()) as (backend, server, journal):
        run = await backend.ask(wire.question(may_be_forgotten=True, tags={"runner.play": "p"}))
        assert (run.status, run.text) == (RunStatus.COMPLETED, "It is 39.25.")
        assert journal.live == ()
        await backend.delete_thread(run.thread_id)
    assert server.calls == ["POST /responses"]
    assert server.seen[0].json["store"] is False
    assert server.seen[0].json["metadata"] == {"runner.play": "p"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"is_last": False},
        {"tools": (Tool(name=ToolName.CODE_INTERPRETER),)},
        {"deployment": Deployment(assistant=replace(GUIDE, functions=(function(),)), assistant_id=None)},
        {"thread_id": ThreadId("resp_0")},
    ],
    ids=["to be kept", "more turns", "a container", "functions", "a thread"],
)
async def test_what_is_looked_at_again_is_stored_and_deleted(tmp_path, fields):
    question = wire.question(**{"may_be_forgotten": bool(fields), **fields})
    async with wire.talking(tmp_path, Service()) as (backend, server, _):
        run = await backend.ask(question)
        await backend.delete_thread(run.thread_id)
    (asked,) = (seen for seen in server.seen if str(seen) == "POST /responses")
    assert asked.json["store"] is True
    assert any(call.startswith("DELETE ") for call in server.calls)


async def test_in_the_background_everything_is_stored(tmp_path):
    async with wire.talking(tmp_path, Service(), background=True) as (backend, server, _):
        await backend.ask(wire.question(may_be_forgotten=True))
    assert server.seen[0].json["store"] is True


async def test_a_forgotten_answer_that_breaks_off_is_an_error_and_not_asked_for_again(tmp_path):
    answer = wire.cut(wire.created(wire.response()))
    async with wire.talking(tmp_path, wire.Keeper(answer)) as (backend, server, journal):
        with pytest.raises(RemoteError):
            await backend.ask(wire.question(may_be_forgotten=True))
        assert (journal.live, journal.unclear) == ((), ())
    assert server.calls == ["POST /responses"]
