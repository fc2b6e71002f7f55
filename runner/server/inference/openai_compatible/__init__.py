"""Any chat-completions endpoint (Ollama, llama.cpp, vLLM, LM Studio) as the brain, through the official SDK."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from runner.connections import SteadyClient, check_ambient_proxies, explaining_environment, trust_nobody
from runner.domain.hosts import AddressFault, find_address_fault, host_of, is_loopback, is_open_road
from runner.errors import UsageError
from runner.redaction import Redactor
from runner.server.inference import (
    Embedder,
    EmbeddingFailed,
    Fail,
    Inference,
    Judged,
    Matter,
    Scene,
    Spent,
    Turnout,
    Vector,
)
from runner.server.inference.openai_compatible.reply import (
    MarkReader,
    NoReply,
    Reply,
    ThoughtReader,
    choose_move,
    describe,
    error_text,
    estimate,
    read_calls,
    read_judgements,
    tell_mistakes,
)
from runner.server.inference.openai_compatible.request import Json, found_passages, write_matter, write_request

if TYPE_CHECKING:
    import openai

Hear = Callable[[str], Awaitable[None]]
R = TypeVar("R")

_CONNECT_S = 10.0
_NO_KEY = "none"
_CHAT, _EMBEDDINGS = "/chat/completions", "/embeddings"
_TOO_LONG = re.compile(
    r"context[ _](?:length|window|size)|maximum context|prompt is too long|too many (?:input )?tokens", re.IGNORECASE
)
_SHORTEN = "what the model is given is too long for it; with file_search, a smaller `max_num_results` makes it shorter"
_LONGEST_MESSAGE = 500
_THOUGHTS_WERE_HEARD = "its reply has '</think>' and no beginning of it: thoughts went out as an answer; ask again"
_NO_JSON = (json.JSONDecodeError, UnicodeDecodeError, RecursionError)
_REDIRECTS = (301, 302, 303, 307, 308)
TIMEOUT_S = 300.0
"""For one decision, whatever the endpoint does; a local model may think for minutes."""
_SETTINGS = ("base_url", "model", "key", "timeout_s", "embedding_model", "slots")
EMBEDDING_TIMEOUT_S = 60.0
"""For one request; what is searched meanwhile waits."""
_LARGEST_IN_VECTORS = 1e30
Post = Callable[[dict[str, object]], Awaitable[object]]
"""Sends a body, and returns the reply as plain JSON. Raises EmbeddingFailed."""


def create(settings: Mapping[str, object]) -> Inference:
    """Settings: `base_url`, and if need be `model`, `key`, `timeout_s`, `embedding_model`, `slots`.

    Raises UsageError before anything is sent.
    """
    return OpenAICompatibleInference(read_endpoint(settings))


class OpenAICompatibleInference:
    """Asks the endpoint once for each decision, and once more if a call's arguments were malformed. No retries."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._clean = Redactor({endpoint.key}).clean
        self._client: openai.AsyncOpenAI | None = None
        self._opening = asyncio.Lock()
        self._begins_with_thoughts = False
        # With the model that answered last; before the first answer, the one that will be asked for.
        self.name = _name(endpoint.model or "")
        self.slots = None if endpoint.slots is None else asyncio.Semaphore(endpoint.slots)
        model = endpoint.embedding_model
        self.embedder: Embedder | None = None if model is None else ChatEmbedder(model, self._post_for_embeddings)
        if model == LOCAL:
            self.embedder = LocalEmbedder()

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def decide(self, scene: Scene) -> Turnout:
        return await self.decide_aloud(scene, None)

    async def decide_aloud(self, scene: Scene, hear: Hear | None) -> Turnout:
        done = await self._in_time(self._converse(scene, hear))
        return Turnout(move=done) if isinstance(done, Fail) else done

    async def judge(self, matter: Matter) -> Judged | Fail:
        """One request for all questions, whatever the model: structured output with a probability for each."""
        async with self.slots or nullcontext():
            return await self._in_time(self._judge(matter))

    async def _in_time(self, work: Awaitable[R]) -> R | Fail:
        try:
            async with asyncio.timeout(self._endpoint.timeout_s) as deadline:
                return await work
        except TimeoutError:
            if not deadline.expired():
                raise
            return self._fail("server_error", f"it did not come to an end within {self._endpoint.timeout_s:g} s")

    async def _judge(self, matter: Matter) -> Judged | Fail:
        body = write_matter(matter, self._endpoint.model or matter.model)
        reply = await self._ask(body, MarkReader(()), None)
        if isinstance(reply, Fail):
            return reply
        spent = reply.spent or estimate(body, reply)
        if reply.refusal or reply.finish == "content_filter":
            return Judged(probabilities=(None,) * len(matter.questions), spent=spent)
        try:
            return Judged(probabilities=read_judgements(matter, reply.text), spent=spent)
        except NoReply as error:
            return self._fail("server_error", str(error))

    async def _converse(self, scene: Scene, hear: Hear | None) -> Turnout:
        """Ask; if calls were malformed, say so and ask again."""
        body = write_request(scene, self._endpoint.model or scene.model)
        marks, spent = MarkReader(found_passages(scene)), Spent()
        for _ in range(2):
            reply = await self._ask(body, marks, hear)
            if isinstance(reply, Fail):
                return Turnout(move=reply, spent=spent)
            cost = reply.spent or estimate(body, reply)
            spent = Spent(
                input_tokens=spent.input_tokens + cost.input_tokens,
                output_tokens=spent.output_tokens + cost.output_tokens,
            )
            calls = read_calls(reply, scene)
            if not calls.mistakes or reply.finish == "length":
                return Turnout(move=choose_move(reply, calls, marks), spent=spent)
            body = {**body, "messages": [*body["messages"], *tell_mistakes(reply, calls)]}
        mistake = next(iter(calls.mistakes.values()))
        return Turnout(move=self._fail("server_error", f"its model called tools wrongly twice: {mistake}"), spent=spent)

    async def _ask(self, body: Json, marks: MarkReader, hear: Hear | None) -> Reply | Fail:
        import openai

        reply = Reply(ThoughtReader(begins_inside=self._begins_with_thoughts))
        try:
            async with aclosing(self._send(body, is_stream=hear is not None)) as chunks:
                async for chunk in chunks:
                    await _tell(marks.feed(reply.add(chunk)), hear)
            await _tell(marks.feed(reply.close()), hear)
            await _tell(marks.finish(), hear)
        except (NoReply, *_NO_JSON, httpx2.HTTPError, openai.APIError) as error:
            return self._explain(error, _CHAT)
        if reply.model:
            self.name = _name(reply.model)
        if reply.ends_a_thought:
            # From now on its replies are held back until their thoughts are over. What was heard can't be unsaid.
            self._begins_with_thoughts = True
            if hear is not None:
                return self._fail("server_error", _THOUGHTS_WERE_HEARD)
            marks.restart(reply.drop_thought())
        if reply.finish is None and (hear is not None or not (reply.text or reply.calls or reply.refusal)):
            what = "the stream ended before the answer did" if hear else "its reply holds no answer"
            return self._fail("server_error", what)
        return reply

    async def _send(self, body: Json, *, is_stream: bool) -> AsyncGenerator[object, None]:
        """The reply's chunks as plain JSON; a reply that is not streamed is one chunk."""
        client = await self._open()
        if not is_stream:
            yield await client.post(_CHAT, cast_to=object, body=body)
            return
        import openai

        streamed = {**body, "stream": True, "stream_options": {"include_usage": True}}
        stream = await client.post(
            _CHAT, cast_to=object, body=streamed, stream=True, stream_cls=openai.AsyncStream[object]
        )
        try:
            if "event-stream" in stream.response.headers.get("content-type", ""):
                async for chunk in stream:
                    yield chunk
            else:
                for chunk in _read_whole(await stream.response.aread()):
                    yield chunk
        finally:
            await stream.close()

    async def _post_for_embeddings(self, body: Json) -> object:
        import openai

        try:
            client = await self._open()
            return await client.post(_EMBEDDINGS, cast_to=object, body=body)
        except (NoReply, *_NO_JSON, httpx2.HTTPError, openai.APIError) as error:
            raise EmbeddingFailed(self._explain(error, _EMBEDDINGS).message) from error

    async def _open(self) -> openai.AsyncOpenAI:
        """The client, made in the loop that uses it; importing the SDK takes half a second."""
        async with self._opening:
            if self._client is None:
                await asyncio.to_thread(__import__, "openai")
                self._client = _make_client(self._endpoint)
        return self._client

    def _explain(self, error: Exception, path: str) -> Fail:
        import openai

        said = str(error)
        if isinstance(error, openai.APIError):
            said = error_text(error.body) or error.message
        match error:
            case NoReply():
                return self._fail("server_error", said)
            case json.JSONDecodeError() | UnicodeDecodeError() | RecursionError():
                what = "a chat completion belongs" if path == _CHAT else "embeddings belong"
                return self._fail("server_error", f"it sent text that is no JSON where {what}")
            case httpx2.HTTPError():
                # The SDK lets it through in the body of a refusal.
                return self._explain_connection(error)
            case openai.APITimeoutError():
                return self._fail("server_error", f"there was no connection within {_CONNECT_S:g} s; is it running?")
            case openai.APIConnectionError():
                return self._explain_connection(error.__cause__ or said)
            case openai.APIStatusError(status_code=status):
                if "text/html" in error.response.headers.get("content-type", ""):
                    said = "it sent an HTML page; does base_url end where the API begins, as in .../v1?"
                return self._explain_status(status, said, path)
        return self._fail("server_error", f"it broke off with an error: {said}")

    def _explain_connection(self, reason: object) -> Fail:
        # Where nobody listens, asking once more in a moment changes nothing: of the API's codes, this one says so.
        code = "invalid_prompt" if isinstance(reason, httpx2.ConnectError) else "server_error"
        return self._fail(code, f"the connection failed ({reason}); is it running?")

    def _explain_status(self, status: int, said: str, path: str) -> Fail:
        meaning = {
            **dict.fromkeys(_REDIRECTS, "it redirects, which is not followed; name the final base_url"),
            401: "it rejects the key",
            403: "it does not allow this",
            404: "it does not know the model, or the path",
            429: "it has too many requests, or a quota is used up",
        }.get(status, "it refuses the request" if status < 500 else "it had an error")
        code = {400: "invalid_prompt", 413: "invalid_prompt", 422: "invalid_prompt", 429: "rate_limit_exceeded"}
        more = {404: f"; what was asked for is {self._endpoint.base_url.rstrip('/')}{path}"}.get(status, "")
        return self._fail(code.get(status, "server_error"), f"{meaning} (HTTP {status}): {said}{more}")

    def _fail(self, code: str, what: str) -> Fail:
        if code != "rate_limit_exceeded" and _TOO_LONG.search(what):
            code, what = "invalid_prompt", f"{what}; {_SHORTEN}"
        message = self._clean(f"The inference at {self._endpoint.base_url}: {what}")
        shown = message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…"
        return Fail(code=code, message=shown)


