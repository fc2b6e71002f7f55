"""Replace files of the user so that they are read back before it counts, and put the old ones back otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from runner.errors import ConfigError, WriteFailed
from runner.whole_file import write_whole

T = TypeVar("T")


def read_source(path: Path) -> str:
    """A file that was loaded, with the line breaks and the byte order mark that it has. Raises WriteFailed."""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WriteFailed(f"cannot read {path} again: {error}") from error


def rewrite(contents: Mapping[Path, str], read_back: Callable[[], T]) -> T:
    """Write each file whole, then what `read_back` returns; if that raises, every file is as it was before.

    Links are followed, so that the file they lead to is what changes. Raises WriteFailed.
    """
    real = {path.resolve(): content for path, content in contents.items()}
    old = {path: path.read_bytes() if path.exists() else None for path in real}
    try:
        for path, content in real.items():
            _write(path, content.encode("utf-8"))
        return read_back()
    except ConfigError as error:
        _restore(old)
        first = error.problems[0]
        raise WriteFailed(f"nothing was written: the file would no longer load ({first})") from error
    except BaseException:
        _restore(old)
        raise


def _write(path: Path, content: bytes) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else None
    write_whole(path, content, what="the file")
    if mode is not None:
        path.chmod(mode)


def _restore(old: Mapping[Path, bytes | None]) -> None:
    for path, content in old.items():
        if content is None:
            path.unlink(missing_ok=True)
        else:
            _write(path, content)
