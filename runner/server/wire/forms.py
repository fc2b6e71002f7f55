"""Reads an upload: a multipart form with a file, streamed to disk in constant memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message, Receive

from runner.domain.files import MAX_FILE_BYTES
from runner.server.engine.state.file_storage import CHUNK_BYTES, Arrival, Blobs
from runner.server.wire.fields import BadRequest, Fields, read_number

PURPOSES = ("fine-tune", "assistants", "batch", "user_data", "vision", "evals")
MAX_FRAME_BYTES = 1 << 16  # of the form around the file
_EXPIRY = ("expires_after[anchor]", "expires_after[seconds]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A file's content that has arrived, and what it is called."""

    arrival: Arrival
    filename: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload(Content):
    """An upload for the Files API; `lifetime_s` is None for ever."""

    purpose: str
    lifetime_s: int | None


async def read_upload(request: Request, blobs: Blobs, *, most_bytes: int = MAX_FILE_BYTES) -> Upload:
    """Raises BadRequest; then, and when the client goes away, nothing is left on disk."""
    async with _open_form(request, most_bytes) as (fields, file):
        fields.only("purpose", *_EXPIRY)
        purpose = fields.needed_text("purpose")
        if purpose not in PURPOSES:
            raise BadRequest(f"'{purpose}' is not one of {list(PURPOSES)} - 'purpose'", param="purpose")
        lifetime_s = _read_lifetime(fields)
        if file is None:
            raise BadRequest("Missing required parameter: 'file'.", param="file", code="missing_required_parameter")
        return Upload(
            arrival=await blobs.receive(_chunks(file)),
            filename=file.filename or "upload",
            purpose=purpose,
            lifetime_s=lifetime_s,
        )


async def read_content_or(request: Request, blobs: Blobs, instead: str) -> Content | str:
    """The form's file, or the text of the field that may come instead. Raises BadRequest as above."""
    async with _open_form(request, MAX_FILE_BYTES) as (fields, file):
        fields.only(instead)
        if file is None:
            return fields.needed_text(instead)
        if fields.values:
            raise BadRequest(f"Use either 'file' or '{instead}', not both.", param=instead, code="invalid_value")
        return Content(arrival=await blobs.receive(_chunks(file)), filename=file.filename or "upload")


@asynccontextmanager
async def _open_form(request: Request, most_bytes: int) -> AsyncIterator[tuple[Fields, UploadFile | None]]:
    """The form's texts, and its file."""
    most_in_form = most_bytes + MAX_FRAME_BYTES
    if int(request.headers.get("content-length", "0")) > most_in_form:
        raise _too_large(most_bytes)
    limited = Request(request.scope, _limit(request.receive, most_in_form, _too_large(most_bytes)))
    try:
        async with limited.form(max_files=1, max_fields=8) as form:
            files = {name: value for name, value in form.multi_items() if isinstance(value, UploadFile)}
            file = files.get("file")
            if file is not None and (file.size or 0) > most_bytes:
                raise _too_large(most_bytes)
            yield Fields({name: value for name, value in form.multi_items() if isinstance(value, str)}), file
    except MultiPartException as error:
        raise BadRequest(f"We could not parse the multipart form of your request: {error.message}") from error


def _too_large(most_bytes: int) -> BadRequest:
    return BadRequest(f"The file is larger than {most_bytes} bytes.", param="file", status=413)


def _limit(receive: Receive, most_bytes: int, refusal: BadRequest) -> Receive:
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most_bytes:
            raise refusal
        return message

    return limited


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(CHUNK_BYTES):
        yield chunk


def _read_lifetime(fields: Fields) -> int | None:
    anchor, seconds = _EXPIRY
    if anchor not in fields.values and seconds not in fields.values:
        return None
    fields.need(anchor)
    fields.need(seconds)
    fields.choice(anchor, ("created_at",))
    return read_number(fields, seconds, least=3600, most=2_592_000)
