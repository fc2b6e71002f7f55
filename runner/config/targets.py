"""`targets` and `target`: where the file's assistants can run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from runner.config.document import Document, Mistake, Where
from runner.config.suggest import quote, suggest
from runner.domain.assistant import Server, Target
from runner.domain.location import Location

EMBEDDED = "embedded"
_ASSISTANTS_API = "assistants"


def read_targets(document: Document, settings: Mapping[str, Any]) -> dict[str, Target]:
    """The declared targets and the built-in one, by name."""
    targets = {EMBEDDED: _built_in_target(document.file)}
    declared = settings.get("targets")
    for name, body in declared.items() if isinstance(declared, dict) else ():
        where = ("targets", name)
        if name == EMBEDDED:
            hint = "give this one another name"
            document.report(Mistake(where=where, at_key=True, message="the target 'embedded' is built in", hint=hint))
        elif document.is_sound(where) and _is_consistent(document, body, where):
            targets[name] = _make_target(name, body, document.location(where, at_key=True))
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


def _make_target(name: str, body: Mapping[str, Any], location: Location) -> Target:
    base_url = body.get("base_url")
    return Target(
        name=name,
        api=body["api"],
        server=Server.BASE_URL if base_url else Server(body.get("server", Server.OPENAI.value)),
        location=location,
        base_url=base_url,
        key_variable=body.get("key_env"),
    )


def _is_consistent(document: Document, body: Mapping[str, Any], where: Where) -> bool:
    """Whether the keys of a target go together; reports what doesn't."""
    before = len(document.problems)
    server = body.get("server")
    if "base_url" in body:
        if server is not None:
            message = f"`base_url` and `server: {server}` exclude each other"
            document.report(Mistake(where=(*where, "server"), at_key=True, message=message, hint="remove one of them"))
        _check_url(document, str(body["base_url"]), (*where, "base_url"))
    elif server == EMBEDDED and "key_env" in body:
        message = "the embedded server needs no key"
        document.report(Mistake(where=(*where, "key_env"), at_key=True, message=message, hint="remove key_env"))
    elif server != EMBEDDED and body["api"] == _ASSISTANTS_API:
        message = "OpenAI shut the Assistants API down on 2026-08-26"
        hint = "use `server: embedded`, or `base_url` for a server that still speaks it"
        document.report(Mistake(where=(*where, "api"), message=message, hint=hint))
    return len(document.problems) == before


def _check_url(document: Document, url: str, where: Where) -> None:
    mistake = None
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        mistake = Mistake(where=where, message=f"this is no address: {error}")
    else:
        if parts.scheme not in ("http", "https") or not has_host or not url.isprintable() or " " in url:
            hint = "write it as in http://127.0.0.1:8000/v1"
            mistake = Mistake(where=where, message="this is no address of a server", hint=hint)
        elif parts.username or parts.password:
            hint = "put the key into an environment variable, and its name into key_env"
            mistake = Mistake(where=where, message="an address must not hold a name or password", hint=hint)
        elif parts.query or parts.fragment:
            mistake = Mistake(where=where, message="an address must end before '?' and '#'")
    if mistake:
        document.report(mistake)
