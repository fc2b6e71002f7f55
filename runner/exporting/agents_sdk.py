"""A script for OpenAI's Agents SDK (`openai-agents`): an `Agent`, and its answer to a question."""

from __future__ import annotations

from collections.abc import Mapping

from runner.errors import UsageError
from runner.exporting import Export
from runner.exporting._python_code import (
    SERVE_NOTE,
    Call,
    Code,
    answering_stub,
    approval,
    begin_script,
    client_call,
    quoted,
    write,
)

_SETTINGS = {"max_output_tokens": "max_tokens", "include": "response_include"}
"""Fields of the request that `ModelSettings` calls otherwise."""
_SAME_SETTINGS = ("temperature", "top_p", "reasoning", "metadata", "store")
_NO_TRACES = """\
# Traces go to OpenAI, with the key of OPENAI_API_KEY, wherever the model is.
set_tracing_disabled(True)

"""


def render(export: Export) -> str:
    """Raises UsageError where the definition is stored."""
    if export.is_foundry:
        raise UsageError(
            "--format agents-sdk: the Agents SDK sends a model and a definition of its own with each request, and one "
            "that names an agent of Foundry takes neither; there is json, python, curl"
        )
    tools = [_tool(tool, export) for tool in export.tools]
    settings = _settings(export.body)
    agent = write(_agent(export, tools, settings), export)
    names = {"Agent", "OpenAIResponsesModel", "Runner", *(tool.name for tool in tools)}
    names |= {"ModelSettings"} if settings else set()
    names |= set() if export.is_openai else {"set_tracing_disabled"}
    return "".join(
        (
            begin_script(export, agent),
            f"\nfrom agents import {', '.join(sorted(names, key=str.casefold))}\n",
            "from openai import AsyncOpenAI\n\n",
            f"\n{answering_stub(export, is_async=True)}\n\n" if export.functions else "",
            "" if export.is_openai else _NO_TRACES,
            SERVE_NOTE * (export.address is None),
            f"agent = {agent}\n\n",
            'if __name__ == "__main__":\n    print(Runner.run_sync(agent, sys.argv[1]).final_output)',
        )
    )


def _agent(export: Export, tools: list[Call], settings: Mapping[str, object]) -> Call:
    body = export.body
    # A model of its own: by name alone the library would fill in settings that it thinks good for that model.
    client = client_call("AsyncOpenAI", export)
    arguments: dict[str, object] = {
        "name": export.assistant.name,
        "instructions": body.get("instructions"),
        "model": Call("OpenAIResponsesModel", {"model": body["model"], "openai_client": client}),
        "model_settings": Call("ModelSettings", settings) if settings else None,
        "tools": tools or None,
    }
    return Call("Agent", {name: value for name, value in arguments.items() if value is not None})


def _settings(body: Mapping[str, object]) -> dict[str, object]:
    settings = {name: body[name] for name in _SAME_SETTINGS if name in body}
    settings |= {ours: body[theirs] for theirs, ours in _SETTINGS.items() if theirs in body}
    if "text" in body:
        # `output_type` would change the format's name, lose its description, and has none for `json_object`.
        settings["extra_args"] = {"text": body["text"]}
    return settings


def _tool(tool: Mapping[str, object], export: Export) -> Call:
    options = {name: value for name, value in tool.items() if name != "type"}
    match tool["type"]:
        case "file_search":
            return Call("FileSearchTool", options)
        case "code_interpreter":
            return Call("CodeInterpreterTool", {"tool_config": dict(tool)})
        case "web_search":
            return Call("WebSearchTool", options)
        case "mcp":
            return _mcp(tool, export)
        case _:
            return _function(tool)


def _mcp(tool: Mapping[str, object], export: Export) -> Call:
    arguments: dict[str, object] = {"tool_config": dict(tool)}
    server = next((one for one in export.asking_servers if one.label == tool["server_label"]), None)
    if server is not None:
        approved = approval(server, "request.data.name")
        arguments["on_approval_request"] = Code(f'lambda request: {{"approve": {approved}}}')
    return Call("HostedMCPTool", arguments)


def _function(tool: Mapping[str, object]) -> Call:
    name = str(tool["name"])
    invoke = Code(f"lambda context, arguments: answer({quoted(name)}, json.loads(arguments))")
    arguments = {
        "name": name,
        "description": tool.get("description", ""),
        "params_json_schema": tool["parameters"],
        "strict_json_schema": tool["strict"],
        "on_invoke_tool": invoke,
    }
    return Call("FunctionTool", arguments)
