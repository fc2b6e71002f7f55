"""What is stored on the remote side, and whose it is: decided by tags alone, never by names or remembered ids."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Generic, Protocol, TypeVar

from runner.backends import Backend, RemoteAssistant, RemoteStore, StoredFile
from runner.domain.assistant import Address, Namespace
from runner.domain.conversation import StoreId
from runner.domain.plan import Kind
from runner.errors import RemoteError
from runner.sync import tags

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


async def run_bounded(jobs: Iterable[Callable[[], Awaitable[Item]]], *, at_once: int) -> list[Item]:
    """The jobs' results in their order. The first exception stops the other jobs and is raised as it is."""
    places = asyncio.Semaphore(at_once)

    async def run(job: Callable[[], Awaitable[Item]]) -> Item:
        async with places:
            return await job()

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(job)) for job in jobs]
    except BaseExceptionGroup as failures:
        raise _first(failures) from None
    return [task.result() for task in tasks]


async def outcome_of(job: Callable[[], Awaitable[Item]]) -> Item | RemoteError:
    """What it comes to: one that fails doesn't stop the others."""
    try:
        return await job()
    except RemoteError as error:
        return error


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    failure = failures.exceptions[0]
    return _first(failure) if isinstance(failure, BaseExceptionGroup) else failure


class MadeOnce(Generic[Key, Item]):
    """Things that are each made once, however many ask for one at the same time.

    A failure is remembered too: all who ask get the same exception (creates are sent once: `backends/_requests.py`).
    """

    def __init__(self) -> None:
        self._tasks: dict[Key, asyncio.Future[Item]] = {}

    async def get(self, key: Key, make: Callable[[], Awaitable[Item]]) -> Item:
        if key not in self._tasks:
            self._tasks[key] = asyncio.ensure_future(make())
        # Shielded: one who stops waiting must not take the thing from the others.
        return await asyncio.shield(self._tasks[key])

    async def settle(self) -> None:
        """Wait until all that was asked for is there, or has failed."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def close(self) -> None:
        """Stop what is still being made, and wait until it has stopped: the journal is to know of it."""
        for task in self._tasks.values():
            task.cancel()
        await self.settle()


LOOKS_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteState:
    """Everything of the kinds that we manage, other people's included. `lists_read` counts what was asked for.

    With `stores_assistants` False the API keeps none: a definition travels with every request. `store_files` are those
    of the stores that were looked into.
    """

    assistants: tuple[RemoteAssistant, ...] = ()
    stores: tuple[RemoteStore, ...] = ()
    lists_read: int = 0
    stores_assistants: bool = True
    store_files: Mapping[StoreId, tuple[StoredFile, ...]] = field(default_factory=dict)


async def read_remote(backend: Backend, *, with_stores: bool = True, in_full: bool = False) -> RemoteState:
    """One list of each kind, read side by side; without stores, no store can be told. Raises RemoteError.

    `in_full` is as in `Backend.list_assistants`.
    """
    stores_assistants = backend.capabilities.stores_assistants
    assistants, stores = await asyncio.gather(
        backend.list_assistants(in_full=in_full) if stores_assistants else _nothing(),
        backend.files.list_stores() if with_stores else _nothing(),
    )
    return RemoteState(
        assistants=assistants,
        stores=stores,
        lists_read=stores_assistants + with_stores,
        stores_assistants=stores_assistants,
    )


async def look_into(backend: Backend, remote: RemoteState, store_ids: Sequence[StoreId]) -> RemoteState:
    """The same with the files of these stores. Raises RemoteError."""
    jobs = [partial(backend.files.list_store_files, store_id) for store_id in store_ids]
    files = dict(zip(store_ids, await run_bounded(jobs, at_once=LOOKS_AT_ONCE), strict=True))
    return replace(remote, store_files=files, lists_read=remote.lists_read + len(files))


async def _nothing() -> tuple[()]:
    return ()


class Tagged(Protocol):
    """A remote object that carries metadata; `created_at` is in Unix seconds."""

    @property
    def id(self) -> str: ...
    @property
    def created_at(self) -> int: ...
    @property
    def metadata(self) -> Mapping[str, str]: ...


T = TypeVar("T", bound=Tagged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding(Generic[T]):
    """The object that stands for an address, and others that carry the same tags (never touched)."""

    chosen: T | None
    duplicates: tuple[T, ...] = ()


def bind(objects: Iterable[T], namespace: Namespace, address: Address) -> Binding[T]:
    """The oldest object with the address's tags. Every sync chooses alike: ties are broken by id."""
    found = sorted(
        (one for one in objects if tags.belongs_to(one.metadata, namespace) and one.metadata[tags.ADDRESS] == address),
        key=age,
    )
    return Binding(chosen=found[0] if found else None, duplicates=tuple(found[1:]))


def age(one: Tagged) -> tuple[int, str]:
    """Sorts the oldest first."""
    return one.created_at, one.id


def owned_objects(namespace: Namespace, remote: RemoteState) -> tuple[tuple[Kind, Tagged], ...]:
    """Everything that sync made under this namespace: assistants, then stores, the oldest of each first."""
    return tuple((kind, one) for kind, one in _oldest_first(remote) if tags.belongs_to(one.metadata, namespace))


def play_objects(namespace: Namespace, remote: RemoteState) -> tuple[tuple[Kind, Tagged, str], ...]:
    """What plays of this namespace have on the remote side, with each play's id; assistants, then stores."""
    return tuple(
        (kind, one, one.metadata[tags.PLAY])
        for kind, one in _oldest_first(remote)
        if one.metadata.get(tags.NAMESPACE) == namespace and tags.PLAY in one.metadata
    )


def _oldest_first(remote: RemoteState) -> Iterator[tuple[Kind, Tagged]]:
    yield from ((Kind.ASSISTANT, one) for one in sorted(remote.assistants, key=age))
    yield from ((Kind.STORE, one) for one in sorted(remote.stores, key=age))
