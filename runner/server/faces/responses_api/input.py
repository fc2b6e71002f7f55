"""Reads the items that responses and conversations are given, what earlier responses did among them.

Files that come in the request itself are kept as uploads if it is taken. What was done earlier is kept among the
items, and no model is told of it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from runner.domain.files import MAX_FILE_BYTES
from runner.server.engine.core import Engine
from runner.server.engine.documents import delete_file, keep_file, prepare_files
from runner.server.engine.responses import NewItem, find_item
from runner.server.engine.runs.runs import NewMessage
from runner.server.engine.state.file_storage import FileRecord
from runner.server.engine.state.records import Attachment, FunctionCall, ImagePart, TextPart
from runner.server.inference import Role
from runner.server.wire.fields import (
    MAX_FUNCTION_TEXT,
    BadRequest,
    Fields,
    Json,
    read_attributes,
    read_output,
    read_part,
)

LIFETIME_S = 30 * 86_400


class InlineFiles:
    """The files of one request."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._ids: list[str] = []

    @contextmanager
    def dropped_if_refused(self) -> Iterator[InlineFiles]:
        try:
            yield self
        except BaseException:
            for file_id in self._ids:
                # The client may have seen it in a list, and deleted it.
                if self.engine.store.find(FileRecord, file_id) is not None:
                    delete_file(self.engine, file_id)
            raise

    async def keep(self, part: Fields, content: str) -> str:
        """Its id; it is kept for a month. Raises BadRequest, or Refusal if it can't be read."""
        filename = part.needed_text("filename", longest=512)
        encoded = content.rpartition(",")[2] if content.startswith("data:") else content
        try:
            decoded = base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise part.invalid("file_data", "expected base64-encoded data.", "invalid_value") from error
        arrival = self.engine.blobs.write([decoded])
        file = keep_file(self.engine, arrival, filename=filename, purpose="user_data", lifetime_s=LIFETIME_S)
        self._ids.append(file.id)
        await prepare_files(self.engine, [file.id])
        return file.id


MAX_PARTS = 1000
MAX_TEXT = 10 << 20
_STATUSES = ("in_progress", "completed", "incomplete", "failed")


def _read_search(item: Fields) -> Json:
    item.only("type", "id", "status", "queries", "results")
    item.need("queries")
    found = item.objects("results", most=MAX_PARTS)
    return {
        "status": item.choice("status", (*_STATUSES, "searching")) or "completed",
        "queries": list(item.texts("queries", most=MAX_PARTS) or ()),
        "results": None if found is None else [_read_result(one) for one in found],
    }


def _read_result(found: Fields) -> Json:
    found.only("file_id", "filename", "score", "text", "attributes")
    return {
        "attributes": read_attributes(found) or {},
        "file_id": found.text("file_id") or "",
        "filename": found.text("filename") or "",
        "score": found.number("score", least=0.0, most=1.0) or 0.0,
        "text": found.text("text", longest=MAX_TEXT) or "",
    }


def _read_code(item: Fields) -> Json:
    item.only("type", "id", "status", "code", "container_id", "outputs")
    outputs = item.objects("outputs", most=MAX_PARTS)
    return {
        "status": item.choice("status", (*_STATUSES, "interpreting")) or "completed",
        "code": item.text("code", longest=MAX_TEXT) or "",
        "container_id": item.needed_text("container_id"),
        "outputs": None if outputs is None else [_read_earlier_output(one) for one in outputs],
    }


def _read_earlier_output(output: Fields) -> Json:
    return {"type": "logs", "logs": read_part(output, "logs", "logs", longest=MAX_TEXT)}


def _read_reasoning(item: Fields) -> Json:
    item.only("type", "id", "status", "summary", "content", "encrypted_content")
    item.refuse("content", harmless=(None, []))
    item.refuse("encrypted_content")
    item.choice("status", _STATUSES)
    item.need("summary")
    return {"summary": [_read_summary(one) for one in item.objects("summary", most=MAX_PARTS) or ()]}


