"""What a kind of question is given: the message, the thread before it, and the tools as far as they were asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from runner.server.inference import Passage, Role, Scene, SceneMessage, ToolOutcome, ToolRequest
from runner.server.inference.offline.documents import Document, read_documents

FILE_SEARCH, CODE = "file_search", "code_interpreter"
MAX_MESSAGE_CHARS = 2000
MAX_GIVEN_CHARACTERS = 64_000
"""As much as a search of 20 passages finds. In more, too much is found that fits."""
_IMAGE = re.compile(r"\.(?:png|jpe?g|gif|webp)$", re.IGNORECASE)


class NotSure(Exception):
    """The question is of a kind that the rules know, and has no answer that they are sure of; the message says why."""


class ToolNeeded(Exception):
    """There is no answer before this tool has been asked."""

    def __init__(self, request: ToolRequest) -> None:
        super().__init__(request.tool)
        self.request = request


@dataclass(frozen=True, kw_only=True)
class Question:
    """The last message of a scene. Raises NotSure for what no kind can read: nothing, an image, a very long text."""

    scene: Scene

    def __post_init__(self) -> None:
        if not self.scene.messages or self.scene.messages[-1].role is not Role.USER:
            raise NotSure("nothing was asked")
        if any(_IMAGE.search(name) for name in self.message.filenames):
            raise NotSure("it comes with an image")
        if len(self.message.text) > MAX_MESSAGE_CHARS:
            raise NotSure("the question is very long")

    @property
    def message(self) -> SceneMessage:
        return self.scene.messages[-1]

    @property
    def earlier(self) -> tuple[SceneMessage, ...]:
        return self.scene.messages[:-1]

    @cached_property
    def given(self) -> tuple[Passage, ...]:
        """The files that the thread gives to the model itself, each as one passage."""
        files = {file.file_id: file for message in self.scene.messages for file in message.files}
        return tuple(
            Passage(file_id=file.file_id, filename=file.filename, score=1.0, text=file.text) for file in files.values()
        )

    def search(self, queries: Sequence[str]) -> tuple[Document, ...]:
        """What came with the thread, and what file search finds. Raises ToolNeeded before it was asked."""
        if sum(len(passage.text) for passage in self.given) > MAX_GIVEN_CHARACTERS:
            raise NotSure("the files are longer than the rules read; file search finds the place in them")
        outcomes = self._outcomes(FILE_SEARCH)
        can_search = FILE_SEARCH in self.scene.tools and self.scene.has_documents
        if not outcomes and can_search:
            raise ToolNeeded(ToolRequest(tool=FILE_SEARCH, arguments={"queries": list(dict.fromkeys(queries))}))
        if not outcomes and not self.given:
            raise NotSure("it needs a document, and there is none to search")
        if outcomes and not outcomes[-1].completed:
            raise NotSure("the file search failed")
        return self._documents

    @cached_property
    def _documents(self) -> tuple[Document, ...]:
        found = (passage for outcome in self._outcomes(FILE_SEARCH) for passage in outcome.passages)
        return read_documents((*self.given, *found), self.scene.messages, self.scene.thread_files)

    def run(self, program: str) -> str | None:
        """What the program prints; None where no code interpreter is on offer. Raises ToolNeeded before it ran."""
        if CODE not in self.scene.tools:
            return None
        outcomes = self._outcomes(CODE)
        if not outcomes:
            raise ToolNeeded(ToolRequest(tool=CODE, arguments={"code": program}))
        if not outcomes[-1].completed:
            raise NotSure("the code interpreter failed")
        return outcomes[-1].output

    def _outcomes(self, tool: str) -> tuple[ToolOutcome, ...]:
        return tuple(
            one for one in self.scene.outcomes if isinstance(one.request, ToolRequest) and one.request.tool == tool
        )
