"""What `assistants.yaml` declares: assistants, and the targets that they can run on.

A whole definition as JSON values in the words that users write is what is hashed, and compared between two states.
Secrets are no part of it (a new token is no new definition), nor how functions are answered.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path
from typing import NewType

from runner.domain.files import LocalFile
from runner.errors import Location

HASH_CHARACTERS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """How the calls of a function are answered.

    `kind` is the file's name under `runner/functions`, `settings` are what its `Answerer` is built from.
    """

    kind: str
    settings: Mapping[str, object] = field(repr=False)
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A declared function. `parameters` is a JSON Schema of an object, of plain JSON values.

    With `strict` the API itself keeps the model to the schema.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, object]
    strict: bool = False
    answering: Answering
    location: Location


def matches(wanted: object, given: object) -> bool:
    """Whether `given` has everything that `wanted` has: what a mapping doesn't mention may be anything.

    Numbers are equal by value (1 and 1.0), null and "not there" are the same, lists go item by item.
    """
    if isinstance(wanted, Mapping):
        return isinstance(given, Mapping) and all(matches(value, given.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(given, list) or len(given) != len(wanted):
            return False
        return all(matches(one, other) for one, other in zip(wanted, given, strict=True))
    if _is_number(wanted) and _is_number(given):
        return Decimal(str(wanted)) == Decimal(str(given))
    return type(wanted) is type(given) and wanted == given


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


Address = NewType("Address", str)
"""The stable handle of an assistant in its file."""
Namespace = NewType("Namespace", str)
"""Tags everything that one `assistants.yaml` owns remotely."""


class ToolName(StrEnum):
    """A hosted tool; the value is the word users write."""

    CODE_INTERPRETER = "code_interpreter"
    FILE_SEARCH = "file_search"
    MCP = "mcp"
    WEB_SEARCH = "web_search"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSearch:
    """How the web is searched. None and () are "not said": the API's default holds.

    `context_size` is low, medium or high. `user_location` has any of country, region, city and timezone; without any
    it means "nowhere in particular". `is_live` False keeps to what the API has in its cache.
    """

    context_size: str | None = None
    allowed_domains: tuple[str, ...] = ()
    user_location: Mapping[str, str] | None = None
    is_live: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    """A server of tools that the API calls by itself. `url`, `authorization` and `headers` may hold secrets.

    `allowed_tools` () are all of the server's. `require_approval` is "always", "never", or tools under these words;
    None leaves it to the API. `approved_tools` are those whose calls are approved where the API asks; None: all.
    """

    label: str
    url: str = field(repr=False)
    description: str = ""
    authorization: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    allowed_tools: tuple[str, ...] = ()
    require_approval: str | Mapping[str, tuple[str, ...]] | None = None
    approved_tools: frozenset[str] | None = frozenset()

    def approves(self, tool: str) -> bool:
        """Whether the file has a call of the tool approved that the API asks about."""
        return self.approved_tools is None or tool in self.approved_tools


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A hosted tool with its options: `max_num_results` (1..50) is file search's alone, the others say whose they are.

    An MCP tool always has `mcp`; an assistant may have several, each with a label of its own.
    """

    name: ToolName
    max_num_results: int | None = None
    web_search: WebSearch | None = None
    mcp: McpServer | None = None
    location: Location | None = field(default=None, compare=False)


class PlainFormat(Enum):
    """A form without options; the value is the word users write."""

    TEXT = "text"
    JSON_OBJECT = "json_object"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaFormat:
    """JSON that fits a schema. `strict` has the API keep the model to it; else the schema is a request."""

    name: str
    schema: Mapping[str, object]
    strict: bool = False
    description: str = ""


ResponseFormat = PlainFormat | SchemaFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Assistant:
    """A declared assistant. None means "not said in the file": the API's default holds.

    `max_output_tokens` is of one run, what the model thinks included. `places` are where its keys are written.
    """

    address: Address
    location: Location
    name: str
    model: str
    instructions: str = ""
    tools: tuple[Tool, ...] = ()
    files: tuple[LocalFile, ...] = ()
    functions: tuple[Function, ...] = ()
    temperature: Decimal | None = None
    top_p: Decimal | None = None
    reasoning_effort: str | None = None
    response_format: ResponseFormat | None = None
    max_output_tokens: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, Location] = field(default_factory=dict, compare=False)

    @property
    def tool_names(self) -> frozenset[str]:
        return frozenset(tool.name.value for tool in self.tools)

    def place_of(self, key: str) -> Location:
        """Where a key of it is written; the assistant's own place if it is not."""
        return self.places.get(key, self.location)


class Server(Enum):
    """Who answers at a target."""

    EMBEDDED = "embedded"
    OPENAI = "openai"
    BASE_URL = "base_url"


class History(Enum):
    """Who remembers what was said before: the server, or the client, which then sends all of it again."""

    CONVERSATION = "conversation"
    REPLAY = "replay"


class SandboxName(Enum):
    """An engine of the embedded server's code interpreter."""

    MONTY = "monty"
    WASI = "wasi"