def _make_client(endpoint: Endpoint) -> openai.AsyncOpenAI:
    import openai

    timeout = httpx2.Timeout(None, connect=_CONNECT_S)
    # A proxy from the environment must not stand between us and this machine.
    trusts_environment = not is_loopback(host_of(endpoint.base_url))
    try:
        with explaining_environment():
            if trusts_environment:
                check_ambient_proxies()
            is_plain = not trusts_environment and endpoint.base_url.lower().startswith("http:")
            http = SteadyClient(
                makes_nothing=True,
                verify=trust_nobody() if is_plain else True,
                trust_env=trusts_environment,
                follow_redirects=False,
                timeout=timeout,
            )
    except UsageError as error:
        raise NoReply(str(error)) from None
    client = openai.AsyncOpenAI(
        api_key=endpoint.key or _NO_KEY, base_url=endpoint.base_url, max_retries=0, timeout=timeout, http_client=http
    )
    # What the SDK takes from OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS is for OpenAI alone,
    # and it has no public way to leave the last out.
    client.organization = client.project = None
    client._custom_headers = {}
    return client


def _read_whole(content: bytes) -> Iterator[object]:
    """What a server sends that does not stream, the whole reply, or doesn't say that it does. Raises NoReply."""
    if content.lstrip().startswith(b"data:"):
        lines = (line.removeprefix(b"data:").strip() for line in content.splitlines() if line.startswith(b"data:"))
        yield from (json.loads(line) for line in lines if line != b"[DONE]")
        return
    try:
        yield json.loads(content)
    except _NO_JSON:
        what = describe(content.decode(errors="replace")) if content.strip() else "nothing"
        raise NoReply(f"it was asked for a stream and sent {what}") from None


