"""The answers of embedded servers that tests started, held against OpenAI's file, its SDK's types, Azure's models."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import azure_shapes
from app_listening import heard_folder
from openai_schemas import OPENAPI, event_validator, openapi_validator, response_event_validator

_AGENTS = re.compile(r"/v1(/agents(?:/.*)?)")


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What `listened_app.py` wrote down. One that its reader cut off is not whole."""

    method: str
    path: str
    status: int
    type: str
    body: str
    is_whole: bool


def take_violations() -> tuple[str, ...]:
    """One line for each answer since the last call that the file does not allow; none where there is no file."""
    folder = heard_folder()
    if folder is None:
        return ()
    return tuple(violation for answer in _take_answers(Path(folder)) for violation in _judge(answer))


def _take_answers(folder: Path) -> list[_Answer]:
    answers = []
    for file in folder.glob("*.json"):
        said = json.loads(file.read_text(encoding="utf-8"))
        # Beside Foundry's own API stands OpenAI's, the same to the letter.
        answers.append(_Answer(**{**said, "path": re.sub(r"^/api/projects/[^/]+/openai(?=/)", "", said["path"])}))
        file.unlink()
    return answers


def _judge(answer: _Answer) -> tuple[str, ...]:
    try:
        if answer.type.startswith("text/event-stream"):
            _judge_events(answer)
        elif answer.is_whole:
            _judge_body(answer)
    except Exception as error:  # noqa: BLE001 - any complaint of a validator is a violation
        return (f"{answer.method} {answer.path} -> {answer.status}: {str(error)[:600]}",)
    return ()


def _judge_body(answer: _Answer) -> None:
    if found := azure_shapes.AGENTS.fullmatch(answer.path):
        if answer.body:
            azure_shapes.check_answer(answer.method, found[1], answer.status, json.loads(answer.body))
        return
    if (found := _AGENTS.fullmatch(answer.path)) and answer.status < 400:
        if answer.body:
            _agent_shapes().check_answer(answer.method, found[1], json.loads(answer.body))
        return
    subject = answer.path.removeprefix("/v1/").partition("/")[0]
    if subject in _OF_THE_SDK and answer.status < 400:
        said = json.loads(answer.body)
        for one in said["data"] if said.get("object") == "list" else [said]:
            _sdk_type(subject).model_validate(one, strict=True)
        return
    name = "ErrorResponse" if answer.status >= 400 else _schema_of(answer.method, answer.path)
    if name:
        openapi_validator()(name, json.loads(answer.body))


@cache
def _agent_shapes() -> Any:
    """Imported once an agent answers: it costs a second, and each process of the tests imports this module."""
    return importlib.import_module("agent_shapes")


_OF_THE_SDK = {"decisions": "Decision", "batches": "Batch"}
"""The type of what is answered there: OpenAI's file doesn't have these paths."""


@cache
def _sdk_type(subject: str) -> Any:
    return getattr(importlib.import_module("openai.types"), _OF_THE_SDK[subject])


def _judge_events(answer: _Answer) -> None:
    """A stream that its reader cut off is judged as far as it came."""
    is_about_responses = answer.path.startswith("/v1/responses")
    check = response_event_validator() if is_about_responses else event_validator()
    if _AGENTS.fullmatch(answer.path):
        check = _agent_shapes().check_event
    for block in answer.body.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
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
