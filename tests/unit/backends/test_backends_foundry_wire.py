"""Definitions on Foundry's wire: what is sent comes back as what the file says, and any change is seen."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import azure_shapes
import pytest

from runner.backends import Deployment, managed_fields
from runner.backends.foundry import LIMITS
from runner.backends.foundry.wire import (
    as_assistant,
    name_for_copy,
    read_agent,
    read_version,
    reference_body,
    split_id,
    version_body,
    version_id,
)
from runner.backends.responses.bodies import Material
from runner.domain.assistant import (
    Address,
    Answering,
    Assistant,
    Function,
    McpServer,
    PlainFormat,
    SchemaFormat,
    Tool,
    ToolName,
    WebSearch,
)
from runner.domain.conversation import FileId, StoreId
from runner.errors import Location
from runner.sync import find_excesses
from runner.sync.comparing import compare

HERE = Location("assistants.yaml", 7, 3)
GUIDE = Assistant(address=Address("guide"), location=HERE, name="City Guide", model="gpt-6-luna", instructions="Guide.")
SEARCH = Tool(name=ToolName.FILE_SEARCH)
WEB = WebSearch(
    context_size="low", allowed_domains=("a.example", "b.example"), user_location={"country": "NO"}, is_live=False
)
SERVER = McpServer(
    label="trains",
    url="https://trains.example/secret-path",
    description="Trains.",
    allowed_tools=("find", "book"),
    require_approval={"always": ("book",), "never": ("find",)},
)
RATE = Function(
    name="rate",
    description="The rate.",
    parameters={"type": "object", "properties": {"to": {"type": "string"}}},
    answering=Answering(kind="returns", settings={}, location=HERE),
    location=HERE,
)
ASSISTANTS = {
    "plain": GUIDE,
    "settings": replace(
        GUIDE, temperature=Decimal("0.2"), top_p=Decimal("0.9"), reasoning_effort="low", metadata={"team": "a"}
    ),
    "a search": replace(GUIDE, tools=(replace(SEARCH, max_num_results=5), Tool(name=ToolName.CODE_INTERPRETER))),
    "the web": replace(GUIDE, tools=(Tool(name=ToolName.WEB_SEARCH, web_search=WEB),)),
    "the web, unsaid": replace(GUIDE, tools=(Tool(name=ToolName.WEB_SEARCH),)),
    "nowhere": replace(GUIDE, tools=(Tool(name=ToolName.WEB_SEARCH, web_search=WebSearch(user_location={})),)),
    "a server": replace(GUIDE, tools=(Tool(name=ToolName.MCP, mcp=SERVER),)),
    "two servers": replace(
        GUIDE,
        tools=tuple(
            Tool(name=ToolName.MCP, mcp=McpServer(label=label, url="https://e.example")) for label in ("one", "two")
        ),
    ),
    "a function": replace(GUIDE, functions=(RATE,)),
    "json": replace(GUIDE, response_format=PlainFormat.JSON_OBJECT),
    "a schema": replace(
        GUIDE, response_format=SchemaFormat(name="bill", schema={"type": "object"}, strict=True, description="A bill.")
    ),
}


def stored(assistant: Assistant, *, stores: tuple[str, ...] = (), files: tuple[str, ...] = ()) -> dict[str, object]:
    """The version that a server makes of what is sent."""
    deployment = Deployment(assistant=assistant, assistant_id=None)
    material = Material(store_ids=tuple(map(StoreId, stores)), code_file_ids=tuple(map(FileId, files)))
    sent = version_body(deployment, {"runner.namespace": "n"}, material)
    head = {"object": "agent.version", "id": "x", "name": "guide", "version": "3", "created_at": 1, "status": "active"}
    return {**head, "draft": False, **sent}


@pytest.mark.slow
@pytest.mark.parametrize("assistant", ASSISTANTS.values(), ids=ASSISTANTS)
def test_what_is_sent_is_azure_s_and_comes_back_as_what_the_file_says(assistant: Assistant) -> None:
    body = stored(assistant, stores=("vs_1",), files=("file-1",))
    azure_shapes.check(body, "AgentVersionDetails")
    read = as_assistant(read_version(body))
    assert compare(managed_fields(assistant), read.fields, read.metadata).changes == ()
    assert (read.id, read.key, read.name) == ("guide:3", "guide", "City Guide")
    has_search = SEARCH.name.value in assistant.tool_names
    assert read.store_ids == (("vs_1",) if has_search else ())
    assert read.code_file_ids == (("file-1",) if ToolName.CODE_INTERPRETER.value in assistant.tool_names else ())


def test_a_search_with_nothing_to_search_is_remembered() -> None:
    body = stored(replace(GUIDE, tools=(SEARCH,)))
    assert "tools" not in body["definition"]
    read = as_assistant(read_version(body))
    assert compare(managed_fields(replace(GUIDE, tools=(SEARCH,))), read.fields, read.metadata).changes == ()
    assert [one.field for one in compare(managed_fields(GUIDE), read.fields, read.metadata).changes] == ["tools"]


@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://trains.example/another-path"},
        {"description": "Buses."},
        {"allowed_tools": ("find",)},
        {"require_approval": "never"},
        {"label": "buses"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_change_of_a_server_is_seen_and_its_address_is_not_shown(change: dict[str, object]) -> None:
    read = as_assistant(read_version(stored(ASSISTANTS["a server"])))
    changed = replace(GUIDE, tools=(Tool(name=ToolName.MCP, mcp=replace(SERVER, **change)),))
    (seen,) = compare(managed_fields(changed), read.fields, read.metadata).changes
    assert seen.field == "tools"
    assert "path" not in seen.before + seen.after


@pytest.mark.parametrize(
    "change",
    [
        {"context_size": "high"},
        {"allowed_domains": ("a.example",)},
        {"user_location": {"city": "Oslo"}},
        {"is_live": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_change_of_how_the_web_is_searched_is_seen(change: dict[str, object]) -> None:
    read = as_assistant(read_version(stored(ASSISTANTS["the web"])))
    changed = replace(GUIDE, tools=(Tool(name=ToolName.WEB_SEARCH, web_search=replace(WEB, **change)),))
    assert [one.field for one in compare(managed_fields(changed), read.fields, read.metadata).changes] == ["tools"]


def test_what_the_server_fills_in_is_no_difference() -> None:
    body = stored(ASSISTANTS["the web, unsaid"])
    (tool,) = body["definition"]["tools"]
    tool |= {"search_context_size": "medium", "user_location": {"type": "approximate", "city": None}, "filters": None}
    body["definition"] |= {"temperature": 1.0, "top_p": 1, "text": {"format": {"type": "text"}}, "rai_config": None}
    read = as_assistant(read_version(body))
    assert compare(managed_fields(ASSISTANTS["the web, unsaid"]), read.fields, read.metadata).changes == ()


def test_a_server_s_key_has_no_place_in_a_definition_that_others_can_read() -> None:
    secret = replace(SERVER, authorization="canary-of-trains")
    guide = replace(GUIDE, tools=(Tool(name=ToolName.MCP, mcp=secret, location=HERE),))
    (problem,) = map(str, find_excesses([guide], LIMITS, target="azure"))
    assert problem.startswith("assistants.yaml:7:3: assistants.guide.tools[0]: target 'azure' keeps the definition")
    assert "canary" not in problem


def test_an_id_names_an_agent_and_versions() -> None:
    assert split_id(version_id("guide", ("1", "2"))) == ("guide", ("1", "2"))
    assert split_id("guide") == ("guide", ())
    assert reference_body("guide:1,2") == {
        "agent_reference": {"type": "agent_reference", "name": "guide", "version": "2"}
    }
    assert reference_body("guide") == {"agent_reference": {"type": "agent_reference", "name": "guide"}}


@pytest.mark.parametrize("address", ["guide", "g" * 63, f"{'g' * 47}--{'g' * 10}"])
def test_a_copy_s_name_is_one_that_foundry_takes(address: str) -> None:
    assert re.fullmatch(LIMITS.address_pattern, name_for_copy(address))


@pytest.mark.parametrize(
    "body",
    [
        {"object": "agent", "id": "flow", "name": "flow", "versions": {}},
        {"object": "agent", "id": "flow", "name": "flow", "versions": {"latest": None}},
        {
            "name": "flow",
            "versions": {
                "latest": {
                    "name": "flow",
                    "version": "2",
                    "metadata": None,
                    "created_at": 5,
                    "definition": {"kind": "hosted", "tools": None, "container": "x"},
                }
            },
        },
    ],
)
def test_an_agent_of_which_little_is_known_can_be_listed(body: dict[str, object]) -> None:
    read = as_assistant(read_agent(body))
    assert (read.key, read.metadata, read.fields["tools"]) == ("flow", {}, {})


def test_an_agent_whose_server_has_an_address_that_no_encoding_has_can_be_listed() -> None:
    tools = [{"type": "mcp", "server_label": "odd", "server_url": "https://\ud800.example"}]
    version = {"name": "flow", "version": "2", "created_at": 5, "definition": {"tools": tools}}
    assert list(as_assistant(read_version(version)).fields["tools"]) == ["mcp odd"]
