"""What the engine keeps: one frozen dataclass per kind of object, and their ids. Times are Unix seconds."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

from runner.server.engine.state.file_filters import AttributeFilter
from runner.server.inference import OfferedFunction, Passage, Role, SourceMark

_ALPHANUMERIC = string.ascii_letters + string.digits
_HEXADECIMAL = "0123456789abcdef"


class IdKind(Enum):
    """Prefix, alphabet and length of each kind, as recorded from OpenAI's servers."""

    ASSISTANT = ("asst_", _ALPHANUMERIC, 24)
    THREAD = ("thread_", _ALPHANUMERIC, 24)
    MESSAGE = ("msg_", _ALPHANUMERIC, 24)
    RUN = ("run_", _ALPHANUMERIC, 24)
    STEP = ("step_", _ALPHANUMERIC, 24)
    CALL = ("call_", _ALPHANUMERIC, 24)
    FILE = ("file-", _ALPHANUMERIC, 22)
    STORE = ("vs_", _HEXADECIMAL, 32)
    BATCH = ("vsfb_", _HEXADECIMAL, 32)
    RESPONSE = ("resp_", _HEXADECIMAL, 50)
    CONVERSATION = ("conv_", _HEXADECIMAL, 48)
    AGENT = ("agent_", _ALPHANUMERIC, 24)
    SESSION = ("sess_", _ALPHANUMERIC, 24)
    CONTAINER = ("cntr_", _HEXADECIMAL, 48)
    CONTAINER_FILE = ("cfile_", _HEXADECIMAL, 32)
    REQUEST_BATCH = ("batch_", _HEXADECIMAL, 32)

    @property
    def prefix(self) -> str:
        return self.value[0]


NewId = Callable[[IdKind], str]


def random_id(kind: IdKind) -> str:
    prefix, alphabet, length = kind.value
    return prefix + "".join(secrets.choice(alphabet) for _ in range(length))


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An object with an identity. The properties say how the store files it; PARENT names the field of its parent."""

    KIND: ClassVar[str] = ""
    PARENT: ClassVar[str] = ""

    id: str
    created_at: float

    def __init_subclass__(cls, kind: str = "", parent: str = "") -> None:
        # A dataclass with slots is made a second time, without these words: then it has them already.
        if kind:
            cls.KIND, cls.PARENT = kind, parent

    @property
    def parent_id(self) -> str:
        """The object that this one is deleted with; "" for none."""
        return str(getattr(self, self.PARENT)) if self.PARENT else ""

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
    """A hosted tool on offer. Options of file_search: `max_num_results`, `ranker`, `score_threshold`.

    `filters` says which files file_search may find, by their attributes; None is all. Options of code_interpreter:
    `container`, the id of the one to run code in, or `auto`; without it that is a folder of the thread's own. `home` is
    where code sees that; what it writes into the folder `outputs` there is kept as it is then.
    """

    name: str
    options: Mapping[str, object] = field(default_factory=dict)
    filters: AttributeFilter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What tools may read; None where nothing was ever said."""

    code_file_ids: tuple[str, ...] | None = None
    store_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """How to answer: what an assistant is set to, and a run is started with. None is "not said".

    `response_format` is the API's mapping; None leaves it to the model.
    """

    model: str
    instructions: str | None = None
    tools: tuple[ToolSetting | OfferedFunction, ...] = ()
    resources: Resources = field(default_factory=Resources)
    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    response_format: Mapping[str, object] | None = None

    @property
    def hosted_tools(self) -> tuple[ToolSetting, ...]:
        return tuple(tool for tool in self.tools if isinstance(tool, ToolSetting))

    def setting(self, tool: str) -> ToolSetting | None:
        return next((one for one in self.hosted_tools if one.name == tool), None)

    @property
    def functions(self) -> tuple[OfferedFunction, ...]:
        return tuple(tool for tool in self.tools if isinstance(tool, OfferedFunction))


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantRecord(Record, kind="assistant"):
    brief: Brief
    name: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRecord(Record, kind="thread"):
    """`container_id` is the one that its code has used last, if it uses containers."""

    resources: Resources = field(default_factory=Resources)
    container_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathMark:
    """Where in a text (a character offset) a file is named that code wrote; `text` is what stands there."""

    position: int
    text: str
    file_id: str
    container_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """Text without citation marks; `sources` say where they belong, in order of position, as `paths` are."""

    text: str
    sources: tuple[SourceMark, ...] = ()
    paths: tuple[PathMark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalPart:
    """What was said instead of an answer."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePart:
    """An image: an uploaded file or a URL."""

    file_id: str | None = None
    url: str | None = None
    detail: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that came with a message, and the tools that may use it; with `is_input` the model itself reads it."""

    file_id: str
    tools: tuple[str, ...]
    is_input: bool = False


class MessageState(Enum):
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecord(Record, kind="message", parent="thread_id"):
    """`broken_off_by` says why an incomplete one stops where it does (`max_tokens`, `run_cancelled`, ...).

    `ended_at` is when a message of the assistant's was complete, or broke off.
    """

    thread_id: str
    role: Role
    parts: tuple[TextPart | ImagePart | RefusalPart, ...]
    state: MessageState = MessageState.COMPLETED
    broken_off_by: str | None = None
    ended_at: float | None = None
    attachments: tuple[Attachment, ...] = ()
    assistant_id: str | None = None
    run_id: str | None = None
    declined: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)


