"""Agents and their versions as they go over the wire, both ways: pure functions."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.backends import Deployment, RemoteAssistant, hosted_tool
from runner.backends._json_fields import (
    Json,
    moment,
    number,
    optional_integer,
    optional_text,
    part,
    parts,
    read_format,
    read_function,
    text,
    text_map,
    texts,
    without_tags,
)
from runner.backends.responses.bodies import Body, Material, definition_body
from runner.domain.assistant import McpServer, Tool, ToolName, WebSearch
from runner.domain.conversation import AssistantId, FileId, StoreId

OWNER_TAGS = ("runner.namespace", "runner.address")
PLAY_TAG = "runner.play"
SPEC_TAG = "runner.spec"
IDLE_TAG = "runner.idle"
"""Names file search where the assistant has it and nothing to search: the API takes no such tool."""
LONGEST_NAME = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of an agent as the API has it now; `body` is all of it. No name and number means that there is none."""

    name: str
    number: str
    is_draft: bool
    metadata: Mapping[str, str]
    body: Json

    @property
    def id(self) -> AssistantId:
        return version_id(self.name, (self.number,))

    @property
    def is_a_play_s(self) -> bool:
        return PLAY_TAG in self.metadata

    def is_of(self, metadata: Mapping[str, str]) -> bool:
        """Whether it belongs to the same address of the same namespace, and to no play."""
        owners = [(self.metadata.get(tag), metadata.get(tag)) for tag in OWNER_TAGS]
        return not self.is_a_play_s and all(mine is not None and mine == theirs for mine, theirs in owners)

    def is_like(self, other: Version) -> bool:
        """Whether the same was applied to the same address; drafts are like nothing."""
        is_same = self.metadata.get(SPEC_TAG) == other.metadata.get(SPEC_TAG)
        same_body = self.body.get("definition") == other.body.get("definition")
        return is_same and same_body and not self.is_draft and self.is_of(other.metadata)


def version_id(name: str, numbers: Sequence[str]) -> AssistantId:
    """An assistant's id here: the agent's name, which has no colon, and the versions that are meant; none means all."""
    return AssistantId(f"{name}:{','.join(numbers)}" if numbers else name)


def split_id(assistant_id: str) -> tuple[str, tuple[str, ...]]:
    name, _, numbers = assistant_id.partition(":")
    return name, tuple(number for number in numbers.split(",") if number)


def reference_body(assistant_id: str) -> Body:
    """What a response is told instead of a definition; without a number, the latest version is meant."""
    name, numbers = split_id(assistant_id)
    version = {"version": numbers[-1]} if numbers else {}
    return {"agent_reference": {"type": "agent_reference", "name": name, **version}}


def keyword_arguments(body: Mapping[str, object]) -> Body:
    """A request as arguments of the SDK's `responses.create`, which has none for the reference."""
    reference = {name: value for name, value in body.items() if name == "agent_reference"}
    others = {name: value for name, value in body.items() if name not in reference}
    return {**others, **({"extra_body": reference} if reference else {})}


def name_for_copy(address: str) -> str:
    """For a play's own agent."""
    ending = f"-play-{secrets.token_hex(4)}"
    return address[: LONGEST_NAME - len(ending)].rstrip("-") + ending


def version_body(
    deployment: Deployment, metadata: Mapping[str, str], material: Material, *, is_draft: bool = False
) -> Json:
    """What is sent to make a version. What the file leaves out is not sent: it has its default in each version anew."""
    assistant = deployment.assistant
    definition = definition_body(assistant, material)
    sent = {tool["type"] for tool in parts(definition, "tools")}
    idle = sorted(assistant.tool_names & {ToolName.FILE_SEARCH.value} - sent)
    kept = {key: value for key, value in metadata.items() if key != IDLE_TAG}
    return {
        "definition": {"kind": "prompt", **definition},
        "description": assistant.name,
        "metadata": {**assistant.metadata, **kept, **({IDLE_TAG: ",".join(idle)} if idle else {})},
        **({"draft": True} if is_draft else {}),
    }


