"""The responses of one turn, together, as one Run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from runner.backends._failures import explain_overflow
from runner.backends.responses.bodies import DENIAL
from runner.backends.responses.wire import MCP, ApprovalRequest, Produced, WireMessage, WireResponse, add_usage
from runner.domain.assistant import ToolName
from runner.domain.conversation import (
    Citation,
    FunctionAnswer,
    FunctionCall,
    ProducedFile,
    Run,
    RunId,
    RunStatus,
    Step,
    ThreadId,
)

PART_BREAK = "\n"
MESSAGE_BREAK = "\n\n"
_RESTART = "its container had expired; the request was sent once more, for a new one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One response of a turn. `answers` are what its function calls were told, in their order; () if nothing yet.

    `approved` are the ids of those of its requests for approval that the file approves.
    """

    response: WireResponse
    answers: tuple[FunctionAnswer, ...] = ()
    approved: frozenset[str] = frozenset()
    was_restarted: bool = False


def build_run(
    thread_id: ThreadId, rounds: Sequence[Round], files: tuple[ProducedFile, ...], *, duration_s: float | None
) -> Run:
    """The whole Run; its id and its ending are the last response's. `rounds` is not empty."""
    last = rounds[-1].response
    messages = [message for one in rounds for message in one.response.messages if not message.is_commentary]
    text, citations = _join(messages)
    refusals = PART_BREAK.join(refusal for message in messages for refusal in message.refusals)
    return Run(
        id=RunId(last.id),
        thread_id=thread_id,
        status=RunStatus(last.status),
        text=text,
        raw_text=text,
        citations=citations,
        steps=tuple(step for one in rounds for step in _steps_of(one)),
        files=files,
        usage=reduce(add_usage, (one.response.usage for one in rounds)),
        model=last.model,
        declined=(text or refusals) if last.declined else None,
        refusal=None if last.declined else refusals or None,
        error=_error_of(last),
        error_code=last.error_code or last.incomplete_reason,
        duration_s=duration_s,
    )


def text_of(response: WireResponse) -> str:
    """What one response says, commentaries included."""
    return _join(response.messages)[0]


def produced_in(rounds: Sequence[Round]) -> tuple[Produced, ...]:
    """The files that the answers refer to, each once."""
    parts = (part for one in rounds for message in one.response.messages for part in message.parts)
    return tuple({(file.container_id, file.file_id): file for part in parts for file in part.produced}.values())


def _steps_of(one: Round) -> Iterator[Step]:
    if one.was_restarted:
        yield Step(tool=ToolName.CODE_INTERPRETER.value, completed=False, output=_RESTART)
    answers = iter(one.answers)
    for item in one.response.items:
        if isinstance(item, Step):
            yield item
        elif isinstance(item, FunctionCall):
            answer = next(answers, None)
            completed, output = answer is not None and not answer.is_error, answer.output if answer else ""
            yield Step(tool=item.name, completed=completed, input=item.arguments, output=output)
        elif isinstance(item, ApprovalRequest) and item.id not in one.approved:
            output = f"approval was denied: {DENIAL}"
            yield Step(tool=MCP, label=item.name, completed=False, input=item.arguments, output=output)


def _error_of(response: WireResponse) -> str | None:
    reason = response.incomplete_reason or "the server does not say why"
    defaults = {
        "failed": "the run failed, and the server doesn't say why",
        "incomplete": f"the answer is incomplete: {reason}",
        "cancelled": "the run was cancelled, not by us",
    }
    return explain_overflow(response.error_code, response.error) or defaults.get(response.status)


def _join(messages: Sequence[WireMessage]) -> tuple[str, tuple[Citation, ...]]:
    """The text of all messages, and the citations with their places in it."""
    text = ""
    citations: list[Citation] = []
    for message in messages:
        for index, part in enumerate(message.parts):
            if text:
                text += PART_BREAK if index else MESSAGE_BREAK
            citations += [replace(one, position=one.position + len(text)) for one in part.citations]
            text += part.text
    return text, tuple(citations)
