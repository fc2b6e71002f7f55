"""Monty: a Python interpreter of its own in worker processes (pydantic-monty). Quick; knows a part of Python."""

from __future__ import annotations

import asyncio
import datetime
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from runner.server.sandboxes import OUTPUT_LIMIT_BYTES, Sandbox, SandboxFailed, Workplace

if TYPE_CHECKING:
    from pydantic_monty import AsyncMonty, AsyncMontySession, MontyError, MountDir, ResourceLimits


_MAX_DEPTH = 50
_MAX_EXACT_BITS = 4_096
_PLAIN = (bool, float, complex, datetime.date, datetime.time, datetime.timedelta, type(None), type(...))


def display_value(value: object, max_characters: int) -> str:
    """Like `repr`, but never longer than `max_characters` and an ellipsis, and quick for any value."""
    parts: list[str] = []
    room = max_characters
    for part in _write(value, max_characters, _MAX_DEPTH):
        if len(part) > room:
            return "".join(parts) + part[:room] + "..."
        parts.append(part)
        room -= len(part)
    return "".join(parts)


def _write(value: object, max_characters: int, depth: int) -> Iterator[str]:
    match value:
        case list():
            yield from _write_items("[", zip(value), "]", max_characters, depth)
        case tuple():
            yield from _write_items("(", zip(value), ",)" if len(value) == 1 else ")", max_characters, depth)
        case set() if value:
            yield from _write_items("{", zip(value), "}", max_characters, depth)
        case frozenset() if value:
            yield from _write_items("frozenset({", zip(value), "})", max_characters, depth)
        case dict():
            yield from _write_items("{", value.items(), "}", max_characters, depth)
        case BaseException():
            yield f"{type(value).__name__}("
            yield from _write_items("", zip(value.args), ")", max_characters, depth)
        case _:
            yield _write_scalar(value, max_characters)


def _write_items(
    opening: str, items: Iterable[tuple[object, ...]], closing: str, max_characters: int, depth: int
) -> Iterator[str]:
    """An item is one value, or a key and its value."""
    yield opening
    if not depth:
        yield "..."
    else:
        for number, item in enumerate(items):
            if number:
                yield ", "
            for place, part in enumerate(item):
                if place:
                    yield ": "
                yield from _write(part, max_characters, depth - 1)
    yield closing


def _write_scalar(value: object, max_characters: int) -> str:
    if isinstance(value, str | bytes):
        return repr(value[: max_characters + 1])
    if isinstance(value, int) and value.bit_length() > _MAX_EXACT_BITS:
        return f"<an integer of {value.bit_length()} bits>"
    if isinstance(value, _PLAIN) or type(value) in (int, set, frozenset, Decimal, type):
        return repr(value)
    return f"<{getattr(value, 'name', type(value).__name__)} object>"


MAX_STATE_BYTES = 4 << 20
MAX_TOTAL_BYTES = 64 << 20


class ThreadStates:
    """Sessions' states as bytes, the least recently used dropped first."""

    def __init__(self) -> None:
        self._states: OrderedDict[str, bytes] = OrderedDict()
        self._total_bytes = 0

    def find(self, place_id: str) -> bytes | None:
        if place_id in self._states:
            self._states.move_to_end(place_id)
        return self._states.get(place_id)

    def keep(self, place_id: str, state: bytes) -> None:
        """Remember a state. One that is too large is not: the place begins anew."""
        self.forget(place_id)
        if len(state) > MAX_STATE_BYTES:
            return
        self._states[place_id] = state
        self._total_bytes += len(state)
        while self._total_bytes > MAX_TOTAL_BYTES:
            self.forget(next(iter(self._states)))

    def forget(self, place_id: str) -> None:
        self._total_bytes -= len(self._states.pop(place_id, b""))


LIBRARY = "pydantic_monty"
EXTRA = ""

MEMORY_LIMIT_BYTES = 128 << 20
VALUE_LIMIT_CHARACTERS = 8_000
TRACEBACK_LIMIT_CHARACTERS = 4_000
HOST_CALLS_LIMIT = 20_000  # opening, reading, listing files
MAX_WORKERS = 4
WAIT_FOR_WORKER_S = 60.0


def create(time_limit_s: float) -> Sandbox:
    return Monty(time_limit_s)


_DESCRIPTORS = 10
"""What a new worker takes, with its pipes."""


def _need_descriptors() -> None:
    """Raises SandboxFailed if there are too few: pydantic-monty 1.4 panics then, and its pool is of no use any more."""
    taken: list[int] = []
    try:
        taken.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(_DESCRIPTORS))
    except OSError as error:
        raise SandboxFailed(f"no sandbox can be opened: {error.strerror}; allow more (`ulimit -n`)") from error
    finally:
        for descriptor in taken:
            os.close(descriptor)


