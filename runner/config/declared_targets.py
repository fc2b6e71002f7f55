"""`targets` and `target`: where the file's assistants can run, what answers there, and which key goes there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runner.config.paths import Reporting, find_file
from runner.did_you_mean import quote, suggest
from runner.domain.assistant import (
    ByName,
    ChatEndpoint,
    History,
    InferenceChoice,
    JudgeChoice,
    Project,
    SandboxName,
    Scripted,
    Server,
    Target,
)
from runner.domain.hosts import AddressFault, find_address_fault, host_of, is_azure, is_open_road, is_openai
from runner.errors import Location, UsageError
from runner.plugins import plugin_names
from runner.yaml_text.reading import TEXT, Json, choice, field, mapping, text
from runner.yaml_text.yaml_document import Where, YamlDocument, show_flow

EMBEDDED = "embedded"
_ENDPOINT_EXAMPLE = '{base_url: "http://127.0.0.1:11434/v1", model: llama3.2}'
_ASSISTANTS_API = "assistants"
_RESPONSES_API = "responses"
_FOUNDRY_API = "foundry"

_ENDPOINT_KEYS = ("base_url", "model", "key_env", "embedding_model", "slots")
OPENAI_KEY = "OPENAI_API_KEY"
"""The environment variable with OpenAI's key, wherever OpenAI's SDK is used."""
_AZURE_PATH = re.compile(r"/openai/v1/?$")
_PROJECT_PATH = re.compile(r"/api/projects/[^/]+/?$")


def read_targets(document: YamlDocument, settings: Mapping[str, Any], root: Path) -> dict[str, Target]:
    """The declared targets and the built-in one, by name."""
    first_line = Location(document.file, 1, 1)
    targets = {EMBEDDED: Target(name=EMBEDDED, api=_ASSISTANTS_API, server=Server.EMBEDDED, location=first_line)}
    declared = settings.get("targets")
    for name, body in declared.items() if isinstance(declared, dict) else ():
        where = ("targets", name)
        if name == EMBEDDED:
            document.report(where, "the target 'embedded' is built in", "give this one another name", at_key=True)
        elif document.is_sound(where) and _is_consistent(document, body, where):
            inference = read_inference(document, body, where, root)
            faults = _find_named(document, body, (*where, "faults"), root)
            if inference is not None:
                target = _make_target(name, body, document.location(where, at_key=True), inference)
                targets[name] = replace(target, faults=faults)
    return targets


def _find_named(document: YamlDocument, body: Mapping[str, Any], where: Where, root: Path) -> Path | None:
    """The file that the last key of `where` names; None if it isn't there, or can't be used, which is reported."""
    found: Path | None = None
    if where[-1] in body:
        with Reporting(document, where):
            found = find_file(str(body[str(where[-1])]), folder=document.folder, root=root)
    return found


def find_target(project: Project, name: str | None) -> Target:
    """The target called `name`, or the file's default. Raises UsageError if there is none."""
    wanted = name or project.default_target
    if wanted in project.targets:
        return project.targets[wanted]
    hint = suggest_target(wanted, project.targets)
    raise UsageError(f"unknown target {quote(wanted)}" + (f"; {hint}" if hint else ""))


def suggest_target(wanted: str, names: Iterable[str]) -> str:
    """A hint for the name of a target that is not declared."""
    if wanted == Server.OPENAI.value:
        return "declare it: `targets: {openai: {api: responses}}`"
    return suggest(wanted, names, kind="there is")


def read_default_target(document: YamlDocument, settings: Mapping[str, Any]) -> str:
    """The name of the target that is used when nobody says otherwise."""
    wanted = settings.get("target", EMBEDDED)
    declared = settings.get("targets")
    names = [EMBEDDED, *(declared if isinstance(declared, dict) else ())]
    if document.is_sound(("target",)) and wanted not in names:
        document.report(("target",), f"unknown target {quote(str(wanted))}", suggest_target(str(wanted), names))
    return str(wanted)


