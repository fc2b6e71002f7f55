"""Batches: a file of requests, carried out one by one, and files of what they came to; a restart goes on with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from runner.server.engine.core import Engine, need
from runner.server.engine.documents import keep_file
from runner.server.engine.state.file_storage import FileRecord
from runner.server.engine.state.records import IdKind, Record
from runner.server.engine.state.store import Conflict, Refusal, Tally

ENDPOINTS = ("/v1/responses",)
WINDOWS_S = {"24h": 86_400.0}
MAX_REQUESTS = 50_000
MAX_MISTAKES = 100
REQUESTS_AT_ONCE = 8
_NOT_IN_A_BATCH = ("stream", "background")


class BatchState(Enum):
    VALIDATING = "validating"
    FAILED = "failed"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def is_active(self) -> bool:
        return self not in (BatchState.FAILED, BatchState.COMPLETED, BatchState.EXPIRED, BatchState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchMistake:
    """What is wrong with a batch's file, in OpenAI's words; `line` counts from 1."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBatchRecord(Record, kind="request_batch"):
    """`reached` is when it came to each state that it has been in; `total` is 0 until the file has been read."""

    endpoint: str
    input_file_id: str
    window: str
    state: BatchState = BatchState.VALIDATING
    reached: Mapping[str, float] = field(default_factory=dict)
    metadata: Mapping[str, str] | None = None
    output_lifetime_s: int | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    mistakes: tuple[BatchMistake, ...] = ()
    model: str | None = None
    total: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def expires_at(self) -> float:
        return self.created_at + WINDOWS_S[self.window]

    @property
    def is_being_worked_on(self) -> bool:
        return self.state.is_active


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAnswerRecord(Record, kind="batch_answer", parent="batch_id"):
    """What one request of a batch came to. `body` is JSON text; `tokens` are those that it took in and gave out."""

    batch_id: str
    number: int
    custom_id: str
    status: int
    request_id: str
    body: str
    is_sound: bool
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How the server answered a request."""

    status: int
    request_id: str
    body: str


Send = Callable[[str, bytes], Awaitable[Reply]]
"""Makes a request of this server: a path, and a JSON body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    number: int
    custom_id: str
    body: bytes
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOrder:
    endpoint: str
    input_file_id: str
    window: str
    metadata: Mapping[str, str] | None = None
    output_lifetime_s: int | None = None


def start_batch(engine: Engine, order: BatchOrder, send: Send) -> RequestBatchRecord:
    """Raises Missing, or Refusal if the file is not one for batches."""
    file = need(engine, FileRecord, order.input_file_id)
    if file.purpose != "batch":
        message = f"Invalid input file: its purpose is '{file.purpose}', and a batch's must be 'batch'."
        raise Refusal(message, param="input_file_id", code="invalid_file_purpose")
    now = engine.now()
    batch = RequestBatchRecord(
        id=engine.new_id(IdKind.REQUEST_BATCH),
        created_at=now,
        endpoint=order.endpoint,
        input_file_id=order.input_file_id,
        window=order.window,
        metadata=order.metadata,
        output_lifetime_s=order.output_lifetime_s,
    )
    with engine.store.transaction():
        engine.store.insert(batch)
        _take_up(engine, batch, send)
    return batch


def go_on(engine: Engine, send: Send) -> None:
    """Take up the batches that no living process works on."""
    with engine.store.transaction():
        for batch in engine.store.abandoned(RequestBatchRecord, engine.owner, engine.now()):
            _take_up(engine, batch, send)


def cancel_batch(engine: Engine, batch_id: str) -> RequestBatchRecord:
    """What has been answered by now stays. Raises Conflict for a batch that is over."""
    with engine.store.transaction():
        batch = need(engine, RequestBatchRecord, batch_id)
        if not batch.state.is_active:
            raise Conflict(f"Cannot cancel a batch with status '{batch.state.value}'.")
        batch = _move(engine, batch, BatchState.CANCELLING)
    engine.workers.cancel(batch_id)
    return batch


def count_answers(engine: Engine, batch: RequestBatchRecord) -> tuple[int, int]:
    """How many requests were answered well, and how many not."""
    found = engine.store.tally(BatchAnswerRecord, batch.id, by="is_sound", total="output_tokens")
    return found.get(True, Tally()).count, found.get(False, Tally()).count


def _take_up(engine: Engine, batch: RequestBatchRecord, send: Send) -> None:
    engine.hold(batch.id)
    engine.workers.start(batch.id, _work(engine, batch.id, send), on_break=partial(_leave, engine, batch.id))


