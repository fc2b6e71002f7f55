"""Middleware of the tests: whatever the embedded server sends is held against OpenAI's OpenAPI file."""

from __future__ import annotations

import json
import re
from functools import cache

from openai_schemas import OPENAPI, event_validator, openapi_validator, response_event_validator
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

violations: list[str] = []
"""One line for each body or event that the file does not allow; the fixture in conftest.py empties it."""


class ValidatedApp(Starlette):
    """The application, with every answer that it sends read a second time."""

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
            heard.judge()


class _Heard:
    """One answer, as it went out."""

    def __init__(self, method: str, path: str) -> None:
        self._method = method
        self._path = path
        self._status = 0
        self._type = ""
        self._body = b""
        self._is_whole = False

    def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = {name.lower(): value for name, value in message["headers"]}
            self._type = headers.get(b"content-type", b"").decode()
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            self._is_whole = not message.get("more_body", False)

    def judge(self) -> None:
        """Note what is wrong with the answer. One that its reader cut off is judged as far as it came."""
        try:
            if self._type.startswith("text/event-stream"):
                self._judge_events()
            elif self._type.startswith("application/json") and self._is_whole:
                self._judge_body()
        except Exception as error:  # noqa: BLE001 - any complaint of a validator is a violation
            violations.append(f"{self._method} {self._path} -> {self._status}: {str(error)[:600]}")

    def _judge_body(self) -> None:
        name = "ErrorResponse" if self._status >= 400 else _schema_of(self._method, self._path)
        if name:
            openapi_validator()(name, json.loads(self._body))

    def _judge_events(self) -> None:
        is_about_responses = self._path.startswith("/v1/responses")
        check = response_event_validator() if is_about_responses else event_validator()
        for block in self._body.decode().split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if fields.get("data") not in (None, "[DONE]"):
                check(fields["event"], json.loads(fields["data"]))


def _schema_of(method: str, path: str) -> str | None:
    """The schema of a successful answer; None where the path is downloaded content or not in the file."""
    for pattern, verbs in _paths():
        if re.fullmatch(pattern, path.removeprefix("/v1")):
            return verbs.get(method)
    return None


@cache
def _paths() -> tuple[tuple[str, dict[str, str]], ...]:
    paths = json.loads(OPENAPI.read_text(encoding="utf-8"))["paths"]
    # Fixed words before placeholders: /threads/runs is no thread.
    return tuple(
        (re.sub(r"\{\w+\}", r"[^/]+", path), {verb.upper(): _answer_of(verbs[verb]) for verb in verbs})
        for path, verbs in sorted(paths.items(), key=lambda item: item[0].count("{"))
    )


def _answer_of(operation: dict[str, dict[str, dict[str, dict[str, dict[str, dict[str, str]]]]]]) -> str:
    content = operation.get("responses", {}).get("200", {}).get("content", {})
    return content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
