"""Write a file whole: a reader, or a crash, finds the old content or the new, never a part."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from runner.errors import WriteFailed

_STREAM = re.compile(r"/dev/(?:stdout|stderr|fd/(\d+))")


def write_whole(path: Path, content: str | bytes | Iterable[str], *, what: str) -> None:
    """Replace the content of `path` (text as UTF-8, whole or in parts); folders on the way are made.

    A link stays, and the file that it leads to is replaced. A file keeps its mode; a new one's is the umask's.
    Raises WriteFailed, naming `what` and the file, if the disk refuses; the old file is then untouched.
    """
    parts = [content] if isinstance(content, str | bytes) else content
    raw = (part.encode("utf-8", "backslashreplace") if isinstance(part, str) else part for part in parts)
    try:
        if stream := _STREAM.fullmatch(str(path)):
            _write_to_stream(int(stream[1] or {"/dev/stdout": 1}.get(str(path), 2)), raw)
            return
        real = _follow(path)
        real.parent.mkdir(parents=True, exist_ok=True)
        if real.exists() and not real.is_file():
            with real.open("wb") as file:  # a device or a pipe can't be renamed over
                file.writelines(raw)
            return
        _replace(real, raw)
    except OSError as error:
        raise WriteFailed(f"cannot write {what} {path}: {error.strerror}") from error


def _write_to_stream(descriptor: int, raw: Iterable[bytes]) -> None:
    """To what is open already: where it is a file, opening it again would write over what was printed."""
    with os.fdopen(os.dup(descriptor), "wb") as stream:
        stream.writelines(raw)


def _follow(path: Path) -> Path:
    """Where a link leads to, whether there is something or not."""
    real = Path(os.path.realpath(path))
    if real.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return real


def _replace(path: Path, raw: Iterable[bytes]) -> None:
    temporary = path.with_name(f".runner-{secrets.token_hex(6)}.tmp")
    mode = path.stat().st_mode & 0o7777 if path.exists() else None

    def open_temporary(name: str, flags: int) -> int:
        return os.open(name, flags, 0o666 if mode is None else mode)

    try:
        with open(temporary, "xb", opener=open_temporary) as file:
            file.writelines(raw)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