def _leave(engine: Engine, batch_id: str) -> None:
    """The work was broken off: to cancel the batch, or because this process ends and another may go on with it."""
    batch = engine.store.find(RequestBatchRecord, batch_id)
    if batch is not None and batch.state is BatchState.CANCELLING:
        _finish(engine, batch, BatchState.CANCELLED)
    engine.store.release(batch_id)


async def _work(engine: Engine, batch_id: str, send: Send) -> None:
    batch = need(engine, RequestBatchRecord, batch_id)
    end = BatchState.COMPLETED
    if batch.state is not BatchState.CANCELLING:
        lines, mistakes = await asyncio.to_thread(_read_lines, _find_content(engine, batch), batch.endpoint)
        if mistakes:
            # Once the work has begun: the file is gone, and the rest of its requests with it.
            _finish(engine, replace(batch, mistakes=tuple(mistakes[:MAX_MISTAKES])), BatchState.FAILED)
            return
        if batch.state is BatchState.VALIDATING:
            batch = _move(engine, replace(batch, total=len(lines), model=lines[0].model), BatchState.IN_PROGRESS)
        done = {answer.number for answer in engine.store.children(BatchAnswerRecord, batch.id)}
        try:
            async with asyncio.timeout(batch.expires_at - engine.now()) as deadline:
                await _ask_all(engine, batch, [line for line in lines if line.number not in done], send)
        except TimeoutError:
            if not deadline.expired():
                raise
            end = BatchState.EXPIRED
    batch = need(engine, RequestBatchRecord, batch.id)
    if batch.state is BatchState.CANCELLING:
        end = BatchState.CANCELLED
    elif end is BatchState.COMPLETED:
        batch = _move(engine, batch, BatchState.FINALIZING)
    _finish(engine, batch, end)


