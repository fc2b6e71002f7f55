"""A whole definition as JSON values in the words that users write: what is hashed, and compared between two states.

Secrets are no part of it (a new token is no new definition), nor how functions are answered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from runner.domain.assistant import Assistant, Function, McpServer, SchemaFormat, Tool, WebSearch
from runner.domain.files import LocalFile
from runner.domain.scenario import Expectation, Scenario, functions_in

HASH_CHARACTERS = 12


def describe_definition(assistant: Assistant) -> dict[str, object]:
    """Everything but the files, by key; what the file leaves out is not there. Tools and functions have a key each."""
    wanted = assistant.response_format
    if isinstance(wanted, SchemaFormat):
        response_format: object = _said(
            name=wanted.name, description=wanted.description, strict=wanted.strict, schema=wanted.schema
        )
    else:
        response_format = wanted.value if wanted else None
    return {
        **_said(name=assistant.name, model=assistant.model, instructions=assistant.instructions),
        **dict(map(_describe_tool, assistant.tools)),
        **{f"function {one.name}": _describe_function(one) for one in assistant.functions},
        **_said(
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
    return {**describe_definition(assistant), **_said(files=told)}


def hash_definition(assistant: Assistant, files: Iterable[tuple[LocalFile, str]]) -> str:
    """A short hash in hex: equal for definitions that mean the same, in every checkout. Files have their sha256."""
    told = {tuple(map(str, (file.use.value, file.name, sha256, file.chunking or ""))) for file, sha256 in files}
    described = {**describe_definition(assistant), "files": sorted(told)}
    text = json.dumps(described, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]


def hash_scenario(
    scenario: Scenario, assistant: Assistant, definition: str, sha256_of: Callable[[LocalFile | Path], str]
) -> str:
    """A short hash in hex of all that decides a scenario's result beside the API: with it the result is still good."""
    told = {
        "definition": definition,
        "turns": [
            [
                turn.ask,
                [(file.name, file.use.value, sha256_of(file)) for file in turn.attachments],
                turn.expectations,
            ]
            for turn in scenario.turns
        ],
        "expect": scenario.expectations,
        "functions": [
            (one.name, one.answering.kind, _describe_settings(one.answering.settings, sha256_of))
            for one in functions_in(scenario, assistant)
        ],
        "item": scenario.item,
        "rules": [
            *(scenario.smoke, scenario.timeout_s, scenario.queue_timeout_s, scenario.continues, scenario.skip),
            *(scenario.repeat, scenario.passes_needed),
        ],
    }
    text = json.dumps(told, sort_keys=True, ensure_ascii=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]


def _describe_settings(
    settings: Mapping[str, object], sha256_of: Callable[[LocalFile | Path], str]
) -> dict[str, object]:
    """A file counts by its content, wherever the project lies."""
    return {name: sha256_of(value) if isinstance(value, Path) else value for name, value in settings.items()}


def _plain(value: object) -> object:
    """An expectation without its place, which may move; for the rest its text."""
    return [value.check, value.parameters] if isinstance(value, Expectation) else str(value)


def _said(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None and value not in ("", [], {})}


def _describe_tool(tool: Tool) -> tuple[str, object]:
    label = f"tool {tool.name.value}"
    if tool.mcp is not None:
        return f"{label} {tool.mcp.label}", _describe_server(tool.mcp)
    search = tool.web_search or WebSearch()
    return label, _said(
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
    return _said(
        url=server.url,
        description=server.description,
        allowed_tools=list(server.allowed_tools),
        require_approval=required,
        approves="all" if server.approved_tools is None else sorted(server.approved_tools),
    )


def _describe_function(function: Function) -> dict[str, object]:
    return _said(description=function.description, parameters=function.parameters, strict=function.strict)
