"""Faults: what goes wrong on the way, by a file: which request meets which fault, and limits on how many may come.

Belongs here: the transport's troubles, on the server's real sockets. Doesn't: what a model does (`inference/scripted`).
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum


class Word(Enum):
    """Faults that are said in one word."""

    DROP = "drop"
    APPLY_THEN_DROP = "apply_then_drop"
    HANG = "hang"
    BAD_GZIP = "bad_gzip"
    BAD_CHUNK = "bad_chunk"
    ENDLESS_HEADERS = "endless_headers"
    ENDLESS_BODY = "endless_body"


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherAnswer:
    """This is answered, whatever the request; with `applied`, after it was carried out."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    applied: bool = False


class Part(Enum):
    """What a cut is measured in: bytes of the head, bytes of the body, events of a stream."""

    HEADERS = "headers"
    BODY = "body"
    EVENTS = "events"


class Ending(Enum):
    """RESET breaks the connection, CLOSE ends it, END is the regular end of an answer that says no length."""

    RESET = "reset"
    CLOSE = "close"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The answer is over after so much of it; the request is carried out to its end."""

    after: int
    part: Part = Part.BODY
    by: Ending = Ending.RESET


@dataclass(frozen=True, slots=True, kw_only=True)
class Dribble:
    """The answer comes at this pace."""

    bytes_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Inserted:
    """A stream has this text more after so many events (None: at its end); without a text, that event once more."""

    after: int | None
    text: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherLength:
    """The answer says that it has so many bytes, and ends where it really ends."""

    content_length: int


Fault = Word | OtherAnswer | Cut | Dribble | Inserted | OtherLength


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Which requests: by method and path (None: any), and by a text in their JSON body."""

    method: str | None = None
    path: re.Pattern[str] | None = None
    contains: str = ""

    def fit(self, method: str, path: str, body: bytes) -> bool:
        is_here = (self.method is None or self.method == method) and (self.path is None or self.path.fullmatch(path))
        return bool(is_here) and self.contains.encode() in body


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A fault for some of the requests: all of what it says about their number holds, counted from 1.

    `delay_s` goes before; with no fault, the request is only late.
    """

    where: str
    requests: Requests
    fault: Fault | None = None
    delay_s: float = 0.0
    first: int = 1
    last: int | None = None
    every: int = 1
    chance: float = 1.0
    times: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most so many a minute: a bucket that holds `burst` and fills up again evenly. Tokens are estimated."""

    requests: Requests
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    burst: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    rules: tuple[Rule, ...] = ()
    limits: tuple[Limit, ...] = ()
    seed: int = 0

    @property
    def reads_bodies(self) -> bool:
        sources = (*(rule.requests for rule in self.rules), *(limit.requests for limit in self.limits))
        return any(one.contains for one in sources) or any(limit.tokens_per_minute for limit in self.limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """What a request meets. `headers` are added to the answer; `where` names the rule, or the limit that is reached."""

    where: str = ""
    fault: Fault | None = None
    delay_s: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)