class RunState(Enum):
    """The life of a run: the upper four are its beginning, work and wait for the client, the rest its ends."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    REQUIRES_ACTION = "requires_action"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    EXPIRED = "expired"
    FAILED = "failed"
    INCOMPLETE = "incomplete"

    @property
    def is_active(self) -> bool:
        return self in {RunState.QUEUED, RunState.IN_PROGRESS, RunState.REQUIRES_ACTION, RunState.CANCELLING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why something failed: the API's word (`server_error`, `invalid_file`, ...) and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Tokens that were used. `uncounted` says that what answered is no model, and has none.

    `by` names what answered, where that isn't the server's own inference: it is shown as the model.
    """

    input: int = 0
    output: int = 0
    uncounted: bool = False
    by: str = ""

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            input=self.input + other.input,
            output=self.output + other.output,
            uncounted=self.uncounted or other.uncounted,
            by=self.by or other.by,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file that code wrote, by its path inside the code's folder."""

    name: str
    file_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a hosted tool, with its outcome once there is one (`completed` None: not yet).

    `container_id` is where its code runs, if that is a container.
    """

    id: str
    tool: str
    arguments: Mapping[str, object]
    completed: bool | None = None
    output: str = ""
    passages: tuple[Passage, ...] = ()
    files: tuple[KeptFile, ...] = ()
    container_id: str | None = None

    @property
    def code(self) -> str:
        """What the code interpreter is to run."""
        return str(self.arguments.get("code", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall:
    """One call of the client's function, with what the client answered (`output` None: not yet), be it an error.

    The answer alone has the call's id, and may know neither name nor arguments.
    """

    id: str
    name: str = ""
    arguments: str = ""
    output: str | None = None
    is_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord(Record, kind="run", parent="thread_id"):
    """`own_resources` are those that the request named, `brief.resources` those in force.

    `last_messages` limits what the inference sees of the thread; `tool_choice` is as a Scene has it. `awaited` are
    the calls that the client is to answer. The `failure` of an incomplete run has the limit's name as its code.
    With `ends_with_calls` it does not wait for them: it is complete, and another run goes on with the outputs; that
    one has the earlier ones as `carried_run_ids`. `max_tool_calls` limits the calls of hosted tools.
    With `truncates` the oldest messages are left out where the thread has outgrown the context.
    """

    thread_id: str
    brief: Brief
    expires_at: float
    assistant_id: str = ""
    state: RunState = RunState.QUEUED
    own_resources: Resources = field(default_factory=Resources)
    last_messages: int | None = None
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True
    ends_with_calls: bool = False
    max_prompt_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_tool_calls: int | None = None
    truncates: bool = False
    carried_run_ids: tuple[str, ...] = ()
    awaited: tuple[FunctionCall, ...] = ()
    started_at: float | None = None
    ended_at: float | None = None
    failure: Failure | None = None
    tokens: Tokens = field(default_factory=Tokens)
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_being_worked_on(self) -> bool:
        return self.state.is_active and self.state is not RunState.REQUIRES_ACTION

    @property
    def due_at(self) -> float | None:
        # While it is worked on, who works on it keeps the time.
        return self.expires_at if self.state is RunState.REQUIRES_ACTION else None


class StepState(Enum):
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord(Record, kind="step", parent="run_id"):
    """One action of a run: tool calls, or else the message that it wrote. `said` is what was said before the calls."""

    run_id: str
    thread_id: str
    assistant_id: str
    state: StepState
    calls: tuple[ToolCall | FunctionCall, ...] = ()
    said: str = ""
    message_id: str | None = None
    ended_at: float | None = None
    failure: Failure | None = None
    tokens: Tokens = field(default_factory=Tokens)

    @property
    def open_calls(self) -> tuple[FunctionCall, ...]:
        """Those of functions that the client has not answered yet."""
        return tuple(call for call in self.calls if isinstance(call, FunctionCall) and call.output is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationRecord(Record, kind="conversation"):
    """A thread that outlives its responses, and what the client noted on it."""

    thread_id: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRecord(Record, kind="item", parent="thread_id"):
    """One thing that was said, called or found; `body` is how the face shows it. Its id is made of both ids.

    `instruction` is what it tells the model to do, if it is a message of the system's or the developer's; any other
    message is the thread's, under `message_id`. `response_id` is the response that came to it, if one did.
    """

    thread_id: str
    item_id: str
    body: Mapping[str, object]
    instruction: str | None = None
    message_id: str | None = None
    response_id: str | None = None


def stored_item_id(thread_id: str, item_id: str) -> str:
    """The item's own id comes first: so an item is found whose thread isn't known."""
    return f"{item_id}@{thread_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRecord(Record, kind="told", parent="response_id"):
    """The events of a response's stream as the face told them, kept once it is over."""

    response_id: str
    events: tuple[Mapping[str, object], ...]


