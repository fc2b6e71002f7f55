"""The folder that the code of each thread works in: the files given to it, and those that it wrote."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from weakref import WeakValueDictionary

from runner.server.inference import ProducedFile

MAX_CONTAINERS = 64
MAX_WRITTEN_BYTES = 64 << 20  # that the code of a thread may have in its folder, beside what was given to it
MAX_PRODUCED_FILES = 20
_MAX_NAME_BYTES = 200

_Stamps = Mapping[str, tuple[int, int]]


class FilesNotGiven(Exception):
    """The files can't be put into a folder; the message is the reason, for users."""


class Container:
    """One thread's folder. Its methods block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._given: dict[str, Path] = {}

    def give(self, files: Mapping[str, Path]) -> None:
        """Copy the files that are not there; what code wrote into earlier ones stays. Raises FilesNotGiven."""
        for name, source in files.items():
            place = safe_name(name)
            if self._given.get(place) != source or not (self.folder / place).exists():
                try:
                    shutil.copyfile(source, self.folder / place)
                except OSError as error:
                    raise FilesNotGiven(f"the files can't be given to the code: {error.strerror or error}") from error
                self._given[place] = source

    def stamp(self) -> _Stamps:
        """Size and time of change of each file."""
        return {name: (status.st_size, status.st_mtime_ns) for name, status in self._files()}

    def room_bytes(self) -> int:
        written = sum(status.st_size for name, status in self._files() if name not in self._given)
        return max(0, MAX_WRITTEN_BYTES - written)

    def find_produced(self, before: _Stamps) -> tuple[ProducedFile, ...]:
        """The files that are new or different since `before`, by name; no more than 20."""
        changed = sorted(name for name, stamp in self.stamp().items() if stamp != before.get(name))
        return tuple(
            ProducedFile(name=name, filename=safe_name(name), path=self.folder / name)
            for name in changed[:MAX_PRODUCED_FILES]
        )

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        """Regular files, by their paths inside the folder; links are none."""
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = Path(folder, name)
                if path.is_file() and not path.is_symlink():
                    yield path.relative_to(self.folder).as_posix(), path.lstat()


class Containers:
    """Containers by thread, the least recently used dropped first; and a lock per thread."""

    def __init__(self) -> None:
        self._containers: OrderedDict[str, Container] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._home: tempfile.TemporaryDirectory[str] | None = None

    def lock(self, thread_id: str) -> asyncio.Lock:
        """Held while code of the thread runs: like the cells of a notebook, it runs one after the other."""
        return self._locks.setdefault(thread_id, asyncio.Lock())

    def open(self, thread_id: str) -> tuple[Container, str | None]:
        """The thread's container, and the thread that lost its own for it. The thread's lock is held."""
        if thread_id not in self._containers:
            if self._home is None:
                self._home = tempfile.TemporaryDirectory(prefix="runner-code-", ignore_cleanup_errors=True)
            self._containers[thread_id] = Container(Path(tempfile.mkdtemp(dir=self._home.name)))
        self._containers.move_to_end(thread_id)
        return self._containers[thread_id], self._drop_oldest()

    def close(self) -> None:
        self._containers.clear()
        if self._home is not None:
            self._home.cleanup()
            self._home = None

    def _drop_oldest(self) -> str | None:
        if len(self._containers) <= MAX_CONTAINERS:
            return None
        idle = (one for one in self._containers if (lock := self._locks.get(one)) is None or not lock.locked())
        oldest = next(idle, None)
        if oldest is not None:
            shutil.rmtree(self._containers.pop(oldest).folder, ignore_errors=True)
        return oldest


def safe_name(name: str) -> str:
    """The last part of a name that may be a path, or hostile: no control or invisible characters, not too long."""
    last = name.replace("\0", "").replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    shown = "".join(sign if sign.isprintable() else "_" for sign in last)
    if shown in {"", ".", ".."}:
        return "file"
    return shown.encode("utf-8", "replace")[-_MAX_NAME_BYTES:].decode("utf-8", "ignore")
