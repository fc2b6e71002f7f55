"""How long a wait may last, for a run and for the functions that it calls, and the pause before the next look."""

from __future__ import annotations

import asyncio
import math
import random
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import mktime_tz, parsedate_tz

from runner.backends import QUEUED_TOO_LONG, Question
from runner.did_you_mean import seconds
from runner.domain.conversation import FunctionAnswer, FunctionCall

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[object]]

QUEUED = "queued"
"""What all the APIs say of work that is not begun."""
SLOWEST_LOOK_S = 1.0
UNHURRIED_LOOK_S = 20.0
"""The same for work that was given hours."""
SHORTEST_TOLD_PAUSE_S, LONGEST_TOLD_PAUSE_S = 0.02, 10.0
LONGEST_BACKOFF_S = 8.0


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on a monotonic clock."""

    at: float
    clock: Clock

    @classmethod
    def after(cls, within_s: float, clock: Clock) -> Deadline:
        return cls(clock() + within_s, clock)

    def left_s(self) -> float:
        """Seconds until then; never negative."""
        return max(0.0, self.at - self.clock())


class Wait:
    """For work that goes on elsewhere: until `deadline`, and for `queue_s` at most as long as it is not begun."""

    def __init__(self, deadline: Deadline, queue_s: float = math.inf) -> None:
        self._deadline = deadline
        self._queue = Deadline.after(queue_s, deadline.clock)
        self._queue_s = queue_s

    def left_s(self, status: str) -> float:
        left_s = self._deadline.left_s()
        return min(left_s, self._queue.left_s()) if status == QUEUED else left_s

    def describe(self, status: str, deadline_s: float) -> tuple[str, str | None]:
        """How long it was waited for in vain, where `deadline_s` is the whole; and the code of a run that it ends."""
        if status == QUEUED and self._queue.at < self._deadline.at:
            return f"{self._queue_s:g} s", QUEUED_TOO_LONG
        return f"{deadline_s:.0f} s", None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How time passes and how impatient to be: `fastest_look_s` is the shortest pause between two looks.

    `random` gives numbers from 0 up to 1: those who were refused together must not come back together.
    """

    clock: Clock
    sleep: Sleep
    fastest_look_s: float
    random: Callable[[], float] = field(default=random.random)

    def spread(self, pause_s: float) -> float:
        """A pause that is up to a quarter longer."""
        return pause_s * (1 + self.random() / 4)


class Rhythm:
    """When to look at work that goes on elsewhere, learned from how long such work took before.

    Looks cost more than anything else that a client does, so the first one should come just when the work is done.
    """

    def __init__(self, fastest_s: float, *, slowest_s: float = SLOWEST_LOOK_S) -> None:
        self._fastest_s = fastest_s
        self._slowest_s = slowest_s
        self._first_s = fastest_s

    def pause_s(self, told_s: float | None, waited_s: float) -> float:
        """Seconds until the next look at work that has been waited for `waited_s`.

        What the server says (`told_s`) wins, within reason. After the first look it is a quarter of the time waited
        so far, up to `slowest_s`: the last pause then adds at most a quarter to what the work took.
        """
        if told_s is not None:
            return min(max(told_s, SHORTEST_TOLD_PAUSE_S), LONGEST_TOLD_PAUSE_S)
        if waited_s < self._fastest_s:
            return self._first_s
        return min(self._slowest_s, max(self._fastest_s, waited_s / 4))

    def learn(self, looks: int, paused_s: float) -> None:
        """Work was seen to be done at the look number `looks`, after pauses of `paused_s` in all."""
        # Done at the first look may mean long before it: try a little earlier next time.
        took_s = paused_s * 0.9 if looks == 1 else paused_s
        first_s = self._first_s + 0.2 * (took_s - self._first_s)
        self._first_s = min(SLOWEST_LOOK_S, max(self._fastest_s, first_s))


async def answer_calls(
    question: Question, calls: Sequence[FunctionCall], deadline: Deadline
) -> tuple[FunctionAnswer, ...] | str:
    """What each call is told, in their order; or why nothing is, for people."""
    names = list_names(calls)
    if question.answer is None:
        return f"the assistant calls functions that nothing here answers: {names}"
    try:
        async with asyncio.timeout(deadline.left_s()):
            return tuple(await asyncio.gather(*map(question.answer, calls)))
    except TimeoutError:
        return f"{names} did not answer within {seconds(question.deadline_s)}"


def list_names(calls: Iterable[FunctionCall]) -> str:
    return ", ".join(dict.fromkeys(call.name for call in calls)) or "functions without a name"


def backoff_s(attempt: int) -> float:
    """Seconds to pause after the failed attempt number `attempt` (from 1): 0.25 s, doubled up to 8 s."""
    return min(LONGEST_BACKOFF_S, 0.25 * 2.0 ** min(attempt - 1, 10))


def poll_after_s(headers: Mapping[str, str]) -> float | None:
    """What the server says about the next look, None if it says nothing usable."""
    return _seconds(headers.get("openai-poll-after-ms"), 1000)


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """How long the server asks us to stay away; None if it says nothing usable, infinity for absurd numbers.

    `now_s` is Unix time, needed where the header is a date. Source: RFC 9110 section 10.2.3; the
    header in milliseconds is OpenAI's own.
    """
    for name, units_per_second in (("retry-after-ms", 1000), ("retry-after", 1)):
        told_s = _seconds(headers.get(name), units_per_second)
        if told_s is not None:
            return told_s
    try:
        date = parsedate_tz(headers.get("retry-after", ""))
        return max(0.0, mktime_tz(date) - now_s) if date else None
    except (TypeError, ValueError, OverflowError):
        return None


_RESET = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:([\d.]+)ms)?")


def next_room_s(headers: Mapping[str, str]) -> float | None:
    """Seconds until the server takes another request, where its rate-limit headers say that it takes none now.

    Source: the headers `x-ratelimit-(limit|remaining|reset)-requests`; the reset is when all of the limit is free
    again ("6m0s", "120ms", or plain seconds), so that the first place is free after its share of that.
    """
    if headers.get("x-ratelimit-remaining-requests") != "0":
        return None
    reset_s = _read_reset(headers.get("x-ratelimit-reset-requests", ""))
    limit = _seconds(headers.get("x-ratelimit-limit-requests"), 1) or 1
    return None if reset_s is None else reset_s / max(1.0, limit)


def _read_reset(text: str) -> float | None:
    plain = _seconds(text, 1)
    if plain is not None or not text:
        return plain
    found = _RESET.fullmatch(text)
    if found is None:
        return None
    try:
        hours, minutes, whole_s, milliseconds = (float(one or 0) for one in found.groups())
    except ValueError:
        return None
    return hours * 3600 + minutes * 60 + whole_s + milliseconds / 1000


def _seconds(value: str | None, units_per_second: int) -> float | None:
    try:
        told_s = float(value or "") / units_per_second
    except ValueError:
        return None
    return None if math.isnan(told_s) or told_s < 0 else told_s
