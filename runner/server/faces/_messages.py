"""Messages: reading new ones, showing kept ones with the citation marks in their text."""

from __future__ import annotations

from runner.server.engine.records import Attachment, ImagePart, MessageRecord, MessageState, RefusalPart, TextPart
from runner.server.engine.resources import ResourceOrder
from runner.server.engine.threads import NewMessage, NewThread
from runner.server.faces._bodies import Fields
from runner.server.faces._errors import BadRequest
from runner.server.faces._marks import insert_marks
from runner.server.faces._metadata import read_metadata
from runner.server.faces._replies import Json, unix_seconds
from runner.server.faces._resources import read_resources
from runner.server.inference import Role

MAX_TEXT = 256_000
MAX_PARTS = 10_000
_TOOLS = ("code_interpreter", "file_search")
_DETAILS = ("auto", "low", "high")
DECLINED = "runner.declined"
"""The metadata key that marks a message which says why there is no answer."""


def read_new_thread(body: Fields) -> NewThread:
    body.only("messages", "tool_resources", "metadata")
    return NewThread(
        messages=read_messages(body, "messages"),
        resources=read_resources(body, may_make_stores=True),
        metadata=read_metadata(body) or {},
    )


def read_messages(body: Fields, name: str) -> tuple[NewMessage, ...]:
    return tuple(read_message(message) for message in body.objects(name, most=MAX_PARTS) or ())


def read_message(body: Fields) -> NewMessage:
    body.only("role", "content", "attachments", "metadata")
    body.need("role")
    role = body.choice("role", ("user", "assistant"))
    return NewMessage(
        role=Role(role),
        parts=_read_content(body),
        attachments=tuple(_read_attachment(one) for one in body.objects("attachments", most=MAX_PARTS) or ()),
        metadata=read_metadata(body) or {},
    )


def _read_content(body: Fields) -> tuple[TextPart | ImagePart, ...]:
    if isinstance(body.values.get("content"), list):
        parts = tuple(_read_part(part) for part in body.objects("content", most=MAX_PARTS) or ())
    else:
        body.need("content")
        parts = (TextPart(text=body.text("content", longest=MAX_TEXT) or ""),)
    if not any(isinstance(part, ImagePart) or part.text.strip() for part in parts):
        raise BadRequest("Message content must be non-empty.", param=body.where("content"))
    return parts


def _read_part(part: Fields) -> TextPart | ImagePart:
    part.need("type")
    kind = part.choice("type", ("text", "image_file", "image_url"))
    if kind == "text":
        part.only("type", "text")
        return TextPart(text=part.needed_text("text", longest=MAX_TEXT))
    name = kind or ""
    part.only("type", name)
    part.need(name)
    image = part.mapping(name) or Fields({})
    source = "file_id" if name == "image_file" else "url"
    image.only(source, "detail")
    detail = image.choice("detail", _DETAILS) or "auto"
    if source == "file_id":
        return ImagePart(file_id=image.needed_text("file_id"), detail=detail)
    return ImagePart(url=_read_url(image), detail=detail)


def _read_url(image: Fields) -> str:
    url = image.needed_text("url")
    if not url.startswith(("http://", "https://")):
        raise image.invalid("url", "expected a URL that begins with http:// or https://.", "invalid_value")
    return url


def _read_attachment(attachment: Fields) -> Attachment:
    attachment.only("file_id", "tools")
    attachment.need("tools")
    tools = []
    for tool in attachment.objects("tools", most=len(_TOOLS)) or ():
        tool.only("type")
        tool.need("type")
        tools.append(tool.choice("type", _TOOLS) or "")
    if not tools:
        raise attachment.invalid("tools", "expected at least one tool.", "array_below_min_length")
    return Attachment(file_id=attachment.needed_text("file_id"), tools=tuple(tools))


def read_thread_changes(body: Fields) -> tuple[dict[str, str] | None, ResourceOrder]:
    body.only("metadata", "tool_resources")
    return read_metadata(body), read_resources(body, may_make_stores=False)


def render_message(message: MessageRecord, *, streamed: bool = False) -> Json:
    """The status is shown in streams, and of messages that are not complete: so it was recorded."""
    marker = {DECLINED: "true"} if message.declined else {}
    return {
        "id": message.id,
        "object": "thread.message",
        "created_at": unix_seconds(message.created_at),
        "assistant_id": message.assistant_id,
        "thread_id": message.thread_id,
        "run_id": message.run_id,
        **(_render_status(message) if streamed or message.state is not MessageState.COMPLETED else {}),
        "role": message.role.value,
        "content": [_render_part(part) for part in message.parts],
        "attachments": [
            {"file_id": one.file_id, "tools": [{"type": tool} for tool in one.tools]} for one in message.attachments
        ],
        "metadata": {**message.metadata, **marker},
    }


def _render_status(message: MessageRecord) -> Json:
    def when(state: MessageState) -> int | None:
        return unix_seconds(message.ended_at) if message.state is state else None

    return {
        "status": message.state.value,
        "incomplete_details": None if message.broken_off_by is None else {"reason": message.broken_off_by},
        "incomplete_at": when(MessageState.INCOMPLETE),
        "completed_at": when(MessageState.COMPLETED),
    }


def _render_part(part: TextPart | ImagePart | RefusalPart) -> Json:
    if isinstance(part, RefusalPart):
        return {"type": "refusal", "refusal": part.text}
    if isinstance(part, TextPart):
        text, annotations = insert_marks(part)
        return {"type": "text", "text": {"value": text, "annotations": annotations}}
    if part.file_id is not None:
        return {"type": "image_file", "image_file": {"file_id": part.file_id, "detail": part.detail}}
    return {"type": "image_url", "image_url": {"url": part.url, "detail": part.detail}}
