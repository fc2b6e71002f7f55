"""Which part of a list is wanted, and which part was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """At most `limit` objects, after or before the objects with those ids in the chosen order."""

    limit: int
    newest_first: bool = True
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[R]):
    items: tuple[R, ...]
    has_more: bool
