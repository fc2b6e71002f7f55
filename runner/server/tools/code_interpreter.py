"""Code interpreter: Python in a sandbox of its own process (pydantic-monty), with limits on everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runner.server.inference import ToolOutcome, ToolRequest
from runner.server.tools import HostedTool, ToolContext
from runner.server.tools._display import display_value
from runner.server.tools._given_files import FilesNotGiven, give_files
from runner.server.tools._thread_states import ThreadStates

if TYPE_CHECKING:
    from pydantic_monty import AsyncMonty, AsyncMontySession, MontyError, MountDir, ResourceLimits

TIME_LIMIT_S = 10.0
MEMORY_LIMIT_BYTES = 128 << 20
OUTPUT_LIMIT_BYTES = 64 << 10
VALUE_LIMIT_CHARACTERS = 8_000
TRACEBACK_LIMIT_CHARACTERS = 4_000
HOST_CALLS_LIMIT = 20_000  # opening, reading, listing files
MAX_WORKERS = 4
WAIT_FOR_WORKER_S = 60.0
FILES_FOLDER = "/mnt/data"  # where OpenAI's has them too


def create() -> HostedTool:
    return CodeInterpreter()


class CodeInterpreter:
    """Runs code as a notebook does: what it printed, then the value of its last expression.

    An exception in the code is an ordinary output, its traceback. Only a limit that was reached, or a sandbox that
    broke, leaves the call incomplete. What code defines stays defined within its thread.
    """

    def __init__(self, time_limit_s: float = TIME_LIMIT_S) -> None:
        self._time_limit_s = time_limit_s
        self._pool: AsyncMonty | None = None
        self._opening = asyncio.Lock()
        self._states = ThreadStates()

    async def run(self, request: ToolRequest, context: ToolContext) -> ToolOutcome:
        code = request.arguments.get("code")
        if not isinstance(code, str):
            return ToolOutcome(request=request, completed=False, output="code_interpreter needs `code`, a text")
        pool = await self._open_pool()
        try:
            async with self._states.lock(context.thread_id), _mount(context.files) as mount:
                completed, output = await self._run_in(pool, code, context.thread_id, mount)
        except FilesNotGiven as error:
            completed, output = False, str(error)
        return ToolOutcome(request=request, completed=completed, output=output)

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.__aexit__(None, None, None)

    async def _open_pool(self) -> AsyncMonty:
        """The pool of sandboxes; importing it costs 0.1 s, so that is left until code is run."""
        async with self._opening:
            if self._pool is None:
                monty = await asyncio.to_thread(__import__, "pydantic_monty")
                pool: AsyncMonty = monty.AsyncMonty(
                    max_processes=MAX_WORKERS,
                    checkout_timeout=WAIT_FOR_WORKER_S,
                    request_timeout=self._time_limit_s + 5,
                )
                self._pool = await pool.__aenter__()
            return self._pool

    async def _run_in(self, pool: AsyncMonty, code: str, thread_id: str, mount: MountDir | None) -> tuple[bool, str]:
        """Whether the code ran to its end (be it a traceback), and its output."""
        limits: ResourceLimits = {
            "max_feed_duration_secs": self._time_limit_s,
            "max_memory": MEMORY_LIMIT_BYTES,
            "max_suspensions": HOST_CALLS_LIMIT,
        }
        try:
            async with pool.checkout(limits=limits, os_policy={"sleep": "zero"}) as session:
                if (state := self._states.find(thread_id)) is not None:
                    await session.load_session(state)
                completed, output = await self._feed(session, code, mount)
                if completed:
                    await self._keep_state(session, thread_id)
        except TimeoutError:
            return False, f"no sandbox was free within {WAIT_FOR_WORKER_S:g} s"
        return completed, output

    async def _keep_state(self, session: AsyncMontySession, thread_id: str) -> None:
        from pydantic_monty import MontyError

        try:
            self._states.keep(thread_id, await session.dump())
        except MontyError:  # writing down a state near the memory limit exceeds it
            self._states.forget(thread_id)

    async def _feed(self, session: AsyncMontySession, code: str, mount: MountDir | None) -> tuple[bool, str]:
        from pydantic_monty import CollectString, MontyError

        # Not a callback of our own: one that raises makes pydantic-monty 1.4 abort the process when it exits.
        logs = CollectString(max_bytes=OUTPUT_LIMIT_BYTES)
        try:
            value = await session.feed_run(code, print_callback=logs, mount=mount, cwd=FILES_FOLDER)
            shown = "" if value is None else display_value(value, VALUE_LIMIT_CHARACTERS)
        except MontyError as error:
            if (limit := self._find_limit(error)) is not None:
                return False, _join(logs.output, f"[stopped: {limit}]")
            shown = _read_traceback(error)
        except (TypeError, ValueError, OverflowError) as error:
            # The code ran; its last value has no counterpart here (a dict whose keys are objects of a class).
            shown = f"[the last value can't be shown: {error}]"
        return True, _join(logs.output, shown)

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


@asynccontextmanager
async def _mount(files: Mapping[str, Path]) -> AsyncIterator[MountDir | None]:
    """The given files as a read-only folder of the sandbox; None where there are none."""
    if not files:
        yield None
        return
    from pydantic_monty import MountDir

    async with give_files(files) as folder:
        with MountDir(host_path=folder, virtual_path=FILES_FOLDER, mode="read-only") as mount:
            yield mount


def _read_traceback(error: MontyError) -> str:
    """The traceback's end, where the exception is named."""
    display = getattr(error, "display", None)
    text = display() if display is not None else str(error)
    return text if len(text) <= TRACEBACK_LIMIT_CHARACTERS else "..." + text[-TRACEBACK_LIMIT_CHARACTERS:]


def _join(logs: str, last: str) -> str:
    return "\n".join(part for part in (logs.removesuffix("\n"), last) if part)