def _read_summary(part: Fields) -> Json:
    part.needed_choice("type", ("summary_text",))
    part.only("type", "text")
    return {"type": "summary_text", "text": part.needed_text("text", longest=MAX_TEXT)}


EARLIER: Mapping[str, tuple[str, Callable[[Fields], Json]]] = {
    "file_search_call": ("fs_", _read_search),
    "code_interpreter_call": ("ci_", _read_code),
    "reasoning": ("rs_", _read_reasoning),
}


MAX_ITEMS = 1000
_ROLES = ("user", "assistant", "system", "developer")
_TYPES = ("message", "function_call", "function_call_output", "item_reference", *EARLIER)
_PARTS = ("input_text", "input_image", "input_file", "output_text", "refusal")
_DETAILS = ("auto", "low", "high", "original")


async def read_input(inline: InlineFiles, body: Fields, name: str, *, most: int = MAX_ITEMS) -> tuple[NewItem, ...]:
    """A text is one message of the user's. Raises BadRequest."""
    if isinstance(body.values.get(name), str):
        text = body.text(name, longest=MAX_TEXT) or ""
        return (_message(Role.USER, ({"type": "input_text", "text": text},), (TextPart(text=text),), ()),)
    items = tuple([await _read_item(inline, item) for item in body.objects(name, most=most) or ()])
    attachments = (one for item in items if item.message is not None for one in item.message.attachments)
    await prepare_files(inline.engine, (one.file_id for one in attachments if one.is_input))
    return items


async def _read_item(inline: InlineFiles, item: Fields) -> NewItem:
    default = "item_reference" if "id" in item.values and "role" not in item.values else "message"
    kind = item.choice("type", _TYPES) or default
    if kind == "message":
        return await _read_message(inline, item)
    if kind == "item_reference":
        return _read_reference(inline.engine, item)
    if kind == "function_call":
        return _read_call(item)
    if kind in EARLIER:
        prefix, read = EARLIER[kind]
        return NewItem(body={"type": kind, **read(item)}, id_prefix=prefix)
    return _read_output(item)


def _read_reference(engine: Engine, item: Fields) -> NewItem:
    item.only("type", "id")
    item_id = item.needed_text("id", longest=128)
    found = find_item(engine, item_id)
    if found is None:
        message = (
            f"Item with id '{item_id}' not found. Items are not persisted when `store` is set to false."
            " Try again with `store` set to true, or remove this item from your input."
        )
        raise BadRequest(message, param="input", status=404)
    return NewItem(body=found.body, call=_call_of(found.body), original=found)


def _call_of(body: Mapping[str, object]) -> FunctionCall | None:
    if body["type"] not in {"function_call", "function_call_output"}:
        return None
    output = body.get("output")
    return FunctionCall(
        id=str(body["call_id"]),
        name=str(body.get("name", "")),
        arguments=str(body.get("arguments", "")),
        output=None if output is None else str(output),
    )


def _read_call(item: Fields) -> NewItem:
    item.only("type", "id", "status", "call_id", "name", "arguments", "namespace", "caller")
    item.refuse("namespace", "caller")
    call = FunctionCall(
        id=item.needed_text("call_id", longest=64),
        name=item.needed_text("name", longest=128),
        arguments=item.text("arguments", longest=MAX_FUNCTION_TEXT) or "",
    )
    body = {"status": "completed", "arguments": call.arguments, "call_id": call.id, "name": call.name}
    return NewItem(body={"type": "function_call", **body}, id_prefix="fc_", call=call)


def _read_output(item: Fields) -> NewItem:
    item.only("type", "id", "status", "call_id", "output", "caller")
    item.refuse("caller")
    call_id = item.needed_text("call_id", longest=64)
    if "output" not in item.values:
        item.need("output")
    output = read_output(item, most_parts=MAX_PARTS)
    body = {"type": "function_call_output", "status": "completed", "call_id": call_id, "output": output}
    return NewItem(body=body, id_prefix="fc_", call=FunctionCall(id=call_id, output=output))


