"""Containers in the engine: how long they live, what becomes of their contents, what code is given."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from engine_kit import Brain, Clock, engine_at, keep

from runner.server.engine.containers import (
    add_copies,
    copy_upload,
    create_container,
    delete_container,
    expire_container,
    forget_removed,
    keep_uploaded,
    keep_written,
    look_at_container,
    use_container,
)
from runner.server.engine.core import Engine, Lifetimes, need
from runner.server.engine.documents import delete_file
from runner.server.engine.responses import NewItem, ResponseOrder, start_response
from runner.server.engine.runs.runs import NewMessage, sweep
from runner.server.engine.state.file_storage import AUTO, Arrival, ContainerFileRecord, ContainerRecord
from runner.server.engine.state.records import Brief, RunRecord, RunState, StepRecord, TextPart, ToolSetting
from runner.server.engine.state.store import Missing, Refusal
from runner.server.inference import Answer, Move, Role, Scene, ToolRequest, UseTools


async def arrive(engine: Engine, content: bytes) -> Arrival:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    return await engine.blobs.receive(chunks())


def files_of(engine: Engine, container: ContainerRecord) -> dict[str, bytes]:
    files = engine.store.children(ContainerFileRecord, container.id)
    return {file.name: engine.blobs.path(file.sha256).read_bytes() for file in files}


def on_disk(state: Path) -> int:
    """How many contents there are, those that are still arriving included."""
    return sum(path.is_file() for path in (state / "blobs").rglob("*"))


async def test_a_container_expires_20_minutes_after_its_last_use(tmp_path: Path) -> None:
    clock = Clock()
    async with engine_at(tmp_path, clock=clock) as engine:
        container = create_container(engine, "one")
        keep_uploaded(engine, container.id, await arrive(engine, b"a"), "a.txt")
        clock.now += 1_199
        sweep(engine)
        use_container(engine, container.id)
        clock.now += 1_199
        sweep(engine)
        assert look_at_container(engine, container.id).is_expired is False
        clock.now += 1_200
        with pytest.raises(Refusal, match="Container is expired"):
            use_container(engine, container.id)
        sweep(engine)

        assert look_at_container(engine, container.id).is_expired
        assert look_at_container(engine, container.id).last_active_at == clock.now - 1_200
        assert files_of(engine, container) == {}
        assert on_disk(tmp_path) == 0


async def test_a_container_that_was_used_meanwhile_does_not_expire(tmp_path: Path) -> None:
    clock = Clock()
    async with engine_at(tmp_path, clock=clock) as engine:
        container = create_container(engine, "one", idle_s=60)
        clock.now += 59
        use_container(engine, container.id)
        clock.now += 59
        expire_container(engine, container.id)
        expire_container(engine, "cntr_none")

        assert look_at_container(engine, container.id).is_expired is False


async def test_a_content_stays_on_disk_as_long_as_any_file_has_it(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        upload = await keep(engine, "a.txt", b"a")
        one = create_container(engine, "one", file_ids=(upload.id,))
        other = create_container(engine, "other")
        keep_uploaded(engine, other.id, await arrive(engine, b"a"), "a.txt")

        delete_file(engine, upload.id)
        delete_container(engine, one.id)
        assert files_of(engine, other) == {"a.txt": b"a"}
        delete_container(engine, other.id)
        assert on_disk(tmp_path) == 0


async def test_an_upload_to_a_container_that_is_gone_leaves_nothing(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        with pytest.raises(Missing):
            keep_uploaded(engine, "cntr_none", await arrive(engine, b"a"), "a.txt")
        assert keep_written(engine, "cntr_none", await arrive(engine, b"a"), "a.txt") is None
        assert on_disk(tmp_path) == 0


async def test_what_code_writes_again_keeps_its_id_and_loses_the_old_content(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        container = create_container(engine, "one")
        first = keep_written(engine, container.id, await arrive(engine, b"1"), "sub/a.txt")
        second = keep_written(engine, container.id, await arrive(engine, b"22"), "sub/a.txt")

        assert first is not None
        assert second is not None
        assert (second.id, second.size_bytes) == (first.id, 2)
        assert files_of(engine, container) == {"sub/a.txt": b"22"}
        assert on_disk(tmp_path) == 1
        forget_removed(engine, container.id, ("sub/a.txt", "never/there"))
        assert on_disk(tmp_path) == 0


async def test_what_was_not_written_down_to_its_end_leaves_the_old_contents(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        container = create_container(engine, "one")
        keep_written(engine, container.id, await arrive(engine, b"old"), "a.txt")
        keep_written(engine, container.id, await arrive(engine, b"other"), "b.txt")
        newer = await arrive(engine, b"new")
        with suppress(InterruptedError), engine.store.transaction():
            keep_written(engine, container.id, newer, "a.txt")
            forget_removed(engine, container.id, ["b.txt"])
            raise InterruptedError
        assert files_of(engine, container) == {"a.txt": b"old", "b.txt": b"other"}

        keep_written(engine, container.id, await arrive(engine, b"new"), "a.txt")
        forget_removed(engine, container.id, ["b.txt"])
        assert files_of(engine, container) == {"a.txt": b"new"}
        assert on_disk(tmp_path) == 1


async def test_copies_are_made_once_for_auto_and_as_often_as_the_client_asks(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        upload = await keep(engine, "../a.txt", b"a")
        container = create_container(engine, "one", file_ids=(upload.id, upload.id))
        keep_written(engine, container.id, await arrive(engine, b"changed"), "a.txt")
        add_copies(engine, container.id, (upload.id,))
        assert files_of(engine, container) == {"a.txt": b"changed"}

        names = {copy_upload(engine, container.id, upload.id).name for _ in range(2)}
        assert len(names) == 2
        assert all(name.startswith("cfile_") and name.endswith("-a.txt") for name in names)


# Code --------------------------------------------------------------------------------------------------------------


def typist(scene: Scene) -> Move:
    """Runs the question as code, and says what came of it."""
    if scene.outcomes:
        return Answer(text=scene.outcomes[0].output)
    return UseTools(requests=(ToolRequest(tool="code_interpreter", arguments={"code": scene.messages[-1].text}),))


def order(code: str, container: str) -> ResponseOrder:
    tool = ToolSetting(name="code_interpreter", options={"container": container})
    message = NewMessage(role=Role.USER, parts=(TextPart(text=code),))
    item = NewItem(body={"type": "message"}, message=message)
    return ResponseOrder(brief=Brief(model="m", tools=(tool,)), items=(item,), settings={})


async def run_code(engine: Engine, code: str, container: str) -> RunRecord:
    response = start_response(engine, order(code, container))
    while (run := need(engine, RunRecord, response.run_id)).state.is_active:
        await asyncio.sleep(0.001)
    return run


async def test_a_container_that_goes_while_the_model_thinks_fails_the_run(tmp_path: Path) -> None:
    async with engine_at(tmp_path, Brain(typist)) as engine:
        container = create_container(engine, "one")
        response = start_response(engine, order("1", container.id))
        delete_container(engine, container.id)
        while (run := need(engine, RunRecord, response.run_id)).state.is_active:
            await asyncio.sleep(0.001)

    assert run.state is RunState.FAILED
    assert run.failure is not None
    assert run.failure.message == f"Container with id '{container.id}' not found."


async def test_a_container_is_made_together_with_the_step_that_knows_of_it(tmp_path: Path) -> None:
    async with engine_at(tmp_path, Brain(typist)) as engine:
        with sqlite3.connect(tmp_path / "server.db", isolation_level=None) as database:
            # As a process that is killed there: after the container, before the step.
            refuse = f"WHEN NEW.kind = '{StepRecord.KIND}' BEGIN SELECT RAISE(ABORT, 'no more'); END"
            database.execute(f"CREATE TRIGGER no_step BEFORE INSERT ON objects {refuse}")
            run = await run_code(engine, "print(1)", AUTO)
            made = database.execute("SELECT id FROM objects WHERE kind = ?", (ContainerRecord.KIND,)).fetchall()

    assert run.state is RunState.FAILED
    assert made == [], "nobody would ever learn of it"


async def test_what_the_process_holds_of_a_container_goes_with_it(tmp_path: Path) -> None:
    lifetimes = Lifetimes(lease_s=0.04)
    async with engine_at(tmp_path, Brain(typist), lifetimes=lifetimes) as engine:
        gone = create_container(engine, "gone")
        stays = create_container(engine, "stays")
        for container in (gone, stays):
            await run_code(engine, "open('/mnt/data/own.txt', 'w').write('own')", container.id)
        tool = await engine.toolbox.open("code_interpreter")
        folders = tool._containers._containers  # type: ignore[attr-defined]  # the only trace of it
        assert set(folders) == {gone.id, stays.id}
        folder = folders[gone.id].folder
        delete_container(engine, gone.id)
        async with asyncio.timeout(10):
            while set(folders) != {stays.id}:
                await asyncio.sleep(0.01)

        assert not folder.exists()


async def test_a_damaged_container_does_not_end_the_care_for_runs(tmp_path: Path) -> None:
    lifetimes = Lifetimes(lease_s=0.04)
    clock = Clock()
    async with engine_at(tmp_path, Brain(typist), clock=clock, lifetimes=lifetimes) as engine:
        container = create_container(engine, "one")
        await run_code(engine, "print(1)", container.id)
        with sqlite3.connect(tmp_path / "server.db", isolation_level=None) as database:
            database.execute("UPDATE objects SET body = '{' WHERE id = ?", (container.id,))
            engine.hold("run_1")
            for _ in range(3):
                clock.now += 1
                async with asyncio.timeout(10):
                    while database.execute("SELECT ends_at FROM leases").fetchone() != (clock.now + 0.04,):
                        await asyncio.sleep(0.01)
