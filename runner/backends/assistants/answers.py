"""A run of Assistants v2 that has ended, together with its messages and steps, as one Run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from runner.backends._failures import explain_overflow
from runner.backends.assistants.wire import Annotation, WireCall, WireMessage, WireRun, WireStep
from runner.domain.conversation import Citation, FileId, FunctionAnswer, Run, RunId, RunStatus, Step

PART_BREAK = "\n"
MESSAGE_BREAK = "\n\n"
# The text before the mark's dagger is a position in the results; what follows it names the file, or says "source".
_MARK = re.compile(r"【[^【】]+】")
_MARK_NAME = re.compile(r"【[^【】†]*†(?P<name>[^【】†]+)】")
_NO_NAME = "source"


def build_run(
    run: WireRun,
    messages: Sequence[WireMessage],
    steps: Sequence[WireStep],
    *,
    answers: Mapping[str, FunctionAnswer],
    duration_s: float,
) -> Run:
    """The whole Run. Messages of other runs are left out, wherever they stand in the list.

    `answers` are what function calls were told, by their ids.
    """
    ours = (message for message in messages if message.is_answer and message.run_id == run.id)
    said = sorted(ours, key=lambda message: message.created_at)
    in_order = sorted(steps, key=lambda step: step.created_at)
    calls = tuple(_step_of(call, answers) for step in in_order for call in step.calls)
    text, raw_text, citations = _join(said, calls)
    declined = next((message for message in said if message.declined), None)
    refusals = PART_BREAK.join(refusal for message in said if not message.declined for refusal in message.refusals)
    return Run(
        id=RunId(run.id),
        thread_id=run.thread_id,
        status=RunStatus(run.status),
        text=text,
        raw_text=raw_text,
        citations=citations,
        steps=calls,
        usage=run.usage,
        model=run.model,
        declined=(_join([declined], calls)[0] or PART_BREAK.join(declined.refusals)) if declined else None,
        refusal=refusals or None,
        error=_error_of(run),
        error_code=run.error_code or run.incomplete_reason,
        duration_s=duration_s,
    )


def is_settled(run: WireRun, messages: Sequence[WireMessage], steps: Sequence[WireStep]) -> bool:
    """Whether everything that the run did is listed. It can be reported as completed a moment before that."""
    listed = {message.id for message in messages}
    announced = {step.message_id for step in steps if step.message_id is not None}
    return run.status != "completed" or (announced <= listed and not any(step.is_open for step in steps))


def _step_of(call: WireCall, answers: Mapping[str, FunctionAnswer]) -> Step:
    """A call as it was; for the API, one that was told of an error has completed too."""
    answer = answers.get(call.id)
    return replace(call.step, completed=False) if answer is not None and answer.is_error else call.step


def _error_of(run: WireRun) -> str | None:
    defaults = {
        "failed": "the run failed, and the server doesn't say why",
        "incomplete": f"the answer is incomplete: {run.incomplete_reason or 'the server does not say why'}",
        "cancelled": "the run was cancelled, not by us",
        "expired": "the run took longer than the server allows, and expired",
    }
    return explain_overflow(run.error_code, run.error) or defaults.get(run.status)


def _join(answers: Sequence[WireMessage], calls: Sequence[Step]) -> tuple[str, str, tuple[Citation, ...]]:
    """The text without marks, the text as it came, and the citations with their places in the former."""
    filenames = {result.file_id: result.filename for call in calls for result in call.results if result.filename}
    text = raw_text = ""
    citations: list[Citation] = []
    for message in answers:
        for index, one in enumerate(message.parts):
            separator = "" if not raw_text else PART_BREAK if index else MESSAGE_BREAK
            stripped, found = strip_marks(one.text, one.annotations, filenames)
            text += separator
            citations += [replace(citation, position=citation.position + len(text)) for citation in found]
            text += stripped
            raw_text += separator + one.text
    return text, raw_text, tuple(citations)


def strip_marks(
    text: str, annotations: tuple[Annotation, ...], filenames: Mapping[FileId, str]
) -> tuple[str, tuple[Citation, ...]]:
    """The text without its marks, and the citations in reading order.

    A mark is stripped only where its offsets hold what the annotation says stands there and no other mark is
    stripped already; else its citation is kept and the text left alone. One mark can cite several files.
    """
    kept: list[str] = []
    citations: list[Citation] = []
    read_to = removed = 0
    last_span: tuple[int, int] | None = None
    for one in sorted(annotations, key=lambda annotation: (annotation.start, annotation.end)):
        span = (one.start, one.end)
        is_new = one.start >= read_to and _stands_there(text, one)
        if is_new:
            kept.append(text[read_to : one.start])
            read_to, last_span = one.end, span
        position = min(max(one.start, 0), len(text)) - removed
        if is_new:
            removed += one.end - one.start
        elif last_span is not None and one.start < last_span[1]:
            position = last_span[1] - removed
        citations.append(
            Citation(
                position=position,
                file_id=one.file_id,
                filename=filenames.get(one.file_id) or _name_in(one.mark),
                quote=one.quote,
                mark=text[one.start : one.end] if span == last_span else "",
            )
        )
    kept.append(text[read_to:])
    return "".join(kept), tuple(citations)


def _stands_there(text: str, one: Annotation) -> bool:
    if not 0 <= one.start < one.end <= len(text):
        return False
    there = text[one.start : one.end]
    return there == one.mark if one.mark else bool(_MARK.fullmatch(there))


def _name_in(mark: str) -> str | None:
    match = _MARK_NAME.fullmatch(mark)
    return match["name"] if match and match["name"] != _NO_NAME else None
