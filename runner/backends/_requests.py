"""Requests to the remote side: reads until they succeed or their time is over, creates exactly once."""

from __future__ import annotations

import asyncio
import secrets
import time
from asyncio import FIRST_COMPLETED
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from io import SEEK_END
from itertools import count
from typing import Any, BinaryIO, Generic, Protocol, TypeVar
from urllib.parse import quote

import h11
import httpx2

from runner.backends import GATE, Endpoint
from runner.backends._failures import Failure, Refusal, Remedy, Translator
from runner.backends._json_fields import Json, Malformed, Page, identifier, read_object, read_page
from runner.backends._sdk import Bearer, has_key, open_client, openai, stays_here
from runner.backends._waiting import Clock, Deadline, Pace, Sleep, backoff_s, next_room_s, poll_after_s
from runner.domain.plan import Kind
from runner.errors import RemoteError, RemoteMissing, UnclearOutcome
from runner.journal import Journal
from runner.redaction import Redactor

Value = TypeVar("Value")
Result = TypeVar("Result")
Opened = TypeVar("Opened")

REQUEST_BUDGET_S = 60.0
LIST_BUDGET_S = 300.0
READ_ATTEMPTS = 3
CANCELLED_CREATE_GRACE_S = 5.0
PAGE_ITEMS = 100
FASTEST_LOOK_S = 0.1
FASTEST_LOOK_HERE_S = 0.02
"""The same where the server is on this machine."""
_FORM_CHUNK_BYTES = 64 * 1024
LINGER_S, DRAIN_S = 0.01, 0.5
"""How long an answer waits for the end of its stream, which has said all it has to say; and how long its connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`doing` completes "while ..." in messages; `budget_s` covers all attempts and pauses.

    `file` is a name and an open file, sent as a form together with the fields of `body`.
    """

    doing: str
    path: str
    query: Mapping[str, object] = field(default_factory=dict)
    body: Mapping[str, object] = field(default_factory=dict)
    file: tuple[str, BinaryIO] | None = None
    budget_s: float = REQUEST_BUDGET_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """What a create is about to bring into being; `read_id` finds its id in the answer, or raises Malformed."""

    kind: Kind
    label: str
    tags: Mapping[str, str] = field(default_factory=dict)
    read_id: Callable[[Json], str] = identifier


@dataclass(frozen=True, slots=True)
class Reply(Generic[Value]):
    """A checked answer; `poll_after_s` is when the server wants the next look, if it says so."""

    value: Value
    poll_after_s: float | None


Exchange = Callable[[], Awaitable[Reply[Value]]]
"""One attempt: a request and its answer, read."""


def join_path(*segments: str) -> str:
    """A path of fixed words and ids; no id can climb out of it."""
    return "".join(f"/{quote(segment, safe=':')}" for segment in segments)


