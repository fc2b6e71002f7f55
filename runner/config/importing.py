"""An exported assistant as YAML for `assistants.yaml`.

What has no counterpart in our vocabulary becomes a comment, so that nothing is lost without a word. The values come
from a stranger: texts are written so that they are read back as they are, comments stay on one line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain, count
from shlex import quote
from typing import Any

from runner.config.declared_assistants import JSON_SCHEMA, KEY
from runner.config.declared_tools import RESERVED_NAMES, find_schema_obstacle
from runner.config.declared_tools import tool as make_tool_schema
from runner.config.exported_assistants import Export, as_mapping
from runner.config.file_schemas import EFFORTS, assistants_schema
from runner.config.writing import STEP, protect
from runner.domain.assistant import PlainFormat
from runner.domain.hosts import find_address_fault
from runner.json_schema import find_mismatch, find_misspelt
from runner.redaction import REPLACEMENT
from runner.yaml_text.yaml_document import as_json, show_comment, show_flow, show_lines

Json = Mapping[str, object]

LONGEST_NOTE = 2000
"""Characters of a comment; what is cut is said to be."""
_LONGEST_ADDRESS = 40
_SILENT = frozenset({"object", "created_at", "id"})
_DEFAULTS: Mapping[str, object] = {"temperature": 1, "top_p": 1}
_HANDLED = frozenset(
    "name model instructions tools tool_resources file_ids temperature top_p reasoning_effort response_format "
    "max_output_tokens metadata".split()
)
_LEFT_OUT_OF_MCP = ("authorization", "headers")
"""What may hold keys, whatever its name."""
_OF_FILES = frozenset({"file_ids", "file_search", "code_interpreter"})
FORMAT_NAME = "answer"
"""What a format is called here that has no name on its API."""
_OUR_TAGS = "runner."
_SECRET_NAME = re.compile(r"(?i)authorization|api.?key|token|secret|passw(?:or)?d|credential|cookie")
_SECRET_VALUE = re.compile(r"\b(?:sk|pk|rk|ghp|gho|xox[abp])[-_][A-Za-z0-9_-]{16,}|(?i:\bbearer\s+)[\w.~+/=-]{12,}")

_TARGETS = [
    "target: local",
    "targets:",
    "  local: {api: responses, server: embedded}  # needs no key",
    "  openai: {api: responses}                   # its key comes from OPENAI_API_KEY",
]
_JUDGE = [
    "# to be looked at: which model says whether answers are right",
    "judge: {target: openai, model: gpt-6-luna}",
]
UNANSWERED = "error: nobody has said yet how this function is answered"
"""What the model is told, in the words that tell it of any call that failed."""
_TO_DO = "    # to be replaced: `returns: VALUE`, `python: FILE.py:FUNCTION`, or `http: URL`"
_TO_BE_REPLACED = f"    returns: {show_flow(UNANSWERED)}"
"""Under `functions` only a function's keys begin in this column: blocks of text stand further to the right."""
_MAX_DEPTH = 16
_FUNCTION_KEYS = frozenset({"name", "description", "parameters", "strict"})
_NOTHING: tuple[object, ...] = (None, "", [], {})
_EMPTY = (*_NOTHING, False)
_NO_PARAMETERS: Json = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One assistant: its entry begins with its address, at the left margin, and ends with a newline.

    `lost` of its notes are about parts that have no counterpart here.
    """

    address: str
    entry: str
    notes: tuple[str, ...]
    lost: int = 0


@dataclass(slots=True)
class _Draft:
    """An entry while it is made: its value as our file has it. `clean` takes known secrets out of a text."""

    clean: Callable[[str], str]
    value: dict[str, object] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    lost: int = 0

    def hide(self, text: str) -> str:
        return hide_secrets(self.clean)(text)

    def text(self, key: str, value: str) -> str:
        """The same, which a note is about if there is a secret in it."""
        if self.hide(value) != value:
            self.notes.append(f"{key}: what looks like a secret was taken out")
        return value

    def note(self, what: str, value: object) -> None:
        said = json.dumps(_hide_named(value), ensure_ascii=False, default=str)
        self.notes.append(f"{what}: {self.hide(cut_note(said))}")
        self.lost += 1

    def lines(self) -> Iterator[str]:
        """Its YAML, at the left margin, with notes for where there is something to do."""
        yield from map(show_comment, self.notes)
        for key, value in self.value.items():
            for line in show_lines({key: value}, lambda text: protect(self.hide(text))):
                yield from [_TO_DO, line] if key == "functions" and line == _TO_BE_REPLACED else [line]


def cut_note(said: str) -> str:
    return said if len(said) <= LONGEST_NOTE else f"{said[:LONGEST_NOTE]}... ({len(said):,} characters in all)"


def indent_lines(lines: Iterable[str], by: int) -> Iterator[str]:
    """Lines, or blocks of them, further to the right."""
    return (f"{' ' * by}{line}" if line else "" for block in lines for line in block.split("\n"))


def _fields(part: str) -> Mapping[str, Any]:
    """The schemas of what our file has for an assistant, a tool or a function."""
    fields: Mapping[str, Any] = assistants_schema()["$defs"][part]["properties"]
    return fields


def hide_secrets(clean: Callable[[str], str]) -> Callable[[str], str]:
    """What takes out of a text the secrets that `clean` knows by value, and what looks like one."""
    return lambda text: _SECRET_VALUE.sub(REPLACEMENT, clean(text))


def import_assistants(
    exports: Iterable[Export], *, address: str | None, taken: Iterable[str], clean: Callable[[str], str]
) -> tuple[Imported, ...]:
    """The entries of exported assistants. `address` is for a single one; otherwise their names make theirs.

    `taken` are addresses that are in use already; `clean` takes secrets that are known by value out of a text.
    """
    used = {one.casefold() for one in taken}
    found = []
    for export in exports:
        own = address or _make_address(clean(str(export.body.get("name") or "")), used)
        used.add(own.casefold())
        found.append(_import_one(export, own, _Draft(clean)))
    return tuple(found)


def write_project(namespace: str, imported: Iterable[Imported], *, needs_judge: bool | None = None) -> str:
    """A whole `assistants.yaml`. `needs_judge` is None where no tests come along: with them it has targets, too."""
    entries = list(indent_lines((one.entry for one in imported), STEP))
    places = [] if needs_judge is None else [*_TARGETS, *_JUDGE] if needs_judge else _TARGETS
    return "\n".join(["version: 1", f"namespace: {namespace}", *places, "", "assistants:", *entries[:-1]]) + "\n"


def _import_one(export: Export, address: str, draft: _Draft) -> Imported:
    body = export.body
    if export.handle:
        which = f"{export.handle}, version {export.version}" if export.version else export.handle
        verb = f"`runner adopt {address} {quote(export.handle)}` takes that one over"
        draft.notes.append(draft.hide(f"from {which}; {verb}"))
    draft.notes += map(draft.hide, export.notes)
    for key in ("name", "model", "instructions"):
        value = body.get(key)
        if isinstance(value, str) and value.strip():
            draft.value[key] = draft.text(key, value.strip())
        elif value not in (None, ""):
            draft.note(key, value)
    _add_tools(body.get("tools"), draft)
    _add_functions(body.get("tools"), draft)
    _add_numbers(body, draft)
    effort = body.get("reasoning_effort")
    if effort in EFFORTS:
        draft.value["reasoning"] = {"effort": effort}
    elif effort is not None:
        draft.note("reasoning_effort", effort)
    _add_format(body.get("response_format"), draft)
    _add_metadata(body.get("metadata"), draft)
    _note_files(body, draft)
    for key, value in body.items():
        if key not in _HANDLED | _SILENT and value not in (None, "", [], {}) and value != _DEFAULTS.get(key):
            draft.note(f"{key} has no counterpart here", value)
    entry = "\n".join([f"{address}:", *indent_lines(draft.lines(), STEP)]) + "\n"
    return Imported(address=address, entry=entry, notes=tuple(draft.notes), lost=draft.lost)


def _add_tools(written: object, draft: _Draft) -> None:
    schemas = make_tool_schema()["anyOf"][1]["properties"]
    shown: dict[tuple[str, object], tuple[str, Json]] = {}
    for one in written if isinstance(written, list) else []:
        kind = one.get("type") if isinstance(one, dict) else None
        if kind == "function":
            continue
        said = one.get(kind, {}) if isinstance(kind, str) and kind in schemas else None
        if not isinstance(said, dict):
            draft.note("a tool without counterpart", one)
            continue
        options = _choose_options(said, schemas[kind]["properties"])
        key = (str(kind), options.get("server_label"))
        if obstacle := "it is there twice" if key in shown else _find_tool_obstacle(said, options, schemas[kind]):
            draft.note(f"a tool left out ({obstacle})", one)
            continue
        shown[key] = (key[0], options)
        _note_options(key[0], said, options, draft)
    if shown:
        draft.value["tools"] = [{name: options} if options else name for name, options in shown.values()]


def _choose_options(said: Json, fields: Mapping[str, Any]) -> dict[str, object]:
    """Those that the schema of ours takes, each by itself."""
    chosen = {
        key: value
        for key, value in said.items()
        if key in fields and key not in _LEFT_OUT_OF_MCP and not find_mismatch(as_json(value), fields[key])
    }
    approval = chosen.get("require_approval")
    if isinstance(approval, dict):
        named = [name for names in approval.values() for name in names]
        allowed = chosen.get("allowed_tools", named)
        if len(set(named)) < len(named) or not set(named) <= set(allowed if isinstance(allowed, list) else ()):
            del chosen["require_approval"]
    return chosen


def _find_tool_obstacle(said: Json, options: Json, schema: Mapping[str, Any]) -> str:
    """Why a tool can't be declared; "" if it can."""
    for key in schema.get("required", ()):
        if key not in options:
            return f"it has no `{key}` that fits"
    if "allowed_tools" in said and "allowed_tools" not in options:
        return "which tools of its server it may use can't be declared, and it would have them all"
    fault = find_address_fault(str(options["server_url"])) if "server_url" in options else None
    return f"its address {fault.value}" if fault else ""


