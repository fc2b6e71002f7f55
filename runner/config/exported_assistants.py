"""Exported assistants, as each API's `retrieve` prints them, in one set of words: those of the Assistants API.

An object is told by what is in it. OpenAI's assistants, of today and of 2023, and Azure's classic agents have the words
already; OpenAI's agents and Azure AI Foundry's agents are put into them, defaults that the API fills in left out. What
has no place there is kept under its own key, for the reader to tell. Sources: openai 3.57.0 (`types/beta`),
azure-ai-projects 2.10.0, azure-ai-agents 1.1.0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeGuard

from runner.config.declared_assistants import JSON_SCHEMA
from runner.config.declared_tools import RETRIEVAL
from runner.domain.assistant import PlainFormat, ToolName
from runner.errors import UsageError
from runner.yaml_text.yaml_document import read_decimal

Json = Mapping[str, object]
Body = dict[str, object]

_HOSTED = {name.value: name.value for name in ToolName} | {
    RETRIEVAL: ToolName.FILE_SEARCH.value,
    "web_search_preview": ToolName.WEB_SEARCH.value,
}
_AGENT_DEFAULTS: Json = {
    "text": {"verbosity": "medium"},
    "service_tier": "auto",
    "multi_agent": {"enabled": False},
    "compaction": {"async": False},
    "experimental": {"time_awareness": False},
}
_FOUNDRY_DEFAULTS: Json = {"status": "active", "draft": False, "tool_choice": "auto"}
_KINDS = frozenset("prompt hosted workflow external voice".split())
_FOUNDRY_OWN = frozenset(
    "object id kind version versions definition instance_identity blueprint blueprint_reference agent_guid".split()
)
"""What says which object it is, and under which identity Azure runs it; not what it does."""
_FUNCTION_DEFAULTS: Json = {"defer_loading": False, "async": False}
_ENABLED = frozenset({"state", "configuration_state"})
_ALIASES = {"async_": "async", "schema_": "schema"}
"""Names that are no names in Python, as `model_dump_json` of OpenAI's client writes them."""
_LIMITS = dict.fromkeys(("max_tokens", "max_completion_tokens"), "max_output_tokens")
_ERROR_CODE = re.compile(r"[\w.-]{1,60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One assistant. `handle` is what its API knows it by, "" if that isn't said; `version` of those that have some."""

    body: Json
    handle: str = ""
    version: str = ""
    notes: tuple[str, ...] = ()


def read_export(raw: bytes, *, file: str) -> tuple[Export, ...]:
    """The assistants in an export: one object, a list response, or a bare list. Raises UsageError, in one line."""
    try:
        value = parse_json(raw)
    except json.JSONDecodeError as error:
        raise UsageError(f"{file}:{error.lineno}:{error.colno}: this is not JSON: {error.msg}") from error
    except ValueError as error:
        raise UsageError(f"{file}: this is not JSON that can be read: {_explain_unreadable(error)}") from error
    page = value if isinstance(value, dict) and isinstance(value.get("data"), list) else {"data": value}
    items = page["data"] if isinstance(page["data"], list) else [page["data"]]
    if not items:
        raise UsageError(f"{file}: there is no assistant in it")
    found = []
    for number, item in enumerate(items, 1):
        try:
            found.append(_read_one(item))
        except UsageError as error:
            where = f"{file}: " if len(items) == 1 else f"{file}: number {number} of {len(items)}: "
            raise UsageError(f"{where}{error}") from error
    found = list(_keep_newest(found))
    if page.get("has_more") is True:
        note = "its list goes on after this one (`has_more`): export the next page too"
        found[-1] = replace(found[-1], notes=(*found[-1].notes, note))
    return tuple(found)


def parse_json(raw: str | bytes) -> Any:
    """JSON whose fractions are Decimals. Raises ValueError for all that can't be read, be it nested too deep."""
    try:
        return json.loads(raw, parse_float=_read_decimal, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _read_one(item: object) -> Export:
    if not isinstance(item, dict):
        raise UsageError("an assistant's object was expected")
    kind = item.get("object")
    if any(isinstance(item.get(key), dict) for key in ("definition", "versions")) or _text(item, "kind") in _KINDS:
        export = _read_foundry(item)
    elif kind == "agent":
        export = _read_agent(item)
    elif kind in (None, "assistant"):
        export = Export(body=_strip(item), handle=_text(item, "id"))
    else:
        raise UsageError(f"this is an object of type {str(kind)[:40]!r}, not an assistant")
    if not isinstance(export.body.get("model"), str):
        raise UsageError(f"{_explain_error(item)}it has no 'model', so it is no assistant")
    return replace(export, body=settle(export.body))


def _read_agent(item: Json) -> Export:
    """An agent of OpenAI's: `client.beta.agents.retrieve`."""
    body = {key: value for key, value in _strip(item).items() if key != "updated_at"}
    _take_format(body)
    return Export(body=_leave_out(body, _AGENT_DEFAULTS), handle=_text(item, "id"))


def _read_foundry(item: Json) -> Export:
    """An agent of Azure AI Foundry with its latest version, one version, or a definition by itself."""
    version = as_mapping(as_mapping(item.get("versions")).get("latest")) or item
    definition = as_mapping(version.get("definition")) or version
    kind = definition.get("kind", "prompt")
    name = _text(version, "name") or _text(item, "name")
    if kind != "prompt":
        whose = f" ('{name[:40]}')" if name else ""
        raise UsageError(f"this is an agent of kind {str(kind)[:40]!r}{whose}; only a 'prompt' agent can be declared")
    outer = {**_strip(item), **_strip(version)}
    body = {key: value for key, value in outer.items() if key not in _FOUNDRY_OWN}
    body |= {key: value for key, value in _strip(definition).items() if key not in _FOUNDRY_OWN}
    _take_format(body)
    body = {key: value for key, value in body.items() if key not in _ENABLED or value != "enabled"}
    return Export(body=_leave_out(body, _FOUNDRY_DEFAULTS), handle=name, version=_text(version, "version"))


def settle(body: Json) -> Body:
    """The same, with formats, reasoning and tools as the Assistants API writes them."""
    settled = {_LIMITS.get(key, key): value for key, value in body.items()}
    if isinstance(body.get("reasoning"), dict):
        reasoning = _strip(as_mapping(body["reasoning"]))
        settled["reasoning_effort"] = reasoning.pop("effort", None)
        settled["reasoning"] = reasoning
    settled["response_format"] = _settle_format(body.get("response_format"))
    tools = body.get("tools")
    if not isinstance(tools, list):
        return settled
    settled["tools"] = [_settle_tool(one) if isinstance(one, dict) else one for one in tools]
    resources = dict(as_mapping(body.get("tool_resources")))
    for one in tools:
        for key, files in _find_files(one) if isinstance(one, dict) else ():
            earlier = as_mapping(resources.get(key))
            resources[key] = {**earlier, **{name: [*as_items(earlier.get(name)), *ids] for name, ids in files.items()}}
    return settled | ({"tool_resources": resources} if resources else {})


def _take_format(body: Body) -> None:
    """Out of `text`; plain text is what these APIs print where nothing was said."""
    text = body.get("text")
    if isinstance(text, dict):
        found = text.get("format")
        body["response_format"] = None if found == {"type": PlainFormat.TEXT.value} else found
        body["text"] = {key: value for key, value in text.items() if key != "format"}


def _settle_format(written: object) -> object:
    if not isinstance(written, dict):
        return written
    said = _strip(written)
    if said.get("type") != JSON_SCHEMA:
        return said
    named = said.get(JSON_SCHEMA)
    if isinstance(named, dict):
        return {**said, JSON_SCHEMA: _strip(named)}
    return {"type": JSON_SCHEMA, JSON_SCHEMA: {key: value for key, value in said.items() if key != "type"}}


def _settle_tool(tool: Json) -> Json:
    """A tool with its options under its type: `{type: T, T: {...}}`, those of hosted tools by our names."""
    kind, said = tool.get("type"), _strip(tool)
    if not isinstance(kind, str):
        return tool
    nested = said.get(kind)
    flat = {key: value for key, value in said.items() if key not in ("type", kind)}
    if kind == "function":
        inner = _strip(nested) if isinstance(nested, dict) else nested
        return {"type": kind, kind: _leave_out(flat, _FUNCTION_DEFAULTS) if nested is None else inner}
    name = _HOSTED.get(kind)
    if name is None:
        return tool
    options: Body = {**flat, **(_strip(nested) if isinstance(nested, dict) else {})}
    settle = {"web_search": _settle_web_search, "mcp": _settle_mcp}.get(name, _take_out_files)
    settled = settle(options)
    return tool if settled is None else {"type": name, name: settled}


def _take_out_files(options: Body) -> Body:
    rest = {key: value for key, value in options.items() if key != "vector_store_ids"}
    container = rest.get("container")
    if isinstance(container, dict):
        kept = {key: value for key, value in _strip(container).items() if key not in ("type", "file_ids")}
        rest = {**rest, "container": kept}
    return {key: value for key, value in rest.items() if value not in ({}, [])}


def _find_files(tool: Json) -> Iterator[tuple[str, Mapping[str, list[object]]]]:
    """What a tool has that is declared beside the tools here."""
    if stores := as_items(tool.get("vector_store_ids")):
        yield "file_search", {"vector_store_ids": stores}
    if files := as_items(as_mapping(tool.get("container")).get("file_ids")):
        yield "code_interpreter", {"file_ids": files}


def _settle_web_search(options: Body) -> Body | None:
    """In the words of the Responses API; None where it is switched off."""
    said = dict(options)
    mode = said.pop("mode", "live")
    if mode not in ("live", "cached"):
        return None
    if mode == "cached":
        said["external_web_access"] = False
    for theirs, ours in (("context_size", "search_context_size"), ("location", "user_location")):
        if theirs in said:
            said[ours] = said.pop(theirs)
    filters = _strip(as_mapping(said.pop("filters", None)))
    said |= {"allowed_domains": filters.pop("allowed_domains")} if "allowed_domains" in filters else {}
    if isinstance(said.get("user_location"), dict):
        where = _strip(as_mapping(said["user_location"]))
        said["user_location"] = {key: value for key, value in where.items() if key != "type"}
    said |= {"filters": filters} if filters else {}
    return _leave_out(said, {"search_context_size": "medium", "external_web_access": True})


def _settle_mcp(options: Body) -> Body:
    said = dict(options)
    transport = _strip(as_mapping(said.pop("transport", None)))
    if transport.get("type") == "http":
        transport.pop("type")
    said |= transport
    defaults: Json = {"connection_origin": "service", "required": False, "defer_loading": False, "request_metadata": {}}
    said = _leave_out(said, {**defaults, "headers": {}})
    said |= {key: _settle_names(said[key]) for key in ("allowed_tools",) if key in said}
    approval = said.get("require_approval")
    if isinstance(approval, dict):
        said["require_approval"] = {word: _settle_names(names) for word, names in _strip(approval).items()}
    return said


def _settle_names(written: object) -> object:
    """A list of tools; a filter that says more than names stays as it is."""
    if isinstance(written, dict) and set(_strip(written)) == {"tool_names"}:
        return written["tool_names"]
    return written


def _keep_newest(found: list[Export]) -> Iterator[Export]:
    """Of several versions of one agent the newest alone; a draft only where there is nothing else."""
    for one in found:
        others = [other for other in found if one.version and other.version and other.handle == one.handle]
        newest = max(others, key=_age) if others else one
        if one is newest:
            left = ", ".join(other.version for other in others if other is not one)
            notes = (*one.notes, f"its other versions in the export were left out: {left}") if left else one.notes
            yield replace(one, notes=notes)


def _age(one: Export) -> tuple[bool, int]:
    return one.body.get("draft") is not True, int(one.version) if re.fullmatch(r"[0-9]{1,9}", one.version) else -1


def _leave_out(body: Json, defaults: Json) -> Body:
    """Without what is as the API has it where nothing is said."""
    return {
        key: value
        for key, value in body.items()
        if key not in defaults or (_strip(value) if isinstance(value, dict) else value) != defaults[key]
    }


def _strip(written: Json) -> Body:
    """Without what is null, by the names of the wire."""
    return {_ALIASES.get(key, key): value for key, value in written.items() if value is not None}


def as_mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def as_items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def is_number(value: object) -> TypeGuard[int | Decimal]:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _text(item: Json, key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""


def _explain_error(item: Json) -> str:
    """What an API said instead of an assistant, where that was saved."""
    error = item.get("error")
    if error is None:
        return ""
    code = as_mapping(error).get("code")
    known = f" '{code}'" if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""
    return f"this is an error{known} that the API answered; "


def _explain_unreadable(error: ValueError) -> str:
    if isinstance(error.__cause__, RecursionError):
        return str(error)
    return "it is no text in UTF-8" if isinstance(error, UnicodeDecodeError) else "a number in it is none, or too long"


def _read_decimal(text: str) -> Decimal:
    value = read_decimal(text)
    if not isinstance(value, Decimal):
        raise ValueError(f"{text[:40]} is out of range")
    return value


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number")