class Api:
    """One API at one address. Every method raises RemoteError and its kin, never the SDK's own types.

    `read` turns an answer's JSON into a value, or raises Malformed.
    """

    def __init__(self, client: openai.AsyncOpenAI, translator: Translator, journal: Journal, pace: Pace) -> None:
        self.pace = pace
        self._client = client
        self._translator = translator
        self._journal = journal
        self.line = translator.line
        self.note_deleted = journal.deleted
        self.note_found = journal.found
        """Journal an object that the server made for us by itself."""

    async def get(self, request: Request, read: Callable[[Json], Value]) -> Reply[Value]:
        return _unwrap(await self._send(request, self._reading(self._get, request, read), attempts=READ_ATTEMPTS))

    async def fetch(self, request: Request) -> bytes:
        """The content of a file."""

        async def exchange() -> Reply[bytes]:
            return Reply((await self._get(request)).content, None)

        return _unwrap(await self._send(request, exchange, attempts=READ_ATTEMPTS)).value

    async def post(self, request: Request, read: Callable[[Json], Value]) -> Reply[Value]:
        """Send a change once; if its answer is lost, UnclearOutcome.

        A refusal for being one of too many is no answer lost: it is sent again after the pause asked for.
        """
        outcome = await self._send(request, self._reading(self._post, request, read), attempts=1)
        if isinstance(outcome, Failure) and outcome.is_unclear:
            raise _unclear(outcome, "whether it was done is unknown")
        return _unwrap(outcome)

    async def post_keyed(self, request: Request, key: str) -> None:
        """Send a change until it is taken: its key keeps it from being made twice. The answer has no body."""

        async def exchange() -> Reply[None]:
            _accept(await self._call("post", request, {"Idempotency-Key": key}, body=request.body))
            return Reply(None, None)

        _unwrap(await self._send(request, exchange, attempts=READ_ATTEMPTS))

    async def create(self, request: Request, creation: Creation, read: Callable[[Json], Value]) -> Reply[Value]:
        """Like `post`, for what makes an object: journaled before and after.

        A cancellation waits a moment for the answer, so that the journal knows what is to be cleaned up.
        """
        await self.pass_gate(request.budget_s)
        task = asyncio.ensure_future(self._create(request, creation, read))
        return await _see_through(task, task)

    async def create_streamed(
        self, request: Request, creation: Creation | None, listener: Listener
    ) -> RemoteError | None:
        """Like `create`, for an answer that comes in pieces; without a `creation`, nothing is journaled.

        Returns when the listener has heard enough, or the stream is over: then with the reason if it broke off.
        Raises where nothing came that tells the new object's id.
        """
        await self.pass_gate(request.budget_s)
        identified: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(self._create_streamed(request, creation, listener, identified))
        return await _see_through(task, identified)

    async def pass_gate(self, within_s: float) -> None:
        """Wait until what puts the remote side to work may go out; looks and deletions always may."""
        if (gate := GATE.get()) is not None:
            await gate.enter(within_s)

    async def delete(self, doing: str, path: str, kind: Kind | None = None, remote_id: str = "") -> None:
        """Delete an object; that it is gone already is fine. `kind` and `remote_id` go to the journal."""
        request = Request(doing=doing, path=path)
        outcome = await self._send(request, self._reading(self._delete, request, dict), attempts=READ_ATTEMPTS)
        if isinstance(outcome, Failure) and not isinstance(outcome.error, RemoteMissing):
            raise outcome.error
        if kind is not None:
            self._journal.deleted(kind, remote_id)

    async def list_all(
        self, request: Request, read_item: Callable[[Json], Value], *, goes_on_unless_told: bool = False
    ) -> tuple[Value, ...]:
        """Every item of a list; `goes_on_unless_told`: a page that doesn't say whether there is more isn't the last."""
        deadline = Deadline.after(LIST_BUDGET_S, self.pace.clock)
        read = partial(read_page, read_item=read_item, goes_on_unless_told=goes_on_unless_told)
        items: list[Value] = []
        cursors: set[str] = set()
        query: dict[str, object] = {"limit": PAGE_ITEMS, **request.query}
        while True:
            budget_s = min(request.budget_s, deadline.left_s())
            page: Page[Value] = (await self.get(replace(request, query=query, budget_s=budget_s), read)).value
            items += page.items
            if not page.has_more:
                return tuple(items)
            if not page.items or page.last_id is None or page.last_id in cursors:
                message = "the server says that its list goes on, and doesn't go on with it"
                raise RemoteError(self._translator.line(request.doing, message))
            cursors.add(page.last_id)
            query["after"] = page.last_id

    async def _create(self, request: Request, creation: Creation, read: Callable[[Json], Value]) -> Reply[Value]:
        number = self._journal.intend(creation.kind, creation.label, creation.tags)

        def read_created(body: Json) -> Value:
            self._journal.created(number, creation.read_id(body))
            return read(body)

        exchange = self._reading(self._post, request, read_created)
        outcome = await self._send(request, exchange, attempts=1)
        if isinstance(outcome, Failure) and outcome.is_unclear:
            raise _unclear(outcome, f"whether the {creation.kind.value} exists now is unknown")
        if isinstance(outcome, Failure):
            self._journal.refused(number, str(outcome.error))
        return _unwrap(outcome)

    async def _create_streamed(
        self, request: Request, creation: Creation | None, listener: Listener, identified: asyncio.Future[str]
    ) -> RemoteError | None:
        number = self._journal.intend(creation.kind, creation.label, creation.tags) if creation else None

        def note_id(remote_id: str) -> None:
            if number is not None:
                self._journal.created(number, remote_id)
            identified.set_result(remote_id)

        async def exchange() -> Reply[None]:
            response = await self._post_streamed(request)
            _accept(response)
            await listen(response, listener)
            return Reply(None, None)

        listener.on_id = note_id
        outcome = await self._send(request, exchange, attempts=1)
        if listener.remote_id is not None:
            return outcome.error if isinstance(outcome, Failure) else None
        if listener.refusal is not None:
            outcome = self._translator.explain_refusal(request.doing, listener.refusal)
        elif not isinstance(outcome, Failure):
            outcome = self._translator.explain_nonsense(request.doing, "it ends before it says what was created")
        if outcome.is_unclear:
            made = "it was answered" if creation is None else f"the {creation.kind.value} exists now"
            raise _unclear(outcome, f"whether {made} is unknown")
        if number is not None:
            self._journal.refused(number, str(outcome.error))
        raise outcome.error

    async def _send(self, request: Request, exchange: Exchange[Value], *, attempts: int) -> Reply[Value] | Failure:
        deadline = Deadline.after(request.budget_s, self.pace.clock)
        for attempt in count(1):
            outcome = await self._send_once(request, exchange, deadline)
            if isinstance(outcome, Reply):
                return outcome
            pause_s = _pause_s(outcome, attempt, attempts)
            if pause_s is not None:
                pause_s = self.pace.spread(pause_s)
            is_sent_again = pause_s is not None and pause_s < deadline.left_s()
            _tell_gate(outcome, is_sent_again=is_sent_again)
            if pause_s is None or not is_sent_again:
                return outcome
            await self.pace.sleep(pause_s)
        raise AssertionError("count() doesn't end")

    async def _send_once(
        self, request: Request, exchange: Exchange[Value], deadline: Deadline
    ) -> Reply[Value] | Failure:
        try:
            # httpx2's own timeouts are for each read: an answer that drips in would never end.
            async with asyncio.timeout(deadline.left_s()):
                return await exchange()
        except TimeoutError:
            return self._translator.explain_silence(request.doing, request.budget_s)
        except OSError as error:
            return self._translator.explain_unsent(request.doing, f"a file can't be read: {error.strerror}")
        except h11.LocalProtocolError:
            # httpcore2 2.x lets it through: the body isn't as long as was announced.
            return self._translator.explain_unsent(request.doing, "a file changed while it was sent")
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            # The SDK lets httpx2's errors through where the body is read apart from the head, and in that of a refusal.
            return self._translator.explain(error, request.doing, request.path)
        except Malformed as error:
            return self._translator.explain_nonsense(request.doing, str(error))

    def _reading(
        self, verb: Callable[[Request], Awaitable[httpx2.Response]], request: Request, read: Callable[[Json], Value]
    ) -> Exchange[Value]:
        """An attempt whose answer is a JSON object."""

        async def exchange() -> Reply[Value]:
            response = await verb(request)
            if verb == self._post:
                _accept(response)
            return Reply(read(read_object(response.content)), poll_after_s(response.headers))

        return exchange

    async def _get(self, request: Request) -> httpx2.Response:
        return await self._call("get", request)

    async def _delete(self, request: Request) -> httpx2.Response:
        return await self._call("delete", request)

    async def _post_streamed(self, request: Request) -> httpx2.Response:
        """The head of an answer; its body is yet to be read: that is what the header tells the SDK."""
        return await self._call("post", request, {"X-Stainless-Raw-Response": "stream"}, body=request.body)

    async def _post(self, request: Request) -> httpx2.Response:
        if request.file is None:
            return await self._call("post", request, body=request.body)
        if '"' in request.file[0]:
            form = _Form(request.body, request.file)
            return await self._call("post", request, form.headers, content=form)
        headers = {"Content-Type": "multipart/form-data"}
        return await self._call("post", request, headers, body=dict(request.body), files=[("file", request.file)])

    async def _call(
        self, verb: str, request: Request, headers: Mapping[str, str] | None = None, **content: Any
    ) -> httpx2.Response:
        send: Callable[..., Awaitable[httpx2.Response]] = getattr(self._client, verb)
        options = {"params": request.query, "headers": headers or {}}
        return await send(request.path, cast_to=httpx2.Response, options=options, **content)