def _note_options(name: str, said: Json, options: Json, draft: _Draft) -> None:
    whose = f"the MCP server {options['server_label']}" if "server_label" in options else name
    if sent := [key for key in _LEFT_OUT_OF_MCP if key in said]:
        draft.notes.append(
            f"what {whose} is sent was left out ({', '.join(sent)}); write it under the same key, "
            "with ${secret:NAME} in the place of a key"
        )
    if rest := {key: value for key, value in said.items() if key not in options and key not in sent}:
        draft.note(f"options of {whose} that have no counterpart here", rest)


def _add_functions(written: object, draft: _Draft) -> None:
    declared: dict[str, Json] = {}
    for tool in written if isinstance(written, list) else []:
        if not isinstance(tool, dict) or tool.get("type") != "function":
            continue
        function = tool.get("function")
        obstacle = _find_function_obstacle(function)
        if obstacle or not isinstance(function, dict) or function["name"].casefold() in declared:
            draft.note(f"a function left out ({obstacle or 'its name is taken'})", tool)
            continue
        kept = {key: value for key, value in function.items() if key in _FUNCTION_KEYS and value not in _EMPTY}
        declared[function["name"].casefold()] = {**kept, "returns": UNANSWERED}
        draft.notes.append(f"the function {function['name']} answers with an error until you say how to answer it")
        rest = {key: one for key, one in function.items() if key not in _FUNCTION_KEYS and one not in _NOTHING}
        if rest:
            draft.note(f"options of the function {function['name']} that have no counterpart here", rest)
    if declared:
        draft.value["functions"] = list(declared.values())


