"""Code interpreter: Python in a sandbox, with files that code may read and write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from runner.server.inference import ToolOutcome, ToolRequest
from runner.server.sandboxes import Sandbox, SandboxFailed, Workplace, open_sandbox
from runner.server.tools import HostedTool, ToolContext, ToolSettings
from runner.server.tools._code_folders import Container, Containers


def create(settings: ToolSettings) -> HostedTool:
    return CodeInterpreter(open_sandbox(settings.sandbox))


class CodeInterpreter:
    """Runs code as a notebook does: what it printed, then the value of its last expression.

    An exception in the code is an ordinary output, its traceback. Only a limit that was reached, or a sandbox that
    broke, leaves the call incomplete. What code defines stays defined within its thread or container, and the files
    that it writes stay in the folder of that.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._containers = Containers()

    async def run(self, request: ToolRequest, context: ToolContext) -> ToolOutcome:
        code = request.arguments.get("code")
        if not isinstance(code, str):
            return ToolOutcome(request=request, completed=False, output="code_interpreter needs `code`, a text")
        place_id = context.container_id or context.thread_id
        async with self._containers.lock(place_id):
            container, forgotten = self._containers.open(place_id)
            if forgotten is not None:
                await self._sandbox.forget(forgotten)
            try:
                await asyncio.to_thread(_give_files, container, context)
            except OSError as error:
                reason = f"the files can't be given to the code: {error.strerror or error}"
                return ToolOutcome(request=request, completed=False, output=reason)
            before = await asyncio.to_thread(container.stamp)
            completed, output = await self._run_in(container, code, place_id, context.home)
            after = await asyncio.to_thread(container.stamp)
            return ToolOutcome(
                request=request,
                completed=completed,
                output=output,
                files=container.report_produced(before, after),
                removed=tuple(sorted(before.keys() - after.keys())),
            )

    async def forget_gone(self, is_in_use: Callable[[str], bool]) -> None:
        for place_id in self._containers.drop_gone(is_in_use):
            await self._sandbox.forget(place_id)

    async def close(self) -> None:
        await self._sandbox.close()
        self._containers.close()

    async def _run_in(self, container: Container, code: str, place_id: str, home: str) -> tuple[bool, str]:
        """Whether the code ran to its end (be it a traceback), and its output."""
        room_bytes = await asyncio.to_thread(container.room_bytes)
        place = Workplace(place_id=place_id, folder=container.folder, room_bytes=room_bytes, home=home)
        try:
            return True, await self._sandbox.run(code, place)
        except SandboxFailed as error:
            return False, str(error)


def _give_files(container: Container, context: ToolContext) -> None:
    if context.container_id is None:
        container.give(context.files)
    else:
        container.match(context.files, context.written)
    if context.outputs is not None:
        (container.folder / context.outputs).mkdir(exist_ok=True)
