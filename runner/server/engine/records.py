"""What the engine keeps: one frozen dataclass per kind of object. Times are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

from runner.server.inference import Passage, Role, SourceMark


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An object with an identity. The properties say how the store files it."""

    KIND: ClassVar[str] = ""

    id: str
    created_at: float

    @property
    def parent_id(self) -> str:
        """The object that this one is deleted with; "" for none."""
        return ""

    @property
    def is_being_worked_on(self) -> bool:
        """Whether some process must hold a lease on it."""
        return False

    @property
    def due_at(self) -> float | None:
        """When time alone changes it."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSetting:
    """A tool on offer. Options of file_search: `max_num_results`, `ranker`, `score_threshold`."""

    name: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What tools may read; None where nothing was ever said."""

    code_file_ids: tuple[str, ...] | None = None
    store_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """How to answer: what an assistant is set to, and a run is started with."""

    model: str
    instructions: str | None = None
    tools: tuple[ToolSetting, ...] = ()
    resources: Resources = field(default_factory=Resources)
    temperature: float | None = 1.0
    top_p: float | None = 1.0
    reasoning_effort: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantRecord(Record):
    KIND: ClassVar[str] = "assistant"

    brief: Brief
    name: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRecord(Record):
    KIND: ClassVar[str] = "thread"

    resources: Resources = field(default_factory=Resources)
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """Text without citation marks; `sources` say where they belong, in order of position."""

    text: str
    sources: tuple[SourceMark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePart:
    """An image: an uploaded file or a URL."""

    file_id: str | None = None
    url: str | None = None
    detail: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that came with a message, and the tools that may use it."""

    file_id: str
    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecord(Record):
    KIND: ClassVar[str] = "message"

    thread_id: str
    role: Role
    parts: tuple[TextPart | ImagePart, ...]
    attachments: tuple[Attachment, ...] = ()
    assistant_id: str | None = None
    run_id: str | None = None
    declined: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def parent_id(self) -> str:
        return self.thread_id


class RunState(Enum):
    """The life of a run: the upper three are its beginning and work, the rest its ends."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    EXPIRED = "expired"
    FAILED = "failed"
    INCOMPLETE = "incomplete"

    @property
    def is_active(self) -> bool:
        return self in {RunState.QUEUED, RunState.IN_PROGRESS, RunState.CANCELLING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why something failed: the API's word (`server_error`, `invalid_file`, ...) and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Tokens that were used."""

    input: int = 0
    output: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(input=self.input + other.input, output=self.output + other.output)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord(Record):
    """`own_resources` are those that the request named, `brief.resources` those in force.

    `last_messages` limits what the inference sees of the thread; `tools_allowed` False offers it no tool.
    """

    KIND: ClassVar[str] = "run"

    thread_id: str
    assistant_id: str
    brief: Brief
    state: RunState
    expires_at: float
    own_resources: Resources = field(default_factory=Resources)
    last_messages: int | None = None
    tools_allowed: bool = True
    started_at: float | None = None
    ended_at: float | None = None
    failure: Failure | None = None
    tokens: Tokens = field(default_factory=Tokens)
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def parent_id(self) -> str:
        return self.thread_id

    @property
    def is_being_worked_on(self) -> bool:
        return self.state.is_active


class StepState(Enum):
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call, with its outcome once there is one (`completed` None: not yet)."""

    id: str
    tool: str
    arguments: Mapping[str, object]
    completed: bool | None = None
    output: str = ""
    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord(Record):
    """One action of a run: tool calls, or else the message that it wrote."""

    KIND: ClassVar[str] = "step"

    run_id: str
    thread_id: str
    assistant_id: str
    state: StepState
    calls: tuple[ToolCall, ...] = ()
    message_id: str | None = None
    ended_at: float | None = None
    failure: Failure | None = None
    tokens: Tokens = field(default_factory=Tokens)

    @property
    def parent_id(self) -> str:
        return self.run_id


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord(Record):
    """An uploaded file; its bytes are the blob called `sha256`."""

    KIND: ClassVar[str] = "file"

    filename: str
    size_bytes: int
    purpose: str
    sha256: str
    expires_at: float | None = None

    @property
    def due_at(self) -> float | None:
        return self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRecord(Record):
    """A vector store. It expires after so many days without use; None is never."""

    KIND: ClassVar[str] = "vector_store"

    last_active_at: float
    name: str | None = None
    description: str | None = None
    expires_after_days: int | None = None
    is_expired: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def expires_at(self) -> float | None:
        if self.expires_after_days is None:
            return None
        return self.last_active_at + self.expires_after_days * 86_400

    @property
    def due_at(self) -> float | None:
        return None if self.is_expired else self.expires_at


class IndexState(Enum):
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunking:
    """How a file is cut up for search. The defaults are OpenAI's."""

    max_tokens: int = 800
    overlap_tokens: int = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFileRecord(Record):
    """A file in a vector store; its id is made of both ids."""

    KIND: ClassVar[str] = "stored_file"

    store_id: str
    file_id: str
    state: IndexState = IndexState.IN_PROGRESS
    usage_bytes: int = 0
    failure: Failure | None = None
    chunking: Chunking = field(default_factory=Chunking)
    attributes: Mapping[str, object] = field(default_factory=dict)
    batch_id: str | None = None

    @property
    def parent_id(self) -> str:
        return self.store_id

    @property
    def is_being_worked_on(self) -> bool:
        return self.state is IndexState.IN_PROGRESS


def stored_file_id(store_id: str, file_id: str) -> str:
    return f"{store_id}/{file_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord(Record):
    """Files that were put into a store together."""

    KIND: ClassVar[str] = "batch"

    store_id: str
    is_cancelled: bool = False

    @property
    def parent_id(self) -> str:
        return self.store_id
