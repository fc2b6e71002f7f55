"""How long what users write may take (patterns, paths, schemas): a moment where the whole program waits, else longer.

`re` can't be interrupted, `regex` can. Seconds are those that the thread was busy.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


class Hurry:
    """Whether it was over before what was done in it: then that says nothing, and is to be done again elsewhere."""

    is_over = False


_ends_at_s: ContextVar[float] = ContextVar("ends_at_s", default=math.inf)
_hurry: ContextVar[Hurry | None] = ContextVar("hurry", default=None)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """What is done inside gets a TimeoutError, from the functions below, once these are over."""
    token = _ends_at_s.set(min(_ends_at_s.get(), time.thread_time() + seconds))
    try:
        yield
    finally:
        _ends_at_s.reset(token)


@contextmanager
def in_a_hurry(seconds: float) -> Iterator[Hurry]:
    """The same, and it is told afterwards whether that happened, whatever has become of the error."""
    hurry = Hurry()
    token = _hurry.set(hurry)
    try:
        with at_most(seconds):
            yield hurry
    finally:
        _hurry.reset(token)


def check_time() -> None:
    """Raises TimeoutError."""
    if time.thread_time() > _ends_at_s.get():
        _give_up()


def match(find: Callable[..., T], *texts: object, seconds: float) -> T:
    """What a function of `regex` finds, within these seconds or what is left of others. Raises TimeoutError."""
    left_s = min(seconds, _ends_at_s.get() - time.thread_time())
    if left_s <= 0:
        _give_up()
    try:
        return find(*texts, timeout=left_s)
    except TimeoutError:
        _give_up()
        raise


def _give_up() -> None:
    if (hurry := _hurry.get()) is not None:
        hurry.is_over = True
    raise TimeoutError
