"""The official SDK's client, built so that nothing leaves for a place it shouldn't, and no answer is without a limit.

Requests go through the client's `get`, `post` and `delete` with the raw response (see `_requests.py`), not through
its typed methods. The SDK still authenticates, encodes, pools and classifies errors; what the typed methods add costs a
third more for each request and doubles the time to import, warns of deprecation, and believes whatever came back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import httpx2

from runner.backends import Endpoint
from runner.backends._failures import Key, Translator
from runner.backends._json_fields import Malformed
from runner.backends._openai import openai
from runner.backends._requests import Api
from runner.backends._waiting import Clock, Pace, Sleep
from runner.connections import SteadyClient, check_ambient_proxies, explaining_environment, trust_nobody
from runner.domain.assistant import History
from runner.domain.hosts import AddressFault, find_address_fault, is_loopback, is_open_road, is_openai
from runner.errors import UsageError
from runner.journal import Journal
from runner.redaction import Redactor

OPENAI_URL = "https://api.openai.com/v1"
NO_KEY = "none"
"""Stands in where the server needs no key; "" means the same."""

FASTEST_LOOK_S = 0.1
FASTEST_LOOK_HERE_S = 0.02
"""The same where the server is on this machine."""
CONNECT_S = 10.0
CONNECTIONS = 200
# The pool looks at every idle socket before each request: many more than these cost more than they save. With fewer, a
# play of 50 at once makes every second request on a new connection.
IDLE_CONNECTIONS = 32
# Below the 5 s after which uvicorn hangs up: a create must not go out on a connection that is being closed.
KEEP_ALIVE_S = 4.0
LARGEST_ANSWER_BYTES = 64 * 1024 * 1024
_TOO_LARGE = f"it is larger than {LARGEST_ANSWER_BYTES // 1024**2} MB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """Tokens that come up on the way: `auth` puts them on requests, `clean` takes them out of texts.

    `words` say where they come from.
    """

    auth: httpx2.Auth
    clean: Callable[[str], str]
    words: str


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
    """A connection to an endpoint; `headers` and `query` go with every request, a `bearer`'s token in the key's place.

    Raises UsageError before anything is sent.
    """
    _check_key(endpoint.key)
    clean = bearer.clean if bearer else Redactor({endpoint.key}).clean
    base_url = endpoint.base_url or OPENAI_URL
    has_key = bearer is not None or endpoint.key not in ("", NO_KEY)
    address = _check_url(base_url, has_key=has_key)
    host = address.hostname or ""
    stays_here = endpoint.is_embedded or is_loopback(host)
    # What a server without a memory is asked leaves nothing there, however often it is asked.
    makes_nothing = endpoint.history is History.REPLAY
    auth = bearer.auth if bearer else None
    async with _open_http(address, auth, stays_here=stays_here, makes_nothing=makes_nothing) as http:
        client = openai.AsyncOpenAI(
            api_key=endpoint.key or NO_KEY,
            base_url=base_url,
            max_retries=0,
            timeout=http.timeout,
            default_headers=headers,
            default_query=query,
            http_client=http,
        )
        if not is_openai(host):
            _forget_ambient_settings(client, headers)
        key = Key(variable=endpoint.key_variable, words=bearer.words if bearer else "", is_sent=has_key)
        translator = Translator(base_url, clean, time.time, key)
        fastest_look_s = FASTEST_LOOK_HERE_S if stays_here else FASTEST_LOOK_S
        pace = Pace(clock=clock, sleep=sleep, fastest_look_s=fastest_look_s)
        yield Api(client, translator, journal, pace)


def _open_http(
    address: SplitResult, auth: httpx2.Auth | None, *, stays_here: bool, makes_nothing: bool
) -> httpx2.AsyncClient:
    """The pool. Deadlines are set around each request, so only connecting has a timeout of its own.

    Raises UsageError for what the environment says and can't be used.
    """
    limits = httpx2.Limits(
        max_connections=CONNECTIONS, max_keepalive_connections=IDLE_CONNECTIONS, keepalive_expiry=KEEP_ALIVE_S
    )
    with explaining_environment():
        if not stays_here:
            check_ambient_proxies()
        is_plain = stays_here and address.scheme == "http"
        return SteadyClient(
            makes_nothing=makes_nothing,
            auth=auth,
            verify=trust_nobody() if is_plain else httpx2.create_ssl_context(),
            # A proxy from the environment must not stand between us and this machine; SSL_CERT_FILE may.
            trust_env=not stays_here,
            follow_redirects=False,
            timeout=httpx2.Timeout(None, connect=CONNECT_S),
            limits=limits,
            # Compressed bytes can't be counted before they are memory.
            headers={"Accept-Encoding": "identity"},
            event_hooks={"response": [_limit_answer]},
        )


def _forget_ambient_settings(client: openai.AsyncOpenAI, headers: Mapping[str, str]) -> None:
    """What the SDK takes from OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS is for OpenAI alone."""
    client.organization = client.project = None
    # The SDK has no public way to leave out the headers that it found in the environment.
    client._custom_headers = dict(headers)


def _check_key(key: str) -> None:
    """Raises UsageError, which never shows the key. httpx2 would repeat it in an error, or hang on it."""
    if any(character.isspace() for character in key):
        raise UsageError("the key has a space or a line break in it; copy it again, without quotes or line ends")
    if not key.isascii() or not key.isprintable():
        raise UsageError("the key has a character in it that no key has (not printable ASCII); copy it again")


def _check_url(base_url: str, *, has_key: bool) -> SplitResult:
    fault = find_address_fault(base_url)
    if fault is AddressFault.PASSWORD:
        raise UsageError(f"base_url {fault.value}; name an environment variable with key_env")
    if fault is not None:
        raise UsageError(f"base_url '{base_url}' {fault.value}; write it like https://host/v1")
    if has_key and is_open_road(base_url):
        raise UsageError(f"base_url '{base_url}' would send the key unencrypted; use https")
    return urlsplit(base_url)


async def _limit_answer(response: httpx2.Response) -> None:
    """Refuse what could fill the memory. A declared length is held by httpx2 itself."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Malformed("it is compressed although that was ruled out")
    declared = response.headers.get("content-length", "")
    if not declared.isdecimal():
        response.stream = _LimitedStream(response.stream)
    elif int(declared) > LARGEST_ANSWER_BYTES:
        raise Malformed(_TOO_LARGE)


class _LimitedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: object) -> None:
        assert isinstance(stream, httpx2.AsyncByteStream)
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > LARGEST_ANSWER_BYTES:
                raise Malformed(_TOO_LARGE)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
