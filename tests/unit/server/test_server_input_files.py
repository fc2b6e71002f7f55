"""Files that the model itself is to read: their text is taken out once and goes with them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from engine_kit import engine_at

from runner.server.engine.core import Engine
from runner.server.engine.documents import FileTextRecord, delete_file, find_given, keep_file, prepare_files
from runner.server.engine.state.file_storage import FileRecord
from runner.server.engine.state.store import Missing, Refusal


async def upload(engine: Engine, content: bytes, filename: str) -> FileRecord:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    return keep_file(engine, await engine.blobs.receive(chunks()), filename=filename, purpose="user_data")


async def test_the_text_is_taken_out_once(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        file = await upload(engine, b"Burger 23.75", "menu.txt")
        await prepare_files(engine, [file.id, file.id])
        engine.blobs.path(file.sha256).write_bytes(b"something else")
        await prepare_files(engine, [file.id])
        given = find_given(engine, file.id)

    assert given is not None
    assert (given.file_id, given.filename, given.text) == (file.id, "menu.txt", "Burger 23.75")


async def test_the_text_goes_with_its_file(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        file = await upload(engine, b"Burger 23.75", "menu.txt")
        await prepare_files(engine, [file.id])
        delete_file(engine, file.id)

        assert engine.store.children(FileTextRecord) == ()
        assert find_given(engine, file.id) is None
        with pytest.raises(Missing):
            await prepare_files(engine, [file.id])


async def test_nothing_is_kept_of_a_request_with_a_type_that_is_not_read(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        good = await upload(engine, b"Burger 23.75", "menu.txt")
        bad = await upload(engine, b"...", "menu.zip")
        with pytest.raises(Refusal, match=r"but got \.zip\."):
            await prepare_files(engine, [good.id, bad.id])

        assert find_given(engine, good.id) is None
