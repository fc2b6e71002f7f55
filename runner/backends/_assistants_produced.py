"""Files that the code interpreter left on the server in a run: read, and noted for the play's cleaning."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from runner.backends._assistants_wire import WireMessage, WireStep
from runner.backends._reading import Json, optional_text, text
from runner.backends._requests import Api, Request, join_path
from runner.domain.conversation import FileId, ProducedFile
from runner.domain.plan import Kind
from runner.errors import RemoteError

_PURPOSE = "assistants_output"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """A file as the server describes it."""

    name: str
    is_output: bool


async def fetch_produced(
    api: Api, run_id: str, messages: Sequence[WireMessage], steps: Sequence[WireStep]
) -> tuple[ProducedFile, ...]:
    """The files that a run's answers point to and the images that its code drew, each once."""
    drawn = (image_id for step in steps for call in step.calls for image_id in call.image_ids)
    said = (message for message in messages if message.is_answer and message.run_id == run_id)
    pointed_to = (file_id for message in said for file_id in message.file_ids)
    file_ids = dict.fromkeys((*drawn, *pointed_to))
    files = await asyncio.gather(*(_fetch(api, file_id) for file_id in file_ids))
    return tuple(file for file in files if file is not None)


async def _fetch(api: Api, file_id: FileId) -> ProducedFile | None:
    """None if it is no output, but a file that the code was given: that one is not the run's, and stays."""
    path = join_path("files", file_id)
    name: str = file_id
    try:
        listed = (await api.get(Request(doing=f"reading the file {file_id}", path=path), _read_listed)).value
        if not listed.is_output:
            return None
        name = listed.name
        api.note_found(Kind.FILE, file_id, name)
        content = await api.fetch(Request(doing=f"downloading '{name}'", path=f"{path}/content"))
    except RemoteError as error:
        return ProducedFile(name=name, problem=str(error))
    return ProducedFile(name=name, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _read_listed(body: Json) -> _Listed:
    name = optional_text(body, "filename") or text(body, "id")
    return _Listed(name=name, is_output=body.get("purpose") == _PURPOSE)