def target_schema() -> Json:
    """One of `targets`."""
    base_url = "Another server that speaks the API: its address, up to /v1."
    faults = "A file of what is to go wrong on the embedded server's connections."
    keys = {
        "api": choice(plugin_names("runner.backends"), "api", "Which API to speak.", "responses"),
        "server": choice(
            ["embedded", "openai"],
            "server",
            "Who answers: the embedded server, or api.openai.com. It excludes `base_url`.",
            "embedded",
            default="openai",
        ),
        "base_url": text(base_url, "https://models.example.org/v1", longest=2000),
        "key_env": _key_schema(),
        "inference": _inference_schema(),
        "sandbox": choice(
            [one.value for one in SandboxName],
            "sandbox",
            "What runs the code interpreter's code on the embedded server; wasi needs the extra of that name.",
            "wasi",
            default=SandboxName.MONTY.value,
        ),
        "faults": text(faults, "faults.yaml"),
        "history": choice(
            [one.value for one in History],
            "history",
            "Who remembers what was said: the server, or runner, for servers that keep nothing.",
            "replay",
            default=History.CONVERSATION.value,
        ),
        "background": field(
            "boolean", "Start each run and look at it from time to time, instead of streaming it.", True, default=False
        ),
        "token_command": field(
            "array",
            "A program and its arguments, run without a shell, that prints a token for `api: foundry`.",
            ["az", "account", "get-access-token", "--resource", "https://ai.azure.com"],
            items={**TEXT, "maxLength": 4096},
            minItems=1,
            maxItems=64,
        ),
    }
    return mapping(keys, required=["api"], description="An API at an address, with a key.")


def inferences_by_name() -> tuple[str, ...]:
    """The inferences that need no settings: any plug-in but those that are written as a mapping."""
    return tuple(
        name for name in plugin_names("runner.server.inference") if name not in ("openai_compatible", "scripted")
    )


def _inference_schema() -> Json:
    script = "A YAML file with the model's moves, relative to this file."
    base_url = "A chat-completions endpoint: its address, up to /v1."
    model = "The model to ask for, instead of each assistant's own."
    endpoint = {
        "scripted": text(script, "moves.yaml", longest=4096),
        "base_url": text(base_url, "http://127.0.0.1:11434/v1", longest=2000),
        "model": text(model, "llama3.2", longest=256),
        "key_env": _key_schema(),
        "embedding_model": text(
            "A model of the endpoint's /embeddings, or `local` for a small one (the extra `semantic`): file search then"
            " goes by meaning, too.",
            "nomic-embed-text",
            longest=256,
        ),
        "slots": field(
            "integer",
            "How many runs the endpoint works on at once: no more scenarios are played at once, and what waits for"
            " another's run is not on its own `timeout`.",
            1,
            minimum=1,
            maximum=256,
        ),
    }
    shown = ["offline", {"scripted": "FILE"}, {"base_url": "ADDRESS", "model": "NAME"}]
    return {
        "anyOf": [
            {"enum": list(inferences_by_name()), "title": "inference", "examples": shown},
            mapping(endpoint, minProperties=1),
        ],
        "default": "offline",
        "examples": [{"base_url": "http://127.0.0.1:11434/v1", "model": "llama3.2"}],
        "description": "What says what to do next on the embedded server: rules, a script, or a language model.",
    }


def _key_schema() -> Json:
    description = "The name of the environment variable that holds the key."
    return field("string", description, "MODELS_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")


_DATED = re.compile(r"\d{4}-?\d{2}-?\d{2}|@sha256:|@\d")
DECISIONS_MODEL = "gpt-6-luna"
"""The only one that OpenAI's Decisions API takes; it has no dated name there."""


