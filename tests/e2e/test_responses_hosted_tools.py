"""Web search and MCP servers on the Responses API: what is sent, what comes back, and what goes wrong (S12)."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import responses_wire as wire
from openai.types.responses.response_input_param import McpApprovalResponse
from openai.types.responses.tool_param import Mcp
from openai.types.responses.web_search_tool_param import WebSearchToolParam
from openai_schemas import openapi_validator
from play_project import Project
from pydantic import TypeAdapter
from responses_wire import Keeper
from wire_server import Seen, refusal, reply, wire_server

from runner.backends import Question
from runner.backends.responses.bodies import approval_item
from runner.backends.responses.wire import LONGEST_OUTPUT
from runner.domain.assistant import McpServer, Tool, ToolName, WebSearch
from runner.domain.conversation import Ending, FunctionAnswer, FunctionCall, Run, RunStatus, Step
from runner.errors import RemoteError

ANSWERED = wire.response(wire.message(), id="resp_2")
SERVER = McpServer(label="dice", url="https://dice.example.org/mcp")


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager]:
    return partial(wire.talking, tmp_path)


def question(*tools: Tool, **fields) -> Question:
    return wire.question(tools=tools, **fields)


def mcp(**fields) -> Tool:
    return Tool(name=ToolName.MCP, mcp=replace(SERVER, **fields))


def asking(tool: str = "roll", server: str = "dice", request_id: str = "mcpr_1") -> dict:
    kind = "mcp_approval_request"
    return {"id": request_id, "type": kind, "server_label": server, "name": tool, "arguments": '{"sides":6}'}


def called(tool: str = "roll", **fields) -> dict:
    base = {"id": "mcp_1", "type": "mcp_call", "server_label": "dice", "name": tool, "arguments": '{"sides":6}'}
    return {**base, "output": "4", "error": None, **fields}


# What is sent ----------------------------------------------------------------------------------------------------


async def sent_for(talk, *tools: Tool) -> dict:
    async with talk(Keeper(ANSWERED)) as (backend, server, _):
        await backend.ask(question(*tools))
    return server.seen[0].json


async def test_a_web_search_without_options_leaves_everything_to_the_api(talk):
    body = await sent_for(talk, Tool(name=ToolName.WEB_SEARCH))
    assert body["tools"] == [{"type": "web_search"}]
    assert body["include"] == ["web_search_call.action.sources"]


SEARCH = WebSearch(
    context_size="low",
    allowed_domains=("example.org",),
    user_location={"country": "NO", "city": "Oslo"},
    is_live=False,
)


async def test_what_the_file_says_of_a_web_search_is_sent(talk):
    body = await sent_for(talk, Tool(name=ToolName.WEB_SEARCH, web_search=SEARCH))
    assert body["tools"] == [
        {
            "type": "web_search",
            "search_context_size": "low",
            "filters": {"allowed_domains": ["example.org"]},
            "user_location": {"type": "approximate", "country": "NO", "city": "Oslo"},
            "external_web_access": False,
        }
    ]


async def test_a_user_who_is_nowhere_in_particular_is_not_taken_for_an_american(talk):
    body = await sent_for(talk, Tool(name=ToolName.WEB_SEARCH, web_search=WebSearch(user_location={})))
    assert body["tools"][0]["user_location"] == {"type": "approximate"}


FULL = {
    "description": "Rolls dice.",
    "authorization": "token",
    "headers": {"X-Room": "1"},
    "allowed_tools": ("roll", "count"),
    "require_approval": {"never": ("count",)},
    "approved_tools": None,
}


async def test_each_mcp_server_is_a_tool_of_its_own_with_what_the_file_says(talk):
    body = await sent_for(talk, mcp(**FULL), mcp(label="other", require_approval="always"))
    assert body["tools"] == [
        {
            "type": "mcp",
            "server_label": "dice",
            "server_url": "https://dice.example.org/mcp",
            "server_description": "Rolls dice.",
            "authorization": "token",
            "headers": {"X-Room": "1"},
            "allowed_tools": ["roll", "count"],
            "require_approval": {"never": {"tool_names": ["count"]}},
        },
        {
            "type": "mcp",
            "server_label": "other",
            "server_url": "https://dice.example.org/mcp",
            "require_approval": "always",
        },
    ]


async def test_what_is_sent_is_what_openai_s_file_and_sdk_know(talk):
    validate = openapi_validator()
    tools = (Tool(name=ToolName.WEB_SEARCH, web_search=SEARCH), mcp(**FULL), mcp(label="b", require_approval="never"))
    search, *servers = (await sent_for(talk, *tools))["tools"]
    for name, body, known in (("WebSearchTool", search, WebSearchToolParam), *(("MCPTool", s, Mcp) for s in servers)):
        validate(name, body)
        assert set(body) <= set(known.__annotations__)
    answers = [approval_item("mcpr_1", approves=approves) for approves in (True, False)]
    for body in answers:
        assert set(body) <= set(McpApprovalResponse.__annotations__)
        TypeAdapter(McpApprovalResponse).validate_python(body)


# S12: somebody is asked for consent ------------------------------------------------------------------------------


async def ask(talk, tool: Tool, *answers: dict, **fields) -> tuple[Run, list[Seen]]:
    async with talk(Keeper(*answers)) as (backend, server, _):
        run = await backend.ask(question(tool, **fields))
    return run, server.seen


async def test_s12_a_call_that_the_file_does_not_approve_is_denied_and_noted(talk):
    run, seen = await ask(talk, mcp(), wire.response(asking()), ANSWERED)
    assert seen[1].json["input"] == [
        {
            "type": "mcp_approval_response",
            "approval_request_id": "mcpr_1",
            "approve": False,
            "reason": "nothing in the assistant's definition approves it",
        }
    ]
    output = "approval was denied: nothing in the assistant's definition approves it"
    assert run.steps == (Step(tool="mcp", label="dice.roll", completed=False, input='{"sides":6}', output=output),)
    assert run.ending is Ending.ANSWERED


@pytest.mark.parametrize("approved", [None, frozenset({"roll"})], ids=["all", "this one"])
async def test_s12_a_call_that_the_file_approves_is_made_and_costs_one_request_more(talk, approved):
    made = wire.response(called(approval_request_id="mcpr_1"), wire.message(), id="resp_2")
    run, seen = await ask(talk, mcp(approved_tools=approved), wire.response(asking()), made)
    (answer,) = seen[1].json["input"]
    assert answer == {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    assert run.steps == (Step(tool="mcp", label="dice.roll", completed=True, input='{"sides":6}', output="4"),)
    assert len(seen) == 2


@pytest.mark.parametrize(
    "request_of_another", [asking(tool="burn"), asking(server="other")], ids=["another tool", "another server"]
)
async def test_s12_an_approval_is_of_one_tool_of_one_server(talk, request_of_another):
    approving = mcp(approved_tools=frozenset({"roll"}))
    _, seen = await ask(talk, approving, wire.response(request_of_another), ANSWERED)
    assert [item["approve"] for item in seen[1].json["input"]] == [False]


async def test_s12_several_requests_and_a_function_are_answered_together(talk):
    async def tell(_call: FunctionCall) -> FunctionAnswer:
        return FunctionAnswer(output="11.5")

    first = wire.response(asking(request_id="mcpr_1"), wire.call(), asking(tool="burn", request_id="mcpr_2"))
    run, seen = await ask(talk, mcp(approved_tools=frozenset({"roll"})), first, ANSWERED, answer=tell)
    function, approved, denied = seen[1].json["input"]
    assert (function["call_id"], function["output"]) == ("call_1", "11.5")
    assert (approved["approval_request_id"], approved["approve"]) == ("mcpr_1", True)
    assert (denied["approval_request_id"], denied["approve"]) == ("mcpr_2", False)
    assert [(step.title, step.completed) for step in run.steps] == [("rate", True), ("mcp dice.burn", False)]


@pytest.mark.parametrize("approved", [None, frozenset()], ids=["approved", "denied"])
async def test_s12_requests_without_end_are_stopped(talk, approved):
    run, seen = await ask(talk, mcp(approved_tools=approved), wire.response(asking()))
    assert len(seen) == 16
    assert (run.status, run.error_code) == (RunStatus.FAILED, "function_loop")
    assert run.error == "the assistant still calls dice.roll in response 16 of this turn; it was stopped"


async def test_s12_a_turn_without_requests_takes_one_request(talk):
    _, seen = await ask(talk, mcp(), wire.response(called(), wire.message()))
    assert [str(one) for one in seen] == ["POST /responses"]


# S12: a server that is down, or says too much ---------------------------------------------------------------------


async def test_s12_a_server_without_which_there_is_no_response_is_an_error_in_our_words(talk):
    with pytest.raises(RemoteError) as caught:
        await ask(talk, mcp(), refusal(424, "Error retrieving tool list from MCP server: 'dice'."))
    assert str(caught.value) == (
        "while asking 'travel-guide': a server that the assistant's tools are on does not work (424): "
        "Error retrieving tool list from MCP server: 'dice'."
    )


async def test_s12_a_server_that_lists_no_tools_is_a_step_that_did_not_complete(talk):
    listed = {"id": "mcpl_1", "type": "mcp_list_tools", "server_label": "dice", "tools": [], "error": "no connection"}
    run, _ = await ask(talk, mcp(), wire.response(listed, wire.message()))
    assert run.steps == (
        Step(
            tool="mcp",
            label="dice",
            completed=False,
            output="the server says nothing about its tools: no connection",
        ),
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("gone away", "the call failed: gone away"),
        ({"type": "http_error", "code": 503, "message": "Busy"}, "the call failed: Busy"),
        (
            {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": "no dice"}]},
            "the call failed: no dice",
        ),
        ({"type": "mcp_protocol_error", "code": 32000}, "the call failed: no reason is given"),
    ],
)
async def test_s12_a_call_that_failed_is_a_step_with_its_reason(talk, error, words):
    broken = called(status="failed", output=None, error=error)
    run, _ = await ask(talk, mcp(), wire.response(broken, wire.message()))
    (step,) = run.steps
    assert (step.title, step.completed, step.output) == ("mcp dice.roll", False, words)


async def test_s12_of_a_result_of_10_mb_the_beginning_is_kept(talk):
    dump = called(output="x" * 10_000_000)
    run, _ = await ask(talk, mcp(), wire.response(dump, wire.message()))
    (step,) = run.steps
    assert run.ending is Ending.ANSWERED
    assert step.output == "x" * LONGEST_OUTPUT + "\n[cut off: 10,000,000 characters in all]"


# From the files to the report -------------------------------------------------------------------------------------


TOKEN = "mcp-canary-0987654321"
HEADER = "header-canary-5647382910"
KEY = "sk-canary-1234567890"
ASSISTANTS = """
version: 1
namespace: tests-000001
target: there
targets:
  there: {{api: responses, base_url: '{base_url}', key_env: THERE_KEY}}
  here: {{api: responses, server: embedded}}
