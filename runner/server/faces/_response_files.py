"""Files that come in a request itself, and are kept as uploads if it is taken."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator
from types import TracebackType

from runner.server.engine.engine import Engine
from runner.server.engine.file_records import FileRecord
from runner.server.engine.files import delete_file, keep_file
from runner.server.engine.input_files import prepare_files
from runner.server.faces._bodies import Fields

LIFETIME_S = 30 * 86_400


class InlineFiles:
    """The files of one request. Left by an exception, which refuses the request, this context drops them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._ids: list[str] = []

    def __enter__(self) -> InlineFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for file_id in self._ids if kind is not None else ():
            # The client may have seen it in a list, and deleted it.
            if self.engine.store.find(FileRecord, file_id) is not None:
                delete_file(self.engine, file_id)

    async def keep(self, part: Fields, content: str) -> str:
        """Its id; it is kept for a month. Raises BadRequest, or Refusal if it can't be read."""
        filename = part.needed_text("filename", longest=512)
        encoded = content.rpartition(",")[2] if content.startswith("data:") else content
        try:
            decoded = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise part.invalid("file_data", "expected base64-encoded data.", "invalid_value") from error

        async def chunks() -> AsyncIterator[bytes]:
            yield decoded

        arrival = await self.engine.blobs.receive(chunks())
        file = keep_file(self.engine, arrival, filename=filename, purpose="user_data", lifetime_s=LIFETIME_S)
        self._ids.append(file.id)
        await prepare_files(self.engine, [file.id])
        return file.id