class Faults:
    """The plan at work: counts the requests as they come. One seed and one order of requests give the same faults."""

    def __init__(self, plan: FaultPlan, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.plan = plan
        self._seen = [0] * len(plan.rules)
        self._done = [0] * len(plan.rules)
        self._buckets = [_buckets(limit, clock) for limit in plan.limits]
        self._open: set[asyncio.Transport] = set()

    @contextmanager
    def keeping_open(self, connection: asyncio.Transport) -> Iterator[None]:
        """While a fault is at work on the connection."""
        self._open.add(connection)
        try:
            yield
        finally:
            self._open.discard(connection)

    def let_go(self) -> None:
        """The server ends: nobody waits any longer for what never comes."""
        for connection in tuple(self._open):
            connection.abort()

    def meet(self, method: str, path: str, body: bytes) -> Met:
        """What this request meets; it is counted. A limit goes before the rules."""
        headers: dict[str, str] = {}
        for limit, buckets in zip(self.plan.limits, self._buckets, strict=True):
            if limit.requests.fit(method, path, body):
                refusal = _pass_through(buckets, body, headers)
                if refusal is not None:
                    return Met(where=refusal[0], fault=refusal[1], headers=headers)
        due = [rule for number, rule in enumerate(self.plan.rules) if self._is_due(number, rule, method, path, body)]
        if not due:
            return Met(headers=headers)
        number = self.plan.rules.index(due[0])
        self._done[number] += 1
        return Met(where=due[0].where, fault=due[0].fault, delay_s=due[0].delay_s, headers=headers)

    def _is_due(self, number: int, rule: Rule, method: str, path: str, body: bytes) -> bool:
        if not rule.requests.fit(method, path, body):
            return False
        self._seen[number] += 1
        count = self._seen[number]
        is_its_turn = rule.first <= count <= (rule.last or count) and count % rule.every == 0
        # Drawn for its number alone: what happens to other requests changes nothing.
        is_drawn = rule.chance >= 1 or random.Random(f"{self.plan.seed}/{number}/{count}").random() < rule.chance
        return is_its_turn and is_drawn and (rule.times is None or self._done[number] < rule.times)


class _Bucket:
    """Fills up evenly to `size` at `per_minute`; `kind` is requests or tokens."""

    def __init__(self, kind: str, per_minute: float, size: float, clock: Callable[[], float]) -> None:
        self.kind = kind
        self.per_minute = per_minute
        self.size = size
        self._clock = clock
        self._at = clock()
        self.left = size

    def fill(self) -> None:
        now = self._clock()
        self.left = min(self.size, self.left + (now - self._at) * self.per_minute / 60)
        self._at = now

    def wait_s(self, level: float) -> float:
        """Until it holds so much."""
        return max(0.0, (min(level, self.size) - self.left) * 60 / self.per_minute)


def _buckets(limit: Limit, clock: Callable[[], float]) -> list[_Bucket]:
    rates = {"requests": limit.requests_per_minute, "tokens": limit.tokens_per_minute}
    sizes = {"requests": limit.burst or limit.requests_per_minute, "tokens": limit.tokens_per_minute}
    return [_Bucket(kind, rate, float(sizes[kind] or rate), clock) for kind, rate in rates.items() if rate]


_BYTES_PER_TOKEN = 4


def write_error(message: str, *, kind: str, code: str | None) -> bytes:
    """A body as OpenAI's errors have it."""
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()


def _pass_through(buckets: list[_Bucket], body: bytes, headers: dict[str, str]) -> tuple[str, OtherAnswer] | None:
    """Take what the request costs out of the buckets, or refuse it; either way `headers` tell what is left."""
    costs = {"requests": 1.0, "tokens": max(1.0, len(body) / _BYTES_PER_TOKEN)}
    for bucket in buckets:
        bucket.fill()
    lacking = next((one for one in buckets if one.left < min(costs[one.kind], one.size)), None)
    for bucket in buckets:
        if lacking is None:
            bucket.left = max(0.0, bucket.left - costs[bucket.kind])
        headers[f"x-ratelimit-limit-{bucket.kind}"] = f"{bucket.per_minute:.0f}"
        headers[f"x-ratelimit-remaining-{bucket.kind}"] = f"{math.floor(bucket.left)}"
        headers[f"x-ratelimit-reset-{bucket.kind}"] = _show_time(bucket.wait_s(bucket.size))
    if lacking is None:
        return None
    wait_s = lacking.wait_s(costs[lacking.kind])
    said = (
        f"Rate limit reached on {lacking.kind} per min: Limit {lacking.per_minute:.0f}, "
        f"Requested {costs[lacking.kind]:.0f}. Please try again in {_show_time(wait_s)}."
    )
    waits = {"retry-after": str(math.ceil(wait_s)), "retry-after-ms": str(math.ceil(wait_s * 1000))}
    body = write_error(said, kind=lacking.kind, code="rate_limit_exceeded")
    return f"limit of {lacking.kind}", OtherAnswer(status=429, headers=waits, body=body)


def _show_time(seconds: float) -> str:
    """As OpenAI's headers have it: 20ms, 1.5s, 6m0s."""
    if 0 < seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(round(seconds, 3), 60)
    return f"{minutes:.0f}m{rest:g}s" if minutes else f"{rest:g}s"