class _Form:
    """A form with one file whose name has quotation marks, written as RFC 2183 has it: a backslash before each.

    httpx2 writes `%22` for them as browsers do, and hardly any server takes that for the same name.
    """

    def __init__(self, fields: Mapping[str, object], file: tuple[str, BinaryIO]) -> None:
        name, self._file = file
        quoted = name.replace("\\", r"\\").replace('"', r"\"")
        boundary = secrets.token_hex(16)
        written = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in _flatten(fields)
        )
        disposition = f'Content-Disposition: form-data; name="file"; filename="{quoted}"'
        head = f"{written}--{boundary}\r\n{disposition}\r\nContent-Type: application/octet-stream\r\n\r\n"
        self._head, self._end = head.encode(), f"\r\n--{boundary}--\r\n".encode()
        length = len(self._head) + self._file.seek(0, SEEK_END) + len(self._end)
        self.headers = {
            # The SDK would write the form by itself if it recognised the type; servers don't mind the capital.
            "Content-Type": f"Multipart/form-data; boundary={boundary}",
            "Content-Length": str(length),
        }

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._file.seek(0)
        yield self._head
        while content := self._file.read(_FORM_CHUNK_BYTES):
            yield content
        yield self._end


def _flatten(fields: Mapping[str, object], within: str = "") -> Iterator[tuple[str, object]]:
    """A form's fields; those of an object have its name before theirs, which stands in brackets."""
    for key, value in fields.items():
        name = f"{within}[{key}]" if within else key
        if isinstance(value, Mapping):
            yield from _flatten(value, name)
        else:
            yield name, value


