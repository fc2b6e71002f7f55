"""A folder that holds the files given to the code interpreter, and nothing else, for as long as code runs."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

_MAX_NAME_CHARACTERS = 200


class FilesNotGiven(Exception):
    """The files can't be put into a folder; the message is the reason, for users."""


@asynccontextmanager
async def give_files(files: Mapping[str, Path]) -> AsyncIterator[Path]:
    """A folder with links to `files` (copies, where it is on another disk) under their names.

    Raises FilesNotGiven.
    """
    folder = tempfile.TemporaryDirectory(prefix="runner-code-", ignore_cleanup_errors=True)
    try:
        try:
            await asyncio.to_thread(_fill, Path(folder.name), dict(files))
        except OSError as error:
            raise FilesNotGiven(f"the files can't be given to the code: {error.strerror or error}") from error
        yield Path(folder.name)
    finally:
        folder.cleanup()


def _fill(folder: Path, files: Mapping[str, Path]) -> None:
    for name, source in files.items():
        place = folder / safe_name(name)
        try:
            os.link(source, place)
        except OSError:
            shutil.copyfile(source, place)


def safe_name(name: str) -> str:
    """The last part of a name that may be a path, or hostile."""
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].replace("\0", "")
    return "file" if last in {"", ".", ".."} else last[-_MAX_NAME_CHARACTERS:]
