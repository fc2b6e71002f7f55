"""Contents as answers: whole, whatever happens to the file meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_kit import engine_at, keep
from starlette.responses import Response
from starlette.types import Message

from runner.server.engine.documents import delete_file
from runner.server.engine.state.file_storage import CHUNK_BYTES
from runner.server.engine.state.store import Missing
from runner.server.wire.replies import reply_content


async def send(response: Response) -> list[Message]:
    sent: list[Message] = []

    async def take(message: Message) -> None:
        sent.append(message)

    async def say_nothing() -> Message:
        raise AssertionError("nobody asked")

    await response({"type": "http", "method": "GET", "asgi": {"spec_version": "2.4"}}, say_nothing, take)
    return sent


async def test_a_file_that_is_deleted_meanwhile_is_still_sent_whole(tmp_path: Path) -> None:
    content = b"x" * (CHUNK_BYTES + 7)
    async with engine_at(tmp_path) as engine:
        file = await keep(engine, "a.txt", content)
        response = reply_content(engine, file, file.filename)
        delete_file(engine, file.id)
        start, *bodies = await send(response)

    assert b"".join(body["body"] for body in bodies) == content
    assert [body["more_body"] for body in bodies] == [True, True, False]
    assert dict(start["headers"])[b"content-length"] == str(len(content)).encode()


async def test_a_name_can_not_break_out_of_its_header(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        file = await keep(engine, "a.txt", b"x")
        start, *_ = await send(reply_content(engine, file, 'a"\r\nset-cookie: b\udcff.txt'))

    disposition = dict(start["headers"])[b"content-disposition"]
    assert disposition == b"attachment; filename*=utf-8''a%22%0D%0Aset-cookie%3A%20b%3F.txt"


async def test_a_file_without_its_content_is_missing(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        file = await keep(engine, "a.txt", b"x")
        delete_file(engine, file.id)
        with pytest.raises(Missing):
            reply_content(engine, file, file.filename)
