"""What the files want and a target's API can't do: found before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.domain.assistant import Assistant, History, PlainFormat, Project, Server, Target
from runner.domain.capabilities import Capabilities
from runner.domain.files import IMAGE_TYPES, FileUse, LocalFile, file_type, takes_file
from runner.domain.scenario import Scenario, Turn
from runner.errors import Problem

_MEGABYTE = 1024 * 1024


def find_unsupported(
    project: Project, scenarios: Sequence[Scenario] | None, target: Target, capabilities: Capabilities
) -> tuple[Problem, ...]:
    """Everything that these scenarios and their assistants need in vain; None stands for all assistants by themselves.

    What follows from another problem (attachments for a tool that isn't there) is left out.
    """
    shown = _show_target(target)
    wanted = {scenario.assistant for scenario in scenarios} if scenarios is not None else None
    problems: list[Problem] = []
    for assistant in project.assistants:
        if wanted is None or assistant.address in wanted:
            problems += _check_assistant(assistant, capabilities, shown)
    for scenario in scenarios or ():
        tools = _tools_of(project, scenario) & capabilities.tools
        for turn in scenario.turns:
            problems += _check_turn(turn, tools, capabilities, shown)
    return tuple(problems)


def _tools_of(project: Project, scenario: Scenario) -> frozenset[str]:
    assistant = project.find_assistant(scenario.assistant)
    return assistant.tool_names if assistant else frozenset()


def _check_assistant(assistant: Assistant, capabilities: Capabilities, shown: str) -> Iterator[Problem]:
    path = f"assistants.{assistant.address}"
    known = f"it has {', '.join(sorted(capabilities.tools))}" if capabilities.tools else "it has no hosted tools"
    for index, tool in enumerate(assistant.tools):
        name = tool.name.value
        if name not in capabilities.tools:
            place = tool.location or assistant.place_of("tools")
            yield place.problem(
                f"{shown} does not have the tool {name}",
                path=f"{path}.tools[{index}]",
                hint=f"{known}; choose another target",
            )
    if assistant.functions and not capabilities.functions:
        place = assistant.place_of("functions")
        hint = "choose another target"
        yield place.problem(f"{shown} can't call functions", path=f"{path}.functions", hint=hint)
    for setting in sorted(_settings_of(assistant) - capabilities.settings):
        yield assistant.place_of(setting).problem(
            f"{shown} does not take {setting}",
            path=f"{path}.{setting}",
            hint=f"remove {setting}, or choose another target",
        )
    if assistant.response_format is PlainFormat.JSON_OBJECT and not capabilities.json_object:
        yield assistant.place_of("response_format").problem(
            f"{shown} does not take response_format: json_object",
            path=f"{path}.response_format",
            hint="give it a JSON Schema, or choose another target",
        )
    least = capabilities.least_output_tokens
    if assistant.max_output_tokens is not None and assistant.max_output_tokens < least:
        yield assistant.place_of("max_output_tokens").problem(
            f"{shown} takes {least} or more",
            path=f"{path}.max_output_tokens",
            hint="raise it, or choose another target",
        )


def _settings_of(assistant: Assistant) -> frozenset[str]:
    """The keys that not every API takes, as far as they say something."""
    said = {
        "temperature": assistant.temperature is not None,
        "top_p": assistant.top_p is not None,
        "reasoning": assistant.reasoning_effort is not None,
        "response_format": assistant.response_format is not None,
        "max_output_tokens": assistant.max_output_tokens is not None,
        "metadata": bool(assistant.metadata),
    }
    return frozenset(name for name, is_said in said.items() if is_said)


def _check_turn(turn: Turn, tools: frozenset[str], capabilities: Capabilities, shown: str) -> Iterator[Problem]:
    """`tools` are those that both the assistant and the target have."""
    document_bytes = 0
    for file in turn.attachments:
        if file.use is not FileUse.INPUT:
            continue
        yield from _check_type(file, tools, capabilities, shown)
        if file_type(file.name) not in IMAGE_TYPES:
            yield from _check_size(file, document_bytes, capabilities, shown)
            document_bytes += file.size_bytes


def _check_type(file: LocalFile, tools: frozenset[str], capabilities: Capabilities, shown: str) -> Iterator[Problem]:
    kind = file_type(file.name)
    if kind not in capabilities.input_types:
        taken = f"it takes {' '.join(sorted(capabilities.input_types))}; " if capabilities.input_types else ""
        yield file.location.problem(
            f"{shown} can't take a '.{kind}' file ('{file.name}') as the model's input",
            hint=f"{taken}{_find_other_use(file, tools)}, or choose another target",
        )


def _find_other_use(file: LocalFile, tools: frozenset[str]) -> str:
    others = (use for use in (FileUse.FILE_SEARCH, FileUse.CODE_INTERPRETER) if takes_file(use, file.name))
    fitting = next((use for use in others if use.value in tools), None)
    return f"use `for: {fitting.value}`" if fitting else "give the assistant a tool that takes it"


def _check_size(file: LocalFile, bytes_before: int, capabilities: Capabilities, shown: str) -> Iterator[Problem]:
    """The first file with which there is too much is the one to blame."""
    most = capabilities.input_bytes
    if most is not None and bytes_before <= most < bytes_before + file.size_bytes:
        before = " with those before it" if bytes_before else ""
        megabytes = f"{(bytes_before + file.size_bytes) / _MEGABYTE:,.1f} MB"
        yield file.location.problem(
            f"'{file.name}' has {megabytes}{before}; {shown} takes {most // _MEGABYTE} MB as the model's input",
            hint="make it smaller, or give the assistant a tool that takes it",
        )


def _show_target(target: Target) -> str:
    server = ", embedded server" if target.server is Server.EMBEDDED else ""
    history = ", history replay" if target.history is History.REPLAY else ""
    return f"target '{target.name}' (api {target.api}{server}{history})"
