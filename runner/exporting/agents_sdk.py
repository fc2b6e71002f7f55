"""A script for OpenAI's Agents SDK (`openai-agents`): an `Agent`, and its answer to a question."""

from __future__ import annotations

from collections.abc import Mapping

from runner.exporting import Call, Code, Export, answering_stub, python_text

_SETTINGS = {"max_output_tokens": "max_tokens", "include": "response_include"}
"""Fields of the request that `ModelSettings` calls otherwise."""
_SAME_SETTINGS = ("temperature", "top_p", "reasoning", "metadata", "store")
_HERE = "code_interpreter_call.outputs", "web_search_call.action.sources"
"""What no tool of the library includes by itself."""


def render(export: Export) -> str:
    tools = [_tool(tool, export) for tool in export.tools]
    agent = export.literal(Call("Agent", _agent(export, tools)))
    used = {tool.name for tool in tools} | {"Agent", "OpenAIResponsesModel", "Runner"}
    used |= {"ModelSettings"} & {word.split("(")[0] for word in agent.replace("=", " ").split()}
    tracing = ""
    if not export.is_openai:
        used.add("set_tracing_disabled")
        tracing = "# Traces go to OpenAI, with the key of OPENAI_API_KEY, wherever the model is.\nset_tracing_disabled(True)\n\n"
    stub = f"\n\n{answering_stub(export, is_async=True)}\n" if export.functions else ""
    imports = ["json"] * bool(stub) + ["os"] * ("os.environ[" in agent) + ["sys"]
    head = f'"""The assistant \'{export.assistant.address}\'; ask it: python FILE "a question"."""\n\n'
    imported = "".join(f"import {name}\n" for name in imports)
    imported += f"\nfrom agents import {', '.join(sorted(used, key=str.casefold))}\nfrom openai import AsyncOpenAI\n"
    note = "# OPENAI_BASE_URL and OPENAI_API_KEY are as `runner serve` prints them.\n" if export.address is None else ""
    ending = 'if __name__ == "__main__":\n    print(Runner.run_sync(agent, sys.argv[1]).final_output)'
    return f"{head}{imported}{stub}\n{tracing}{note}agent = {agent}\n\n{ending}"


def _agent(export: Export, tools: list[Call]) -> dict[str, object]:
    body = export.body
    # A model of its own: by name alone the library would fill in settings that it thinks good for that model.
    model = Call("OpenAIResponsesModel", {"model": body["model"], "openai_client": export.client("AsyncOpenAI")})
    instructions = {"instructions": body["instructions"]} if "instructions" in body else {}
    settings = _settings(body)
    return {
        "name": export.assistant.name,
        **instructions,
        "model": model,
        **({"model_settings": Call("ModelSettings", settings)} if settings else {}),
        **({"tools": tools} if tools else {}),
    }


def _settings(body: Mapping[str, object]) -> dict[str, object]:
    settings = {name: body[name] for name in _SAME_SETTINGS if name in body}
    settings |= {ours: body[theirs] for theirs, ours in _SETTINGS.items() if theirs in body}
    include = settings.get("response_include")
    if isinstance(include, list):
        settings["response_include"] = [one for one in include if one in _HERE]
    if not settings.get("response_include", True):
        del settings["response_include"]
    if "text" in body:
        # `output_type` would change the format's name, lose its description, and has none for `json_object`.
        settings["extra_args"] = {"text": body["text"]}
    return settings


def _tool(tool: Mapping[str, object], export: Export) -> Call:
    options = {name: value for name, value in tool.items() if name != "type"}
    match tool["type"]:
        case "file_search":
            return Call("FileSearchTool", {**options, "include_search_results": True})
        case "code_interpreter":
            return Call("CodeInterpreterTool", {"tool_config": dict(tool)})
        case "web_search":
            return Call("WebSearchTool", options)
        case "mcp":
            return Call("HostedMCPTool", {"tool_config": dict(tool), **_approval(tool, export)})
        case _:
            return _function(tool, export)


def _approval(tool: Mapping[str, object], export: Export) -> dict[str, object]:
    for server in export.asking_servers:
        if server.label == tool["server_label"]:
            approved = server.approved_tools
            tools = "" if approved is None else f"[{', '.join(map(python_text, sorted(approved)))}]"
            said = f"request.data.name in {tools}" if tools else "True"
            return {"on_approval_request": Code(f'lambda request: {{"approve": {said}}}')}
    return {}


def _function(tool: Mapping[str, object], export: Export) -> Call:
    name = str(tool["name"])
    invoke = Code(f"lambda context, arguments: answer({export.literal(name)}, json.loads(arguments))")
    arguments = {
        "name": name,
        "description": tool.get("description", ""),
        "params_json_schema": tool["parameters"],
        "strict_json_schema": tool["strict"],
        "on_invoke_tool": invoke,
    }
    return Call("FunctionTool", arguments)
