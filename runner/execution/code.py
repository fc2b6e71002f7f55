"""What of the project's own code a play would run: named before it is run, and refused if somebody said so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runner.domain.assistant import Project
from runner.domain.location import Location
from runner.domain.scenario import Scenario, functions_in
from runner.errors import ConfigError
from runner.execution.answering import build_answerer


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectCode:
    """Code that answers a function; `code` as people read it: `tools/rates.py:exchange_rate`."""

    code: str
    function: str
    location: Location


def find_code(project: Project, scenarios: Iterable[Scenario]) -> tuple[ProjectCode, ...]:
    """What the functions of these scenarios' assistants may run, each declaration once."""
    found: dict[Location, ProjectCode] = {}
    for scenario in scenarios:
        assistant = project.find_assistant(scenario.assistant)
        for function in functions_in(scenario, assistant) if assistant else ():
            location = function.answering.location
            if location not in found and (code := build_answerer(function).code):
                found[location] = ProjectCode(code=code, function=function.name, location=location)
    return tuple(found.values())


def refuse_code(project: Project, scenarios: Iterable[Scenario]) -> None:
    """Raises ConfigError with everything that would be run."""
    problems = tuple(
        one.location.problem(
            f"the function '{one.function}' runs {one.code}, which --no-code forbids",
            hint="give it another answer in the scenario, as in `functions: {NAME: {returns: VALUE}}`",
        )
        for one in find_code(project, scenarios)
    )
    if problems:
        raise ConfigError(problems)
