"""What the files want and a target's API can't do: found before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.domain.assistant import Assistant, History, Project, Target
from runner.domain.capabilities import Capabilities
from runner.domain.files import FileUse, LocalFile, file_type
from runner.domain.location import Location
from runner.domain.scenario import Scenario
from runner.errors import Problem


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
        for turn in scenario.turns:
            for file in turn.attachments:
                problems += _check_attachment(file, capabilities, shown)
    return tuple(problems)


def _check_assistant(assistant: Assistant, capabilities: Capabilities, shown: str) -> Iterator[Problem]:
    for name in sorted(assistant.tool_names - capabilities.tools):
        known = f"it has {', '.join(sorted(capabilities.tools))}" if capabilities.tools else "it has no hosted tools"
        yield _problem(assistant, "tools", f"{shown} does not have the tool {name}", f"{known}; choose another target")
    if assistant.functions and not capabilities.functions:
        yield _problem(assistant, "functions", f"{shown} can't call functions", "choose another target")
    said = {
        "temperature": assistant.temperature is not None,
        "top_p": assistant.top_p is not None,
        "reasoning": assistant.reasoning_effort is not None,
        "metadata": bool(assistant.metadata),
    }
    for field in sorted(name for name, is_said in said.items() if is_said and name not in capabilities.settings):
        yield _problem(assistant, field, f"{shown} does not take {field}", f"remove {field}, or choose another target")


def _check_attachment(file: LocalFile, capabilities: Capabilities, shown: str) -> Iterator[Problem]:
    kind = file_type(file.name)
    if file.use is not FileUse.INPUT or kind in capabilities.input_types:
        return
    taken = f"it takes {' '.join(sorted(capabilities.input_types))}; " if capabilities.input_types else ""
    yield _place(
        file.location,
        path="",
        message=f"{shown} can't take a '.{kind}' file ('{file.name}') as the model's input",
        hint=f"{taken}give the assistant a tool that takes it, or choose another target",
    )


def _show_target(target: Target) -> str:
    history = ", history replay" if target.history is History.REPLAY else ""
    return f"target '{target.name}' (api {target.api}{history})"


def _problem(assistant: Assistant, field: str, message: str, hint: str) -> Problem:
    return _place(assistant.location, path=f"assistants.{assistant.address}.{field}", message=message, hint=hint)


def _place(where: Location, *, path: str, message: str, hint: str) -> Problem:
    return Problem(file=where.file, line=where.line, column=where.column, path=path, message=message, hint=hint)