class Monty:
    """A pool of workers, opened when code is first run; a thread's state is kept as bytes in between."""

    def __init__(self, time_limit_s: float) -> None:
        self._time_limit_s = time_limit_s
        self._pool: AsyncMonty | None = None
        self._opening = asyncio.Lock()
        self._states = ThreadStates()

    async def run(self, code: str, place: Workplace) -> str:
        from pydantic_monty import MountDir

        _need_descriptors()
        pool = await self._open_pool()
        # The limit holds for all that was ever written through a mount: hence one for each run.
        mount = MountDir(
            host_path=place.folder,
            virtual_path=place.home,
            mode="read-write",
            write_bytes_limit=max(1, place.room_bytes),
        )
        try:
            return await self._run_in(pool, code, place, mount)
        finally:
            mount.close()

    async def forget(self, place_id: str) -> None:
        self._states.forget(place_id)

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.__aexit__(None, None, None)

    async def _open_pool(self) -> AsyncMonty:
        """The pool; importing it costs 0.1 s, so that is left until code is run."""
        async with self._opening:
            if self._pool is None:
                monty = await asyncio.to_thread(__import__, LIBRARY)
                pool: AsyncMonty = monty.AsyncMonty(
                    max_processes=MAX_WORKERS,
                    checkout_timeout=WAIT_FOR_WORKER_S,
                    request_timeout=self._time_limit_s + 5,
                )
                self._pool = await pool.__aenter__()
            return self._pool

    async def _run_in(self, pool: AsyncMonty, code: str, place: Workplace, mount: MountDir) -> str:
        limits: ResourceLimits = {
            "max_feed_duration_secs": self._time_limit_s,
            "max_memory": MEMORY_LIMIT_BYTES,
            "max_suspensions": HOST_CALLS_LIMIT,
        }
        try:
            async with pool.checkout(limits=limits, os_policy={"sleep": "zero"}) as session:
                if (state := self._states.find(place.place_id)) is not None:
                    await session.load_session(state)
                output = await self._feed(session, code, mount, place.home)
                await self._keep_state(session, place.place_id)
        except TimeoutError as error:
            raise SandboxFailed(f"no sandbox was free within {WAIT_FOR_WORKER_S:g} s") from error
        return output

    async def _keep_state(self, session: AsyncMontySession, place_id: str) -> None:
        from pydantic_monty import MontyError

        try:
            self._states.keep(place_id, await session.dump())
        except MontyError:  # writing down a state near the memory limit exceeds it
            self._states.forget(place_id)

    async def _feed(self, session: AsyncMontySession, code: str, mount: MountDir, home: str) -> str:
        from pydantic_monty import CollectString, MontyError

        # Not a callback of our own: one that raises makes pydantic-monty 1.4 abort the process when it exits.
        logs = CollectString(max_bytes=OUTPUT_LIMIT_BYTES)
        try:
            value = await session.feed_run(code, print_callback=logs, mount=mount, cwd=home)
            shown = "" if value is None else display_value(value, VALUE_LIMIT_CHARACTERS)
        except MontyError as error:
            if (limit := self._find_limit(error)) is not None:
                raise SandboxFailed(_join(logs.output, f"[stopped: {limit}]")) from error
            shown = _read_traceback(error)
        except (TypeError, ValueError, OverflowError) as error:
            # The code ran; its last value has no counterpart here (a dict whose keys are objects of a class).
            shown = f"[the last value can't be shown: {error}]"
        return _join(logs.output, shown)

    def _find_limit(self, error: MontyError) -> str | None:
        """Which limit ended the run; None if the code raised an exception of its own."""
        from pydantic_monty import MontyCrashedError

        text = str(error)
        if isinstance(error, MontyCrashedError):
            return self._time_limit_words() if error.timed_out else "the sandbox broke down"
        if text.startswith("TimeoutError: feed time limit"):
            return self._time_limit_words()
        if text.startswith("MemoryError: memory limit") and text.endswith(f"> {OUTPUT_LIMIT_BYTES} bytes"):
            return f"it printed more than {OUTPUT_LIMIT_BYTES >> 10} KiB"
        if text.startswith(("MemoryError: memory limit", "MemoryError: the worker exceeded its memory limit")):
            return f"it needs more than {MEMORY_LIMIT_BYTES >> 20} MiB of memory"
        if text.startswith("RuntimeError: suspension limit"):
            return f"it used files more than {HOST_CALLS_LIMIT:,} times"
        return None

    def _time_limit_words(self) -> str:
        return f"it ran longer than {self._time_limit_s:g} s"


def _read_traceback(error: MontyError) -> str:
    """The traceback's end, where the exception is named."""
    display = getattr(error, "display", None)
    text = display() if display is not None else str(error)
    return text if len(text) <= TRACEBACK_LIMIT_CHARACTERS else "..." + text[-TRACEBACK_LIMIT_CHARACTERS:]


def _join(logs: str, last: str) -> str:
    return "\n".join(part for part in (logs.removesuffix("\n"), last) if part)
