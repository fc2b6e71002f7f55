"""JSON values, calls and functions as Python that looks as if somebody had written it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from runner.domain.assistant import McpServer
from runner.exporting import OPENAI_KEY, OPENAI_URL, Export, Variable

_INDENT = "    "
_WIDTH = 118
SERVE_NOTE = "# OPENAI_BASE_URL and OPENAI_API_KEY are as `runner serve` prints them.\n"


class Code(str):
    """Python that stands as it is."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A call, its arguments by name."""

    name: str
    arguments: Mapping[str, object]


def write(value: object, export: Export, *, depth: int = 0) -> str:
    """Python for JSON values, `Call` and `Code`, `depth` levels in; in one line where it fits."""
    if isinstance(value, Code):
        return str(value)
    if isinstance(value, str):
        return _write_text(value, export, depth)
    if isinstance(value, Call):
        start, end, items = f"{value.name}(", ")", [(f"{name}=", one) for name, one in value.arguments.items()]
    elif isinstance(value, Mapping):
        start, end, items = "{", "}", [(f"{quoted(str(name))}: ", one) for name, one in value.items()]
    elif isinstance(value, list):
        start, end, items = "[", "]", [("", one) for one in value]
    else:
        return repr(value)
    written = [head + write(one, export, depth=depth + 1) for head, one in items]
    flat = f"{start}{', '.join(written)}{end}"
    inner, outer = _INDENT * (depth + 1), _INDENT * depth
    if "\n" not in flat and len(inner) + len(flat) <= _WIDTH:
        return flat
    return "\n".join([start, *(f"{inner}{one}," for one in written), outer + end])


def quoted(text: str) -> str:
    """A text in double quotes; what can't be printed is escaped."""
    written = json.dumps(text, ensure_ascii=False)
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in written)


def _write_text(text: str, export: Export, depth: int) -> str:
    """One line of Python for each of the text's. Secrets are taken out first: they may have several lines."""
    pieces: list[str] = []
    for part in export.split(text):
        if isinstance(part, Variable):
            pieces.append(f'os.environ["{part.name}"]')
        else:
            pieces += map(quoted, part.splitlines(keepends=True))
    if len(text.splitlines()) < 2:
        return " + ".join(pieces) or '""'
    # Texts that are neighbours join by themselves, variables don't.
    joint = "+ " if any(isinstance(part, Variable) for part in export.split(text)) else ""
    inner, outer = _INDENT * (depth + 1), _INDENT * depth
    return "\n".join(["(", inner + pieces[0], *(f"{inner}{joint}{one}" for one in pieces[1:]), outer + ")"])


def begin_script(export: Export, code: str) -> str:
    """What it is, and the modules of the standard library that `code` and the answering of functions need."""
    modules = ["json"] * bool(export.functions) + ["os"] * ("os.environ[" in code) + ["sys"]
    imports = "".join(f"import {module}\n" for module in modules)
    return f'"""The assistant {export.assistant.address}: `python THIS_FILE "a question"`."""\n\n{imports}'


def client_call(kind: str, export: Export) -> Call:
    """How the SDK's client is made: without any argument where its own defaults hold."""
    if export.address is None and export.embedded_path:
        place = f'os.environ["{OPENAI_URL}"].removesuffix("/v1") + "{export.embedded_path}"'
        return Call(kind, {"base_url": Code(place)})
    if export.address is None or (export.is_openai and export.key_variable == OPENAI_KEY):
        return Call(kind, {})
    key: object = Code(f'os.environ["{export.key_variable}"]') if export.key_variable else "none"
    address = {} if export.is_openai else {"base_url": export.address}
    return Call(kind, {**address, "api_key": key})


def approval(server: McpServer, tool: str) -> str:
    """Whether a call that the API asks about is approved, as an expression; `tool` is one for the tool's name."""
    if server.approved_tools is None:
        return "True"
    return f"{tool} in [{', '.join(map(quoted, sorted(server.approved_tools)))}]"


def answering_stub(export: Export, *, is_async: bool = False) -> str:
    """The function that answers the assistant's functions, to be filled in."""
    lines = [
        f"{'async def' if is_async else 'def'} answer(name: str, arguments: dict) -> str:",
        '    """What a function of the assistant returns: fill this in."""',
        "    match name:",
    ]
    for function in export.functions:
        name, properties = quoted(function.name), function.parameters.get("properties")
        known = ", ".join(map(quoted, properties)) if isinstance(properties, Mapping) else ""
        comment = f"  # arguments: {known}" if known else ""
        lines += [f"        case {name}:{comment}", f"            raise NotImplementedError({name})"]
    return "\n".join([*lines, "        case _:", "            raise NotImplementedError(name)"]) + "\n"
