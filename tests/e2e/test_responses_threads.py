"""What the `responses` backend does with threads: how many requests they take, and what they leave."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest
import responses_wire as wire
from responses_wire import Keeper
from wire_server import Seen, refusal

from runner.domain.assistant import History
from runner.domain.conversation import Ending, FileId, StoreId, ThreadId
from runner.domain.files import FileUse
from runner.domain.plan import Kind
from runner.errors import RemoteError, UsageError

ANSWERED = wire.response(wire.message())


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager]:
    return partial(wire.talking, tmp_path)


async def test_one_turn_takes_one_request_and_leaves_one_response_to_delete(talk):
    async with talk(Keeper(ANSWERED)) as (backend, server, journal):
        run = await backend.ask(wire.question(tags={"runner.play": "p"}))
        assert (run.ending, run.text, run.thread_id) == (Ending.ANSWERED, "It is 39.25.", "resp_1")
        assert server.calls == ["POST /responses"]
        assert server.seen[0].json == {
            "model": "gpt-6-luna",
            "input": [{"role": "user", "content": "How much?"}],
            "metadata": {"runner.play": "p"},
            "store": True,
            "stream": True,
        }
        assert journal.live == ((Kind.RESPONSE, "resp_1"),)
        await backend.delete_thread(run.thread_id)
        assert server.calls[1:] == ["DELETE /responses/resp_1"]
        assert journal.live == ()


async def test_several_turns_take_a_conversation_and_one_request_each(talk):
    answers = [wire.response(wire.message(), id=f"resp_{number}") for number in (1, 2, 3)]
    async with talk(Keeper(*answers)) as (backend, server, journal):
        thread_id = None
        for number in (1, 2, 3):
            run = await backend.ask(wire.question(thread_id=thread_id, is_last=number == 3, tags={"runner.play": "p"}))
            thread_id = run.thread_id
        assert thread_id == "conv_1"
        assert server.calls == ["POST /conversations", *["POST /responses"] * 3]
        assert server.seen[0].json == {"metadata": {"runner.play": "p"}}
        assert [seen.json["conversation"] for seen in server.seen[1:]] == ["conv_1"] * 3
        assert "previous_response_id" not in server.seen[2].json
        await backend.delete_thread(thread_id)
        assert server.calls[4:] == [
            *(f"DELETE /responses/resp_{number}" for number in (1, 2, 3)),
            "GET /conversations/conv_1/items",
            "DELETE /conversations/conv_1/items/msg_1",
            "DELETE /conversations/conv_1/items/msg_2",
            "DELETE /conversations/conv_1",
        ]
        assert (journal.live, journal.unclear) == ((), ())


async def test_a_thread_without_a_conversation_goes_on_from_its_last_response(talk):
    async with talk(Keeper(ANSWERED, wire.response(wire.message(), id="resp_2"))) as (backend, server, _):
        run = await backend.ask(wire.question())
        again = await backend.ask(wire.question(thread_id=run.thread_id))
        assert again.thread_id == run.thread_id
        assert server.seen[1].json["previous_response_id"] == "resp_1"
        await backend.delete_thread(run.thread_id)
        assert server.calls[2:] == ["DELETE /responses/resp_1", "DELETE /responses/resp_2"]


async def test_what_another_process_left_is_deleted_by_what_its_id_says(talk):
    async with talk(Keeper(ANSWERED)) as (backend, server, _):
        await backend.delete_thread(ThreadId("resp_9"))
        await backend.delete_thread(ThreadId("conv_9"))
        assert (server.calls[0], server.calls[-1]) == ("DELETE /responses/resp_9", "DELETE /conversations/conv_9")


async def test_deleting_what_is_gone_already_is_fine(talk):
    async with talk(lambda _seen: refusal(404, "Not found.")) as (backend, _, _):
        await backend.delete_thread(ThreadId("resp_9"))
        await backend.delete_thread(ThreadId("conv_9"))


async def test_a_replayed_thread_sends_all_of_it_and_leaves_nothing(talk):
    answers = [wire.response(wire.message(f"Answer {n}."), id="resp_x") for n in (1, 2)]
    async with talk(Keeper(*answers), history=History.REPLAY) as (backend, server, journal):
        first = await backend.ask(wire.question(text="One?", is_last=False, tags={"a": "b"}))
        await backend.ask(wire.question(text="Two?", thread_id=first.thread_id))
        other = await backend.ask(wire.question(text="Other?"))
        assert other.thread_id != first.thread_id
        assert server.seen[1].json == {
            "model": "gpt-6-luna",
            "input": [
                {"type": "message", "role": "user", "content": "One?"},
                {"type": "message", "role": "assistant", "content": "Answer 1."},
                {"type": "message", "role": "user", "content": "Two?"},
            ],
            "store": False,
            "stream": True,
        }
        assert len(server.seen[2].json["input"]) == 1
        await backend.delete_thread(first.thread_id)
        assert server.calls == ["POST /responses"] * 3
        assert (journal.live, journal.unclear) == ((), ())


async def test_a_replayed_thread_refuses_hosted_tools_before_anything_is_sent(talk):
    async with talk(Keeper(ANSWERED), history=History.REPLAY) as (backend, server, _):
        with pytest.raises(UsageError, match="'travel-guide' has tools that this target does not offer: code_interp"):
            await backend.ask(wire.question(tools=wire.TOOLS))
        assert server.calls == []


async def test_files_of_the_code_interpreter_stay_in_the_thread(talk):
    async with talk(Keeper(ANSWERED)) as (backend, server, _):
        asked = wire.question(
            tools=wire.TOOLS,
            attachments=((FileId("file-1"), FileUse.CODE_INTERPRETER),),
            store_id=StoreId("vs_1"),
        )
        run = await backend.ask(asked)
        await backend.ask(wire.question(tools=wire.TOOLS, thread_id=run.thread_id))
        containers = [seen.json["tools"][-1]["container"] for seen in server.seen]
        assert containers == [{"type": "auto", "file_ids": ["file-1"]}] * 2
        assert server.seen[0].json["tools"][0]["vector_store_ids"] == ["vs_1"]


async def test_files_that_the_code_wrote_are_read_in_the_same_turn(talk):
    note = {"type": "container_file_citation", "container_id": "cntr_1", "file_id": "cfile_1", "filename": "a.csv"}
    async with talk(Keeper(wire.response(wire.message("Here.", [note, note])))) as (backend, server, _):
        run = await backend.ask(wire.question())
        assert server.calls[1:] == ["GET /containers/cntr_1/files/cfile_1/content"]
    (file,) = run.files
    assert (file.name, file.size_bytes, len(file.sha256), file.problem) == ("a.csv", 8, 64, "")
    assert run.citations == ()


async def test_a_file_that_is_gone_does_not_cost_the_answer(talk):
    note = {"type": "container_file_citation", "container_id": "cntr_1", "file_id": "cfile_1", "filename": "a.csv"}
    keeper = Keeper(wire.response(wire.message("Here.", [note])))

    def answer(seen: Seen) -> list:
        return refusal(404, "Container is expired.") if seen.path.endswith("/content") else keeper(seen)

    async with talk(answer) as (backend, _, _):
        run = await backend.ask(wire.question())
    assert run.ending is Ending.ANSWERED
    assert "Container is expired." in run.files[0].problem


async def test_nothing_of_an_assistant_is_stored(talk):
    async with talk(Keeper(ANSWERED)) as (backend, server, _):
        assert await backend.list_assistants() == ()
        with pytest.raises(RemoteError, match="this API stores no assistants"):
            await backend.create_assistant(wire.question().deployment, {"runner.namespace": "demo"})
        assert (server.calls, backend.capabilities.stores_assistants) == ([], False)
