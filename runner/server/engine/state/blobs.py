"""File contents on disk, each under its SHA-256, always whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A content that is on disk but not yet under its name; `keep` or `discard` it."""

    path: Path
    sha256: str
    size_bytes: int

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)


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
        descriptor, name = tempfile.mkstemp(dir=self._arrivals)
        digest = hashlib.sha256()
        size_bytes = 0
        try:
            with os.fdopen(descriptor, "wb") as file:
                async for chunk in chunks:
                    digest.update(chunk)
                    size_bytes += file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            os.unlink(name)
            raise
        return Arrival(path=Path(name), sha256=digest.hexdigest(), size_bytes=size_bytes)

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
