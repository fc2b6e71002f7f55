"""The Files API and vector stores, the same service on every OpenAI API."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NotRequired, TypedDict, TypeVar

from runner.backends import RemoteStore, StoredFile
from runner.backends._json_fields import Json, identifier, integer, moment, optional_text, part, text, text_map
from runner.backends._requests import REQUEST_BUDGET_S, Api, Creation, Reply, Request, join_path
from runner.backends._waiting import Deadline, Rhythm
from runner.domain.conversation import FileId, ProducedFile, StoreId
from runner.domain.files import IMAGE_TYPES, Chunking, FileUse, file_type
from runner.domain.plan import Kind
from runner.errors import DeadlineExceeded, RemoteError, RemoteMissing, UsageError

SHA256_ATTRIBUTE = "runner.sha256"
NAME_ATTRIBUTE = "runner.name"
CHUNKING_ATTRIBUTE = "runner.chunking"
"""What the file said; absent where it said nothing. Attributes can be changed, how a file was cut up can't."""
LONGEST_ATTRIBUTE = 512
FILES_PER_BATCH = 2000
FILES_AT_ONCE = 8
"""Of those that are attached one by one."""
SLOWEST_UPLOAD_BYTES_PER_S = 50_000


class Stores(Enum):
    """Whether a server has vector stores; the Assistants API has been served without any."""

    ALWAYS = "always"
    PERHAPS = "perhaps"
    NEVER = "never"