async def _see_through(task: asyncio.Future[Result], crucial: asyncio.Future[Any]) -> Result:
    """The task's result. If the wait for it is cancelled, the task is too, but after a moment for what is `crucial`."""
    try:
        return await asyncio.shield(task)
    finally:
        if not task.done():
            try:
                await asyncio.wait({task, crucial}, timeout=CANCELLED_CREATE_GRACE_S, return_when=FIRST_COMPLETED)
            finally:
                task.cancel()


def _pause_s(failure: Failure, attempt: int, attempts: int) -> float | None:
    """Seconds until the next attempt, None if there is to be none."""
    if failure.remedy is Remedy.PAUSE and failure.pause_s is not None:
        # Some ask for no pause at all, again and again.
        return max(failure.pause_s, backoff_s(attempt - 2) if attempt > 2 else 0.0)
    if failure.remedy is Remedy.PAUSE:
        return backoff_s(attempt)
    # What never left can't have been carried out, a create neither.
    most = attempts if failure.is_unclear else READ_ATTEMPTS
    if failure.remedy is Remedy.ASK_AGAIN and attempt < most:
        return backoff_s(attempt)
    return None


def _accept(response: httpx2.Response) -> None:
    if (gate := GATE.get()) is not None:
        gate.accepted(next_room_s(response.headers))


def _tell_gate(failure: Failure, *, is_sent_again: bool) -> None:
    gate = GATE.get()
    if gate is None:
        return
    if failure.remedy is Remedy.PAUSE:
        gate.refused(str(failure.error), failure.pause_s, is_sent_again=is_sent_again)
    elif is_sent_again:
        gate.failed(str(failure.error))


