"""An answer that comes in pieces, handed on as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import httpx2
import openai

from runner.backends._reading import Json, Malformed, read_object

Told = TypeVar("Told")

LINGER_S = 0.5
"""How long to wait for the end of a stream that has said all it has to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The server's word, within a stream, that nothing comes of the request."""

    message: str
    code: str | None


class Listener(Protocol):
    """Who follows the answer to a create. `remote_id` is the new object's, None until it is known."""

    @property
    def remote_id(self) -> str | None: ...
    @property
    def refusal(self) -> Refusal | None: ...

    def hear(self, chunk: bytes) -> bool:
        """Whether enough has come. Raises Malformed."""

    def take(self, body: Json) -> None:
        """The answer came whole, as JSON. Raises Malformed."""


async def listen(response: httpx2.Response, listener: Listener, after_each: Callable[[], None]) -> None:
    """Read an answer whose head has come. Raises Malformed, and the SDK's own types for what the network does.

    What comes after "enough" is heard as well, for a moment: it may contradict, and a connection whose answer was
    read to the end can be used again.
    """
    try:
        if "event-stream" not in response.headers.get("content-type", ""):
            body = read_object(await response.aread())
            _hand_on(lambda: listener.take(body), after_each)
            return
        chunks = _read(response)
        async for chunk in chunks:
            if _hand_on(partial(listener.hear, chunk), after_each):
                break
        with suppress(TimeoutError, Malformed, openai.OpenAIError):
            async with asyncio.timeout(LINGER_S):
                async for chunk in chunks:
                    listener.hear(chunk)
    finally:
        await response.aclose()


def _hand_on(tell: Callable[[], Told], after_each: Callable[[], None]) -> Told:
    try:
        return tell()
    finally:
        after_each()


async def _read(response: httpx2.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_raw():
            yield chunk
    except httpx2.HTTPError as error:
        raise openai.APIConnectionError(request=response.request) from error
