"""The hosted tools, each loaded when it is first called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from runner import plugins
from runner.server.tools import HostedTool, ToolSettings

_PACKAGE = "runner.server.tools"


class Toolbox:
    """Hosted tools by name."""

    def __init__(self, settings: ToolSettings) -> None:
        self.settings = settings
        self._tools: dict[str, HostedTool] = {}
        self._loading = asyncio.Lock()

    async def open(self, name: str) -> HostedTool:
        """The tool called `name`. Raises KeyError if there is none."""
        async with self._loading:
            if name not in self._tools:
                module = await asyncio.to_thread(plugins.load_plugin, _PACKAGE, name)
                self._tools[name] = module.create(self.settings)
            return self._tools[name]

    async def forget_gone(self, is_in_use: Callable[[str], bool]) -> None:
        for tool in tuple(self._tools.values()):
            await tool.forget_gone(is_in_use)

    async def close(self) -> None:
        for tool in self._tools.values():
            await tool.close()
        self._tools.clear()
