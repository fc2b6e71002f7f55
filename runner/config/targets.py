"""`targets` and `target`: where the file's assistants can run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runner.config.document import Document, Mistake, Where
from runner.config.inferences import read_inference
from runner.config.urls import OPENAI_KEY, check_key_place, check_url, key_variable
from runner.did_you_mean import quote, suggest
from runner.domain.assistant import History, InferenceChoice, SandboxName, Server, Target
from runner.domain.hosts import is_azure, is_openai
from runner.domain.location import Location

EMBEDDED = "embedded"
_ASSISTANTS_API = "assistants"
_RESPONSES_API = "responses"


def read_targets(document: Document, settings: Mapping[str, Any], root: Path) -> dict[str, Target]:
    """The declared targets and the built-in one, by name."""
    targets = {EMBEDDED: _built_in_target(document.file)}
    declared = settings.get("targets")
    for name, body in declared.items() if isinstance(declared, dict) else ():
        where = ("targets", name)
        if name == EMBEDDED:
            hint = "give this one another name"
            document.report(Mistake(where=where, at_key=True, message="the target 'embedded' is built in", hint=hint))
        elif document.is_sound(where) and _is_consistent(document, body, where):
            inference = read_inference(document, body, where, root)
            if inference is not None:
                targets[name] = _make_target(name, body, document.location(where, at_key=True), inference)
    return targets


def read_default_target(document: Document, settings: Mapping[str, Any]) -> str:
    """The name of the target that is used when nobody says otherwise."""
    wanted = settings.get("target", EMBEDDED)
    declared = settings.get("targets")
    names = [EMBEDDED, *(declared if isinstance(declared, dict) else ())]
    if document.is_sound(("target",)) and wanted not in names:
        hint = suggest(str(wanted), names, kind="there is")
        document.report(Mistake(where=("target",), message=f"unknown target {quote(str(wanted))}", hint=hint))
    return str(wanted)


def _built_in_target(file: str) -> Target:
    location = Location(file, 1, 1)
    return Target(name=EMBEDDED, api=_ASSISTANTS_API, server=Server.EMBEDDED, location=location)


def _make_target(name: str, body: Mapping[str, Any], location: Location, inference: InferenceChoice) -> Target:
    base_url = body.get("base_url")
    server = Server.BASE_URL if base_url else Server(body.get("server", Server.OPENAI.value))
    return Target(
        name=name,
        api=body["api"],
        server=server,
        location=location,
        base_url=base_url,
        key_variable=_key_variable(body, server),
        inference=inference,
        sandbox=SandboxName(body.get("sandbox", SandboxName.MONTY.value)),
        history=History(body.get("history", History.CONVERSATION.value)),
        background=body.get("background", False),
    )


def _key_variable(body: Mapping[str, Any], server: Server) -> str | None:
    match server:
        case Server.EMBEDDED:
            return None
        case Server.OPENAI:
            return str(body.get("key_env", OPENAI_KEY))
        case Server.BASE_URL:
            return key_variable(body)


def _is_consistent(document: Document, body: Mapping[str, Any], where: Where) -> bool:
    """Whether the keys of a target go together; reports what doesn't."""
    before = len(document.problems)
    server = body.get("server")
    if "base_url" in body:
        if server is not None:
            message = f"`base_url` and `server: {server}` exclude each other"
            document.report(Mistake(where=(*where, "server"), at_key=True, message=message, hint="remove one of them"))
        if check_url(document, str(body["base_url"]), (*where, "base_url")):
            check_key_place(document, body, where)
    elif server == EMBEDDED and "key_env" in body:
        message = "the embedded server needs no key"
        hint = "remove key_env; the key of a language model behind it goes under `inference`"
        document.report(Mistake(where=(*where, "key_env"), at_key=True, message=message, hint=hint))
    if _is_retired(body):
        message = "OpenAI shut the Assistants API down on 2026-08-26"
        hint = "use its successor `api: responses`, `server: embedded`, or `base_url` for a server that still speaks it"
        document.report(Mistake(where=(*where, "api"), message=message, hint=hint))
    if "base_url" in body or server != EMBEDDED:
        _refuse_embedded_keys(document, body, where)
    _check_history(document, body, where)
    return len(document.problems) == before


def _is_retired(body: Mapping[str, Any]) -> bool:
    """Whether the target is one of the places where the Assistants API was."""
    if body["api"] != _ASSISTANTS_API or body.get("server") == EMBEDDED:
        return False
    try:
        host = urlsplit(str(body["base_url"])).hostname or "" if "base_url" in body else None
    except ValueError:
        return False
    return host is None or is_openai(host) or is_azure(host)


def _refuse_embedded_keys(document: Document, body: Mapping[str, Any], where: Where) -> None:
    for key, words in (("inference", "an inference"), ("sandbox", "a sandbox")):
        if key in body:
            message = f"only the embedded server has {words}"
            hint = f"use `server: embedded`, or remove {key}"
            document.report(Mistake(where=(*where, key), at_key=True, message=message, hint=hint))


def _check_history(document: Document, body: Mapping[str, Any], where: Where) -> None:
    for key in ("history", "background"):
        if key in body and body["api"] != _RESPONSES_API:
            message = f"`{key}` is for `api: {_RESPONSES_API}`"
            document.report(Mistake(where=(*where, key), at_key=True, message=message, hint=f"remove {key}"))
    if body.get("background") and body.get("history") == History.REPLAY.value:
        message = "a server that keeps nothing can't work in the background"
        document.report(Mistake(where=(*where, "background"), message=message, hint="remove background"))
