"""Inference: what to do next in a run; one file or folder per adapter, its name is the one users write.

An adapter module has `create(settings: Mapping[str, object]) -> Inference`. It sees a Scene, never the store,
the wire or the file system: only tools look things up, only tools compute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol


class Role(Enum):
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFile:
    """A file that the model is given to read, as the text that was taken out of it. It may say anything."""

    file_id: str
    filename: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneMessage:
    """One earlier message, or the question; without citation marks. `filenames` are its attachments.

    `files` are those among them that the model itself is to read. `declined` marks an assistant message that was a
    decline: nothing in it is a fact.
    """

    role: Role
    text: str
    filenames: tuple[str, ...] = ()
    files: tuple[GivenFile, ...] = ()
    declined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of a document that file search found. Lines are as printed in the document.

    `position` counts the pieces of a document from 0, in reading order.
    """

    file_id: str
    filename: str
    score: float
    text: str
    position: int = 0
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRequest:
    """A tool call that the inference wants: `{"queries": [...]}` for file_search, `{"code": ...}` for code."""

    tool: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRequest:
    """A call of one of the client's functions. `arguments` is the JSON text as the inference wrote it."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedFunction:
    """A function that the client answers; `parameters` is a JSON Schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducedFile:
    """A file that code wrote. `name` is its path inside the code's folder, `filename` what it may safely be called.

    `path` is good until the next call.
    """

    name: str
    filename: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOutcome:
    """What a call came to. `output` is text (logs and last value for code); `passages` are file search's.

    `files` are the code interpreter's, and there only while the call is being handled; `removed` are the names of
    those that the code removed. `said` is what the inference said before its move's calls, with the first of them.
    """

    request: ToolRequest | FunctionRequest
    completed: bool
    output: str = ""
    passages: tuple[Passage, ...] = ()
    files: tuple[ProducedFile, ...] = ()
    removed: tuple[str, ...] = ()
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that the inference may know. `outcomes` are this run's, in order.

    `messages` end with the question, and are none where a run begins before one was put. `tools` are the names of the
    hosted tools on offer; `has_documents` tells whether file search has anything to search. `tool_choice` is auto,
    none, required or the name of the one tool to call; `response_format` is None for text, else the API's mapping
    (json_object, json_schema). None among the limits and settings means "not said". `code_home` is the folder that
    code works in.
    """

    model: str
    instructions: str
    tools: frozenset[str]
    messages: tuple[SceneMessage, ...]
    outcomes: tuple[ToolOutcome, ...] = ()
    has_documents: bool = False
    functions: tuple[OfferedFunction, ...] = ()
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True
    response_format: Mapping[str, object] | None = None
    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    max_output_tokens: int | None = None
    code_home: str = "/mnt/data"


@dataclass(frozen=True, slots=True, kw_only=True)
class UseTools:
    """Call these tools and functions, then ask again. `text` is what was said before the calls, if anything.

    `where` is the place in the user's file that asks for them: what is wrong with them then is that file's mistake.
    """

    requests: tuple[ToolRequest | FunctionRequest, ...]
    text: str = ""
    where: str = field(default="", compare=False)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """The run completes with a refusal instead of an answer."""

    text: str


FAILURE_CODES = (
    "server_error", "rate_limit_exceeded", "invalid_prompt", "data_residency_mismatch", "bio_policy",
    "vector_store_timeout", "invalid_image", "invalid_image_format", "invalid_base64_image", "invalid_image_url",
    "image_too_large", "image_too_small", "image_parse_error", "image_content_policy_violation", "invalid_image_mode",
    "image_file_too_large", "unsupported_image_media_type", "empty_image_file", "failed_to_download_image",
    "image_file_not_found",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """The run fails: `code` is one of FAILURE_CODES. An API that doesn't have it shows server_error."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakOff:
    """The run ends as incomplete, with what was said so far: `reason` is max_completion_tokens or
    max_prompt_tokens (content_filter on other faces).
    """

    reason: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """The run expires now, as if its time had run out."""


Move = UseTools | Answer | Refuse | Fail | BreakOff | Expire


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Tokens, estimated where the adapter can't count."""

    input_tokens: int = 0
    output_tokens: int = 0


def estimate_tokens(text: str) -> int:
    """By the words, for what is no tokenizer's."""
    return round(len(text.split()) * 4 / 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turnout:
    """A move and what it cost; `spent` is None where no model was asked.

    `by` is the adapter that made it in the place of the one that was asked.
    """

    move: Move
    spent: Spent | None = field(default_factory=Spent)
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """The meaning of a text, as the embedding model called `model` puts it; only vectors of one model compare."""

    model: str
    values: tuple[float, ...]


class EmbeddingFailed(Exception):
    """There are no vectors; the message is the reason."""


class Embedder(Protocol):
    """Turns texts into vectors, in their order. Raises EmbeddingFailed."""

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]: ...


class QuestionKind(Enum):
    PREDICATE = "predicate"
    CHOICE = "choice"
    SCORE = "score"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeQuestion:
    """Whether something is true, or which of `options` fits: a choice's values, a score's labels from the lowest."""

    kind: QuestionKind
    instructions: str
    name: str | None = None
    options: tuple[str | bool, ...] = ()
    descriptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """A piece of what is judged, as text; `source` says whose it is. It may say anything."""

    source: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What a judge is asked: each question is about all of the exhibits, and about them alone."""

    model: str
    exhibits: tuple[Exhibit, ...]
    questions: tuple[JudgeQuestion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """For each question the probability of yes, or of each option, in 0..1; None where the judge refused."""

    probabilities: tuple[tuple[float, ...] | None, ...]
    spent: Spent = field(default_factory=Spent)


class Inference(Protocol):
    """Says what to do next. `name` is shown to users beside the model's name.

    An adapter that gets its text bit by bit may also have `async def decide_aloud(scene, hear) -> Turnout`, with
    `hear: Callable[[str], Awaitable[None]]` for each piece of the answer's text; the Answer then has all of it.
    One that keeps runs waiting may have `async def admit(scene) -> None`: a run stays queued until it returns.
    One with room for so many runs may have `slots: asyncio.Semaphore | None`: a run stays queued until it has one.
    One that can turn texts into vectors may have `embedder: Embedder | None`: search then goes by meaning, too.
    One that judges has `async def judge(matter: Matter) -> Judged | Fail`.
    One that holds connections may have `async def close() -> None`, called in the event loop that used it.
    """

    name: str

    async def decide(self, scene: Scene) -> Turnout: ...
