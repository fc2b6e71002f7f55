"""One turn: a response, and as many more as the functions that it calls make necessary."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from runner.backends import Question
from runner.backends._failures import Refusal
from runner.backends._json_fields import Json, Malformed, identifier, optional_text, part, read_object, text
from runner.backends._requests import REQUEST_BUDGET_S, Api, Creation, Reply, Request, join_path
from runner.backends._waiting import QUEUED, SLOWEST_LOOK_S, UNHURRIED_LOOK_S, Deadline, Rhythm, Wait, answer_calls
from runner.backends.responses.bodies import (
    Body,
    Material,
    answer_item,
    approval_item,
    call_item,
    includes_of,
    output_item,
    question_item,
    replayed_item,
    settings_body,
)
from runner.backends.responses.wire import (
    COMPLETED,
    Round,
    WireResponse,
    is_approved,
    read_container_ids,
    read_response,
    read_this_response,
    text_of,
)
from runner.domain.conversation import FileId, ThreadId
from runner.domain.plan import Kind
from runner.errors import RemoteError, UnclearOutcome

_ENDINGS = {f"response.{status}": status for status in ("completed", "failed", "incomplete")}
_NO_MORE = "[DONE]"
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


class ResponseListener:
    """Implements `Listener`. `ending` is None as long as the last event has not come, and for ever if it never does."""

    def __init__(
        self, on_container: Callable[[str], None] = lambda _: None, on_status: Callable[[str], None] = lambda _: None
    ) -> None:
        """`on_container` is told of each container, as soon as it is there: it outlives an answer that never comes.

        `on_status` is told what the response says of itself.
        """
        self._on_container = on_container
        self._on_status = on_status
        self.on_id: Callable[[str], None] = lambda _: None
        self.remote_id: str | None = None
        self.status = QUEUED
        self.refusal: Refusal | None = None
        self._ending: WireResponse | None = None
        self._contradicts_itself = False
        self._is_closed = False
        self._reader = EventReader()

    @property
    def ending(self) -> WireResponse | None:
        """What the response came to; None too if the stream tells two different endings, or of an error after one."""
        return None if self._contradicts_itself else self._ending

    def hear(self, chunk: bytes) -> bool:
        for event in self._reader.feed(chunk):
            if not self._is_closed:
                self._note(event)
        return self._is_closed or self._ending is not None

    def take(self, body: Json) -> None:
        """A server that does not stream answers with the whole response."""
        response = read_response(body)
        self.status = response.status
        self._learn_id(response.id)
        self._ending = response if response.is_over else None

    def _note(self, event: ServerEvent) -> None:
        if event.data.strip() == _NO_MORE:
            self._is_closed = True
            return
        body = read_object(event.data.encode())
        kind = optional_text(body, "type") or event.name
        if kind == "error" and self._ending is not None:
            self._contradicts_itself = True
        elif kind == "error":
            # Some servers nest what OpenAI has at the top.
            said = part(body, "error") or body
            message = optional_text(said, "message") or "no reason is given"
            self.refusal = Refusal(message=message, code=optional_text(said, "code"))
        elif kind.startswith("response.") and isinstance(body.get("response"), dict):
            self._note_response(kind, part(body, "response"))
        elif kind == "response.output_item.added" and isinstance(body.get("item"), dict):
            for container_id in read_container_ids((part(body, "item"),)):
                self._on_container(container_id)

    def _note_response(self, kind: str, body: Json) -> None:
        response_id = identifier(body)
        self._learn_id(response_id)
        if response_id != self.remote_id:
            return
        self.status = text(body, "status")
        self._on_status(self.status)
        if kind not in _ENDINGS:
            return
        if self.status != _ENDINGS[kind]:
            raise Malformed(f"the event {kind} comes with the status '{self.status}'")
        response = read_response(body)
        self._contradicts_itself |= self._ending is not None and response != self._ending
        self._ending = response

    def _learn_id(self, response_id: str) -> None:
        if self.remote_id is None:
            self.remote_id = response_id
            self.on_id(response_id)


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its name ("" where it has none) and its data, lines joined."""

    name: str
    data: str