def told_id(response_id: str) -> str:
    return f"{response_id}/told"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRecord(Record, kind="response", parent="thread_id"):
    """An answer in the making, or made: `run_id` is the work on it, without its first `carried_steps`.

    `input_ids` are the items that it builds on, in their order, `settings` what the request said, as it is shown.
    """

    thread_id: str
    run_id: str
    settings: Mapping[str, object]
    input_ids: tuple[str, ...] = ()
    carried_steps: int = 0
    conversation_id: str | None = None
    previous_id: str | None = None
    in_background: bool = False
    is_stored: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRecord(Record, kind="agent"):
    """A stored definition; `settings` is what the face shows of it beside what the brief says."""

    brief: Brief
    updated_at: float
    name: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord(Record, kind="session"):
    """A thread with the agent as it was when it began. `keys` are those of events that were taken already.

    `container_id` is its hosted environment, if it has one.
    """

    thread_id: str
    agent: AgentRecord
    active_at: float
    container_id: str | None = None
    keys: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedAgentRecord(Record, kind="named_agent"):
    """What stands for a definition under a name, which is its id; `last_version` is the number last given away."""

    is_enabled: bool = True
    last_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentVersionRecord(Record, kind="agent_version", parent="agent_name"):
    """One version of a named agent, which nothing changes; `definition` is as the API had it.

    A draft is there for those who name it, and never the latest.
    """

    agent_name: str
    version: str
    definition: Mapping[str, object]
    description: str | None = None
    is_draft: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
