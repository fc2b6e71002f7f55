"""What the file wants of one assistant, its files read, and what of that the target would refuse.

Their hashes are kept in a disposable cache, which maps a path with its size and modification time to the hash. Without
it hashing takes longer; nothing else changes. What is unreadable in it is ignored.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from runner.backends import Limits
from runner.domain.assistant import Assistant, hash_definition
from runner.domain.conversation import FileId, StoreId
from runner.domain.files import FileUse, LocalFile
from runner.errors import Problem, UsageError, WriteFailed
from runner.sync.comparing import Imprint, declared_hashes, digest, hash_value
from runner.sync.tags import TAGS_OF_OURS
from runner.whole_file import write_whole

STORE_LABEL = "store"
CODE_LABEL = "code"
CODE_IDS_LABEL = "code_ids"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """A declared assistant, and its files with their content known; the same file twice is there once."""

    assistant: Assistant
    search_files: tuple[HashedFile, ...] = ()
    code_files: tuple[HashedFile, ...] = ()

    @property
    def search_mark(self) -> str:
        """Hash of what is to be searched: the store's commit mark."""
        return digest(sorted(_describe_content(file) for file in self.search_files))

    @property
    def code_hash(self) -> str:
        """Short hash of the code interpreter's files; "" where there are none."""
        return hash_value(sorted((file.name, file.sha256) for file in self.code_files))

    @property
    def definition_hash(self) -> str:
        """Short hash of everything that decides how it answers, content of files included."""
        files = (*self.search_files, *self.code_files)
        return hash_definition(self.assistant, [(one.file, one.sha256) for one in files])

    def imprint(self, store_ids: Sequence[StoreId], code_file_ids: Sequence[FileId]) -> Imprint:
        """What is applied when the assistant is stored with these objects: the content of `runner.spec`.

        Equal for declarations that mean the same. What is searched is not in it: the store has a mark of its own.
        """
        return {
            **declared_hashes(self.assistant),
            STORE_LABEL: hash_value(list(store_ids)),
            CODE_LABEL: self.code_hash,
            CODE_IDS_LABEL: hash_value(sorted(code_file_ids)),
        }


def _describe_content(file: HashedFile) -> tuple[str, ...]:
    return (file.name, file.sha256, file.chunking) if file.chunking else (file.name, file.sha256)


async def read_desired(
    assistants: Sequence[Assistant], cache: ContentCache | None = None, *, now_ns: int = 0
) -> tuple[Desired, ...]:
    """The assistants with their files hashed, off the event loop. Raises UsageError if a file can't be read.

    `now_ns` is the time of day in nanoseconds since 1970, as files have it.
    """
    return await asyncio.to_thread(lambda: tuple(describe(one, cache, now_ns=now_ns) for one in assistants))


def describe(assistant: Assistant, cache: ContentCache | None = None, *, now_ns: int = 0) -> Desired:
    """One assistant with its files hashed. Raises UsageError."""
    hashed: dict[tuple[FileUse, str, str], HashedFile] = {}
    for file in assistant.files:
        if file.use is FileUse.INPUT:
            raise UsageError(f"{file.location}: '{file.name}' cannot stand by: no tool of the assistant takes it")
        one = hash_file(file, cache, now_ns=now_ns)
        hashed.setdefault((file.use, file.name, one.sha256), one)
    return Desired(
        assistant=assistant,
        search_files=tuple(one for one in hashed.values() if one.file.use is FileUse.FILE_SEARCH),
        code_files=tuple(one for one in hashed.values() if one.file.use is FileUse.CODE_INTERPRETER),
    )


def find_excesses(assistants: Sequence[Assistant], limits: Limits, *, target: str) -> tuple[Problem, ...]:
    """Everything that the target's API would refuse, each at its place in the file.

    What every API limits alike (sizes of files, lengths of metadata) is checked when the file is read: `config/`.
    """
    return tuple(problem for one in assistants for problem in _find_excesses(one, limits, f"target '{target}'"))


def _find_excesses(assistant: Assistant, limits: Limits, target: str) -> Iterator[Problem]:
    pattern = limits.address_pattern
    if pattern is not None and re.fullmatch(pattern, assistant.address) is None:
        message = f"{target} does not take this address: {limits.address_words}"
        yield assistant.location.problem(message, path=f"assistants.{assistant.address}", hint="give it another one")
    if limits.refuses_secrets:
        yield from _find_secrets(assistant, target)
    texts = (
        ("name", len(assistant.name), limits.name_characters),
        ("instructions", len(assistant.instructions), limits.instructions_characters),
    )
    for field, length, most in texts:
        if most is not None and length > most:
            yield _problem_at(assistant, field, f"{length:,} characters; {target} takes {most:,}", "shorten it")
    code_files = sum(file.use is FileUse.CODE_INTERPRETER for file in assistant.files)
    tools = len(assistant.tools) + len(assistant.functions)
    tools_key = "tools" if assistant.tools else "functions"
    counts = (
        (tools_key, tools, limits.tools, ", functions included" if assistant.functions else ""),
        ("files", code_files, limits.code_files, " for code_interpreter"),
        (
            "metadata",
            len(assistant.metadata),
            limits.metadata_pairs - TAGS_OF_OURS,
            f" beside {TAGS_OF_OURS} of ours",
        ),
    )
    for field, count, most, what in counts:
        if most is not None and count > most:
            yield _problem_at(assistant, field, f"{count}; {target} takes {most}{what}", "remove some")


def _find_secrets(assistant: Assistant, target: str) -> Iterator[Problem]:
    for index, tool in enumerate(assistant.tools):
        if tool.mcp is not None and (tool.mcp.authorization or tool.mcp.headers):
            place = tool.location or assistant.place_of("tools")
            message = f"{target} keeps the definition, and who may read that could read the server's authorization"
            hint = "use a server that wants none, or `api: responses`"
            yield place.problem(message, path=f"assistants.{assistant.address}.tools[{index}]", hint=hint)


def _problem_at(assistant: Assistant, field: str, message: str, hint: str) -> Problem:
    # Instructions may stand in a file of their own.
    where = assistant.place_of(field if field in assistant.places else f"{field}_file")
    return where.problem(message, path=f"assistants.{assistant.address}.{field}", hint=hint)