def judge_schema() -> Json:
    """What stands under `judge`."""

    def name(description: str, example: str) -> Json:
        return field("string", description, example, pattern=r"^\S+$", maxLength=256)

    keys = {
        "target": name("One of `targets`, with `api: responses`.", "openai"),
        "model": name("The model's name, with its date: one word.", "gpt-6-luna-2026-09-10"),
        "decisions": field(
            "boolean",
            "Whether to ask by the Decisions API. By default on the embedded server, and for gpt-6-luna at OpenAI;"
            " elsewhere structured output is asked for.",
            True,
        ),
    }
    return mapping(
        keys,
        required=["target", "model"],
        examples=[{"target": "openai", "model": "gpt-6-luna"}],
        description="Which model judges answers for the checks judge, factual and goal.",
    )


def read_judge(
    document: YamlDocument, settings: Mapping[str, Any], targets: Mapping[str, Target]
) -> JudgeChoice | None:
    """Which model judges; None if none does, or after reporting why it can't."""
    body = settings.get("judge")
    if not isinstance(body, dict) or not document.is_sound(("judge",)):
        return None
    name, model = str(body["target"]), str(body["model"])
    target = targets.get(name)
    if target is None:
        declared = settings.get("targets")
        if not (isinstance(declared, dict) and name in declared):
            document.report(("judge", "target"), f"unknown target {quote(name)}", suggest_target(name, targets))
        return None
    if fault := _find_fault_as_judge(target):
        message, hint = fault
        document.report(("judge", "target"), message, hint)
        return None
    uses_decisions = body.get("decisions", target.server is Server.EMBEDDED or _is_openai(target, model))
    if _needs_date(target) and not _DATED.search(model) and not (uses_decisions and _is_openai(target, model)):
        message = f"{quote(model)} is not dated, so the judge may change from one day to the next"
        document.report(("judge", "model"), message, "name a dated model, as in gpt-6-luna-2026-09-10")
        return None
    endpoint = target.inference
    if isinstance(endpoint, ChatEndpoint) and endpoint.model not in (None, model):
        message = f"{quote(name)} is answered by {quote(endpoint.model or '')}, whatever model is named"
        hint = f"write `model: {endpoint.model}`, or leave `model` out of its `inference`"
        document.report(("judge", "model"), message, hint)
        return None
    location = document.location(("judge",), at_key=True)
    return JudgeChoice(target=name, model=model, uses_decisions=uses_decisions, location=location)


def _find_fault_as_judge(target: Target) -> tuple[str, str] | None:
    if target.api != _RESPONSES_API:
        return f"a judge needs a target with `api: {_RESPONSES_API}`; {quote(target.name)} has {target.api}", ""
    if target.server is Server.EMBEDDED and target.inference == ByName():
        hint = "give the target another `inference`, or name one that a language model answers"
        return f"{quote(target.name)} is answered by offline rules, which never judge", hint
    return None


def _is_openai(target: Target, model: str) -> bool:
    return target.server is Server.OPENAI and model == DECISIONS_MODEL


def _needs_date(target: Target) -> bool:
    """Whether models change there behind their names: a server of one's own has the one that was put there."""
    if target.server is Server.BASE_URL:
        host = host_of(target.base_url or "")
        return is_openai(host) or is_azure(host)
    return not isinstance(target.inference, ChatEndpoint | Scripted)


def _make_target(name: str, body: Mapping[str, Any], location: Location, inference: InferenceChoice) -> Target:
    base_url = body.get("base_url")
    server = Server.BASE_URL if base_url else Server(body.get("server", Server.OPENAI.value))
    return Target(
        name=name,
        api=body["api"],
        server=server,
        location=location,
        base_url=base_url,
        key_variable=None if server is Server.EMBEDDED else key_variable(body),
        inference=inference,
        sandbox=SandboxName(body.get("sandbox", SandboxName.MONTY.value)),
        history=History(body.get("history", History.CONVERSATION.value)),
        background=body.get("background", False),
        token_command=tuple(body.get("token_command", ())),
    )


