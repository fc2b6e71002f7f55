"""Requests as text for production: one file per format, whose name, `-` for `_`, is what users write after `--format`.

A format's module has `render(export: Export) -> str`. No secret is in what it returns: the name of its variable is.
Not here: what the request is (`definitions.py`), and whether it may be exported (`cli/`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from json import dumps  # a plug-in is called json, and would take the name's place

from runner.domain.assistant import Assistant, McpServer, Server, Target

PLACEHOLDER_QUESTION = "Your question"
OPENAI_KEY = "OPENAI_API_KEY"
_OPENAI_URL = "https://api.openai.com/v1"


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
        return OPENAI_KEY if self.target.server is Server.EMBEDDED else self.target.key_variable

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


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable in the place of its value."""

    name: str


def json_text(value: object) -> str:
    """JSON for people and programs; what can't be printed is escaped."""
    written = dumps(value, indent=2, ensure_ascii=False)
    return "".join(one if one.isprintable() or one == "\n" else dumps(one)[1:-1] for one in written)
