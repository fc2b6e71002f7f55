"""Batches: first questions of conversations as lines of one file, answered within a day."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO

from runner.backends import BatchState
from runner.backends._json_fields import (
    Json,
    Malformed,
    identifier,
    integer,
    optional_integer,
    optional_text,
    part,
    parts,
    read_object,
    text,
    text_map,
)
from runner.backends._requests import Api, Creation, Request, join_path
from runner.backends._waiting import Deadline, Rhythm
from runner.backends.responses.bodies import Body
from runner.backends.responses.wire import WireResponse, read_response
from runner.domain.plan import Kind
from runner.errors import DeadlineExceeded, RemoteError

ENDPOINT = "/v1/responses"
WINDOW = "24h"
FILE_LIFETIME_S = 30 * 24 * 3600
"""Of what goes in and what comes out, where nobody comes to remove it."""
UPLOAD_BUDGET_S = 600.0
CANCELLING_S = 30.0
DELETES_AT_ONCE = 8
LABEL_TAG = "runner.batch"
_OVER = frozenset({"completed", "failed", "expired", "cancelled"})
_WHY = {
    "expired": "it was not finished within its time",
    "cancelled": "it was cancelled",
}

Line = WireResponse | RemoteError
"""What one question came to."""


class Batches:
    """The Batches API. Each file and each batch is journaled, and made once."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def start(self, label: str, bodies: Mapping[str, Body], tags: Mapping[str, str]) -> str:
        """The id of a new batch of requests to make responses; those who ask are known by the keys of `bodies`."""
        rows = ({"custom_id": key, "method": "POST", "url": ENDPOINT, "body": body} for key, body in bodies.items())
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        name = f"{label}.jsonl"
        lifetime = {"anchor": "created_at", "seconds": FILE_LIFETIME_S}
        upload = Request(
            doing=f"uploading the batch '{label}' ({len(bodies)} questions)",
            path="/files",
            body={"purpose": "batch", "expires_after": lifetime},
            file=(name, BytesIO(content)),
            budget_s=UPLOAD_BUDGET_S,
        )
        file_id = (await self._api.create(upload, Creation(kind=Kind.BATCH_FILE, label=name), identifier)).value
        tags = {**tags, LABEL_TAG: label}
        order = Request(
            doing=f"starting the batch '{label}'",
            path="/batches",
            body={
                "input_file_id": file_id,
                "endpoint": ENDPOINT,
                "completion_window": WINDOW,
                "metadata": tags,
                "output_expires_after": lifetime,
            },
        )
        return (await self._api.create(order, Creation(kind=Kind.BATCH, label=label, tags=tags), identifier)).value

    async def look_at(self, batch_id: str) -> BatchState:
        return (await self._get(batch_id)).state

    async def find(self, tags: Mapping[str, str]) -> tuple[str, ...]:
        """The ids of batches with these tags."""
        listed = await self._api.list_all(Request(doing="listing the batches", path="/batches"), _read_tagged)
        return tuple(batch_id for batch_id, metadata in listed if tags.items() <= metadata.items())

    async def read(self, batch_id: str) -> Mapping[str, Line]:
        """What each question of a batch that is over came to, as far as the batch says."""
        rows = await self._read_rows(await self._get(batch_id))
        return {key: _read_line(row, batch_id) for key, row in rows.items()}

    async def delete(self, batch_id: str) -> None:
        """End a batch, and remove all that came of it. Raises DeadlineExceeded if it does not end yet."""
        batch = await self._end(batch_id)
        places, rows = asyncio.Semaphore(DELETES_AT_ONCE), (await self._read_rows(batch)).values()

        async def delete_response(response_id: str) -> None:
            async with places:
                await self._api.delete(f"deleting the response {response_id}", join_path("responses", response_id))

        await asyncio.gather(*(delete_response(one) for row in rows if (one := _find_stored(row))))
        for file_id in batch.file_ids:
            await self._api.delete(f"deleting the batch's file {file_id}", join_path("files", file_id))

    async def _end(self, batch_id: str) -> _Batch:
        deadline, rhythm = Deadline.after(CANCELLING_S, self._api.pace.clock), Rhythm(self._api.pace.fastest_look_s)
        batch = await self._get(batch_id)
        if not batch.state.is_over:
            doing, path = f"cancelling the batch {batch_id}", join_path("batches", batch_id, "cancel")
            with suppress(RemoteError):  # it may have ended just now, as the next look tells
                await self._api.post(Request(doing=doing, path=path), dict)
            batch = await self._get(batch_id)
        while not batch.state.is_over:
            if not deadline.left_s():
                state = batch.state.status
                message = f"the batch {batch_id} is still '{state}'; `runner clean` removes it when it has ended"
                raise DeadlineExceeded(message)
            await self._api.pace.sleep(rhythm.pause_s(None, CANCELLING_S - deadline.left_s()))
            batch = await self._get(batch_id)
        return batch

    async def _get(self, batch_id: str) -> _Batch:
        request = Request(doing=f"looking at the batch {batch_id}", path=join_path("batches", batch_id))
        return (await self._api.get(request, _read_batch)).value

    async def _read_rows(self, batch: _Batch) -> dict[str, Json]:
        """The lines of all files, by the keys of the questions."""
        rows: dict[str, Json] = {}
        for file_id in batch.file_ids:
            doing, path = f"reading the batch's file {file_id}", join_path("files", file_id, "content")
            content = await self._api.fetch(Request(doing=doing, path=path, budget_s=UPLOAD_BUDGET_S))
            for line in content.splitlines():
                with suppress(Malformed):
                    row = read_object(line)
                    rows[text(row, "custom_id")] = row
        return rows


