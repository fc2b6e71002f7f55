"""Reads the items that responses and conversations are given."""

from __future__ import annotations

from collections.abc import Mapping

from runner.domain.files import MAX_FILE_BYTES
from runner.server.engine.engine import Engine
from runner.server.engine.input_files import prepare_files
from runner.server.engine.items import NewItem, find_item
from runner.server.engine.records import Attachment, FunctionCall, ImagePart, TextPart
from runner.server.engine.threads import NewMessage
from runner.server.faces._bodies import Fields
from runner.server.faces._errors import BadRequest
from runner.server.faces._functions import MAX_OUTPUT
from runner.server.faces._replies import Json
from runner.server.faces._response_earlier import EARLIER, MAX_PARTS, MAX_TEXT, read_earlier
from runner.server.faces._response_files import InlineFiles
from runner.server.inference import Role

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
        return read_earlier(item, kind)
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
        arguments=item.text("arguments", longest=MAX_OUTPUT) or "",
    )
    body = {"status": "completed", "arguments": call.arguments, "call_id": call.id, "name": call.name}
    return NewItem(body={"type": "function_call", **body}, id_prefix="fc_", call=call)


def _read_output(item: Fields) -> NewItem:
    item.only("type", "id", "status", "call_id", "output", "caller")
    item.refuse("caller")
    call_id = item.needed_text("call_id", longest=64)
    if "output" not in item.values:
        item.need("output")
    output = _read_output_text(item)
    body = {"type": "function_call_output", "status": "completed", "call_id": call_id, "output": output}
    return NewItem(body=body, id_prefix="fc_", call=FunctionCall(id=call_id, name="", arguments="", output=output))


def _read_output_text(item: Fields) -> str:
    if not isinstance(item.values.get("output"), list):
        return item.text("output", longest=MAX_OUTPUT) or ""
    texts = []
    for part in item.objects("output", most=MAX_PARTS) or ():
        part.need("type")
        part.choice("type", ("input_text",))
        part.only("type", "text")
        texts.append(part.text("text", longest=MAX_OUTPUT) or "")
    return "\n".join(texts)


async def _read_message(inline: InlineFiles, item: Fields) -> NewItem:
    item.only("type", "id", "status", "role", "content", "phase")
    item.need("role")
    role = item.choice("role", _ROLES) or ""
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
    part.need("type")
    kind = part.choice("type", _PARTS) or ""
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