async def _tell(text: str, hear: Hear | None) -> None:
    if text and hear is not None:
        await hear(text)


def _name(model: str) -> str:
    """The adapter's name with the model's, as a header can hold it."""
    plain = "".join(character for character in model if character.isascii() and character.isprintable())[:100]
    return f"openai_compatible ({plain})" if plain else "openai_compatible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the model is. `model` None means that each assistant's own is asked for; `key` "" that none is needed.

    `embedding_model` None: no embeddings are asked for. `slots` is how many runs it works on at once; None: any number.
    """

    base_url: str
    model: str | None
    key: str = field(repr=False)
    timeout_s: float
    embedding_model: str | None = None
    slots: int | None = None


def read_endpoint(settings: Mapping[str, object]) -> Endpoint:
    """Raises UsageError for what must not be sent anywhere, ValueError for settings that don't exist."""
    if unknown := set(settings) - set(_SETTINGS):
        raise ValueError(f"the inference 'openai_compatible' has no settings {', '.join(sorted(unknown))}")
    base_url, key = str(settings.get("base_url") or ""), str(settings.get("key") or "")
    model, timeout_s, slots = settings.get("model"), settings.get("timeout_s", TIMEOUT_S), settings.get("slots")
    _check_address(base_url, has_key=bool(key))
    if any(character.isspace() for character in key) or not key.isascii() or not key.isprintable():
        raise UsageError("the inference's key has a character in it that no key has; copy it again")
    assert isinstance(timeout_s, int | float)
    assert slots is None or isinstance(slots, int)
    return Endpoint(
        base_url=base_url,
        model=str(model) if model else None,
        key=key,
        timeout_s=float(timeout_s),
        embedding_model=str(settings.get("embedding_model") or "") or None,
        slots=slots,
    )