def read_version(body: Json) -> Version:
    return Version(
        name=text(body, "name"),
        number=text(body, "version"),
        is_draft=body.get("draft") is True,
        metadata=text_map(body, "metadata"),
        body=body,
    )


def read_agent(body: Json) -> Version:
    """The latest version of an agent; one without a number where the API shows none."""
    latest = part(part(body, "versions"), "latest")
    if latest:
        return read_version(latest)
    return Version(name=text(body, "name"), number="", is_draft=False, metadata={}, body={})


def read_version_id(body: Json) -> str:
    return read_version(body).id


def as_assistant(version: Version, numbers: Sequence[str] = ()) -> RemoteAssistant:
    """In our words; `numbers` are all the versions that its id is to name. Agents of other kinds have few fields."""
    definition = part(version.body, "definition")
    tools, wanted = parts(definition, "tools"), part(part(definition, "text"), "format")
    unsent = [name for name in version.metadata.get(IDLE_TAG, "").split(",") if name]
    by_kind = {str(tool.get("type")): tool for tool in tools}
    name = optional_text(version.body, "description") or version.name
    return RemoteAssistant(
        id=version_id(version.name, numbers or (version.number,)),
        created_at=moment(version.body) if version.body else 0,
        name=name,
        fields={
            "name": name,
            "model": optional_text(definition, "model") or "",
            "instructions": optional_text(definition, "instructions") or "",
            "tools": {**{tool: {} for tool in unsent}, **dict(map(_read_tool, tools))},
            "temperature": number(definition, "temperature", 1.0),
            "top_p": number(definition, "top_p", 1.0),
            "reasoning_effort": optional_text(part(definition, "reasoning"), "effort"),
            # Text is what the API does when nothing is said.
            "response_format": read_format(optional_text(wanted, "type"), wanted, default="text"),
            "metadata": without_tags(version.metadata),
        },
        metadata=version.metadata,
        store_ids=tuple(map(StoreId, texts(by_kind.get(ToolName.FILE_SEARCH.value, {}), "vector_store_ids"))),
        code_file_ids=tuple(map(FileId, _code_files(by_kind.get(ToolName.CODE_INTERPRETER.value, {})))),
        key=version.name,
        is_draft=version.is_draft,
    )


def _code_files(tool: Json) -> tuple[str, ...]:
    """None of a container that somebody named by its id."""
    return texts(part(tool, "container"), "file_ids") if isinstance(tool.get("container"), dict) else ()


def _read_tool(tool: Json) -> tuple[str, dict[str, object]]:
    kind = text(tool, "type")
    if kind == "function":
        return read_function(tool)
    if kind == ToolName.MCP.value:
        return hosted_tool(Tool(name=ToolName.MCP, mcp=_read_server(tool)))
    if kind == ToolName.WEB_SEARCH.value:
        return hosted_tool(Tool(name=ToolName.WEB_SEARCH, web_search=_read_web_search(tool)))
    return kind, {"max_num_results": optional_integer(tool, "max_num_results")}


def _read_server(tool: Json) -> McpServer:
    """Tools may be listed by themselves, or under `tool_names`."""
    required = tool.get("require_approval")
    if isinstance(required, dict):
        names = {word: part(required, word) for word in required}
        required = {word: texts(one, "tool_names") for word, one in names.items()}
    allowed = tool.get("allowed_tools")
    return McpServer(
        label=text(tool, "server_label"),
        url=optional_text(tool, "server_url") or "",
        description=optional_text(tool, "server_description") or "",
        allowed_tools=texts(allowed, "tool_names") if isinstance(allowed, dict) else texts(tool, "allowed_tools"),
        require_approval=required if isinstance(required, str | dict) else None,
    )


def _read_web_search(tool: Json) -> WebSearch:
    is_live = tool.get("external_web_access")
    location = part(tool, "user_location").items()
    place = {name: value for name, value in location if isinstance(value, str) and name != "type"}
    return WebSearch(
        context_size=optional_text(tool, "search_context_size"),
        allowed_domains=texts(part(tool, "filters"), "allowed_domains"),
        user_location=place if isinstance(tool.get("user_location"), dict) else None,
        is_live=is_live if isinstance(is_live, bool) else None,
    )
