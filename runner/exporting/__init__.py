"""Requests as text for production: one file per format, whose name, `-` for `_`, is what users write after `--format`.

A format's module has `render(export: Export) -> str`. No secret is in what it returns: the name of its variable is.
Not here: what the request is (`definitions.py`), and whether it may be exported (`cli/`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from json import dumps  # a plug-in is called json, and would take the name's place
from urllib.parse import urlsplit

from runner.backends import OPENAI_URL as PUBLIC_URL
from runner.backends.foundry import EMBEDDED_PROJECT, OPENAI_PATH
from runner.domain.assistant import Assistant, Function, McpServer, Server, Target
from runner.domain.hosts import is_loopback

PLACEHOLDER_QUESTION = "Your question"
OPENAI_KEY = "OPENAI_API_KEY"
OPENAI_URL = "OPENAI_BASE_URL"
FOUNDRY_TOKEN = "FOUNDRY_TOKEN"


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
    def functions(self) -> tuple[Function, ...]:
        """What the app has to answer; where the definition is stored, they are not in the body."""
        return self.assistant.functions

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
        base_url = self.target.base_url or PUBLIC_URL
        return base_url.rstrip("/") + OPENAI_PATH if self.is_foundry else base_url

    @property
    def embedded_path(self) -> str:
        """What comes in the place of `/v1` on the embedded server; "" where nothing does."""
        return EMBEDDED_PROJECT + OPENAI_PATH if self.is_foundry else ""

    @property
    def is_foundry(self) -> bool:
        return self.target.api == "foundry"

    @property
    def key_variable(self) -> str | None:
        """Where the key is; None where none is needed."""
        if self.target.server is Server.EMBEDDED:
            return OPENAI_KEY
        return FOUNDRY_TOKEN if self.wants_token else self.target.key_variable

    @property
    def wants_token(self) -> bool:
        """Whether a token of Entra ID goes there, which somebody has to put into a variable."""
        is_local = is_loopback(urlsplit(self.target.base_url or "").hostname or "")
        has_key = self.target.key_variable is not None or self.target.server is Server.EMBEDDED
        return self.is_foundry and not has_key and (not is_local or bool(self.target.token_command))

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