class EventReader:
    """Takes bytes in pieces of any size."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._ended_in_cr = False
        self._is_first_line = True
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """The events that are whole now. Raises Malformed for text that is not UTF-8."""
        for line in self._take_lines(chunk):
            event = self._read_line(line)
            if event is not None:
                yield event

    def _take_lines(self, chunk: bytes) -> Iterator[bytes]:
        """Whole lines, ended by LF, CR or CRLF; the LF of a CRLF may come in the next chunk."""
        if not chunk:
            return
        rest = chunk.removeprefix(b"\n") if self._ended_in_cr else chunk
        self._ended_in_cr = rest.endswith(b"\r")
        first, *others = _LINE_END.split(rest)
        self._rest += first
        for begun in others:
            line, self._rest = bytes(self._rest), bytearray(begun)
            yield line

    def _read_line(self, line: bytes) -> ServerEvent | None:
        """The event that a blank line ends; None for any other line."""
        if self._is_first_line:
            line, self._is_first_line = line.removeprefix(_BOM), False
        if not line:
            return self._finish()
        try:
            field, _, value = line.decode().partition(":")
        except UnicodeDecodeError:
            raise Malformed("its text is not UTF-8") from None
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        return None

    def _finish(self) -> ServerEvent | None:
        event = ServerEvent(self._name, "\n".join(self._data)) if self._data else None
        self._name, self._data = "", []
        return event


MAX_RESPONSES = 16
"""Of one turn: what still calls functions then would never end."""
CANCELLING_S = 5.0
SHORTEST_WAIT_S = 0.05
"""Less than that is no time left: the clock that ended a stream may be a little ahead."""
LOOP_CODE = "function_loop"
CUT_CODE = "answer_cut_off"
_CONTAINER_IS_GONE = re.compile(r"\bcontainer\b.{0,80}\b(expired|not found)\b", re.IGNORECASE | re.DOTALL)


@dataclass(slots=True, kw_only=True)
class Thread:
    """What is known of one thread, while it goes on.

    With `remembers_itself`, the server keeps nothing: `history` is sent again with each request. Else it is a
    conversation, or a chain of responses. With `is_stored` False, it is one response that leaves nothing behind.
    `running` are responses that were not seen to end.
    """

    own_id: ThreadId | None = None
    conversation_id: str | None = None
    remembers_itself: bool = False
    is_stored: bool = True
    response_ids: list[str] = field(default_factory=list)
    last_response_id: str | None = None
    running: set[str] = field(default_factory=set)
    code_file_ids: list[FileId] = field(default_factory=list)
    container_ids: set[str] = field(default_factory=set)
    history: list[Body] = field(default_factory=list)

    @property
    def id(self) -> ThreadId | None:
        """The conversation's id, else the first response's; None as long as there is neither."""
        known = self.own_id or self.conversation_id or next(iter(self.response_ids), None)
        return ThreadId(known) if known else None

    def context_body(self, items: Sequence[Body]) -> Body:
        """The input of the next request, and where it belongs."""
        if self.remembers_itself:
            return {"input": [*map(replayed_item, (*self.history, *items))], "store": False}
        body: Body = {"input": list(items), "store": self.is_stored}
        if self.conversation_id is not None:
            return {**body, "conversation": self.conversation_id}
        return {**body, "previous_response_id": self.last_response_id} if self.last_response_id else body

    def note(self, response: WireResponse, items: Sequence[Body]) -> None:
        """What the next request builds on, now that this response is over."""
        if response.status not in (COMPLETED, "incomplete"):
            return
        self.last_response_id = response.id
        if self.remembers_itself:
            said = text_of(response)
            self.history += [*items, *([answer_item(said)] if said else []), *map(call_item, response.calls)]

    def note_containers(self, api: Api, label: str, container_ids: Iterable[str]) -> None:
        """The server makes them by itself; who cleans up after a kill has to know of them."""
        for container_id in container_ids:
            if container_id not in self.container_ids:
                self.container_ids.add(container_id)
                api.note_found(Kind.CONTAINER, container_id, label)


Define = Callable[[Material], Awaitable[Body]]
"""What tells a response who answers: the assistant's whole definition, or where it is kept."""