def _check_address(base_url: str, *, has_key: bool) -> None:
    fault = find_address_fault(base_url)
    if fault is AddressFault.PASSWORD:
        raise UsageError(f"the inference's base_url {fault.value}; give it a key instead")
    if fault is not None:
        raise UsageError(
            f"the inference's base_url '{base_url}' {fault.value}; write it like http://127.0.0.1:11434/v1"
        )
    if has_key and is_open_road(base_url):
        raise UsageError(f"the inference's base_url '{base_url}' would send the key unencrypted; use https")


class ChatEmbedder:
    """Asks once for all texts; no retries."""

    def __init__(self, model: str, post: Post) -> None:
        self._model = model
        self._post = post

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        body: dict[str, object] = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        try:
            async with asyncio.timeout(EMBEDDING_TIMEOUT_S):
                reply = await self._post(body)
        except TimeoutError as error:
            raise EmbeddingFailed(f"no embeddings came within {EMBEDDING_TIMEOUT_S:g} s") from error
        return self._read(reply, len(texts))

    def _read(self, reply: object, wanted: int) -> Sequence[Vector]:
        items = reply.get("data") if isinstance(reply, dict) else None
        vectors: dict[int, Vector] = {}
        for place, item in enumerate(items if isinstance(items, list) else ()):
            values = item.get("embedding") if isinstance(item, dict) else None
            if not isinstance(values, list) or not values or not all(map(_is_number, values)):
                raise EmbeddingFailed("the endpoint sent something else than embeddings")
            number = item.get("index")
            vector = Vector(model=self._model, values=tuple(map(float, values)))
            vectors[number if isinstance(number, int) else place] = vector
        if set(vectors) != set(range(wanted)) or len({len(one.values) for one in vectors.values()}) > 1:
            raise EmbeddingFailed(f"the endpoint sent no {wanted} embeddings of one length for {wanted} texts")
        return tuple(vectors[number] for number in range(wanted))


def _is_number(value: object) -> bool:
    # No embedding has larger numbers; NaN is none.
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and -_LARGEST_IN_VECTORS < value < _LARGEST_IN_VECTORS
    )


LOCAL = "local"
"""Stands in `embedding_model` for the small model that the library of the extra `semantic` brings along."""
_LIBRARY = "wordllama"


class LocalEmbedder:
    """Raises UsageError if the extra is not installed; the model is loaded with the first text."""

    def __init__(self) -> None:
        if find_spec(_LIBRARY) is None:
            raise UsageError(
                f"embedding_model '{LOCAL}' needs the extra 'semantic': pip install 'assistant-runner[semantic]'"
            )

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        return await asyncio.to_thread(_embed, list(texts))


def _embed(texts: list[str]) -> tuple[Vector, ...]:
    rows = _load_model().embed(texts, norm=True).tolist()
    return tuple(Vector(model=_LIBRARY, values=tuple(row)) for row in rows)


@cache
def _load_model() -> Any:
    import wordllama

    # The library looks for its tokenizer beside its weights only where it is told to look for downloads.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
