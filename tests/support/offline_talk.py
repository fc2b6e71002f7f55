"""Conversations with the offline rules over real files: real extraction, index and tools, without a server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.server.engine.core import Toolbox
from runner.server.engine.search import Index
from runner.server.extraction import extract_text, split_into_chunks
from runner.server.inference import Answer, Role, Scene, SceneMessage, ToolOutcome, ToolRequest, UseTools
from runner.server.inference.offline import create
from runner.server.tools import ToolContext, ToolSettings

MAX_MOVES = 5


class Talk:
    """One thread. `ask` returns the answer and remembers both sides; `used` names the tools of the last answer."""

    def __init__(self, folder: Path, files: Sequence[Path] = ()) -> None:
        self._index = Index(folder / "index.sqlite")
        self._has_documents = bool(files)
        for number, file in enumerate(files):
            chunks = split_into_chunks(extract_text(file, file.name), 800, 400)
            self._index.put("store", f"file-{number}", file.name, chunks)
        self._toolbox = Toolbox(ToolSettings())
        self._inference = create({})
        self._messages: list[SceneMessage] = []
        self.used: list[str] = []

    async def ask(self, text: str) -> Answer:
        self._messages.append(SceneMessage(role=Role.USER, text=text))
        answer = await self._play()
        self._messages.append(SceneMessage(role=Role.ASSISTANT, text=answer.text, declined=answer.declined))
        return answer

    async def _play(self) -> Answer:
        outcomes: list[ToolOutcome] = []
        self.used = []
        for _ in range(MAX_MOVES):
            scene = Scene(
                model="any",
                instructions="",
                tools=frozenset({"file_search", "code_interpreter"}),
                messages=tuple(self._messages),
                outcomes=tuple(outcomes),
                has_documents=self._has_documents,
            )
            move = (await self._inference.decide(scene)).move
            if not isinstance(move, UseTools):
                return move
            for request in move.requests:
                assert isinstance(request, ToolRequest)
                tool = await self._toolbox.open(request.tool)
                context = ToolContext(index=self._index, thread_id="thread", store_ids=("store",))
                outcomes.append(await tool.run(request, context))
                self.used.append(request.tool)
        raise AssertionError(f"no answer after {MAX_MOVES} moves: {move}")

    def forget(self) -> None:
        """Begin a new thread over the same files."""
        self._messages = []

    async def close(self) -> None:
        await self._toolbox.close()
        self._index.close()
