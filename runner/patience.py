"""How much what users write may take (patterns, paths, schemas): a moment where the whole program waits, else longer.

`re` can't be interrupted, `regex` can, but for reading a pattern. Seconds are those that the thread was busy.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import regex

T = TypeVar("T")
# The library writes a counted repetition out: a{1000}{1000}{1000} takes seconds and gigabytes before it is refused.
_MAX_EXPANDED_SIZE = 200_000


@dataclass(slots=True)
class Hurry:
    """Whether it was over before what was done in it: then that says nothing, and is to be done again elsewhere."""

    ends_at_s: float
    is_over: bool = False


class _Left(BaseException):
    """Past all who make something of what goes wrong in a check."""


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
    """The same, and it is told afterwards whether that happened, whatever has become of the error.

    `leave_if_over` ends what is done inside, without one.
    """
    hurry = Hurry(time.thread_time() + seconds)
    token = _hurry.set(hurry)
    try:
        with at_most(seconds), suppress(_Left):
            yield hurry
    finally:
        _hurry.reset(token)


def check_time() -> None:
    """Raises TimeoutError."""
    if time.thread_time() > _ends_at_s.get():
        _give_up()


def leave_if_over() -> None:
    """Nothing, but where all that is done says nothing any more: then whoever was in a hurry goes on at once."""
    hurry = _hurry.get()
    if hurry is not None and time.thread_time() > hurry.ends_at_s:
        hurry.is_over = True
        raise _Left


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


@lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> regex.Pattern[str]:
    """Raises ValueError for one that is too large, regex.error for what is none."""
    if expanded_size(pattern) > _MAX_EXPANDED_SIZE:
        raise ValueError("repeats too much: its counts multiply each other")
    try:
        compiled: regex.Pattern[str] = regex.compile(pattern)
    except (RecursionError, OverflowError, MemoryError) as error:
        raise ValueError("is too large or nested too deeply") from error
    return compiled


_TOKEN = re.compile(
    r"""\\.                                        # an escaped character
      | \[\^?\]?(?:\\.|[^\]\\])*\]?               # a set
      | \{\s*(?P<low>\d*)\s*(?P<range>,\s*(?P<high>\d*)\s*)?\}
      | .""",
    re.VERBOSE | re.DOTALL,
)
_HUGE = 10**12


def expanded_size(pattern: str) -> int:
    """About how many items `pattern` has once `(ab){3}` is written as `ababab`; capped at 10**12."""
    totals, last = [0], 0
    for token in _TOKEN.finditer(pattern):
        text = token.group()
        if text == "(":
            totals.append(0)
            continue
        if text == ")" and len(totals) > 1:
            last = totals.pop() + 1
        elif text.startswith("{") and len(text) > 1:
            times = max((int(digits[:13]) for digits in token.group("low", "high") if digits), default=1)
            repeated = min(last * max(times, 1), _HUGE)
            totals[-1] += repeated - last
            last = repeated
            continue
        else:
            last = 1
        totals[-1] = min(totals[-1] + last, _HUGE)
    return sum(totals)
