"""Code interpreter: Python in a sandbox, with files that code may read and write."""

from __future__ import annotations

import asyncio

from runner.server.inference import ProducedFile, ToolOutcome, ToolRequest
from runner.server.sandboxes import Sandbox, SandboxFailed, Workplace, open_sandbox
from runner.server.tools import HostedTool, ToolContext, ToolSettings
from runner.server.tools._containers import Container, Containers, FilesNotGiven


def create(settings: ToolSettings) -> HostedTool:
    return CodeInterpreter(open_sandbox(settings.sandbox))


class CodeInterpreter:
    """Runs code as a notebook does: what it printed, then the value of its last expression.

    An exception in the code is an ordinary output, its traceback. Only a limit that was reached, or a sandbox that
    broke, leaves the call incomplete. What code defines stays defined within its thread, and the files that it
    writes stay in the thread's folder.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._containers = Containers()

    async def run(self, request: ToolRequest, context: ToolContext) -> ToolOutcome:
        code = request.arguments.get("code")
        if not isinstance(code, str):
            return ToolOutcome(request=request, completed=False, output="code_interpreter needs `code`, a text")
        async with self._containers.lock(context.thread_id):
            container, forgotten = self._containers.open(context.thread_id)
            if forgotten is not None:
                await self._sandbox.forget(forgotten)
            try:
                await asyncio.to_thread(container.give, context.files)
            except FilesNotGiven as error:
                return ToolOutcome(request=request, completed=False, output=str(error))
            completed, output, files = await self._run_in(container, code, context.thread_id)
        return ToolOutcome(request=request, completed=completed, output=output, files=files)

    async def close(self) -> None:
        await self._sandbox.close()
        self._containers.close()

    async def _run_in(
        self, container: Container, code: str, thread_id: str
    ) -> tuple[bool, str, tuple[ProducedFile, ...]]:
        """Whether the code ran to its end (be it a traceback), its output, and the files that it wrote."""
        before, room_bytes = await asyncio.to_thread(lambda: (container.stamp(), container.room_bytes()))
        place = Workplace(thread_id=thread_id, folder=container.folder, room_bytes=room_bytes)
        try:
            completed, output = True, await self._sandbox.run(code, place)
        except SandboxFailed as error:
            completed, output = False, str(error)
        return completed, output, await asyncio.to_thread(container.find_produced, before)
