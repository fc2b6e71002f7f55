"""What happens in a thread: questions, runs, steps, citations."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import NewType

AssistantId = NewType("AssistantId", str)
ThreadId = NewType("ThreadId", str)
RunId = NewType("RunId", str)
FileId = NewType("FileId", str)
StoreId = NewType("StoreId", str)


class RunStatus(Enum):
    """How a run ended. A run that has not ended never leaves a backend."""

    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


DECLINE = "I can't answer this for sure ({}): no language model is connected"
"""How the offline rules begin when they decline; in the brackets they say why."""


class Ending(Enum):
    """What a run came to, as verdicts see it. Only ANSWERED lets an ordinary check pass."""

    ANSWERED = "answered"
    REFUSED = "refused"
    DECLINED = "declined"
    EMPTY = "empty"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A place in an answer that names its source.

    `position` is a character offset into `Run.text`, where the mark stood before it was stripped;
    `mark` is the stripped text, "" where the API puts none; `filename` is None where it is not known. A web page
    has its address in both `file_id` and `filename`, and its title as the quote.
    """

    position: int
    file_id: FileId
    filename: str | None = None
    quote: str | None = None
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """A passage that file search found; `score` is in 0..1."""

    file_id: FileId
    filename: str
    score: float
    text: str


_LONGEST_CAUSE = 200
_MOST_CAUSES = 3
NOT_APPROVED = "approval was denied"
"""How the output of a call begins that nobody approved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One tool call inside a run.

    `tool` is the word users write (`file_search`, `code_interpreter`); `input` is code or JSON arguments,
    `output` what came back as text (logs for code); `results` are file search's. `label` is for MCP alone, whose
    servers have tools of their own: `server.tool`. `printed` is what code of the project's own printed, as in
    FunctionAnswer.
    """

    tool: str
    completed: bool
    input: str = ""
    output: str = ""
    results: tuple[SearchResult, ...] = ()
    label: str = ""
    printed: str = ""

    @property
    def title(self) -> str:
        """The tool as people read it."""
        return f"{self.tool} {self.label}" if self.label else self.tool


class Output(str):
    """What code of the project's own returned, as text; `printed` is what it printed meanwhile, for people."""

    printed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall:
    """A call of a declared function that the run waits for. `arguments` is the JSON text as the model wrote it.

    `recorded` is what was answered when a play that is replayed was recorded: what is far away isn't asked again.
    """

    id: str
    name: str
    arguments: str
    recorded: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionAnswer:
    """What the run is told. `is_error` marks an output that says why there is no result.

    `printed` is what the function printed, and its traceback if it raised, or the end of that: for people, never sent.
    """

    output: str
    is_error: bool = False
    printed: str = ""


def answered_step(call: FunctionCall, answer: FunctionAnswer | None) -> Step:
    """The call of a function with what it was told; without that, it has not completed."""
    told = answer or FunctionAnswer(output="", is_error=True)
    return Step(
        tool=call.name,
        completed=not told.is_error,
        input=call.arguments,
        output=told.output,
        printed=told.printed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the API counts them; None is unknown, which is not zero.

    `cached_tokens` are among the input's, `reasoning_tokens` among the output's.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


def sum_usage(usages: Iterable[Usage | None]) -> Usage | None:
    """What is unknown of one is unknown of the sum."""
    known = list(usages)
    if None in known:
        return None
    counts = {one.name: [getattr(usage, one.name) for usage in known] for one in fields(Usage)}
    return Usage(**{name: None if None in each else sum(each) for name, each in counts.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducedFile:
    """A file that the code interpreter made in the run; its name is the model's choice, not a path to write to.

    `problem` says why its content could not be read before the interpreter's container goes; size and hash are
    unknown then. `text` is its content where that is UTF-8 and short; checks read it, reports for people don't show it.
    """

    name: str
    size_bytes: int | None = None
    sha256: str | None = None
    text: str | None = field(default=None, repr=False)
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What happened on one turn, complete.

    `text` is the answer without citation marks, `raw_text` as it came. `declined` and `refusal` hold the
    words of an offline decline and of a model's refusal. `error` is a sentence, `error_code` the API's word.
    `duration_s` is None where it was not measured: of a run that `is_replayed`, or waited in a batch.
    Recordings have its parts in this order, and are committed: another would be a difference in each of them.
    """

    id: RunId
    thread_id: ThreadId
    status: RunStatus
    model: str | None = None
    text: str = ""
    raw_text: str = ""
    citations: tuple[Citation, ...] = ()
    refusal: str | None = None
    declined: str | None = None
    steps: tuple[Step, ...] = ()
    files: tuple[ProducedFile, ...] = ()
    usage: Usage | None = None
    error: str | None = None
    error_code: str | None = None
    duration_s: float | None = 0.0
    is_replayed: bool = False

    @property
    def broken_steps(self) -> tuple[Step, ...]:
        """Calls that came to nothing, nor did a later one of the same tool; what nobody approved wasn't to."""
        last = {step.title: step for step in self.steps}
        broken = (step for step in self.steps if not step.completed and not last[step.title].completed)
        return tuple(step for step in broken if not step.output.startswith(NOT_APPROVED))

    def describe_broken_steps(self) -> list[str]:
        """The first of them in words, each with the beginning of its reason."""
        first = self.broken_steps[:_MOST_CAUSES]
        return [f"{step.title} did not complete: {step.output[:_LONGEST_CAUSE]}" for step in first]

    @property
    def decline_reason(self) -> str:
        """Why it was declined, in short; "" if it wasn't."""
        before, after = DECLINE.split("{}")
        said = " ".join((self.declined or "").split())
        # A script may decline in words of its own.
        return said.removeprefix(before).rpartition(after)[0] if said.startswith(before) and after in said else said

    @property
    def ending(self) -> Ending:
        if self.status is not RunStatus.COMPLETED:
            return Ending.BROKEN
        if self.declined is not None:
            return Ending.DECLINED
        if self.refusal is not None:
            return Ending.REFUSED
        return Ending.ANSWERED if any(map(is_visible, self.text.lstrip())) else Ending.EMPTY


def is_visible(character: str) -> bool:
    """Whether a reader sees anything of it: no space, control, format (zero-width) or unassigned character."""
    return not character.isspace() and unicodedata.category(character)[0] != "C"