def _unwrap(outcome: Reply[Value] | Failure) -> Reply[Value]:
    if isinstance(outcome, Failure):
        raise outcome.error
    return outcome


def _unclear(failure: Failure, words: str) -> UnclearOutcome:
    error = failure.error
    return UnclearOutcome(f"{error}; {words}", status=error.status, code=error.code)


class Listener(Protocol):
    """Who follows the answer to a create. `remote_id` is the new object's; `on_id` is told once it is known."""

    on_id: Callable[[str], None]

    @property
    def remote_id(self) -> str | None: ...
    @property
    def refusal(self) -> Refusal | None: ...

    def hear(self, chunk: bytes) -> bool:
        """Whether enough has come. Raises Malformed."""

    def take(self, body: Json) -> None:
        """The answer came whole, as JSON. Raises Malformed."""


async def listen(response: httpx2.Response, listener: Listener) -> None:
    """Read an answer whose head has come. Raises Malformed, and the SDK's own types for what the network does.

    What comes after "enough" is heard as well, for a moment: it may contradict. A connection whose answer was read to
    the end can be used again, so that is still waited for when the answer is on its way already.
    """
    rest: asyncio.Task[None] | None = None
    is_asked = True
    try:
        if "event-stream" not in response.headers.get("content-type", ""):
            listener.take(read_object(await response.aread()))
            return
        chunks = _read(response)
        async for chunk in chunks:
            if listener.hear(chunk):
                break
        rest = asyncio.create_task(_hear_rest(response, chunks, lambda chunk: is_asked and listener.hear(chunk)))
        await asyncio.wait({rest}, timeout=LINGER_S)
    finally:
        # What the listener would tell from now on, and whom, may be gone.
        is_asked = False
        if rest is None:
            await response.aclose()


async def _hear_rest(response: httpx2.Response, chunks: AsyncIterator[bytes], hear: Callable[[bytes], object]) -> None:
    try:
        with suppress(TimeoutError, Malformed, openai.OpenAIError):
            async with asyncio.timeout(DRAIN_S):
                async for chunk in chunks:
                    hear(chunk)
    finally:
        await response.aclose()


async def _read(response: httpx2.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_raw():
            yield chunk
    except httpx2.HTTPError as error:
        raise openai.APIConnectionError(request=response.request) from error


def opening(
    headers: Mapping[str, str], make: Callable[[Api, Endpoint], Opened]
) -> Callable[..., AbstractAsyncContextManager[Opened]]:
    """The `open_backend` of what has one connection. It raises UsageError for a key or URL that can't be used, before
    anything is sent.
    """

    @asynccontextmanager
    async def open_backend(
        endpoint: Endpoint, journal: Journal, *, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep
    ) -> AsyncIterator[Opened]:
        async with open_api(endpoint, journal, headers=headers, clock=clock, sleep=sleep) as api:
            yield make(api, endpoint)

    return open_backend


@asynccontextmanager
async def open_api(  # noqa: PLR0913 - what a connection can differ in, all but two by name
    endpoint: Endpoint,
    journal: Journal,
    *,
    headers: Mapping[str, str],
    query: Mapping[str, object] | None = None,
    bearer: Bearer | None = None,
    clock: Clock = time.monotonic,
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[Api]:
    """A connection to an endpoint. The rest is as in `open_client`."""
    named = f"the key in {endpoint.key_variable}" if endpoint.key_variable else "the key"
    fastest_look_s = FASTEST_LOOK_HERE_S if stays_here(endpoint) else FASTEST_LOOK_S
    async with open_client(endpoint, headers, query, bearer) as client:
        translator = Translator(
            base_url=endpoint.base_url,
            clean=bearer.clean if bearer else Redactor({endpoint.key}).clean,
            now=time.time,
            key=bearer.words if bearer else named if has_key(endpoint, None) else "",
            is_token=bearer is not None,
        )
        yield Api(client, translator, journal, Pace(clock=clock, sleep=sleep, fastest_look_s=fastest_look_s))