async def _read_message(inline: InlineFiles, item: Fields) -> NewItem:
    item.only("type", "id", "status", "role", "content", "phase")
    role = item.needed_choice("role", _ROLES)
    bodies: list[Json] = []
    parts: list[TextPart | ImagePart] = []
    attachments: list[Attachment] = []
    if isinstance(item.values.get("content"), list):
        for part in item.objects("content", most=MAX_PARTS) or ():
            shown, meant = await _read_part(inline, part)
            bodies.append(shown)
            if isinstance(meant, Attachment):
                attachments.append(meant)
            else:
                parts.append(meant)
    else:
        item.need("content")
        text = item.text("content", longest=MAX_TEXT) or ""
        bodies.append(_text_body(role, text))
        parts.append(TextPart(text=text))
    if role in {"system", "developer"}:
        text = "\n".join(part.text for part in parts if isinstance(part, TextPart))
        body: Json = {"type": "message", "status": "completed", "content": bodies, "role": role}
        return NewItem(body=body, instruction=text)
    return _message(Role(role), tuple(bodies), tuple(parts), tuple(attachments))


def _text_body(role: str, text: str) -> Json:
    if role == "assistant":
        return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    return {"type": "input_text", "text": text}


def _message(
    role: Role,
    bodies: tuple[Json, ...],
    parts: tuple[TextPart | ImagePart, ...],
    attachments: tuple[Attachment, ...],
) -> NewItem:
    body: Json = {"type": "message", "status": "completed", "content": list(bodies), "role": role.value}
    # A message of files alone is a message too: one without parts would not be seen.
    seen = parts or (TextPart(text=""),)
    return NewItem(body=body, message=NewMessage(role=role, parts=seen, attachments=attachments))


async def _read_part(inline: InlineFiles, part: Fields) -> tuple[Json, TextPart | ImagePart | Attachment]:
    kind = part.needed_choice("type", _PARTS)
    if kind == "input_image":
        return _read_image(part)
    if kind == "input_file":
        return await _read_file(inline, part)
    part.refuse("prompt_cache_breakpoint")
    if kind == "refusal":
        part.only("type", "refusal", "prompt_cache_breakpoint")
        refusal = part.text("refusal", longest=MAX_TEXT) or ""
        return {"type": kind, "refusal": refusal}, TextPart(text=refusal)
    part.only("type", "text", "annotations", "logprobs", "prompt_cache_breakpoint")
    text = part.text("text", longest=MAX_TEXT)
    if text is None:
        part.need("text")
    return _text_body("assistant" if kind == "output_text" else "user", text or ""), TextPart(text=text or "")


def _read_image(part: Fields) -> tuple[Json, ImagePart]:
    part.only("type", "file_id", "image_url", "detail", "prompt_cache_breakpoint")
    part.refuse("prompt_cache_breakpoint")
    detail = part.choice("detail", _DETAILS) or "auto"
    file_id, url = part.text("file_id"), part.text("image_url", longest=MAX_TEXT)
    if (file_id is None) is (url is None):
        raise BadRequest("Use either 'file_id' or 'image_url'.", param=part.path, code="invalid_value")
    body: Json = {"type": "input_image", "detail": detail, "file_id": file_id, "image_url": url}
    return body, ImagePart(file_id=file_id, url=url, detail=detail)


async def _read_file(inline: InlineFiles, part: Fields) -> tuple[Json, Attachment]:
    part.only("type", "file_id", "file_data", "filename", "file_url", "detail", "prompt_cache_breakpoint")
    part.refuse("file_url", "prompt_cache_breakpoint")
    part.choice("detail", ("auto", "low", "high"))
    file_id, content = part.text("file_id"), part.text("file_data", longest=2 * MAX_FILE_BYTES)
    if (file_id is None) is (content is None):
        raise BadRequest("Use either 'file_id' or 'file_data'.", param=part.path, code="invalid_value")
    name: Json = {} if file_id else {"filename": part.text("filename")}
    body: Json = {"type": "input_file", "file_id": file_id, **name}
    kept_id = file_id or await inline.keep(part, content or "")
    return body, Attachment(file_id=kept_id, tools=(), is_input=True)
