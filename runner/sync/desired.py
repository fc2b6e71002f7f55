"""What the file wants of one assistant, its files read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from runner.domain.assistant import Assistant
from runner.domain.conversation import FileId, StoreId
from runner.domain.files import FileUse
from runner.errors import UsageError
from runner.sync.comparing import declared_hashes
from runner.sync.content import ContentCache, HashedFile, hash_file
from runner.sync.imprint import Imprint, digest, hash_value

STORE_LABEL = "store"
CODE_LABEL = "code"
CODE_IDS_LABEL = "code_ids"


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
