"""Write a file whole: a reader, or a crash, finds the old content or the new, never a part."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from runner.errors import WriteFailed


def write_whole(path: Path, content: str | bytes, *, what: str) -> None:
    """Replace `path` by a file with `content` (text as UTF-8); folders on the way are made.

    Raises WriteFailed, naming `what` and the file, if the disk refuses; the old file is then untouched.
    """
    raw = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            path.write_bytes(raw)  # /dev/stdout and the like can't be renamed over
            return
        _replace(path, raw)
    except OSError as error:
        raise WriteFailed(f"cannot write {what} {path}: {error.strerror}") from error


def _replace(path: Path, raw: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