def _add_numbers(body: Json, draft: _Draft) -> None:
    for key in ("temperature", "top_p", "max_output_tokens"):
        value: Any = as_json(body.get(key))
        if value is None or value == _DEFAULTS.get(key):
            continue
        if find_mismatch(value, _fields("assistant")[key]):
            draft.note(key, value)
        else:
            # 500.0 is a whole number to a schema, and none in our file.
            draft.value[key] = int(value) if value == int(value) else round(value, 6)


def _add_format(written: object, draft: _Draft) -> None:
    if written in (None, "auto"):
        return
    if isinstance(named := written.get(JSON_SCHEMA) if isinstance(written, Mapping) else None, dict):
        written = {"type": JSON_SCHEMA, JSON_SCHEMA: _name_format(named, draft)}
    said = as_mapping(written)
    if obstacle := _find_format_obstacle(said):
        draft.note(f"response_format left out ({obstacle})", written)
    else:
        draft.value[KEY] = _written_format(said)


def _name_format(named: Json, draft: _Draft) -> Json:
    """With a name where its API has none; such an API keeps the model to the schema."""
    if "name" in named:
        return named
    draft.notes.append(f"response_format: its API has no name for it; '{FORMAT_NAME}' is made up")
    schema = named.get("schema")
    is_tight = isinstance(schema, dict) and not find_schema_obstacle(as_json(schema), is_strict=True)[0]
    return {"name": FORMAT_NAME, **named, **({"strict": True} if is_tight else {})}


def _add_metadata(written: object, draft: _Draft) -> None:
    taken: dict[str, str] = {}
    for key, value in written.items() if isinstance(written, Mapping) else ():
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        if key.startswith(_OUR_TAGS):
            draft.note("a tag of runner's, left out", {key: text})
        elif find_mismatch({**taken, key: text}, _fields("assistant")["metadata"]):
            draft.note("metadata beyond what fits", {key: text})
        elif _SECRET_NAME.search(key):
            draft.note("metadata left out for its name", {key: text})
        else:
            taken[key] = draft.text(key, text)
    if taken:
        draft.value["metadata"] = taken


