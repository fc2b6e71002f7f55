"""Create remote objects of one kind so that one remains for each address, whatever answers get lost and whoever
else syncs at the same time.

A create is sent once. Afterwards the kind is listed again: a lost answer's object is found by its tags, and where
several syncs created one each, all of them let the oldest win and delete what they created themselves. The wait
before that look makes the rule safe: `created_at` has whole seconds, so whoever creates after our look is younger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic

from runner.domain.assistant import Address, Namespace
from runner.errors import RemoteError, UnclearOutcome
from runner.sync.remote import T, age, bind, outcome_of, run_bounded

CREATES_AT_ONCE = 8
SETTLE_S = 1.1
"""Must be above 1, see the module; 0 is enough where nobody else can sync."""
LOOKS_S = (1.0, 2.0, 4.0)
"""The pauses before further looks for an object whose creation was not confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for what; `indexing_s` is the deadline for one store's files."""

    settle_s: float = field(default_factory=lambda: SETTLE_S)
    looks_s: tuple[float, ...] = field(default_factory=lambda: LOOKS_S)
    indexing_s: float = 300.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker(Generic[T]):
    """How one kind of object is made, listed and deleted. All three raise RemoteError."""

    create: Callable[[Address], Awaitable[T]]
    list_all: Callable[[], Awaitable[tuple[T, ...]]]
    delete: Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made(Generic[T]):
    """The object that stands for an address now.

    `is_ours` is False where another sync made it, or where it is not known who did; its content is then unknown too.
    """

    made: T
    is_ours: bool
    note: str = ""


async def create_once(
    addresses: Sequence[Address], maker: Maker[T], namespace: Namespace, patience: Patience
) -> dict[Address, Made[T] | RemoteError]:
    """One object for each address, or why there is none."""
    if not addresses:
        return {}
    jobs = [partial(outcome_of, partial(maker.create, address)) for address in addresses]
    attempts = dict(zip(addresses, await run_bounded(jobs, at_once=CREATES_AT_ONCE), strict=True))
    if all(isinstance(one, RemoteError) and not isinstance(one, UnclearOutcome) for one in attempts.values()):
        return {address: one for address, one in attempts.items() if isinstance(one, RemoteError)}
    lost = [address for address, one in attempts.items() if isinstance(one, UnclearOutcome)]
    try:
        listed = await _look(maker, namespace, lost, patience)
    except RemoteError as error:
        return dict.fromkeys(addresses, error)
    return {address: await _settle(address, one, listed, maker, namespace) for address, one in attempts.items()}


async def _look(maker: Maker[T], namespace: Namespace, lost: Sequence[Address], patience: Patience) -> tuple[T, ...]:
    """A list that is young enough to decide by; looks again while a lost answer's object is not in it."""
    await patience.sleep(patience.settle_s)
    listed = await maker.list_all()
    for pause_s in patience.looks_s:
        if all(bind(listed, namespace, address).chosen for address in lost):
            break
        await patience.sleep(pause_s)
        listed = await maker.list_all()
    return listed


async def _settle(
    address: Address, attempt: T | RemoteError, listed: tuple[T, ...], maker: Maker[T], namespace: Namespace
) -> Made[T] | RemoteError:
    binding = bind(listed, namespace, address)
    if isinstance(attempt, RemoteError):
        if not isinstance(attempt, UnclearOutcome) or binding.chosen is None:
            return attempt
        note = "the answer to its creation was lost; it was found by its tags"
        return Made(made=binding.chosen, is_ours=False, note=note)
    # A list may lag behind: what we hold counts although it may not be listed yet.
    others = [one for one in (binding.chosen, *binding.duplicates) if one and one.id != attempt.id]
    winner = min((attempt, *others), key=age)
    if winner.id == attempt.id:
        return Made(made=attempt, is_ours=True)
    note = f"another sync created {winner.id} at the same time, which is used; {await _give_way(attempt.id, maker)}"
    return Made(made=winner, is_ours=False, note=note)


async def _give_way(remote_id: str, maker: Maker[T]) -> str:
    try:
        await maker.delete(remote_id)
    except RemoteError as error:
        return f"{remote_id} could not be deleted: {error}"
    return f"{remote_id} was deleted"
