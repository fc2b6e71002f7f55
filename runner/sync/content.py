"""What local files contain: their sha256, and a disposable cache of it.

The cache maps a path with its size and modification time to the hash. Without it hashing takes longer;
nothing else changes. What is unreadable in it is ignored.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from runner.domain.files import LocalFile
from runner.errors import UsageError, WriteFailed
from runner.whole_file import write_whole

_CACHE_VERSION = 1
# A file that is younger than this may still change without its size and time changing.
_SETTLED_NS = 2_000_000_000
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells cheaply that a file has changed."""

    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HashedFile:
    """A local file whose content is known; `fingerprint` was taken before the content was read."""

    file: LocalFile
    sha256: str
    fingerprint: Fingerprint

    @property
    def name(self) -> str:
        return self.file.name

    @property
    def chunking(self) -> str:
        """How it is to be cut up for search; "" leaves it to the API."""
        return str(self.file.chunking or "")

    def has_changed(self) -> bool:
        """Whether the file on disk is another one than the one that was hashed."""
        try:
            return read_fingerprint(self.file.path) != self.fingerprint
        except OSError:
            return True


class ContentCache:
    """Hashes by path and fingerprint, kept in one file."""

    def __init__(self, path: Path, known: dict[str, tuple[Fingerprint, str]]) -> None:
        self._path = path
        self._known = known
        self._seen: dict[str, tuple[Fingerprint, str]] = {}

    @classmethod
    def load(cls, path: Path) -> Self:
        """The cache in `path`; an empty one if there is none, or none that can be understood."""
        try:
            raw = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            raw = None
        return cls(path, _read_entries(raw))

    def find(self, path: Path, fingerprint: Fingerprint) -> str | None:
        entry = self._seen.get(str(path)) or self._known.get(str(path))
        if entry is None or entry[0] != fingerprint:
            return None
        self._seen[str(path)] = entry
        return entry[1]

    def remember(self, path: Path, fingerprint: Fingerprint, sha256: str, *, now_ns: int) -> None:
        if now_ns - fingerprint.mtime_ns > _SETTLED_NS:
            self._seen[str(path)] = (fingerprint, sha256)

    def save(self) -> None:
        """Write what was used since `load`, if that is news. A disk that refuses costs time next time, no more."""
        if self._seen == self._known:
            return
        entries = {path: [print_.size_bytes, print_.mtime_ns, sha256] for path, (print_, sha256) in self._seen.items()}
        try:
            write_whole(self._path, json.dumps({"version": _CACHE_VERSION, "sha256": entries}), what="the cache")
        except WriteFailed:
            return


def hash_file(file: LocalFile, cache: ContentCache | None = None, *, now_ns: int = 0) -> HashedFile:
    """One file with its hash, from the cache if its size and time are known there. Raises UsageError."""
    try:
        fingerprint = read_fingerprint(file.path)
        sha256 = cache.find(file.path, fingerprint) if cache else None
        if sha256 is None:
            sha256 = hash_content(file.path)
            if cache:
                cache.remember(file.path, fingerprint, sha256, now_ns=now_ns)
    except OSError as error:
        raise UsageError(f"{file.location}: cannot read '{file.name}': {error.strerror}") from error
    return HashedFile(file=file, sha256=sha256, fingerprint=fingerprint)


def hash_content(path: Path) -> str:
    """The sha256 of a file in hex, in constant memory. Raises OSError."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def read_fingerprint(path: Path) -> Fingerprint:
    status = path.stat()
    return Fingerprint(status.st_size, status.st_mtime_ns)


def _read_entries(raw: object) -> dict[str, tuple[Fingerprint, str]]:
    if not isinstance(raw, dict) or raw.get("version") != _CACHE_VERSION or not isinstance(raw.get("sha256"), dict):
        return {}
    return {path: entry for path, value in raw["sha256"].items() if (entry := _read_entry(value)) is not None}


def _read_entry(value: object) -> tuple[Fingerprint, str] | None:
    match value:
        case [int(size_bytes), int(mtime_ns), str(sha256)] if _SHA256.fullmatch(sha256):
            return Fingerprint(size_bytes, mtime_ns), sha256
        case _:
            return None
