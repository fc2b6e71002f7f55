"""File contents on disk, each under its SHA-256, always whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A content that is on disk but not yet under its name; `keep` or `discard` it."""

    path: Path
    sha256: str
    size_bytes: int

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)


class _Writing:
    """A content on its way to the disk."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._digest = hashlib.sha256()
        self._size_bytes = 0

    def add(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._size_bytes += self._file.write(chunk)

    def arrival(self) -> Arrival:
        return Arrival(path=self._path, sha256=self._digest.hexdigest(), size_bytes=self._size_bytes)


class Blobs:
    """A folder of contents. Who keeps and removes does so inside the store's transaction, so none is torn away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._arrivals = folder / "arriving"
        self._arrivals.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        return self._folder / sha256

    async def receive(self, chunks: AsyncIterator[bytes]) -> Arrival:
        """Write a content as it comes, in constant memory. Leaves nothing behind if it stops in the middle."""
        with self._arriving() as writing:
            async for chunk in chunks:
                writing.add(chunk)
        return writing.arrival()

    def write(self, chunks: Iterable[bytes]) -> Arrival:
        """As `receive`, for a content of our own."""
        with self._arriving() as writing:
            for chunk in chunks:
                writing.add(chunk)
        return writing.arrival()

    @contextlib.contextmanager
    def _arriving(self) -> Iterator[_Writing]:
        descriptor, name = tempfile.mkstemp(dir=self._arrivals)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield _Writing(file, Path(name))
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            os.unlink(name)
            raise

    def discard_stale(self, before: float) -> None:
        """Remove what was arriving when a process was killed: contents last written before that Unix time."""
        for path in self._arrivals.iterdir():
            # Another process may be doing the same, or keeping an arrival.
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < before:
                    path.unlink()

    def keep(self, arrival: Arrival) -> None:
        arrival.path.replace(self.path(arrival.sha256))

    def remove(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)