def _is_consistent(document: YamlDocument, body: Mapping[str, Any], where: Where) -> bool:
    """Whether the keys of a target go together; reports what doesn't."""
    before = len(document.problems)
    server = body.get("server")
    if "base_url" in body:
        if server is not None:
            message = f"`base_url` and `server: {server}` exclude each other"
            document.report((*where, "server"), message, "remove one of them", at_key=True)
        if check_url(document, str(body["base_url"]), (*where, "base_url")):
            check_key_place(document, body, where)
    elif server == EMBEDDED and "key_env" in body:
        hint = "remove key_env; the key of a language model behind it goes under `inference`"
        document.report((*where, "key_env"), "the embedded server needs no key", hint, at_key=True)
    if _is_retired(body):
        hint = "use its successor `api: responses`, `server: embedded`, or `base_url` for a server that still speaks it"
        document.report((*where, "api"), "OpenAI shut the Assistants API down on 2026-08-26", hint)
    if "base_url" in body or server != EMBEDDED:
        _refuse_embedded_keys(document, body, where)
    _check_history(document, body, where)
    _check_foundry(document, body, where)
    return len(document.problems) == before


def _is_retired(body: Mapping[str, Any]) -> bool:
    """Whether the target is one of the places where the Assistants API was."""
    if body["api"] != _ASSISTANTS_API or body.get("server") == EMBEDDED:
        return False
    host = host_of(str(body["base_url"])) if "base_url" in body else None
    return host is None or is_openai(host) or is_azure(host)


def _refuse_embedded_keys(document: YamlDocument, body: Mapping[str, Any], where: Where) -> None:
    is_elsewhere = "base_url" in body or "server" in body
    for key, words in (("inference", "an inference"), ("sandbox", "a sandbox"), ("faults", "faults")):
        if key in body:
            message = f"only the embedded server has {words}"
            hint = f"use `server: embedded`, or remove {key}"
            if key == "inference" and not is_elsewhere:
                hint = f"write `{show_embedded_target(str(where[-1]), body)}`"
            document.report((*where, key), message, hint, at_key=True)


def show_embedded_target(name: str, body: Mapping[str, object]) -> str:
    """A target of the embedded server that has the `inference` of `body`, finished."""
    api = body.get("api", "responses")
    return f"{name}: {{api: {api}, server: embedded, inference: {show_inference(body.get('inference'))}}}"


def show_inference(value: object) -> str:
    """An `inference` as it is written on one line: the given one where it is complete, else an example."""
    if isinstance(value, dict) and ("base_url" in value or "scripted" in value):
        return show_flow(value)
    return str(value) if value in ("offline",) else "{scripted: FILE}" if value == "scripted" else _ENDPOINT_EXAMPLE


def _check_history(document: YamlDocument, body: Mapping[str, Any], where: Where) -> None:
    for key in ("history", "background"):
        if key in body and body["api"] != _RESPONSES_API:
            document.report((*where, key), f"`{key}` is for `api: {_RESPONSES_API}`", f"remove {key}", at_key=True)
    if body.get("background") and body.get("history") == History.REPLAY.value:
        message = "a server that keeps nothing can't work in the background"
        document.report((*where, "background"), message, "remove background")


def _check_foundry(document: YamlDocument, body: Mapping[str, Any], where: Where) -> None:
    """Reports a project that is not named, and a command for a token where none goes."""
    is_foundry = body["api"] == _FOUNDRY_API
    if is_foundry and "base_url" not in body and body.get("server") != EMBEDDED:
        hint = "add `base_url: https://RESOURCE.services.ai.azure.com/api/projects/PROJECT`, or use `server: embedded`"
        document.report((*where, "api"), "Foundry's agents are at the address of a project", hint)
    if "token_command" not in body:
        return
    there = (*where, "token_command")
    if not is_foundry or "base_url" not in body:
        message = f"`token_command` is for `api: {_FOUNDRY_API}` with a `base_url`"
        document.report(there, message, "remove token_command", at_key=True)
    elif "key_env" in body:
        document.report(there, "`token_command` and `key_env` exclude each other", "remove one of them", at_key=True)
    elif is_open_road(str(body["base_url"])):
        message = f"the token would go to '{host_of(str(body['base_url']))}' unencrypted"
        document.report((*where, "base_url"), message, "use https")


