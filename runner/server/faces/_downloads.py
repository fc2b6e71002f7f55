"""Contents of files as answers; one that is deleted meanwhile is still sent whole."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import BinaryIO
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from runner.server.engine.blobs import CHUNK_BYTES
from runner.server.engine.container_records import ContainerFileRecord
from runner.server.engine.engine import Engine
from runner.server.engine.file_records import FileRecord
from runner.server.engine.refusals import Missing

ANY_TYPE = "application/octet-stream"


def reply_content(
    engine: Engine, file: FileRecord | ContainerFileRecord, filename: str, media_type: str = ANY_TYPE
) -> Response:
    """Raises Missing if the file is gone since it was looked up."""
    try:
        content = engine.blobs.path(file.sha256).open("rb")
    except FileNotFoundError as error:
        raise Missing(file.KIND, file.id) from error
    return _Download(content, filename, media_type)


class _Download(StreamingResponse):
    """Reads what is open already, and closes it: starlette's own opens the file when it may be gone."""

    def __init__(self, content: BinaryIO, filename: str, media_type: str) -> None:
        self._content = content
        headers = {
            "content-length": str(os.fstat(content.fileno()).st_size),
            "content-disposition": f"attachment; filename*=utf-8''{quote(filename, errors='replace')}",
        }
        super().__init__(_read(content), headers=headers, media_type=media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._content:
            await super().__call__(scope, receive, send)


async def _read(content: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(content.read, CHUNK_BYTES):
        yield chunk