assistants:
  guide:
    model: gpt-6-luna
    tools:
      - web_search: {{search_context_size: low}}
      - mcp:
          server_label: dice
          server_url: https://dice.example.org/mcp
          authorization: ${{secret:DICE_TOKEN}}
          headers: {{X-Key: "${{secret:DICE_HEADER}}"}}
          approve: [roll]
"""
SCENARIO = """
assistant: guide
turns:
  - ask: Roll a die.
    expect:
      - contains: "4"
      - tool_called: web_search
      - tool_called: {tool: mcp, times: 1, arguments: {sides: 6}}
"""


def write_project(folder: Path, base_url: str) -> Project:
    environment = {key: value for key, value in os.environ.items() if "KEY" not in key}
    environment |= {"THERE_KEY": KEY, "DICE_TOKEN": TOKEN, "DICE_HEADER": HEADER}
    (folder / "assistants.yaml").write_text(ASSISTANTS.format(base_url=base_url), encoding="utf-8")
    project = Project(folder=folder, state=folder / ".runner" / "embedded", environment=environment)
    project.write_scenario(SCENARIO)
    return project


async def run_against(answer: Callable[[Seen], list], folder: Path, *arguments: str):
    """The program in a process of its own, while the server answers here."""
    async with wire_server(answer) as server:
        project = write_project(folder, server.url)
        return await asyncio.to_thread(project.run, *arguments), server.seen


def rolling() -> Keeper:
    searched = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"query": "dice"}}
    made = wire.response(called(approval_request_id="mcpr_1"), wire.message("It is a 4."), id="resp_2")
    return Keeper(wire.response(searched, asking()), made)


async def test_both_tools_are_played_and_checked_like_any_other(tmp_path):
    done, seen = await run_against(rolling(), tmp_path, "play", "--report", "json=out.json")
    assert (done.code, done.err) == (0, ""), done.out + done.err
    assert [str(one) for one in seen[:2]] == ["POST /responses"] * 2
    (turn,) = json.loads((tmp_path / "out.json").read_text())["scenarios"][0]["attempts"][0]["turns"]
    steps = [(step["tool"], step["label"], step["completed"]) for step in turn["run"]["steps"]]
    assert steps == [("web_search", "", True), ("mcp", "dice.roll", True)]


async def test_what_a_tool_s_server_is_told_in_secret_is_sent_there_and_shown_nowhere(tmp_path):
    def echo(seen: Seen) -> list:
        if seen.method == "GET":
            return reply({"object": "list", "data": [], "has_more": False})
        return refusal(400, f"Invalid headers: {json.dumps(seen.json['tools'])}")

    codes = {"play --report json=out.json": 3, "plan": 0, "plan --format json": 0, "sync": 0, "validate": 0}
    for verb, code in codes.items():
        done, seen = await run_against(echo, tmp_path, *verb.split())
        assert done.code == code, done.err
        assert (TOKEN in str(seen)) is verb.startswith("play")
        for canary in (TOKEN, HEADER, KEY):
            assert canary not in done.out + done.err, verb
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "journal.jsonl" for path in files)
    for canary in (TOKEN.encode(), HEADER.encode(), KEY.encode()):
        assert [path for path in files if canary in path.read_bytes()] == []


@pytest.mark.parametrize("verb", ["play", "plan", "sync"])
def test_the_embedded_server_has_neither_and_each_is_named_in_its_own_place(tmp_path, verb):
    project = write_project(tmp_path, "http://127.0.0.1:1/v1")
    done = project.run(verb, "-t", "here")
    assert done.code == 2
    assert done.err.splitlines()[:2] == [
        "assistants.yaml:12:9: assistants.guide.tools[0]: target 'here' (api responses, embedded server) does not have "
        "the tool web_search; it has code_interpreter, file_search; choose another target",
        "assistants.yaml:13:9: assistants.guide.tools[1]: target 'here' (api responses, embedded server) does not have "
        "the tool mcp; it has code_interpreter, file_search; choose another target",
    ]
    assert not project.state.exists()
