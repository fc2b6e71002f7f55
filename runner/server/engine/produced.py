"""Files that code wrote: they are kept as uploads are, and found again where an answer names them."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import quote

from runner.server.engine.engine import Engine
from runner.server.engine.files import keep_file
from runner.server.engine.records import KeptFile, PathMark, RefusalPart, RunRecord, StepRecord, TextPart, ToolCall
from runner.server.inference import ProducedFile
from runner.server.sandboxes import FILES_FOLDER

PURPOSE = "assistants_output"
_ADDRESS = f"sandbox:{FILES_FOLDER}/"  # as OpenAI's models name a file that they wrote
_CHUNK_BYTES = 1 << 20


async def keep_produced(engine: Engine, files: tuple[ProducedFile, ...]) -> tuple[KeptFile, ...]:
    """Keep what code wrote, to be downloaded. A file that is gone already is left out."""
    kept = []
    for file in files:
        try:
            arrival = await engine.blobs.receive(_read(file))
        except OSError:
            continue
        record = keep_file(engine, arrival, filename=file.filename, purpose=PURPOSE)
        kept.append(KeptFile(name=file.name, file_id=record.id))
    return tuple(kept)


async def _read(file: ProducedFile) -> AsyncIterator[bytes]:
    # Whatever code put there: a link is not followed.
    descriptor = await asyncio.to_thread(os.open, file.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, "rb") as content:
        while chunk := await asyncio.to_thread(content.read, _CHUNK_BYTES):
            yield chunk


def mark_paths(engine: Engine, run: RunRecord, part: TextPart | RefusalPart) -> TextPart | RefusalPart:
    """A part of an answer, with the places where it names files that the thread's code wrote."""
    if isinstance(part, RefusalPart) or _ADDRESS not in part.text:
        return part
    files = _files_by_address(engine, run)
    if not files:
        return part
    longest_first = sorted(files, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    found = pattern.finditer(part.text)
    marks = (PathMark(position=one.start(), text=one[0], file_id=files[one[0]]) for one in found)
    return replace(part, paths=tuple(marks))


def _files_by_address(engine: Engine, run: RunRecord) -> dict[str, str]:
    """File ids by every way to write the file's address; of files with one name the newest counts."""
    files: dict[str, str] = {}
    for other in engine.store.children(RunRecord, run.thread_id):
        for step in engine.store.children(StepRecord, other.id):
            for call in step.calls:
                for file in call.files if isinstance(call, ToolCall) else ():
                    files[_ADDRESS + file.name] = files[_ADDRESS + quote(file.name)] = file.file_id
    return files
