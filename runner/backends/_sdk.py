"""The official SDK's client, built so that nothing leaves for a place it shouldn't, and no answer is without a limit.

Requests go through the client's `get`, `post` and `delete` with the raw response (see `_requests.py`), not through
its typed methods. The SDK still authenticates, encodes, pools and classifies errors; what the typed methods add costs a
third more for each request and doubles the time to import, warns of deprecation, and believes whatever came back.

It is imported in half the time. `import openai` builds every pydantic model of every API, 0.25 s of CPU, and we never
touch one. The packages under `openai.types` stand there empty at first, and the first name that is looked up in one
runs it, so that others in this process (a user's functions, say) see no difference. May go once the SDK does so by
itself.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from urllib.parse import SplitResult, urlsplit

import httpx2

from runner.backends import Endpoint
from runner.backends._json_fields import Malformed
from runner.connections import SteadyClient, check_ambient_proxies, explaining_environment, trust_nobody
from runner.domain.assistant import History
from runner.domain.hosts import AddressFault, find_address_fault, host_of, is_loopback, is_open_road, is_openai
from runner.errors import UsageError

_TYPES = "openai.types"


class _OnFirstUse(Loader):
    """Runs a package when a name is first looked up in it; its submodules can be imported before."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._running: set[int] = set()

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        def look_up(name: str) -> object:
            thread = threading.get_ident()
            # A module of the package that looks a name up while the package runs finds what is there by then.
            if thread in self._running or (name.startswith("__") and name != "__all__"):
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            # No lock: two threads may both run it, as all it does is import. One waiting for the other could wait for
            # ever, since each holds the import system's own locks.
            self._running.add(thread)
            try:
                self._loader.exec_module(module)
            finally:
                self._running.discard(thread)
            vars(module).pop("__getattr__", None)
            return getattr(module, name)

        vars(module)["__getattr__"] = look_up


class _TypesFinder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _TYPES and not fullname.startswith(f"{_TYPES}."):
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None and spec.submodule_search_locations is not None:
            spec.loader = _OnFirstUse(spec.loader)
        return spec


_finder = _TypesFinder()
sys.meta_path.insert(0, _finder)
try:
    import openai
finally:
    sys.meta_path.remove(_finder)

__all__ = ["Bearer", "has_key", "open_client", "openai", "stays_here"]

NO_KEY = "none"
"""Stands in where the server needs no key; "" means the same."""

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
async def open_client(
    endpoint: Endpoint, headers: Mapping[str, str], query: Mapping[str, object] | None, bearer: Bearer | None
) -> AsyncIterator[openai.AsyncOpenAI]:
    """The SDK's client; `headers` and `query` go with every request, a `bearer`'s token in the key's place.

    Raises UsageError before anything is sent.
    """
    _check_key(endpoint.key)
    address = _check_url(endpoint.base_url, has_key=has_key(endpoint, bearer))
    # What a server without a memory is asked leaves nothing there, however often it is asked.
    makes_nothing = endpoint.history is History.REPLAY
    auth = bearer.auth if bearer else None
    async with _open_http(address, auth, stays_here=stays_here(endpoint), makes_nothing=makes_nothing) as http:
        client = openai.AsyncOpenAI(
            api_key=endpoint.key or NO_KEY,
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=http.timeout,
            default_headers=headers,
            default_query=query,
            http_client=http,
        )
        if not is_openai(address.hostname or ""):
            _forget_ambient_settings(client, headers)
        yield client


def has_key(endpoint: Endpoint, bearer: Bearer | None) -> bool:
    return bearer is not None or endpoint.key not in ("", NO_KEY)


def stays_here(endpoint: Endpoint) -> bool:
    """Whether the server is on this machine."""
    return endpoint.is_embedded or is_loopback(host_of(endpoint.base_url))


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
