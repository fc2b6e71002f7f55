"""A run of Assistants v2 that has ended, together with its messages and steps, as one Run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from runner.backends._assistants_wire import WireCall, WireMessage, WireRun, WireStep
from runner.backends._citations import strip_marks
from runner.domain.conversation import Citation, FunctionAnswer, Run, RunId, RunStatus, Step

PART_BREAK = "\n"
MESSAGE_BREAK = "\n\n"


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
    refusals = [refusal for message in said for refusal in message.refusals]
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
        declined=(_join([declined], calls)[0] or PART_BREAK.join(refusals)) if declined else None,
        refusal=PART_BREAK.join(refusals) if refusals else None,
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
    return run.error or defaults.get(run.status)


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
