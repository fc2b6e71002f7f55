"""Write a file whole: a reader, or a crash, finds the old content or the new, never a part."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from runner.errors import WriteFailed


def write_whole(path: Path, content: str | bytes, *, what: str) -> None:
    """Replace `path` by a file with `content` (text as UTF-8); folders on the way are made.

    A link stays one: what it leads to is replaced. Permissions stay; a new file has those of the process's umask.
    Raises WriteFailed, naming `what` and the file, if the disk refuses; the old file is then untouched.
    """
    raw = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    try:
        real = path.resolve() if path.is_symlink() else path
        real.parent.mkdir(parents=True, exist_ok=True)
        if real.exists() and not real.is_file():
            real.write_bytes(raw)  # /dev/stdout and the like can't be renamed over
            return
        _replace(real, raw)
    except OSError as error:
        raise WriteFailed(f"cannot write {what} {path}: {error.strerror}") from error


def _replace(path: Path, raw: bytes) -> None:
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}")
    how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(temporary, how, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            temporary.chmod(path.stat().st_mode & 0o777)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
