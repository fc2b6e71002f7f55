"""Inference: what to do next in a run; one file per adapter, the file's name is the one users write.

An adapter module has `create(settings: Mapping[str, object]) -> Inference`. It sees a Scene, never the store,
the wire or the file system: only tools look things up, only tools compute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


class Role(Enum):
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneMessage:
    """One earlier message, or the question; without citation marks. `filenames` are its attachments.

    `declined` marks an assistant message that was a decline: nothing in it is a fact.
    """

    role: Role
    text: str
    filenames: tuple[str, ...] = ()
    declined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of a document that file search found. Lines are as printed in the document."""

    file_id: str
    filename: str
    score: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRequest:
    """A tool call that the inference wants: `{"queries": [...]}` for file_search, `{"code": ...}` for code."""

    tool: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOutcome:
    """What a call came to. `output` is text (logs and last value for code); `passages` are file search's."""

    request: ToolRequest
    completed: bool
    output: str = ""
    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that the inference may know. `messages` end with the question; `outcomes` are this run's, in order.

    `tools` are the names of the tools on offer; `has_documents` tells whether file search has anything to search.
    """

    model: str
    instructions: str
    tools: frozenset[str]
    messages: tuple[SceneMessage, ...]
    outcomes: tuple[ToolOutcome, ...] = ()
    has_documents: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UseTools:
    """Call these tools, then ask again."""

    requests: tuple[ToolRequest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMark:
    """Where in an answer's text (a character offset) a source is to be cited."""

    position: int
    file_id: str
    filename: str
    quote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The run's end. `declined` says that the text explains why there is no answer."""

    text: str
    sources: tuple[SourceMark, ...] = ()
    declined: bool = False


Move = UseTools | Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Tokens, estimated where the adapter can't count."""

    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turnout:
    """A move and what it cost."""

    move: Move
    spent: Spent = field(default_factory=Spent)


class Inference(Protocol):
    """Says what to do next. `name` is shown to users beside the model's name."""

    name: str

    async def decide(self, scene: Scene) -> Turnout: ...