@dataclass(frozen=True, slots=True, kw_only=True)
class ByName:
    """An inference that needs no settings, by its plug-in's name. `offline` is rules, not a language model."""

    name: str = "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """The model's moves from a file."""

    script: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatEndpoint:
    """A chat-completions endpoint. `model` None means each assistant's own; `key_variable` None that no key is sent.

    `embedding_model` is the one for file search; None: keywords alone. `slots` is how many runs the endpoint works on
    at once; None: as many as come.
    """

    base_url: str
    model: str | None = None
    key_variable: str | None = None
    embedding_model: str | None = None
    slots: int | None = None


InferenceChoice = ByName | Scripted | ChatEndpoint
"""What says what to do next on an embedded server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to run. `base_url` is set for BASE_URL only; `key_variable` names the environment variable.

    `inference` is what answers on the EMBEDDED server, `sandbox` the engine of its code interpreter, `faults` a file of
    what is to go wrong there.

    `history` and `background` (runs are started and looked at, instead of streamed) are for `api: responses`,
    `token_command` (a program and its arguments, which prints a token) for `api: foundry`. `window` is how long a run
    in the background may take, as the API says it; None: no longer than it must.
    """

    name: str
    api: str
    server: Server
    location: Location
    base_url: str | None = None
    key_variable: str | None = None
    inference: InferenceChoice = ByName()
    sandbox: SandboxName = SandboxName.MONTY
    history: History = History.CONVERSATION
    background: bool = False
    window: str | None = None
    token_command: tuple[str, ...] = ()
    faults: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that decide what it answers."""
        script = self.inference.script if isinstance(self.inference, Scripted) else None
        return tuple(one for one in (script, self.faults) if one is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for a million tokens; `cached_input` is None where such tokens cost what the others do."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeChoice:
    """Which model judges answers, and where; by the Decisions API, or by structured output of a response."""

    target: str
    model: str
    uses_decisions: bool
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One `assistants.yaml`, read completely; assistants are in the file's order. `prices` are by the model's name."""

    namespace: Namespace
    assistants: tuple[Assistant, ...]
    targets: Mapping[str, Target]
    default_target: str
    prices: Mapping[str, Price] = field(default_factory=dict)
    judge: JudgeChoice | None = None

    def with_model(self, model: str) -> Project:
        """The same project with one model for all its assistants."""
        return replace(self, assistants=tuple(replace(one, model=model) for one in self.assistants))

    def option_of(self, target: str) -> str:
        """What a command needs to be about this target, behind its verb: "" for the file's own."""
        return "" if target == self.default_target else f" -t {shlex.quote(target)}"

    def find_assistant(self, address: str) -> Assistant | None:
        return next((one for one in self.assistants if one.address == address), None)


def describe_definition(assistant: Assistant) -> dict[str, object]:
    """Everything but the files, by key; what the file leaves out is not there. Tools and functions have a key each."""
    wanted = assistant.response_format
    if isinstance(wanted, SchemaFormat):
        response_format: object = said(
            name=wanted.name, description=wanted.description, strict=wanted.strict, schema=wanted.schema
        )
    else:
        response_format = wanted.value if wanted else None
    return {
        **said(name=assistant.name, model=assistant.model, instructions=assistant.instructions),
        **dict(map(_describe_tool, assistant.tools)),
        **{
            f"function {one.name}": said(description=one.description, parameters=one.parameters, strict=one.strict)
            for one in assistant.functions
        },
        **said(
            temperature=None if assistant.temperature is None else float(assistant.temperature),
            top_p=None if assistant.top_p is None else float(assistant.top_p),
            reasoning_effort=assistant.reasoning_effort,
            response_format=response_format,
            max_output_tokens=assistant.max_output_tokens,
        ),
        **{f"metadata {key}": value for key, value in assistant.metadata.items()},
    }


def describe_whole(assistant: Assistant, files: Iterable[tuple[LocalFile, str]]) -> dict[str, object]:
    """The definition and its files, each with its sha256, for people to look at."""
    told = [{"name": file.name, "for": file.use.value, "sha256": sha256} for file, sha256 in files]
    return {**describe_definition(assistant), **said(files=told)}


def hash_definition(assistant: Assistant, files: Iterable[tuple[LocalFile, str]]) -> str:
    """A short hash in hex: equal for definitions that mean the same, in every checkout. Files have their sha256."""
    told = {tuple(map(str, (file.use.value, file.name, sha256, file.chunking or ""))) for file, sha256 in files}
    described = {**describe_definition(assistant), "files": sorted(told)}
    text = json.dumps(described, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]


def said(**values: object) -> dict[str, object]:
    """Without what the file leaves out."""
    return {name: value for name, value in values.items() if value is not None and value not in ("", [], {})}


def _describe_tool(tool: Tool) -> tuple[str, object]:
    label = f"tool {tool.name.value}"
    if tool.mcp is not None:
        return f"{label} {tool.mcp.label}", _describe_server(tool.mcp)
    search = tool.web_search or WebSearch()
    return label, said(
        max_num_results=tool.max_num_results,
        context_size=search.context_size,
        allowed_domains=list(search.allowed_domains),
        user_location=search.user_location,
        is_live=search.is_live,
    )


def _describe_server(server: McpServer) -> dict[str, object]:
    required: object = server.require_approval
    if isinstance(required, Mapping):
        required = {word: list(names) for word, names in required.items()}
    return said(
        url=server.url,
        description=server.description,
        allowed_tools=list(server.allowed_tools),
        require_approval=required,
        approves="all" if server.approved_tools is None else sorted(server.approved_tools),
    )