class Turn:
    """The work on one question."""

    def __init__(
        self, api: Api, question: Question, define: Define, thread: Thread, *, background: str | None = None
    ) -> None:
        """`background` says how long a response may take there, in the API's word, or "": no longer than it must."""
        self._api = api
        self._question = question
        self._define = define
        self._thread = thread
        self._background: Body = {} if background is None else {"background": True}
        if background:
            self._background["background_options"] = {"completion_window": background}
        self._address = question.deployment.assistant.address
        self._deadline = Deadline.after(question.deadline_s, api.pace.clock)
        self._rhythm = Rhythm(api.pace.fastest_look_s, slowest_s=UNHURRIED_LOOK_S if background else SLOWEST_LOOK_S)

    async def play(self, name_of: Callable[[FileId], str]) -> tuple[Round, ...]:
        """All responses of the turn. Its end, good or bad, is the last one's; what raises is no end."""
        items = [question_item(self._question, name_of)]
        rounds: list[Round] = []
        while True:
            one = await self._respond(items)
            if one.response.waits_for_us:
                one = await self._answer(one, is_last=len(rounds) + 1 == MAX_RESPONSES)
            rounds.append(one)
            if not one.response.waits_for_us:
                return tuple(rounds)
            response = one.response
            items = [output_item(call, said) for call, said in zip(response.calls, one.answers, strict=True)]
            items += [approval_item(ask.id, approves=ask.id in one.approved) for ask in response.approvals]

    async def _answer(self, one: Round, *, is_last: bool) -> Round:
        """Every call answered; or the turn failed, with the reason, if that can't be."""
        calls, requests = one.response.calls, one.response.approvals
        if is_last:
            names = ", ".join(dict.fromkeys([*(call.name for call in calls), *(ask.name for ask in requests)]))
            error = f"the assistant still calls {names} in response {MAX_RESPONSES} of this turn; it was stopped"
            return _fail(one, error, LOOP_CODE)
        tools = self._question.deployment.assistant.tools
        one = replace(one, approved=frozenset(request.id for request in requests if is_approved(request, tools)))
        given = await answer_calls(self._question, calls, self._deadline) if calls else ()
        return _fail(one, given, None) if isinstance(given, str) else replace(one, answers=given)

    async def _respond(self, items: Sequence[Body]) -> Round:
        """One response; a second one where the first could not be for a container that is gone."""
        try:
            response = await self._make(items)
        except UnclearOutcome:
            raise
        except RemoteError as error:
            if not _CONTAINER_IS_GONE.search(str(error)):
                raise
        else:
            if response.status != "failed" or not _CONTAINER_IS_GONE.search(response.error or ""):
                return Round(response=response)
        return Round(response=await self._make(items), was_restarted=True)

    async def _make(self, items: Sequence[Body]) -> WireResponse:
        body = await request_body(self._question, self._define, self._thread, items)
        response = await (self._make_in_background(body) if self._background else self._make_streamed(body))
        self._thread.note(response, items)
        self._thread.note_containers(self._api, self._address, response.container_ids)
        return response

    async def _make_streamed(self, body: Body) -> WireResponse:
        stores = self._thread.is_stored and not self._thread.remembers_itself
        wait, queue = self._wait(), asyncio.timeout(None)
        listener = ResponseListener(
            lambda container_id: self._thread.note_containers(self._api, self._address, [container_id]),
            partial(self._limit_queue, queue),
        )
        trouble: RemoteError | None = None
        try:
            with suppress(TimeoutError):
                async with queue:
                    request = self._request({**body, "stream": True}, self._deadline.left_s())
                    creation = self._creation() if stores else None
                    trouble = await self._api.create_streamed(request, creation, listener)
        finally:
            if listener.remote_id is not None and stores:
                self._thread.response_ids.append(listener.remote_id)
                if listener.ending is None:
                    self._thread.running.add(listener.remote_id)
        assert listener.remote_id is not None, "else an error was raised"
        if listener.ending is not None:
            return listener.ending
        seen = WireResponse(id=listener.remote_id, status=listener.status)
        if listener.refusal is not None:
            refusal = listener.refusal
            return replace(seen, status="failed", error=refusal.message, error_code=refusal.code)
        if queue.expired() or self._deadline.left_s() < SHORTEST_WAIT_S:
            return await self._give_up(seen, wait, "its connection was closed")
        if not stores:
            message = "the stream ended before the answer was complete"
            # Nothing is stored that could be read again, and nothing is left behind: it may be asked anew.
            raise RemoteError(str(trouble) if trouble else self._api.line(self._doing, message), code=CUT_CODE)
        doing = f"reading the response {seen.id} again, since its stream ended before its answer"
        return await self._follow(await self._look(seen.id, doing, body), doing, body)

    def _limit_queue(self, queue: asyncio.Timeout, status: str) -> None:
        """What a stream says of its response decides whether it is waited for in the queue."""
        if status != QUEUED:
            queue.reschedule(None)
        elif queue.when() is None and self._question.queue_s < math.inf:
            queue.reschedule(asyncio.get_running_loop().time() + self._question.queue_s)

    async def _make_in_background(self, body: Body) -> WireResponse:
        def read_begun(answer: Json) -> WireResponse:
            begun = read_response(answer)
            # At once: who is interrupted while it came has to cancel it.
            self._thread.response_ids.append(begun.id)
            self._thread.running.add(begun.id)
            return begun

        request = self._request({**body, **self._background}, min(REQUEST_BUDGET_S, self._deadline.left_s()))
        reply = await self._api.create(request, self._creation(), read_begun)
        response = await self._follow(reply, f"waiting for the response {reply.value.id}", body)
        self._thread.running.discard(response.id)
        return response

    def _wait(self) -> Wait:
        return Wait(self._deadline, self._question.queue_s)

    async def _follow(self, reply: Reply[WireResponse], doing: str, body: Body) -> WireResponse:
        """The response when it is over, or was given up: unknown statuses count as not over."""
        pace, wait = self._api.pace, self._wait()
        started = pace.clock()
        while not reply.value.is_over and (left_s := wait.left_s(reply.value.status)) > 0:
            pause_s = self._rhythm.pause_s(reply.poll_after_s, pace.clock() - started)
            await pace.sleep(min(pause_s, left_s))
            reply = await self._look(reply.value.id, doing, body)
        if not reply.value.is_over:
            return await self._give_up(reply.value, wait, "its connection was lost")
        self._thread.running.discard(reply.value.id)
        return reply.value

    async def _give_up(self, response: WireResponse, wait: Wait, ending: str) -> WireResponse:
        """A response in the background is cancelled first; the `ending` is of one that was not."""
        waited, code = wait.describe(response.status, self._question.deadline_s)
        if self._background:
            trouble = await cancel_response(self._api, self._thread, response.id)
            ending = f"it could not be cancelled: {trouble}" if trouble else "it was cancelled"
        error = f"the response was still '{response.status}' after {waited}, and {ending}"
        return replace(response, status="cancelled", error=error, error_code=code)

    async def _look(self, response_id: str, doing: str, body: Body) -> Reply[WireResponse]:
        # The last look may end a little late: better than to take a finished response for one that hangs.
        request = Request(
            doing=doing,
            path=join_path("responses", response_id),
            query={"include": includes_of(body)} if includes_of(body) else {},
            budget_s=min(REQUEST_BUDGET_S, self._deadline.left_s() + CANCELLING_S),
        )
        return await self._api.get(request, lambda answer: read_this_response(answer, response_id))

    def _request(self, body: Body, budget_s: float) -> Request:
        return Request(doing=self._doing, path="/responses", body=body, budget_s=budget_s)

    def _creation(self) -> Creation:
        return Creation(kind=Kind.RESPONSE, label=self._address, tags=self._question.tags)

    @property
    def _doing(self) -> str:
        place = f" in the conversation {self._thread.conversation_id}" if self._thread.conversation_id else ""
        return f"asking '{self._address}'{place}"