def _note_files(body: Json, draft: _Draft) -> None:
    resources = body.get("tool_resources")
    said = {"file_ids": body.get("file_ids")} | (dict(resources) if isinstance(resources, Mapping) else {})
    said = {key: value for key, value in said.items() if _holds_anything(value)}
    if files := {key: value for key, value in said.items() if key in _OF_FILES}:
        draft.note("its files (list your own under `files`; runner makes the vector store)", files)
    for key, value in said.items():
        if key not in files:
            draft.note(f"tool_resources.{key} has no counterpart here", value)


def _holds_anything(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_anything(one) for one in value.values())
    return bool(value)


def _make_address(name: str, used: set[str]) -> str:
    shown = _SECRET_VALUE.sub("", name.replace(REPLACEMENT, ""))
    base = re.sub(r"[^a-z0-9]+", "-", shown.lower()).strip("-")[:_LONGEST_ADDRESS].strip("-") or "assistant"
    return next(one for one in chain([base], (f"{base}-{number}" for number in count(2))) if one not in used)


def _hide_named(value: object) -> object:
    """The same, without what stands under a name that secrets have."""
    if isinstance(value, Mapping):
        return {
            str(key): REPLACEMENT
            if _SECRET_NAME.search(str(key)) and isinstance(one, str | dict | list)
            else dict.fromkeys(one, REPLACEMENT)
            if str(key).lower() == "headers" and isinstance(one, dict)
            else _hide_named(one)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_hide_named(one) for one in value]
    return float(value) if isinstance(value, Decimal) else value


def _find_format_obstacle(written: Mapping[str, Any]) -> str:
    """Why a format can't be declared as it is; "" if it can."""
    ours = _written_format(written)
    if wrong := find_mismatch(as_json(ours), _fields("assistant")[KEY]):
        if written.get("type") in [one.value for one in PlainFormat]:
            return "it has options that are not known"
        return f"it does not fit: {wrong}" if JSON_SCHEMA in written else "it is none that is known"
    if isinstance(ours, str):
        return ""
    obstacle = _find_schema_obstacle(written[JSON_SCHEMA]["schema"], written[JSON_SCHEMA])
    return f"its schema {obstacle}" if obstacle else ""


def _written_format(said: Mapping[str, Any]) -> Any:
    """A format as it stands in our file, should there be a place for it: a word, or a schema with its name."""
    kind = said.get("type")
    return kind if set(said) == {"type"} else {key: _without_empty(one) for key, one in said.items() if key != "type"}


def _without_empty(value: object) -> object:
    return (
        {key: one for key, one in value.items() if one not in (None, "", False)}
        if isinstance(value, Mapping)
        else value
    )


def _find_function_obstacle(function: object) -> str:
    """Why a function can't be declared as it is; "" if it can."""
    if not isinstance(function, Mapping):
        return "it is none"
    said = {key: value for key, value in function.items() if value not in _EMPTY}
    for key, schema in _fields("function").items():
        if (key in said or key == "name") and find_mismatch(as_json(said.get(key)), schema):
            return "it has no name that fits" if key == "name" else f"its {key} does not fit"
    if said["name"] in RESERVED_NAMES:
        return "its name means something else here"
    parameters = said.get("parameters", _NO_PARAMETERS)
    obstacle = _find_schema_obstacle(parameters, said) if parameters.get("type") == "object" else "describes no object"
    return f"what describes its parameters {obstacle}" if obstacle else ""


def _find_schema_obstacle(schema: Mapping[str, Any], beside: Json) -> str:
    if not is_writable(schema):
        return "does not fit"
    obstacle, _ = find_schema_obstacle(as_json(schema), is_strict=beside.get("strict") is True)
    misspelt = None if obstacle else next(find_misspelt(schema, asserts=False), None)
    return f"has something that says nothing: {misspelt.message}" if misspelt else obstacle


def is_writable(value: object, depth: int = 0) -> bool:
    """Whether it can be written in a file of ours: not too deep, and no key that means something to YAML."""
    if depth > _MAX_DEPTH:
        return False
    if isinstance(value, Mapping):
        return all(key != "<<" and key.isprintable() and is_writable(one, depth + 1) for key, one in value.items())
    return not isinstance(value, list) or all(is_writable(one, depth + 1) for one in value)
