"""Which remote objects stand for an address: decided by tags alone, never by names or remembered ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from runner.domain.assistant import Address, Namespace
from runner.sync import tags


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
