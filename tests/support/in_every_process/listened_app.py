"""Middleware of the tests: whatever the embedded server sends is put into a file, for the tests' process to judge.

And the server ends at once: uvicorn looks ten times a second whether it is to end, and then waits as long again.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvicorn.server
from app_listening import heard_folder
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send


class _Hurried:
    """The `asyncio` of uvicorn's main loop, which sleeps nowhere else; thousands of servers are started and ended."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 10)


uvicorn.server.__dict__["asyncio"] = _Hurried()

_JUDGED_TYPES = ("application/json", "text/event-stream")


class ListenedApp(Starlette):
    """The application, with every answer that it sends written down."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        heard = _Heard(scope["method"], scope["path"])

        async def send_and_listen(message: Message) -> None:
            heard.take(message)
            await send(message)

        try:
            await super().__call__(scope, receive, send_and_listen)
        finally:
            if folder := heard_folder():
                heard.write(Path(folder))


class _Heard:
    """One answer, as it went out."""

    def __init__(self, method: str, path: str) -> None:
        self._method = method
        self._path = path
        self._status = 0
        self._type = ""
        self._body = bytearray()
        self._is_whole = False

    def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = {name.lower(): value for name, value in message["headers"]}
            self._type = headers.get(b"content-type", b"").decode()
        elif message["type"] == "http.response.body":
            self._is_whole = not message.get("more_body", False)
            if self._type.startswith(_JUDGED_TYPES):
                self._body += message.get("body", b"")

    def write(self, folder: Path) -> None:
        """A file that is there is whole: it gets its name last."""
        if not self._type.startswith(_JUDGED_TYPES):
            return
        answer = {
            "method": self._method,
            "path": self._path,
            "status": self._status,
            "type": self._type,
            "body": self._body.decode("utf-8", "surrogateescape"),
            "is_whole": self._is_whole,
        }
        name = uuid4().hex
        unfinished = folder / f"{name}.part"
        unfinished.write_text(json.dumps(answer), encoding="utf-8")
        unfinished.rename(folder / f"{name}.json")