def read_inference(document: YamlDocument, body: Mapping[str, Any], where: Where, root: Path) -> InferenceChoice | None:
    """The choice of the target at `where`; None after reporting what is wrong with it."""
    written = body.get("inference")
    where = (*where, "inference")
    if not isinstance(written, dict):
        return ByName(name=written or ByName().name)
    if "scripted" in written:
        return _read_script(document, written, where, root)
    if "base_url" not in written:
        hint = "write offline, {scripted: FILE} or {base_url: ADDRESS, model: NAME}"
        document.report(where, "the key 'base_url' is missing", hint, at_key=True)
        return None
    if not check_url(document, str(written["base_url"]), (*where, "base_url")):
        return None
    check_key_place(document, written, where)
    return ChatEndpoint(
        base_url=written["base_url"],
        model=written.get("model"),
        key_variable=key_variable(written),
        embedding_model=written.get("embedding_model"),
        slots=written.get("slots"),
    )


def _read_script(document: YamlDocument, written: Mapping[str, Any], where: Where, root: Path) -> Scripted | None:
    for key in _ENDPOINT_KEYS:
        if key in written:
            message = f"`scripted` and `{key}` exclude each other"
            document.report((*where, key), message, "remove one of them", at_key=True)
            return None
    script = _find_named(document, written, (*where, "scripted"), root)
    return None if script is None else Scripted(script=script)


def check_url(document: YamlDocument, url: str, where: Where) -> bool:
    """Whether a text is the address of a server; reports what is wrong with it."""
    fault = find_address_fault(url)
    if fault is not None:
        hint = {
            AddressFault.NO_ADDRESS: "write it as in http://127.0.0.1:8000/v1",
            AddressFault.PASSWORD: "put the key into an environment variable, and its name into key_env",
        }.get(fault, "end it before that")
        document.report(where, f"this {fault.value}", hint)
    return fault is None


def key_variable(body: Mapping[str, Any]) -> str | None:
    """The environment variable with the key for the `base_url` of a mapping, or for OpenAI; None: no key is sent."""
    named: str | None = body.get("key_env")
    return named or (OPENAI_KEY if "base_url" not in body or is_openai(host_of(str(body["base_url"]))) else None)


def check_key_place(document: YamlDocument, body: Mapping[str, Any], where: Where) -> None:
    """Reports a key that would go where it doesn't belong, or unencrypted; and what is known to be wrong on Azure.

    `body` has a `base_url` that is an address.
    """
    url, variable = str(body["base_url"]), key_variable(body)
    host = host_of(url)
    if variable == OPENAI_KEY and not is_openai(host):
        hint = "put the key of that server into a variable of its own, and name it here"
        document.report((*where, "key_env"), f"{OPENAI_KEY} holds the key for OpenAI, which '{host}' is not", hint)
    if variable is not None and is_open_road(url):
        document.report((*where, "base_url"), f"the key in {variable} would go to '{host}' unencrypted", "use https")
    if not is_azure(host):
        return
    is_foundry = body.get("api") == _FOUNDRY_API
    pattern, path, message = (
        (_PROJECT_PATH, "/api/projects/PROJECT", "this is no address of a project")
        if is_foundry
        else (_AZURE_PATH, "/openai/v1/", "Azure's API is at /openai/v1/")
    )
    if not pattern.search(urlsplit(url).path):
        document.report((*where, "base_url"), message, f"write https://{host}{path}")
    if variable is None and not is_foundry:
        hint = "add key_env with the name of the environment variable that holds it"
        document.report((*where, "base_url"), "Azure wants a key", hint)
