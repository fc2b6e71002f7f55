"""Batches: first questions of conversations as lines of one file, answered within a day."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
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
        return _read_state(await self._get(batch_id))

    async def find(self, tags: Mapping[str, str]) -> tuple[str, ...]:
        """The ids of batches with these tags."""
        listed = await self._api.list_all(Request(doing="listing the batches", path="/batches"), dict)
        return tuple(identifier(one) for one in listed if tags.items() <= text_map(one, "metadata").items())

    async def read(self, batch_id: str) -> Mapping[str, Line]:
        """What each question of a batch that is over came to, as far as the batch says."""
        body = await self._get(batch_id)
        return {key: _read_line(row, batch_id) for key, row in (await self._read_rows(body)).items()}

    async def delete(self, batch_id: str) -> None:
        """End a batch, and remove all that came of it. Raises DeadlineExceeded if it does not end yet."""
        body = await self._end(batch_id)
        places, bodies = asyncio.Semaphore(DELETES_AT_ONCE), (await self._read_rows(body)).values()

        async def delete_response(response: Json) -> None:
            response_id = identifier(response)
            async with places:
                await self._api.delete(f"deleting the response {response_id}", join_path("responses", response_id))

        made = [one for row in bodies if (one := part(part(row, "response"), "body")) and one.get("store") is not False]
        await asyncio.gather(*(delete_response(one) for one in made if isinstance(one.get("id"), str)))
        for file_id in _files_of(body):
            await self._api.delete(f"deleting the batch's file {file_id}", join_path("files", file_id))

    async def _end(self, batch_id: str) -> Json:
        deadline, rhythm = Deadline.after(CANCELLING_S, self._api.pace.clock), Rhythm(self._api.pace.fastest_look_s)
        body = await self._get(batch_id)
        if not _read_state(body).is_over:
            doing, path = f"cancelling the batch {batch_id}", join_path("batches", batch_id, "cancel")
            with suppress(RemoteError):  # it may have ended just now, as the next look tells
                await self._api.post(Request(doing=doing, path=path), dict)
            body = await self._get(batch_id)
        while not (state := _read_state(body)).is_over:
            if not deadline.left_s():
                message = f"the batch {batch_id} is still '{state.status}'; `runner clean` removes it when it has ended"
                raise DeadlineExceeded(message)
            await self._api.pace.sleep(rhythm.pause_s(None, CANCELLING_S - deadline.left_s()))
            body = await self._get(batch_id)
        return body

    async def _get(self, batch_id: str) -> Json:
        request = Request(doing=f"looking at the batch {batch_id}", path=join_path("batches", batch_id))
        return (await self._api.get(request, _check)).value

    async def _read_rows(self, body: Json) -> dict[str, Json]:
        """The lines of both files, by the keys of the questions."""
        rows: dict[str, Json] = {}
        for name in ("output_file_id", "error_file_id"):
            if file_id := optional_text(body, name):
                doing, path = f"reading the batch's file {file_id}", join_path("files", file_id, "content")
                content = await self._api.fetch(Request(doing=doing, path=path, budget_s=UPLOAD_BUDGET_S))
                for line in content.splitlines():
                    with suppress(ValueError, Malformed, RecursionError):
                        row = json.loads(line)
                        rows[text(row, "custom_id")] = row
        return rows


def _check(body: Json) -> Json:
    """Raises Malformed for what is no batch."""
    _read_state(body)
    return body


def _read_state(body: Json) -> BatchState:
    status = text(body, "status")
    mistakes = [one for mistake in parts(part(body, "errors"), "data") if (one := optional_text(mistake, "message"))]
    why = _WHY.get(status, "; ".join(mistakes[:3])) if status != "completed" else ""
    counts = part(body, "request_counts")
    return BatchState(
        id=identifier(body),
        status=status,
        is_over=status in _OVER,
        error=f"the batch {identifier(body)} is {status}" + (f": {why}" if why else ""),
        total=optional_integer(counts, "total") or 0,
        done=sum(optional_integer(counts, name) or 0 for name in ("completed", "failed")),
    )


def _read_line(row: Json, batch_id: str) -> Line:
    """A response, or why there is none: without a code, so that nothing is asked again for the full price."""
    refusal, answer = part(row, "error"), part(row, "response")
    try:
        if not refusal and integer(answer, "status_code") < 400:
            return read_response(part(answer, "body"))
    except Malformed as error:
        return RemoteError(f"the batch {batch_id} has an answer that is none of the API's: {error}")
    told = refusal or part(part(answer, "body"), "error")
    why = " ".join((optional_text(told, "message") or "it does not say why").split())
    code = optional_text(told, "code") or (f"status {answer['status_code']}" if answer else "no code")
    return RemoteError(f"the batch {batch_id} has no answer to this question ({code}): {why}")


def _files_of(body: Json) -> tuple[str, ...]:
    names = ("output_file_id", "error_file_id")
    return tuple(file_id for name in names if (file_id := optional_text(body, name)))
