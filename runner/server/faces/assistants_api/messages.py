"""/threads and /threads/{thread_id}/messages, with the citation marks in the messages' text.

Where a source is cited, the text has `【4:0†name】`, and an annotation says what that means; one says it of the
addresses of files that code wrote, too.
"""

from __future__ import annotations

from enum import Enum
from functools import partial

from starlette.requests import Request
from starlette.routing import Route

from runner.server.engine.core import Engine
from runner.server.engine.runs.runs import (
    NewMessage,
    NewThread,
    add_message,
    create_thread,
    delete_thread,
    update_thread,
)
from runner.server.engine.state.records import (
    Attachment,
    ImagePart,
    MessageRecord,
    MessageState,
    PathMark,
    RefusalPart,
    RunRecord,
    StepRecord,
    TextPart,
    ThreadRecord,
)
from runner.server.faces.assistants_api.assistants import read_resources, render_resources
from runner.server.inference import Role, SourceMark
from runner.server.wire.fields import BadRequest, Fields, Json, read_body, read_metadata
from runner.server.wire.replies import (
    DECLINED,
    browsing,
    deleted_body,
    deleting,
    finding,
    noting,
    render_head,
    resource_routes,
    unix_seconds,
)


def routes(engine: Engine) -> list[Route]:
    return _message_routes(engine) + _thread_routes(engine)


class Marking:
    """Counts the characters and the sources of one text that is written from its beginning to its end."""

    def __init__(self) -> None:
        self._length = 0
        self._numbers: dict[str, int] = {}
        self.marks = 0

    def add_text(self, text: str) -> str:
        self._length += len(text)
        return text

    def add_source(self, source: SourceMark) -> tuple[str, Json, int]:
        """The mark that comes next, its annotation, and the annotation's number."""
        number = self._numbers.setdefault(source.file_id, len(self._numbers))
        mark = f"【4:{number}†{source.filename}】"
        annotation: Json = {
            "type": "file_citation",
            "text": mark,
            "start_index": self._length,
            "end_index": self._length + len(mark),
            "file_citation": {"file_id": source.file_id},
        }
        self._length += len(mark)
        self.marks += 1
        return mark, annotation, self.marks - 1


def insert_marks(part: TextPart) -> tuple[str, list[Json]]:
    """The text with its marks, and the annotations; offsets count characters of that text."""
    marking = Marking()
    text, placed, taken = "", [], 0
    shifts: list[tuple[int, int]] = []
    for source in sorted(part.sources, key=lambda one: one.position):
        text += marking.add_text(part.text[taken : source.position])
        taken = max(taken, source.position)
        mark, annotation, _ = marking.add_source(source)
        placed.append((len(text), annotation))
        text += mark
        shifts.append((source.position, len(mark)))
    for path in part.paths:
        shift = sum(length for position, length in shifts if position <= path.position)
        placed.append((path.position + shift, _annotate_path(path, path.position + shift)))
    in_order = sorted(placed, key=lambda one: one[0])
    return text + part.text[taken:], [annotation for _, annotation in in_order]


def _annotate_path(path: PathMark, start: int) -> Json:
    return {
        "type": "file_path",
        "text": path.text,
        "start_index": start,
        "end_index": start + len(path.text),
        "file_path": {"file_id": path.file_id},
    }


MAX_TEXT = 256_000
MAX_PARTS = 10_000
_TOOLS = ("code_interpreter", "file_search")


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
    return NewMessage(
        role=Role(body.needed_choice("role", ("user", "assistant"))),
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
    kind = part.needed_choice("type", ("text", "image_file", "image_url"))
    part.only("type", kind)
    if kind == "text":
        return TextPart(text=part.needed_text("text", longest=MAX_TEXT))
    image = part.needed_mapping(kind)
    source = "file_id" if kind == "image_file" else "url"
    image.only(source, "detail")
    detail = image.choice("detail", ("auto", "low", "high")) or "auto"
    if source == "file_id":
        return ImagePart(file_id=image.needed_text("file_id"), detail=detail)
    url = image.needed_text("url")
    if not url.startswith(("http://", "https://")):
        raise image.invalid("url", "expected a URL that begins with http:// or https://.", "invalid_value")
    return ImagePart(url=url, detail=detail)


def _read_attachment(attachment: Fields) -> Attachment:
    attachment.only("file_id", "tools")
    tools = []
    for tool in attachment.needed_objects("tools", most=len(_TOOLS), one="tool"):
        tool.only("type")
        tools.append(tool.needed_choice("type", _TOOLS))
    return Attachment(file_id=attachment.needed_text("file_id"), tools=tuple(tools))


def render_message(message: MessageRecord, *, streamed: bool = False) -> Json:
    """The status is shown in streams, and of messages that are not complete: so it was recorded."""
    marker = {DECLINED: "true"} if message.declined else {}
    return {
        **render_head(message, "thread.message"),
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


def time_of(record: MessageRecord | RunRecord | StepRecord, end: Enum) -> int | None:
    """When it came to that end, if it did."""
    return unix_seconds(record.ended_at) if record.state is end else None


def _render_status(message: MessageRecord) -> Json:
    return {
        "status": message.state.value,
        "incomplete_details": None if message.broken_off_by is None else {"reason": message.broken_off_by},
        "incomplete_at": time_of(message, MessageState.INCOMPLETE),
        "completed_at": time_of(message, MessageState.COMPLETED),
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


def _message_routes(engine: Engine) -> list[Route]:
    find_thread = finding(engine, ThreadRecord, "thread_id")
    find = finding(engine, MessageRecord, "message_id", find_thread)

    async def create(request: Request) -> Json:
        message = read_message(await read_body(request))
        return render_message(add_message(engine, request.path_params["thread_id"], message))

    def delete(request: Request) -> Json:
        message = find(request)
        engine.store.delete(message.id)
        return deleted_body(message.id, "thread.message")

    return resource_routes(
        "/threads/{thread_id}/messages",
        "message_id",
        create=create,
        browse=browsing(engine, MessageRecord, render_message, parent=find_thread, filtered_by="run_id"),
        retrieve=lambda request: render_message(find(request)),
        update=noting(engine, find, render_message),
        delete=delete,
    )


def render_thread(thread: ThreadRecord, *, in_full: bool = False) -> Json:
    return {
        **render_head(thread, "thread"),
        "metadata": dict(thread.metadata),
        "tool_resources": render_resources(thread.resources, in_full=in_full),
    }


def _thread_routes(engine: Engine) -> list[Route]:
    async def create(request: Request) -> Json:
        return render_thread(create_thread(engine, read_new_thread(await read_body(request))))

    def retrieve(request: Request) -> Json:
        return render_thread(finding(engine, ThreadRecord, "thread_id")(request), in_full=True)

    async def update(request: Request) -> Json:
        body = await read_body(request)
        body.only("metadata", "tool_resources")
        metadata, resources = read_metadata(body), read_resources(body, may_make_stores=False)
        return render_thread(update_thread(engine, request.path_params["thread_id"], metadata, resources))

    delete = deleting("thread_id", partial(delete_thread, engine), "thread")
    return resource_routes("/threads", "thread_id", create=create, retrieve=retrieve, update=update, delete=delete)
