"""Requests as text for production: one file per format, whose name, `-` for `_`, is what users write after `--format`.

A format's module has `render(export: Export) -> str`. No secret is in what it returns: the name of its variable is.
Not here: what the request is (`definitions.py`), and whether it may be exported (`cli/`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from runner.domain.assistant import Assistant, McpServer, Server, Target

PLACEHOLDER_QUESTION = "Your question"
_OPENAI_KEY = "OPENAI_API_KEY"
_OPENAI_URL = "https://api.openai.com/v1"
_INDENT = "    "
_WIDTH = 116


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One assistant's request on one target: JSON values, as `definitions.request_body` makes them.

    `secrets` has the name of an environment variable for each value that must not be shown.
    """

    assistant: Assistant
    target: Target
    body: Mapping[str, object]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def tools(self) -> tuple[Mapping[str, object], ...]:
        """The tools of the body, functions among them."""
        tools = self.body.get("tools")
        return tuple(tools) if isinstance(tools, list) else ()

    @property
    def functions(self) -> tuple[Mapping[str, object], ...]:
        return tuple(tool for tool in self.tools if tool["type"] == "function")

    @property
    def asking_servers(self) -> tuple[McpServer, ...]:
        """MCP servers before whose tools the API may ask."""
        servers = [tool.mcp for tool in self.assistant.tools if tool.mcp is not None]
        return tuple(server for server in servers if server.require_approval != "never")

    @property
    def is_openai(self) -> bool:
        return self.target.server is Server.OPENAI

    @property
    def address(self) -> str | None:
        """Up to `/v1`; None where the environment says it (`runner serve` prints the lines that set it)."""
        if self.target.server is Server.EMBEDDED:
            return None
        return self.target.base_url or _OPENAI_URL

    @property
    def key_variable(self) -> str | None:
        """Where the key is; None where none is needed."""
        return _OPENAI_KEY if self.target.server is Server.EMBEDDED else self.target.key_variable

    def show(self, value: object, name_secret: Callable[[str], str]) -> object:
        """JSON values with every secret replaced by what `name_secret` makes of its variable's name."""
        if isinstance(value, str):
            return "".join(name_secret(part.name) if isinstance(part, Variable) else part for part in self.split(value))
        if isinstance(value, Mapping):
            return {str(key): self.show(one, name_secret) for key, one in value.items()}
        return [self.show(one, name_secret) for one in value] if isinstance(value, list) else value

    def split(self, text: str) -> Iterator[str | Variable]:
        """The text in its parts, secrets taken out."""
        if not self.secrets:
            yield text
            return
        longest_first = sorted(self.secrets, key=len, reverse=True)
        for part in re.split(f"({'|'.join(map(re.escape, longest_first))})", text):
            if part in self.secrets:
                yield Variable(self.secrets[part])
            elif part:
                yield part

    def literal(self, value: object, depth: int = 0) -> str:
        """Python for JSON values, a `Call` or `Code`; `depth` levels in."""
        flat = self._in_one_line(value)
        if flat is not None and len(flat) + len(_INDENT) * (depth + 2) <= _WIDTH:
            return flat
        inner, outer = _INDENT * (depth + 1), _INDENT * depth
        if isinstance(value, str):
            lines = [self._text(line) for line in value.splitlines(keepends=True)]
            return lines[0] if len(lines) == 1 else f"(\n{''.join(f'{inner}{one}\n' for one in _joined(lines))}{outer})"
        if isinstance(value, Call):
            items = [f"{name}={self.literal(one, depth + 1)}" for name, one in value.arguments.items()]
            start, end = f"{value.name}(", ")"
        elif isinstance(value, Mapping):
            items = [f"{python_text(str(key))}: {self.literal(one, depth + 1)}" for key, one in value.items()]
            start, end = "{", "}"
        else:
            assert isinstance(value, Sequence), "everything else is short"
            items, start, end = [self.literal(one, depth + 1) for one in value], "[", "]"
        return f"{start}\n{''.join(f'{inner}{item},\n' for item in items)}{outer}{end}"

    def _in_one_line(self, value: object) -> str | None:
        """None for what has several lines."""
        if isinstance(value, Code):
            return str(value)
        if isinstance(value, str):
            return None if "\n" in value.rstrip("\n") else self._text(value) or '""'
        if isinstance(value, Call):
            items = [(f"{name}=", self._in_one_line(one)) for name, one in value.arguments.items()]
            start, end = f"{value.name}(", ")"
        elif isinstance(value, Mapping):
            items = [(f"{python_text(str(key))}: ", self._in_one_line(one)) for key, one in value.items()]
            start, end = "{", "}"
        elif isinstance(value, list):
            items, start, end = [("", self._in_one_line(one)) for one in value], "[", "]"
        else:
            return repr(value)
        if any(one is None for _, one in items):
            return None
        return f"{start}{', '.join(f'{head}{one}' for head, one in items)}{end}"

    def _text(self, text: str) -> str:
        parts = [
            f'os.environ["{part.name}"]' if isinstance(part, Variable) else python_text(part)
            for part in self.split(text)
        ]
        return " + ".join(parts) or '""'

    def client(self, kind: str) -> Call:
        """How the SDK's client is made: without any argument where its own defaults hold."""
        if self.address is None or (self.is_openai and self.key_variable == _OPENAI_KEY):
            return Call(kind, {})
        key: object = Code(f'os.environ["{self.key_variable}"]') if self.key_variable else "none"
        address = {} if self.is_openai else {"base_url": self.address}
        return Call(kind, {**address, "api_key": key})


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable in the place of its value."""

    name: str


class Code(str):
    """Python that stands as it is."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A call in Python, its arguments by name."""

    name: str
    arguments: Mapping[str, object]


def _joined(lines: Sequence[str]) -> list[str]:
    """Lines of text as one expression: neighbours join by themselves, but not those that add a variable."""
    adds = any("os.environ[" in line for line in lines)
    return [lines[0], *(f"+ {line}" if adds else line for line in lines[1:])]


def python_text(text: str) -> str:
    """A text in double quotes; what can't be printed is escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in quoted)


def json_text(value: object) -> str:
    """JSON for people and programs; what can't be printed is escaped."""
    written = json.dumps(value, indent=2, ensure_ascii=False)
    return "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in written)


def answering_stub(export: Export, *, is_async: bool = False) -> str:
    """The Python function that answers the assistant's functions, to be filled in."""
    head = "async def" if is_async else "def"
    lines = [
        f"{head} answer(name: str, arguments: dict) -> str:",
        f'{_INDENT}"""What a function of the assistant returns: fill this in."""',
        f"{_INDENT}match name:",
    ]
    for function in export.functions:
        name = export.literal(str(function["name"]))
        parameters = function.get("parameters")
        properties = parameters.get("properties") if isinstance(parameters, Mapping) else None
        known = ", ".join(map(python_text, properties)) if isinstance(properties, Mapping) else ""
        comment = f"  # arguments: {known}" if known else ""
        lines += [f"{_INDENT * 2}case {name}:{comment}", f"{_INDENT * 3}raise NotImplementedError({name})"]
    lines.append(f"{_INDENT}raise NotImplementedError(name)")
    return "\n".join(lines) + "\n"
