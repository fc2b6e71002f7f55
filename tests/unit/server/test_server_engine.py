"""Runs, files and vector stores on an engine of their own."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from engine_kit import Brain, Clock, ask, ended, engine_at, keep, listening, make_assistant, says, until

from runner.server.engine.core import Engine, Event, Lifetimes, MessageGrew, need
from runner.server.engine.documents import (
    NewStore,
    NewStoredFile,
    ResourceOrder,
    attach,
    create_store,
    delete_file,
    detach,
)
from runner.server.engine.runs.loop import LEGAL, MAX_MOVES, move_run
from runner.server.engine.runs.runs import (
    NewThread,
    RunOrder,
    add_message,
    cancel_run,
    create_thread,
    delete_thread,
    start_run,
    start_run_in_new_thread,
    sweep,
)
from runner.server.engine.state.file_storage import (
    FileRecord,
    IndexState,
    StoredFileRecord,
    StoreRecord,
    stored_file_id,
)
from runner.server.engine.state.records import (
    MessageRecord,
    Record,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    ToolSetting,
)
from runner.server.engine.state.store import Conflict, Missing
from runner.server.inference import Answer, Move, Scene, ToolRequest, UseTools

MENU = b"Burger 23.75\nSoda 15.50\n"


def search(scene: Scene) -> Move:
    if scene.outcomes or not scene.has_documents:
        return Answer(text=str(len([one for outcome in scene.outcomes for one in outcome.passages])))
    return UseTools(requests=(ToolRequest(tool="file_search", arguments={"queries": ["burger"]}),))


async def indexed(engine: Engine, store_id: str, file_id: str) -> StoredFileRecord:
    def stored() -> StoredFileRecord:
        return need(engine, StoredFileRecord, stored_file_id(store_id, file_id))

    await until(lambda: stored().state is not IndexState.IN_PROGRESS)
    return stored()


async def test_a_run_tells_its_listeners_every_change_in_order(tmp_path: Path) -> None:
    events: list[Event] = []
    async with engine_at(tmp_path) as engine:
        assistant = make_assistant(engine)
        run = start_run_in_new_thread(engine, NewThread(messages=(says("Hi"),)), RunOrder(assistant_id=assistant.id))
        with listening(engine, run.id, events.append):
            await ended(engine, run.id)

    assert [type(event) for event in events] == [
        RunRecord,
        StepRecord,
        MessageRecord,
        MessageGrew,
        MessageRecord,
        StepRecord,
        RunRecord,
    ]
    assert isinstance(events[-1], RunRecord)
    assert events[-1].state is RunState.COMPLETED


async def test_an_inference_that_never_answers_is_stopped_after_so_many_moves(tmp_path: Path) -> None:
    brain = Brain(lambda _: UseTools(requests=(ToolRequest(tool="file_search", arguments={"queries": ["x"]}),)))
    async with engine_at(tmp_path, brain) as engine:
        run = await ask(engine, RunOrder(assistant_id=make_assistant(engine, "file_search").id), "Hi")

    assert run.state is RunState.FAILED
    assert run.failure is not None
    assert f"{MAX_MOVES} moves" in run.failure.message


async def test_a_tool_that_is_not_on_offer_fails_the_run(tmp_path: Path) -> None:
    brain = Brain(lambda _: UseTools(requests=(ToolRequest(tool="code_interpreter", arguments={"code": "1"}),)))
    async with engine_at(tmp_path, brain) as engine:
        run = await ask(engine, RunOrder(assistant_id=make_assistant(engine, "file_search").id), "Hi")

    assert run.failure is not None
    assert "code_interpreter" in run.failure.message


async def test_a_run_that_allows_no_tools_offers_none(tmp_path: Path) -> None:
    brain = Brain()
    async with engine_at(tmp_path, brain) as engine:
        await ask(engine, RunOrder(assistant_id=make_assistant(engine, "file_search").id, tool_choice="none"), "Hi")

    assert brain.scenes[0].tools == frozenset()


async def test_an_inference_that_crashes_fails_the_run_and_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(scene: Scene) -> Move:
        raise RuntimeError(f"no idea about {scene.model}")

    with caplog.at_level(logging.ERROR, "runner.server"):
        async with engine_at(tmp_path, Brain(crash)) as engine:
            run = await ask(engine, RunOrder(assistant_id=make_assistant(engine).id), "Hi")

    assert run.state is RunState.FAILED
    assert run.failure is not None
    assert run.failure.code == "server_error"
    assert "no idea" in caplog.text


async def test_a_run_sees_only_as_many_messages_as_it_asked_for(tmp_path: Path) -> None:
    brain = Brain()
    async with engine_at(tmp_path, brain) as engine:
        order = RunOrder(assistant_id=make_assistant(engine).id, last_messages=2)
        await ask(engine, order, "one", "two", "three")

    assert [message.text for message in brain.scenes[0].messages] == ["two", "three"]


async def test_additional_instructions_and_messages_are_added(tmp_path: Path) -> None:
    brain = Brain()
    async with engine_at(tmp_path, brain) as engine:
        order = RunOrder(
            assistant_id=make_assistant(engine).id,
            overrides={"instructions": "Be brief."},
            additional_instructions="Be kind.",
            additional_messages=(says("And?"),),
        )
        await ask(engine, order, "So")

    assert brain.scenes[0].instructions == "Be brief.\nBe kind."
    assert [message.text for message in brain.scenes[0].messages] == ["So", "And?"]


async def test_what_scores_below_the_threshold_is_not_found(tmp_path: Path) -> None:
    async with engine_at(tmp_path, Brain(search)) as engine:
        file = await keep(engine, "menu.txt", MENU)
        store = create_store(engine, NewStore(files=(NewStoredFile(file_id=file.id),)))
        assistant = make_assistant(engine, "file_search", resources=ResourceOrder(store_ids=(store.id,)))
        found = await ask(engine, RunOrder(assistant_id=assistant.id), "Hi")
        strict = ToolSetting(name="file_search", options={"score_threshold": 1.0})
        order = RunOrder(assistant_id=assistant.id, overrides={"tools": (strict,)})
        nothing = await ask(engine, order, "Hi")
        texts = [engine.store.children(MessageRecord, run.thread_id)[-1].parts[0].text for run in (found, nothing)]

    assert texts == ["1", "0"]


async def test_a_deleted_assistant_does_not_stop_its_runs(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        assistant = make_assistant(engine)
        run = start_run_in_new_thread(engine, NewThread(messages=(says("Hi"),)), RunOrder(assistant_id=assistant.id))
        engine.store.delete(assistant.id)
        assert (await ended(engine, run.id)).state is RunState.COMPLETED


async def test_a_thread_deleted_in_the_middle_of_a_run_leaves_nothing(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        run = start_run_in_new_thread(
            engine, NewThread(messages=(says("Hi"),)), RunOrder(assistant_id=make_assistant(engine).id)
        )
        delete_thread(engine, run.thread_id)
        await asyncio.sleep(0.05)

        assert engine.workers.object_ids == ()
        assert engine.store.children(RunRecord) == engine.store.children(MessageRecord) == ()
        assert engine.store.children(StepRecord) == ()


async def test_a_run_cancelled_before_its_first_step_is_cancelled(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        thread = create_thread(engine, NewThread(messages=(says("Hi"),)))
        run = start_run(engine, thread.id, RunOrder(assistant_id=make_assistant(engine).id))
        cancel_run(engine, thread.id, run.id)

        assert (await ended(engine, run.id)).state is RunState.CANCELLED
        with pytest.raises(Conflict, match="Cannot cancel run with status 'cancelled'"):
            cancel_run(engine, thread.id, run.id)


async def test_an_engine_that_closes_fails_its_runs_and_their_open_steps(tmp_path: Path) -> None:
    brain = Brain(lambda _: UseTools(requests=(ToolRequest(tool="code_interpreter", arguments={"code": LOOP}),)))
    async with engine_at(tmp_path, brain) as engine:
        order = RunOrder(assistant_id=make_assistant(engine, "code_interpreter").id)
        run = start_run_in_new_thread(engine, NewThread(messages=(says("Hi"),)), order)
        await until(lambda: bool(engine.store.children(StepRecord, run.id)))
    async with engine_at(tmp_path) as engine:
        settled = need(engine, RunRecord, run.id)
        steps = engine.store.children(StepRecord, run.id)

    assert settled.state is RunState.FAILED
    assert [step.state for step in steps] == [StepState.FAILED]


LOOP = "while True:\n    pass"


async def test_no_state_is_left_but_by_a_legal_move(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        run = await ask(engine, RunOrder(assistant_id=make_assistant(engine).id), "Hi")
        moves = [move_run(engine, run.id, state) for state in RunState]

    assert moves == [None] * len(RunState)
    assert all(state.is_active for state in LEGAL)


async def test_a_lease_that_lapsed_settles_its_run_and_its_file_to_failed(tmp_path: Path) -> None:
    clock = Clock()
    async with engine_at(tmp_path, clock=clock, lifetimes=Lifetimes(lease_s=10)) as engine:
        file = await keep(engine, "menu.txt", MENU)
        store = create_store(engine, NewStore())
        run = await ask(engine, RunOrder(assistant_id=make_assistant(engine).id), "Hi")
        stored = attach(engine, store.id, [NewStoredFile(file_id=file.id)])[0]
        await indexed(engine, store.id, file.id)
        # As if another process had been killed over both.
        engine.store.replace(replace(run, state=RunState.IN_PROGRESS))
        engine.store.replace(stored)
        engine.store.hold(run.id, "another process", clock.now + 10)
        engine.store.hold(stored.id, "another process", clock.now + 10)

        sweep(engine)
        before = need(engine, RunRecord, run.id).state, need(engine, StoredFileRecord, stored.id).state
        clock.now += 11
        sweep(engine)
        after = need(engine, RunRecord, run.id).state, need(engine, StoredFileRecord, stored.id).state
        found = engine.index.search((store.id,), "burger", 5)

    assert before == (RunState.IN_PROGRESS, IndexState.IN_PROGRESS)
    assert after == (RunState.FAILED, IndexState.FAILED)
    assert found == ()


async def test_files_and_stores_expire_when_their_time_has_come(tmp_path: Path) -> None:
    clock = Clock()
    async with engine_at(tmp_path, clock=clock) as engine:
        lasting = await keep(engine, "menu.txt", MENU)
        passing = await keep(engine, "note.txt", b"short-lived", lifetime_s=3600)
        files = (NewStoredFile(file_id=lasting.id),)
        store = create_store(engine, NewStore(expires_after_days=1, files=files))
        await indexed(engine, store.id, lasting.id)
        clock.now += 2 * 86_400
        sweep(engine)

        assert need(engine, StoreRecord, store.id).is_expired
        assert engine.store.children(StoredFileRecord, store.id) == ()
        assert engine.index.search((store.id,), "burger", 5) == ()
        assert engine.store.find(FileRecord, passing.id) is None
        assert not engine.blobs.path(passing.sha256).exists()
        assert need(engine, FileRecord, lasting.id) == lasting
        with pytest.raises(Conflict, match="is expired"):
            attach(engine, store.id, files)


async def test_a_file_that_another_process_deletes_first_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    async with engine_at(tmp_path, clock=clock) as engine, engine_at(tmp_path, clock=clock) as other:
        passing = await keep(engine, "note.txt", b"short-lived", lifetime_s=3600)
        clock.now += 3601
        find_due = engine.store.due

        def find_while_the_other_sweeps(cls: type[Record], now: float) -> tuple[Record, ...]:
            found = find_due(cls, now)
            sweep(other)
            return found

        monkeypatch.setattr(engine.store, "due", find_while_the_other_sweeps)
        sweep(engine)

        assert engine.store.find(FileRecord, passing.id) is None


async def test_an_unknown_file_in_an_order_puts_none_in(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        file = await keep(engine, "menu.txt", MENU)
        store = create_store(engine, NewStore())
        with pytest.raises(Missing):
            attach(engine, store.id, [NewStoredFile(file_id=file.id), NewStoredFile(file_id="file-none")])

        assert engine.store.children(StoredFileRecord, store.id) == ()


async def test_a_file_taken_out_while_it_is_indexed_is_never_found(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        store = create_store(engine, NewStore())
        for rounds in range(20):
            file = await keep(engine, f"menu{rounds}.txt", MENU)
            stored = attach(engine, store.id, [NewStoredFile(file_id=file.id)])[0]
            await asyncio.sleep(0.001 * (rounds % 5))
            if rounds % 2:
                detach(engine, stored)
            else:
                delete_file(engine, file.id)
        await until(lambda: not engine.workers.object_ids)

        assert engine.index.search((store.id,), "burger", 50) == ()


async def test_a_file_can_be_put_in_again_and_is_found_once(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        file = await keep(engine, "menu.txt", MENU)
        store = create_store(engine, NewStore())
        for number in range(3):
            attach(engine, store.id, [NewStoredFile(file_id=file.id, attributes={"n": number})])
        stored = await indexed(engine, store.id, file.id)

        assert stored.state is IndexState.COMPLETED
        assert stored.attributes == {"n": 2}
        assert len(engine.index.search((store.id,), "burger", 50)) == 1


async def test_a_message_cannot_be_added_while_a_run_is_active(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        thread = create_thread(engine, NewThread(messages=(says("Hi"),)))
        order = RunOrder(assistant_id=make_assistant(engine).id)
        run = start_run(engine, thread.id, order)
        with pytest.raises(Conflict, match=f"while a run {run.id} is active"):
            add_message(engine, thread.id, says("More"))
        with pytest.raises(Conflict, match=f"already has an active run {run.id}"):
            start_run(engine, thread.id, order)
        await ended(engine, run.id)

        assert add_message(engine, thread.id, says("More")).thread_id == thread.id