@dataclass(frozen=True, slots=True)
class _Batch:
    """`file_ids` are the files with what came of it."""

    state: BatchState
    file_ids: tuple[str, ...]


def _read_batch(body: Json) -> _Batch:
    status = text(body, "status")
    mistakes = [one for mistake in parts(part(body, "errors"), "data") if (one := optional_text(mistake, "message"))]
    why = _WHY.get(status, "; ".join(mistakes[:3])) if status != "completed" else ""
    counts = part(body, "request_counts")
    state = BatchState(
        id=identifier(body),
        status=status,
        is_over=status in _OVER,
        error=f"the batch {identifier(body)} is {status}" + (f": {why}" if why else ""),
        total=optional_integer(counts, "total") or 0,
        done=sum(optional_integer(counts, name) or 0 for name in ("completed", "failed")),
    )
    names = ("output_file_id", "error_file_id")
    return _Batch(state, tuple(identifier(body, name) for name in names if body.get(name)))


def _read_tagged(body: Json) -> tuple[str, Mapping[str, str]]:
    return identifier(body), text_map(body, "metadata")


def _read_line(row: Json, batch_id: str) -> Line:
    """A response, or why there is none: without a code, so that nothing is asked again for the full price."""
    try:
        refusal, answer = part(row, "error"), part(row, "response")
        if not refusal and integer(answer, "status_code") < 400:
            return read_response(part(answer, "body"))
        told = refusal or part(part(answer, "body"), "error")
        why = " ".join((optional_text(told, "message") or "it does not say why").split())
        code = optional_text(told, "code") or (f"status {answer.get('status_code')}" if answer else "no code")
    except Malformed as error:
        return RemoteError(f"the batch {batch_id} has an answer that is none of the API's: {error}")
    return RemoteError(f"the batch {batch_id} has no answer to this question ({code}): {why}")


def _find_stored(row: Json) -> str | None:
    """The id of a line's response, if there is one that the server keeps."""
    with suppress(Malformed):
        response = part(part(row, "response"), "body")
        return None if response.get("store") is False else identifier(response)
    return None