class _Order(TypedDict):
    """A file to attach, as the API wants it."""

    file_id: FileId
    attributes: dict[str, str]
    chunking_strategy: NotRequired[Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Files that were attached together; the counts are of files."""

    id: str
    status: str
    completed: int
    failed: int
    total: int

    @property
    def is_over(self) -> bool:
        return self.status in ("completed", "failed", "cancelled")

    def holds_all(self, wanted: int) -> bool:
        return self.status == "completed" and self.completed == self.total == wanted

    def __str__(self) -> str:
        return f"{self.status}, {self.completed} of {self.total} files done, {self.failed} failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attached:
    """A file that was attached by itself; `reason` is why it failed, if it did."""

    status: str
    reason: str

    @property
    def is_over(self) -> bool:
        return self.status != "in_progress"

    def __str__(self) -> str:
        return self.status


Indexed = TypeVar("Indexed", _Batch, _Attached)


class RemoteFiles:
    """Implements `Files`. Remembers the names of what it uploaded: the API attaches files by id alone."""

    def __init__(self, api: Api, stores: Stores = Stores.ALWAYS) -> None:
        self._api = api
        self._stores = stores
        self._takes_batches = True
        self._names: dict[FileId, str] = {}
        self._rhythm = Rhythm(api.pace.fastest_look_s)

    async def upload_file(
        self,
        path: Path,
        name: str,
        use: FileUse,
        *,
        expires_after_days: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> FileId:
        try:
            # Not in a thread: a sync that is cut off meanwhile would leave it open.
            file, size = _open_file(path, progress)
        except OSError as error:
            raise UsageError(f"'{name}' can't be read: {error.strerror}") from error
        with file:
            request = _upload_request(name, file, size, _purpose(name, use), expires_after_days)
            reply = await self._api.create(request, Creation(kind=Kind.FILE, label=name), identifier)
        file_id = FileId(reply.value)
        self._names[file_id] = name
        return file_id

    def name_of(self, file_id: FileId) -> str:
        """The name under which a file was uploaded here; "" for any other file."""
        return self._names.get(file_id, "")

    async def delete_file(self, file_id: FileId) -> None:
        await self._api.delete(f"deleting the file {file_id}", join_path("files", file_id), Kind.FILE, file_id)

    async def list_stores(self) -> tuple[RemoteStore, ...]:
        if self._stores is Stores.NEVER:
            return ()
        request = Request(doing="listing the vector stores", path="/vector_stores", query={"order": "asc"})
        try:
            return await self._api.list_all(request, _read_store)
        except RemoteMissing:
            if self._stores is Stores.ALWAYS:
                raise
            return ()

    async def create_store(
        self, name: str, tags: Mapping[str, str], *, expires_after_days: int | None = None
    ) -> RemoteStore:
        body: dict[str, object] = {"name": name, "metadata": dict(tags)}
        if expires_after_days is not None:
            body["expires_after"] = {"anchor": "last_active_at", "days": expires_after_days}
        request = Request(doing=f"creating the vector store '{name}'", path="/vector_stores", body=body)
        return (await self._api.create(request, Creation(kind=Kind.STORE, label=name, tags=tags), _read_store)).value

    async def tag_store(self, store_id: StoreId, metadata: Mapping[str, str]) -> None:
        path = join_path("vector_stores", store_id)
        body = {"metadata": dict(metadata)}
        await self._api.post(Request(doing=f"tagging the vector store {store_id}", path=path, body=body), _read_store)

    async def delete_store(self, store_id: StoreId) -> None:
        path = join_path("vector_stores", store_id)
        await self._api.delete(f"deleting the vector store {store_id}", path, Kind.STORE, store_id)

    async def list_store_files(self, store_id: StoreId) -> tuple[StoredFile, ...]:
        path = join_path("vector_stores", store_id, "files")
        request = Request(doing=f"listing the files of the vector store {store_id}", path=path)
        listed = await self._api.list_all(request, _read_store_file)
        return tuple(file for file in listed if file is not None)

    async def attach_files(
        self,
        store_id: StoreId,
        files: Mapping[FileId, str],
        *,
        deadline_s: float,
        chunking: Mapping[FileId, Chunking] | None = None,
    ) -> None:
        rows = [self._order(file_id, sha256, (chunking or {}).get(file_id)) for file_id, sha256 in files.items()]
        deadline = Deadline.after(deadline_s, self._api.pace.clock)
        for batch in _batched(rows, FILES_PER_BATCH):
            if self._takes_batches:
                await self._attach_batch(store_id, batch, deadline)
            else:
                await self._attach_missing(store_id, batch, deadline)

    async def detach_file(self, store_id: StoreId, file_id: FileId) -> None:
        path = join_path("vector_stores", store_id, "files", file_id)
        await self._api.delete(f"detaching the file {file_id} from the vector store {store_id}", path)

    async def _attach_batch(self, store_id: StoreId, rows: Sequence[_Order], deadline: Deadline) -> None:
        doing = f"attaching {self._describe(rows)} to the vector store {store_id}"
        path = join_path("vector_stores", store_id, "file_batches")
        reply = await self._api.post(Request(doing=doing, path=path, body={"files": rows}), _read_batch)
        batch = await self._wait_for(reply, doing, lambda one: f"{path}{join_path(one.id)}", _read_batch, deadline)
        if batch.holds_all(len(rows)):
            return
        reported = f"the server reports {batch}, of {len(rows)} that were attached"
        if batch.total == 0:
            # OGX answers 200 to `files`, and attaches nothing.
            try:
                await self._attach_missing(store_id, rows, deadline)
            except RemoteError as error:
                raise RemoteError(f"{self._api.line(doing, reported)}; and {error}") from None
            self._takes_batches = False
            return
        listed = Request(doing=doing, path=f"{path}{join_path(batch.id, 'files')}")
        failures = filter(None, await self._api.list_all(listed, _read_failure))
        reasons = "; ".join(f"{self._describe_one(file_id)}: {reason}" for file_id, reason in failures)
        raise RemoteError(self._api.line(doing, reasons or reported))

    async def _attach_missing(self, store_id: StoreId, rows: Sequence[_Order], deadline: Deadline) -> None:
        """One by one what the store doesn't have yet, whatever became of those that it has."""
        path = join_path("vector_stores", store_id, "files")
        doing = f"listing the files of the vector store {store_id}"
        listed = await self._api.list_all(Request(doing=doing, path=path), identifier)
        missing = [row for row in rows if row["file_id"] not in listed]
        failures: list[str] = []
        for some in _batched(missing, FILES_AT_ONCE):
            ended = await asyncio.gather(*(self._attach_one(store_id, row, deadline) for row in some))
            failures += filter(None, ended)
        if failures:
            doing = f"attaching {self._describe(rows)} to the vector store {store_id}"
            raise RemoteError(self._api.line(doing, "; ".join(failures)))

    async def _attach_one(self, store_id: StoreId, row: _Order, deadline: Deadline) -> str:
        """Why the file can't be searched; "" if it can."""
        name = self._describe_one(row["file_id"])
        doing = f"attaching {name} to the vector store {store_id}"
        path = join_path("vector_stores", store_id, "files")
        reply = await self._api.post(Request(doing=doing, path=path, body=dict(row)), _read_attached)
        file = await self._wait_for(
            reply, doing, lambda _: f"{path}{join_path(row['file_id'])}", _read_attached, deadline
        )
        return "" if file.status == "completed" else f"{name}: {file.reason}"

    async def _wait_for(
        self,
        reply: Reply[Indexed],
        doing: str,
        path_of: Callable[[Indexed], str],
        read: Callable[[Json], Indexed],
        deadline: Deadline,
    ) -> Indexed:
        pace = self._api.pace
        started = pace.clock()
        while not reply.value.is_over:
            pause_s = self._rhythm.pause_s(reply.poll_after_s, pace.clock() - started)
            left_s = deadline.left_s()
            if left_s <= 0:
                waited_s = pace.clock() - started
                message = f"not searchable after {waited_s:.0f} s; the last state is: {reply.value}"
                raise DeadlineExceeded(self._api.line(doing, message))
            await pace.sleep(min(pause_s, left_s))
            reply = await self._api.get(Request(doing=doing, path=path_of(reply.value)), read)
        return reply.value

    def _order(self, file_id: FileId, sha256: str, chunking: Chunking | None) -> _Order:
        attributes = {SHA256_ATTRIBUTE: sha256}
        if file_id in self._names:
            attributes[NAME_ATTRIBUTE] = self._names[file_id][:LONGEST_ATTRIBUTE]
        if chunking is None:
            return {"file_id": file_id, "attributes": attributes}
        attributes[CHUNKING_ATTRIBUTE] = str(chunking)
        sizes = {"max_chunk_size_tokens": chunking.max_tokens, "chunk_overlap_tokens": chunking.overlap_tokens}
        strategy: dict[str, object] = {"type": "static", "static": sizes}
        return {"file_id": file_id, "attributes": attributes, "chunking_strategy": strategy}

    def _describe(self, rows: Sequence[_Order]) -> str:
        return self._describe_one(rows[0]["file_id"]) if len(rows) == 1 else f"{len(rows)} files"

    def _describe_one(self, file_id: FileId) -> str:
        return f"'{self._names[file_id]}'" if file_id in self._names else f"the file {file_id}"


async def download(api: Api, name: str, path: str) -> ProducedFile:
    """A file that a run made, or why its content can't be had any more."""
    try:
        content = await api.fetch(Request(doing=f"downloading '{name}'", path=path))
    except RemoteError as error:
        return ProducedFile(name=name, problem=str(error))
    return describe_content(name, content)


def describe_content(name: str, content: bytes) -> ProducedFile:
    sha256 = hashlib.sha256(content).hexdigest()
    return ProducedFile(name=name, size_bytes=len(content), sha256=sha256, text=_short_text(content))


_LONGEST_TEXT = 1_000_000
"""Bytes of a produced file whose text is kept for checks."""


def _short_text(content: bytes) -> str | None:
    if len(content) > _LONGEST_TEXT or b"\0" in content:
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _purpose(name: str, use: FileUse) -> str:
    if use is not FileUse.INPUT:
        return "assistants"
    return "vision" if file_type(name) in IMAGE_TYPES else "user_data"


class _WatchedFile(FileIO):
    """Tells, with each part that is read, how far it was read."""

    def __init__(self, path: Path, progress: Callable[[int], None]) -> None:
        super().__init__(path)
        self._progress = progress

    def read(self, size: int | None = -1, /) -> bytes:
        # None comes of files that don't block; this one does.
        part = super().read(-1 if size is None else size) or b""
        self._progress(self.tell())
        return part


def _open_file(path: Path, progress: Callable[[int], None] | None) -> tuple[BinaryIO, int]:
    """The file and its size in bytes."""
    file = _WatchedFile(path, progress) if progress else path.open("rb")
    try:
        size = file.seek(0, 2)
        file.seek(0)
    except OSError:
        file.close()
        raise
    return file, size


def _upload_request(name: str, file: BinaryIO, size: int, purpose: str, expires_after_days: int | None) -> Request:
    body: dict[str, object] = {"purpose": purpose}
    if expires_after_days is not None:
        body["expires_after"] = {"anchor": "created_at", "seconds": expires_after_days * 24 * 3600}
    return Request(
        doing=f"uploading '{name}' ({size:,} bytes)",
        path="/files",
        body=body,
        file=(name, file),
        budget_s=REQUEST_BUDGET_S + size / SLOWEST_UPLOAD_BYTES_PER_S,
    )


def _batched(rows: Sequence[_Order], size: int) -> Iterator[tuple[_Order, ...]]:
    rest = iter(rows)
    while batch := tuple(islice(rest, size)):
        yield batch


def _read_store(body: Json) -> RemoteStore:
    counts = body.get("file_counts")
    completed = counts.get("completed") if isinstance(counts, dict) else None
    return RemoteStore(
        id=StoreId(identifier(body)),
        created_at=moment(body),
        metadata=text_map(body, "metadata"),
        searchable_files=completed if isinstance(completed, int) else None,
    )


def _read_store_file(body: Json) -> StoredFile | None:
    """None for a file that can't be searched: it is listed, but it isn't there."""
    attributes = text_map(body, "attributes")
    if text(body, "status") != "completed":
        return None
    return StoredFile(
        file_id=FileId(identifier(body)),
        sha256=attributes.get(SHA256_ATTRIBUTE, ""),
        filename=attributes.get(NAME_ATTRIBUTE, ""),
        chunking=attributes.get(CHUNKING_ATTRIBUTE, ""),
    )


def _read_failure(body: Json) -> tuple[FileId, str] | None:
    if text(body, "status") in ("completed", "in_progress"):
        return None
    return FileId(identifier(body)), _read_attached(body).reason


def _read_attached(body: Json) -> _Attached:
    status = text(body, "status")
    return _Attached(status=status, reason=optional_text(part(body, "last_error"), "message") or status)


def _read_batch(body: Json) -> _Batch:
    counts = part(body, "file_counts")
    return _Batch(
        id=identifier(body),
        status=text(body, "status"),
        completed=integer(counts, "completed"),
        failed=integer(counts, "failed"),
        total=integer(counts, "total"),
    )
