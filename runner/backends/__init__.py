"""Backends: one folder per API, translating between our vocabulary and its wire words.

A backend's package has `LIMITS`, `CAPABILITIES` and `CHOOSE_IT_WHEN` for the docs (also `REPLAY_CAPABILITIES` where the
client may have to remember the thread); importing it must not import openai, as config reads them. Its `backend.py` has
`open_backend(endpoint, journal) -> AsyncContextManager[Backend]`.
What they share stands beside them: the SDK and its client (`_sdk.py`), what is sent once and what again
(`_requests.py`), the translation of errors into ours (`_failures.py`), files and vector stores, the same service on
every OpenAI API (`_files.py`), assistants that are stored (`_stored.py`). Not here: deciding what to create (`sync/`),
or what to ask (`execution/`).

Every create goes out once, is journaled before and after, and carries its tags in the create call itself.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from runner.domain.assistant import Assistant, History, SchemaFormat, Tool
from runner.domain.conversation import (
    AssistantId,
    FileId,
    FunctionAnswer,
    FunctionCall,
    Run,
    StoreId,
    ThreadId,
)
from runner.domain.files import Chunking, FileUse
from runner.domain.hosts import host_of
from runner.errors import RemoteMissing

OPENAI_URL = "https://api.openai.com/v1"
WINDOWS_S: Mapping[str, float] = {"2h": 7_200.0, "8h": 28_800.0}
"""How long a run in the background may take for a lower price, by the API's name for it."""
BATCH = "batch"
"""The tier of what is asked in batches."""
QUEUED_TOO_LONG = "queued_too_long"
"""The code of a run that was given up since it was not begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address to talk to. `is_embedded` keeps proxies out of it.

    `key_variable` is where the key comes from, for messages; None if that is no matter.
    `history`, `background`, `window` and `token_command` are as in a Target, for the backends that have a choice.
    `place` is where that is declared; `learn_secret` is told of secrets that come up on the way.
    """

    base_url: str
    key: str = field(repr=False)
    key_variable: str | None = None
    is_embedded: bool = False
    history: History = History.CONVERSATION
    background: bool = False
    window: str | None = None
    token_command: tuple[str, ...] = ()
    place: str = ""
    learn_secret: Callable[[str], None] = field(default=lambda _: None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an API takes at most; None where it has no such limit. Metadata is limited alike on all of them.

    `address_pattern` is what an address has to match where it is the name on the API, `address_words` says so.
    With `refuses_secrets` a definition is kept where others can read it.
    """

    address_pattern: str | None = None
    address_words: str = ""
    name_characters: int | None = None
    instructions_characters: int | None = None
    code_files: int | None = None
    tools: int | None = None
    metadata_pairs: int = 16
    refuses_secrets: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a backend supports, in the words that users write: what can't be done is found before anything is sent.

    `stores_assistants`: a definition can be kept on the remote side; else it travels with every request.
    `tools` are names of hosted tools; `input_types` are extensions that `for: input` takes; `settings` are the
    assistant's keys beyond name, model, instructions, tools and files that are sent (temperature, top_p, ...).
    `least_output_tokens` is the smallest `max_output_tokens` that is taken.
    `json_object`: answers can be held to JSON without a schema. `plays_inline`: a candidate that isn't stored can be
    played as it is, without a temporary copy.
    `input_bytes` is what documents for the model's input may have together in one turn; None: no limit of its own.
    """

    stores_assistants: bool
    tools: frozenset[str]
    functions: bool
    input_types: frozenset[str]
    settings: frozenset[str]
    least_output_tokens: int = 1
    input_bytes: int | None = None
    json_object: bool = True
    plays_inline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAssistant:
    """A stored assistant as the API has it now.

    `fields` holds what the API says, in our words (name, model, instructions, tools, temperature, top_p,
    reasoning_effort, response_format, metadata without tags), values comparable with those of `managed_fields`;
    `metadata` is all of it, tags included. `key` is the name that stands for it on an API that takes each name once.
    A draft is there for those who name it, and stands for nothing.
    """

    id: AssistantId
    created_at: int
    name: str
    fields: Mapping[str, object]
    metadata: Mapping[str, str]
    store_ids: tuple[StoreId, ...] = ()
    code_file_ids: tuple[FileId, ...] = ()
    key: str = ""
    is_draft: bool = False

    def covers(self, assistant_id: str) -> bool:
        """Whether an id names this, or a version of what has its key."""
        return assistant_id == self.id or (self.key != "" and assistant_id.partition(":")[0] == self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStore:
    """A vector store; `created_at` is in Unix seconds. `searchable_files` is None where the API doesn't count them."""

    id: StoreId
    created_at: int
    metadata: Mapping[str, str]
    searchable_files: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteThread:
    """A thread on an API that lists them; `created_at` is in Unix seconds."""

    id: ThreadId
    created_at: int
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file in a vector store. `sha256`, `filename` and `chunking` are from its attributes, "" where it has none."""

    file_id: FileId
    sha256: str
    filename: str
    chunking: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """An assistant together with the remote objects that stand for it and its files; the hash is of all of it."""

    assistant: Assistant
    assistant_id: AssistantId | None
    definition_hash: str = ""
    store_ids: tuple[StoreId, ...] = ()
    code_file_ids: tuple[FileId, ...] = ()

    @property
    def stored_id(self) -> AssistantId:
        """For an API that runs stored assistants only."""
        if self.assistant_id is None:
            raise ValueError(f"'{self.assistant.address}' is not stored")
        return self.assistant_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One turn, ready to be asked.

    `attachments` are uploaded files with their use; those for file search are in `store_id` already, and
    indexed. `thread_id` is None for the first turn; `is_last` says that no other turn follows, `documents_follow` that
    this or a later one brings documents. `may_be_forgotten`: nobody will look at it on the server, which need not keep
    it. `answer` answers the calls of the assistant's functions; it never raises.
    `deadline_s` (seconds from now) covers the whole run, `queue_s` each time that it is queued: a run that was queued
    for longer is cancelled, and has QUEUED_TOO_LONG as its code.
    """

    deployment: Deployment
    text: str
    thread_id: ThreadId | None
    attachments: tuple[tuple[FileId, FileUse], ...] = ()
    store_id: StoreId | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    is_last: bool = False
    documents_follow: bool = False
    may_be_forgotten: bool = False
    answer: Callable[[FunctionCall], Awaitable[FunctionAnswer]] | None = None
    deadline_s: float = 300.0
    queue_s: float = math.inf


class Gate(Protocol):
    """What lets requests out that put the remote side to work, and hears how it takes them."""

    async def enter(self, within_s: float) -> None:
        """Wait until one may go out. Raises RateLimited if the server wants none for longer than that."""

    def accepted(self, pause_s: float | None) -> None:
        """One was taken; with a pause, the server has no room for another one until then."""

    def refused(self, why: str, pause_s: float | None, *, is_sent_again: bool) -> None:
        """One was refused for being one of too many; `pause_s` is what the server asks for, None if it doesn't say."""

    def failed(self, why: str) -> None:
        """One did not come through, and is sent again."""


GATE: ContextVar[Gate | None] = ContextVar("GATE", default=None)
"""The gate of the task that asks; None: nothing is held back. Each variant has its own, one backend serves several."""


class Files(Protocol):
    """The Files API and vector stores. Raises RemoteError; messages name what was being done."""

    async def upload_file(
        self,
        path: Path,
        name: str,
        use: FileUse,
        *,
        expires_after_days: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> FileId:
        """`progress` is told how many bytes of the file were sent so far; less than before if it is sent again."""

    async def delete_file(self, file_id: FileId) -> None:
        """That it is gone already is fine; so with everything that is deleted or detached here."""

    async def list_stores(self) -> tuple[RemoteStore, ...]: ...
    async def create_store(
        self, name: str, tags: Mapping[str, str], *, expires_after_days: int | None = None
    ) -> RemoteStore: ...
    async def tag_store(self, store_id: StoreId, metadata: Mapping[str, str]) -> None: ...
    async def delete_store(self, store_id: StoreId) -> None: ...

    async def list_store_files(self, store_id: StoreId) -> tuple[StoredFile, ...]:
        """The files that can be searched; those that failed or are not indexed yet are left out."""

    async def attach_files(
        self,
        store_id: StoreId,
        files: Mapping[FileId, str],
        *,
        deadline_s: float,
        chunking: Mapping[FileId, Chunking] | None = None,
    ) -> None:
        """Attach uploaded files (id -> sha256 of the content) and wait until every one can be searched.

        Those that `chunking` doesn't mention are cut up as the API likes.
        Raises RemoteError naming each file that failed and its reason, DeadlineExceeded with the last state.
        """

    async def detach_file(self, store_id: StoreId, file_id: FileId) -> None: ...


class Backend(Protocol):
    """One API at one endpoint. Raises RemoteError and its kin, never the SDK's own types."""

    files: Files
    capabilities: Capabilities

    async def list_assistants(self, *, in_full: bool = False) -> tuple[RemoteAssistant, ...]:
        """`in_full`: with drafts, and with each version in the id of an assistant, where an API has such things."""

    async def create_assistant(self, deployment: Deployment, metadata: Mapping[str, str]) -> RemoteAssistant: ...
    async def update_assistant(self, deployment: Deployment, metadata: Mapping[str, str]) -> RemoteAssistant: ...
    async def tag_assistant(self, assistant_id: AssistantId, metadata: Mapping[str, str]) -> RemoteAssistant:
        """Replace all metadata of a stored assistant, and change nothing else."""

    async def delete_assistant(self, assistant_id: AssistantId) -> None: ...

    async def ask(self, question: Question) -> Run:
        """Ask, wait for the run's end, and read all of it. A run that ended badly is returned, not raised."""

    async def delete_thread(self, thread_id: ThreadId) -> None:
        """Delete a thread and all that belongs to it; or a part of one, by the id that the journal has for it."""

    async def find_threads(self, tags: Mapping[str, str]) -> tuple[RemoteThread, ...] | None:  # noqa: ARG002 - a default
        """The threads with these tags; None where an API doesn't list them."""
        return None

    async def find_containers(self, response_id: str) -> tuple[tuple[str, ...], bool]:  # noqa: ARG002 - a default
        """The containers that a response's code ran in, as its server has it stored; and whether that is all of them:
        as long as it is not over, there may be another.
        """
        return (), True

    async def delete_container(self, container_id: str) -> None:
        """Delete what the server made for code by itself, and the journal has; threads take their own along."""
        raise RemoteMissing(f"there is no container {container_id}: this API has none that can be deleted")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """A batch as it was last seen; `error` says how it ended, should a question have no answer. `done` of `total`
    questions have come to something, as far as it is told.
    """

    id: str
    status: str
    is_over: bool
    error: str
    total: int = 0
    done: int = 0


TakeAnswer = Callable[[], Awaitable[Run]]
"""The run that a batch has for one question; raises RemoteError where it has none."""


@runtime_checkable
class Batching(Protocol):
    """What a backend has beside the rest where questions can be asked in batches."""

    async def start_batch(self, label: str, questions: Mapping[str, Question]) -> str:
        """The id of a new batch, of which the journal knows. The questions are the first of their threads."""

    async def look_at_batch(self, batch_id: str) -> BatchState: ...
    async def find_batches(self, tags: Mapping[str, str]) -> tuple[str, ...]: ...
    async def read_batch(self, batch_id: str) -> Mapping[str, TakeAnswer]:
        """Of a batch that is over: what there is for each question, by its key. Later turns go on from there."""

    async def delete_batch(self, batch_id: str) -> None:
        """Cancel it, if it goes on, and remove the answers that the server keeps."""


FUNCTION_LABEL = "function "
"""What a function's name has before it among the tools of `managed_fields`: functions and hosted tools can be alike."""


def hosted_tool(tool: Tool) -> tuple[str, dict[str, object]]:
    """A hosted tool as an entry of the tools in `managed_fields`, alike from the file and from the API.

    Of an MCP server's address only the host can be read in it: the rest may be a secret.
    """
    server, search = tool.mcp, tool.web_search
    if search is not None:
        options: dict[str, object] = {
            "search_context_size": search.context_size,
            "allowed_domains": list(search.allowed_domains) or None,
            "user_location": None if search.user_location is None else dict(search.user_location),
            "external_web_access": search.is_live,
        }
        return tool.name.value, options
    if server is None:
        return tool.name.value, {"max_num_results": tool.max_num_results}
    digest = hashlib.sha256(server.url.encode("utf-8", "surrogatepass")).hexdigest()
    required: object = server.require_approval
    if isinstance(required, Mapping):
        required = {word: sorted(names) for word, names in required.items() if names}
    options = {
        "server": f"{host_of(server.url)} ({digest[:8]})",
        "server_description": server.description or None,
        "allowed_tools": sorted(server.allowed_tools) or None,
        "require_approval": required,
    }
    return f"{tool.name.value} {server.label}", options


def function_options(description: str, parameters: Mapping[str, object], *, strict: bool) -> dict[str, object]:
    """A function as an entry of the tools in `managed_fields`, alike from the file and from the API."""
    return {"description": description.strip(), "parameters": _plain_numbers(parameters), "strict": strict}


def schema_format(one: SchemaFormat) -> dict[str, object]:
    """A JSON Schema as the `response_format` of `managed_fields`, alike from the file and from the API."""
    said = {"name": one.name, "description": one.description.strip(), "strict": one.strict}
    return {"json_schema": {**said, "schema": _plain_numbers(one.schema)}}


def _plain_numbers(value: object) -> object:
    """JSON with 1.0 as 1: not every server keeps the difference."""
    if isinstance(value, Mapping):
        return {str(key): _plain_numbers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain_numbers(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def managed_fields(assistant: Assistant) -> dict[str, object]:
    """The fields that the file decides, normalised so that equal meanings compare equal.

    Fields that the file does not mention but whose documented default it implies are there with that default.
    """
    hosted = dict(map(hosted_tool, assistant.tools))
    functions = {
        FUNCTION_LABEL + one.name: function_options(one.description, one.parameters, strict=one.strict)
        for one in assistant.functions
    }
    wanted = assistant.response_format
    return {
        "name": assistant.name,
        "model": assistant.model,
        "instructions": assistant.instructions,
        "tools": {**hosted, **functions},
        "temperature": 1.0 if assistant.temperature is None else float(assistant.temperature),
        "top_p": 1.0 if assistant.top_p is None else float(assistant.top_p),
        "reasoning_effort": assistant.reasoning_effort,
        "response_format": schema_format(wanted) if isinstance(wanted, SchemaFormat) else wanted and wanted.value,
        "metadata": dict(assistant.metadata),
    }