async def _ask_all(engine: Engine, batch: RequestBatchRecord, lines: Sequence[_Line], send: Send) -> None:
    """Until all are answered, or another process has asked for the batch's end."""
    waiting = iter(lines)
    open_: set[asyncio.Task[None]] = set()
    try:
        while True:
            while len(open_) < REQUESTS_AT_ONCE and (line := next(waiting, None)) is not None:
                open_.add(asyncio.create_task(_ask(engine, batch, line, send)))
            if not open_:
                return
            done, open_ = await asyncio.wait(
                open_, timeout=engine.lifetimes.renewal_s, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
            if need(engine, RequestBatchRecord, batch.id).state is BatchState.CANCELLING:
                return
    finally:
        for task in open_:
            task.cancel()
        await asyncio.gather(*open_, return_exceptions=True)


async def _ask(engine: Engine, batch: RequestBatchRecord, line: _Line, send: Send) -> None:
    reply = await send(batch.endpoint, line.body)
    usage: Mapping[str, Any] = {}
    with suppress(ValueError, AttributeError):
        usage = json.loads(reply.body).get("usage") or {}
    engine.store.insert(
        BatchAnswerRecord(
            id=f"{batch.id}/{line.number}",
            created_at=engine.now(),
            batch_id=batch.id,
            number=line.number,
            custom_id=line.custom_id,
            status=reply.status,
            request_id=reply.request_id,
            body=reply.body,
            is_sound=reply.status < 400,
            input_tokens=usage.get("input_tokens", 0),
            output_tokens=usage.get("output_tokens", 0),
        )
    )


def _move(engine: Engine, batch: RequestBatchRecord, to: BatchState) -> RequestBatchRecord:
    moved = replace(batch, state=to, reached={**batch.reached, to.value: engine.now()})
    engine.store.replace(moved)
    if not to.is_active:
        engine.store.release(batch.id)
    return moved


_UNDONE: Mapping[BatchState, tuple[str, str]] = {
    BatchState.EXPIRED: (
        "batch_expired",
        "This request could not be executed before the completion window expired.",
    ),
    BatchState.CANCELLED: ("batch_cancelled", "This request was not executed because the batch was cancelled."),
}


def _finish(engine: Engine, batch: RequestBatchRecord, end: BatchState) -> None:
    """Write the files of what was answered well, and of the rest; what is empty is left out."""
    answers = engine.store.children(BatchAnswerRecord, batch.id)
    with engine.store.transaction():
        outputs = _keep_lines(engine, batch, "output", (_show(one) for one in answers if one.is_sound))
        errors = _keep_lines(engine, batch, "error", _show_errors(engine, batch, answers, end))
        ended = replace(
            batch,
            output_file_id=outputs,
            error_file_id=errors,
            input_tokens=sum(one.input_tokens for one in answers),
            output_tokens=sum(one.output_tokens for one in answers),
        )
        _move(engine, ended, end)


def _show_errors(
    engine: Engine, batch: RequestBatchRecord, answers: Sequence[BatchAnswerRecord], end: BatchState
) -> Iterator[str]:
    yield from (_show(one) for one in answers if not one.is_sound)
    if end not in _UNDONE or not batch.total:
        return
    code, message = _UNDONE[end]
    done = {answer.number for answer in answers}
    for line in _read_lines(_find_content(engine, batch), batch.endpoint)[0]:
        if line.number not in done:
            error = {"code": code, "message": message}
            yield _row(batch.id, line.number, line.custom_id, response=None, error=error)


def _show(answer: BatchAnswerRecord) -> str:
    response = {"status_code": answer.status, "request_id": answer.request_id, "body": json.loads(answer.body)}
    return _row(answer.batch_id, answer.number, answer.custom_id, response=response, error=None)


def _row(batch_id: str, number: int, custom_id: str, *, response: object, error: object) -> str:
    row = {"id": f"batch_req_{batch_id.partition('_')[2]}{number:05}", "custom_id": custom_id}
    return json.dumps({**row, "response": response, "error": error})


def _keep_lines(engine: Engine, batch: RequestBatchRecord, kind: str, rows: Iterator[str]) -> str | None:
    """The id of a new file with these lines; None if there are none."""
    arrival = engine.blobs.write(f"{row}\n".encode() for row in rows)
    if arrival.size_bytes == 0:
        arrival.discard()
        return None
    file = keep_file(
        engine,
        arrival,
        filename=f"{batch.id}_{kind}.jsonl",
        purpose="batch_output",
        lifetime_s=batch.output_lifetime_s,
    )
    return file.id


def _find_content(engine: Engine, batch: RequestBatchRecord) -> Path | None:
    file = engine.store.find(FileRecord, batch.input_file_id)
    return None if file is None else engine.blobs.path(file.sha256)


def _read_lines(path: Path | None, endpoint: str) -> tuple[list[_Line], list[BatchMistake]]:
    try:
        text = b"" if path is None else path.read_bytes()
    except FileNotFoundError:
        path = None
    if path is None:
        return [], [BatchMistake(code="invalid_file", message="The input file is gone.")]
    rows = [(number, row) for number, row in enumerate(text.split(b"\n"), start=1) if row.strip()]
    if not rows:
        return [], [BatchMistake(code="empty_file", message="The batch input file is empty.")]
    if len(rows) > MAX_REQUESTS:
        message = f"The batch input file has more than {MAX_REQUESTS} requests."
        return [], [BatchMistake(code="too_many_requests", message=message)]
    lines: list[_Line] = []
    mistakes: list[BatchMistake] = []
    for number, row in rows:
        read = _read_line(number, row, endpoint)
        if isinstance(read, BatchMistake):
            mistakes.append(read)
        else:
            lines.append(read)
    return lines, mistakes + list(_find_clashes(lines))


def _read_line(number: int, row: bytes, endpoint: str) -> _Line | BatchMistake:
    try:
        value = json.loads(row)
    except (ValueError, RecursionError):
        return BatchMistake(code="invalid_json_line", message="This line is not parseable as valid JSON.", line=number)
    given: Mapping[str, Any] = value if isinstance(value, dict) else {}
    body = given.get("body")
    wanted = {"custom_id": isinstance(given.get("custom_id"), str), "body": isinstance(body, dict)}
    for name, is_there in wanted.items():
        if not is_there:
            message = f"Missing required parameter: '{name}'."
            return BatchMistake(code="missing_required_parameter", message=message, line=number, param=name)
    assert isinstance(body, dict)
    if given.get("method") != "POST":
        return BatchMistake(code="invalid_method", message="The method must be POST.", line=number, param="method")
    if given.get("url") != endpoint:
        message = f"The URL provided for this request does not match the batch's endpoint '{endpoint}'."
        return BatchMistake(code="mismatched_url", message=message, line=number, param="url")
    for name in _NOT_IN_A_BATCH:
        if body.get(name):
            message = f"'{name}' is not supported in a batch."
            return BatchMistake(code="invalid_value", message=message, line=number, param=f"body.{name}")
    return _Line(
        number=number, custom_id=given["custom_id"], body=json.dumps(body).encode(), model=str(body.get("model"))
    )


def _find_clashes(lines: Sequence[_Line]) -> Iterator[BatchMistake]:
    known: set[str] = set()
    for line in lines:
        if line.custom_id in known:
            message = f"The custom_id '{line.custom_id}' for this request is a duplicate of another request."
            yield BatchMistake(code="duplicate_custom_id", message=message, line=line.number, param="custom_id")
        if line.model != lines[0].model:
            message = f"The model '{line.model}' does not match '{lines[0].model}': a batch has one model."
            yield BatchMistake(code="mismatched_model", message=message, line=line.number, param="body.model")
        known.add(line.custom_id)
