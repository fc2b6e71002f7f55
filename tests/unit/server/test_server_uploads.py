"""Uploads of any size and shape, without a socket: the form comes in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.types import Message

from runner.server.engine.state.file_storage import Blobs
from runner.server.wire.fields import BadRequest
from runner.server.wire.forms import MAX_FRAME_BYTES, Upload, read_upload

LIMIT = 1000


def form(size: int, **fields: str) -> bytes:
    texts = {"purpose": "assistants", **fields}.items()
    purpose = b"".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode() for name, text in texts
    )
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    return purpose + head + b"x" * size + b"\r\n--b--\r\n"


async def send(state: Path, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Upload:
    def cut() -> Iterator[Message]:
        for start in range(0, len(body), 700):
            yield {"type": "http.request", "body": body[start : start + 700], "more_body": True}
        yield {"type": "http.request", "body": b"", "more_body": False}

    pieces = cut()

    async def receive() -> Message:
        return next(pieces)

    kind = (b"content-type", b"multipart/form-data; boundary=b")
    scope = {"type": "http", "method": "POST", "path": "/v1/files", "headers": [kind, *headers]}
    return await read_upload(Request(scope, receive), Blobs(state), most_bytes=LIMIT)


async def test_a_file_of_the_largest_size_is_taken(tmp_path: Path) -> None:
    upload = await send(tmp_path, form(LIMIT))

    assert upload.arrival.size_bytes == LIMIT


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT + 2 * MAX_FRAME_BYTES])
async def test_a_larger_file_is_a_413_that_says_the_limit_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    with pytest.raises(BadRequest, match="larger than 1000 bytes") as refused:
        await send(tmp_path, form(size))

    assert (refused.value.status, refused.value.param) == (413, "file")
    assert files_in(tmp_path) == []


async def test_a_size_that_is_announced_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    length = str(LIMIT + 2 * MAX_FRAME_BYTES).encode()
    with pytest.raises(BadRequest, match="larger than 1000 bytes"):
        await send(tmp_path, b"", ((b"content-length", length),))


@pytest.mark.parametrize("seconds", ["soon", "9" * 5000], ids=["no number", "5,000 digits"])
async def test_a_lifetime_that_is_no_number_is_refused(tmp_path: Path, seconds: str) -> None:
    fields = {"expires_after[anchor]": "created_at", "expires_after[seconds]": seconds}
    with pytest.raises(BadRequest) as refused:
        await send(tmp_path, form(1, **fields))

    assert (refused.value.param, refused.value.code) == ("expires_after[seconds]", "invalid_type")
