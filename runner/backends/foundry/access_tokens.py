"""Tokens that end: from a command of the user's, or from azure-identity; kept until shortly before they do."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import httpx2

from runner.errors import UsageError

SCOPE = "https://ai.azure.com/.default"
COMMAND_S = 60.0
"""az may have to ask the network; what takes longer waits for somebody to log in."""
EARLY_S = 120.0
"""A token is renewed so long before its end: the request that carries it may take a while."""
UNKNOWN_LIFE_S = 300.0
"""For a token that doesn't say when it ends."""
LARGEST_OUTPUT_BYTES = 64 * 1024
_LONGEST_QUOTE = 200
_LAST_WORDS_S = 1.0
_LOG_IN = "log in (`az login`), or run the command by itself to see more"


@dataclass(frozen=True, slots=True)
class Token:
    """`ends_at` is in Unix seconds."""

    value: str = field(repr=False)
    ends_at: float


Fetch = Callable[[], Awaitable[Token]]
"""Gets a new token. Raises UsageError with a line for the user, without the place of the target."""


class TokenKeeper:
    """The token of one target. `place` is where that is declared; `learn` is told each token, to keep it from view."""

    def __init__(
        self, fetch: Fetch, *, place: str, learn: Callable[[str], None], now: Callable[[], float] = time.time
    ) -> None:
        self._fetch = fetch
        self._place = place
        self._learn = learn
        self._now = now
        self._token: Token | None = None
        self._fetching = asyncio.Lock()

    async def current(self, *, but_not: str = "") -> str:
        """A token that holds; a new one if it is `but_not`. Raises UsageError naming the place."""
        async with self._fetching:
            token = self._token
            if token is None or token.value == but_not or token.ends_at - EARLY_S <= self._now():
                token = self._token = await self._renew()
            return token.value

    async def _renew(self) -> Token:
        try:
            token = await self._fetch()
        except UsageError as error:
            raise UsageError(f"{self._place}: {error}") from None
        self._learn(token.value)
        return token


class BearerAuth(httpx2.Auth):
    """Puts the token on requests to one host; a rejected one is renewed once: who rejects it has done nothing yet."""

    def __init__(self, keeper: TokenKeeper, host: str) -> None:
        self._keeper = keeper
        self._host = host

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        if request.url.host != self._host:
            raise UsageError(f"the token is for {self._host} alone, and was to go to {request.url.host}")
        token = await self._keeper.current()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401:
            request.headers["Authorization"] = f"Bearer {await self._keeper.current(but_not=token)}"
            yield request


def from_command(command: tuple[str, ...], *, limit_s: float = COMMAND_S) -> Fetch:
    """What the command prints: a token, or JSON as az prints it. It is run without a shell."""

    async def fetch() -> Token:
        return read_output(await _run(command, limit_s), command[0], time.time())

    return fetch


def from_azure_identity() -> Fetch:
    """Azure's own search for a login: environment, managed identity, az ... Raises UsageError if it isn't installed."""
    try:
        from azure.identity import DefaultAzureCredential
    except ImportError:
        raise UsageError(
            "Azure wants a token: name `token_command`, or install the extra: pip install 'assistant-runner[azure]'"
        ) from None
    # What it tells on its way, several lines long, goes to standard error otherwise.
    logging.getLogger("azure").setLevel(logging.CRITICAL)
    credential = DefaultAzureCredential()

    async def fetch() -> Token:
        try:
            got = await asyncio.to_thread(credential.get_token, SCOPE)
        except Exception as error:  # noqa: BLE001 - each of its many ways has errors of its own
            reason = next(iter(str(error).splitlines()), type(error).__name__)[:_LONGEST_QUOTE]
            raise UsageError(f"azure-identity finds no login: {reason}; try `az login`, or `token_command`") from None
        return Token(got.token, float(got.expires_on))

    return fetch


async def _run(command: tuple[str, ...], limit_s: float) -> bytes:
    """What it prints. Raises UsageError if there is no such command, if it fails, or takes too long."""
    name = command[0]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"token_command: '{name}' can't be run: {reason}") from None
    try:
        async with asyncio.timeout(limit_s):
            printed, complaint = await asyncio.gather(_read(process.stdout), _read(process.stderr))
            code = await process.wait()
    except TimeoutError:
        raise UsageError(f"token_command: '{name}' has not ended after {limit_s:g} s; {_LOG_IN}") from None
    finally:
        await _end(process)
    if code != 0:
        said = " ".join(complaint.decode(errors="replace").split())[:_LONGEST_QUOTE]
        raise UsageError(f"token_command: '{name}' ended with {code}" + (f": {said}" if said else f"; {_LOG_IN}"))
    return printed


async def _end(process: asyncio.subprocess.Process) -> None:
    """With what it started, which may hold the pipes open; then they are read to their end, so that they close."""
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORDS_S):
            await process.communicate()


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    """All that comes, of which only so much is kept."""
    assert stream is not None, "it was asked for"
    kept = b""
    while chunk := await stream.read(LARGEST_OUTPUT_BYTES):
        kept = (kept + chunk)[: LARGEST_OUTPUT_BYTES + 1]
    return kept


def read_output(printed: bytes, name: str, now: float) -> Token:
    """The token that a command printed, by itself or in az's JSON. Raises UsageError, which never shows it."""
    text = printed.decode(errors="replace").strip()
    wrong = f"token_command: '{name}' printed "
    if not text:
        raise UsageError(f"{wrong}nothing; it is to print a token, or az's JSON")
    if text.startswith("<"):
        raise UsageError(f"{wrong}a web page and no token; is a proxy or a login page in between?")
    if len(printed) > LARGEST_OUTPUT_BYTES:
        raise UsageError(f"{wrong}more than {LARGEST_OUTPUT_BYTES // 1024} kB and no token")
    fields: Mapping[str, object] = {"accessToken": text}
    if text.startswith("{"):
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            raise UsageError(f"{wrong}something like JSON that can't be read") from None
    value = fields.get("accessToken")
    if not isinstance(value, str) or not value:
        raise UsageError(f"{wrong}JSON without an `accessToken`")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise UsageError(f"{wrong}something else than a token: one word on one line")
    said = (one for one in (_read_end(fields), _end_in_token(value)) if one is not None)
    ends_at = next(said, now + EARLY_S + UNKNOWN_LIFE_S)
    if ends_at <= now:
        raise UsageError(f"{wrong}a token that has ended already; {_LOG_IN}")
    return Token(value, ends_at)


def _read_end(fields: Mapping[str, object]) -> float | None:
    """`expires_on` is in Unix seconds, az's older `expiresOn` in local time."""
    seconds, moment = fields.get("expires_on"), fields.get("expiresOn")
    with suppress(ValueError, OverflowError):
        if isinstance(seconds, int | float | str):
            return float(seconds)
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(moment, str):
            return datetime.fromisoformat(moment).timestamp()
    return None


def _end_in_token(value: str) -> float | None:
    """Entra's tokens say it themselves. Source: `exp`, RFC 7519 section 4.1.4."""
    parts = value.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    end = claims.get("exp") if isinstance(claims, dict) else None
    return float(end) if isinstance(end, int | float) else None