async def request_body(question: Question, define: Define, thread: Thread, items: Sequence[Body]) -> Body:
    """All that is said to make a response, but for how it comes."""
    deployment = question.deployment
    own_store = (question.store_id,) if question.store_id else ()
    material = Material(
        store_ids=(*deployment.store_ids, *own_store),
        code_file_ids=(*deployment.code_file_ids, *thread.code_file_ids),
    )
    tags = None if thread.remembers_itself else question.tags
    settings = settings_body(deployment.assistant, material, tags=tags)
    return await define(material) | settings | thread.context_body(items)


async def cancel_response(api: Api, thread: Thread, response_id: str) -> str:
    """Cancel a response in the background; what went wrong is returned: nobody can do anything about it."""
    doing = f"cancelling the response {response_id}"
    path = join_path("responses", response_id, "cancel")
    try:
        reply = await api.post(Request(doing=doing, path=path, budget_s=CANCELLING_S), read_response)
    except RemoteError as error:
        return str(error)
    thread.note_containers(api, response_id, reply.value.container_ids)
    return "" if reply.value.is_over else f"it was '{reply.value.status}' afterwards"


def _fail(one: Round, error: str, code: str | None) -> Round:
    return replace(one, response=replace(one.response, status="failed", error=error, error_code=code))
