"""Answer the function calls of a run: every call gets an answer; code of the project is named, or refused, before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isinf
from pathlib import Path

from runner.domain.assistant import Function, Project
from runner.domain.conversation import FunctionAnswer, FunctionCall
from runner.domain.scenario import Expectation, Scenario, find_expectations, functions_in
from runner.errors import ConfigError, Location, Problem
from runner.functions import MAX_OUTPUT_BYTES, Answerer, FunctionFailed
from runner.functions.python import LocatedCode
from runner.json_schema import find_mismatch
from runner.plugins import load_plugin

CALLS_AT_ONCE = 8
LONGEST_ERROR = 1000


class Desk:
    """Answers the calls of some functions; `places` limits how many are worked on at once, over all desks of a play.

    What an answer says is without secrets (`clean`): it goes to the model, and into reports.
    """

    def __init__(
        self, functions: Iterable[Function], *, clean: Callable[[str], str], places: asyncio.Semaphore
    ) -> None:
        self._functions = {function.name: function for function in functions}
        self._answerers = {name: build_answerer(function) for name, function in self._functions.items()}
        self._clean = clean
        self._places = places

    async def answer(self, call: FunctionCall) -> FunctionAnswer:
        """The answer to one call; what goes wrong is said in it."""
        try:
            output = self._clean(await self._work_out(call))
            size = len(output.encode("utf-8", "replace"))
            if size > MAX_OUTPUT_BYTES:
                raise FunctionFailed(f"the result has {size:,} bytes; at most {MAX_OUTPUT_BYTES:,} are passed on")
        except FunctionFailed as error:
            return _explain(self._clean(str(error)))
        except Exception as error:  # noqa: BLE001 - one broken function must not leave a call without an answer
            return _explain(self._clean(f"{type(error).__name__}: {error}"))
        return FunctionAnswer(output=_sendable(output))

    async def _work_out(self, call: FunctionCall) -> str:
        function = self._functions.get(call.name)
        if function is None:
            raise FunctionFailed(f"there is no function '{call.name}'; there is {', '.join(self._functions)}")
        arguments = read_arguments(call.arguments)
        mismatch = find_mismatch(arguments, function.parameters)
        if mismatch:
            raise FunctionFailed(f"the arguments are not as declared: {mismatch}")
        answerer = self._answerers[call.name]
        if call.recorded is not None and answerer.is_remote:
            return call.recorded
        async with self._places:
            return await answerer.answer(arguments)


def build_answerer(function: Function) -> Answerer:
    """What answers a function, out of its settings."""
    module = load_plugin("runner.functions", function.answering.kind)
    answerer: Answerer = module.Answerer(**function.answering.settings)
    return answerer


def read_arguments(text: str) -> Mapping[str, object]:
    """The arguments of a call; nothing at all means none. Raises FunctionFailed."""
    try:
        arguments = json.loads(text, parse_constant=_refuse_constant, parse_float=_read_float) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise FunctionFailed(f"the arguments are not JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise FunctionFailed("the arguments are not a JSON object")
    return arguments


def _read_float(digits: str) -> float:
    number = float(digits)
    if isinf(number):
        raise ValueError(f"{digits[:20]} is too large a number")
    return number


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number")


def _explain(reason: str) -> FunctionAnswer:
    return FunctionAnswer(output=_sendable(f"error: {reason[:LONGEST_ERROR]}"), is_error=True)


def _sendable(text: str) -> str:
    """Without the halves of characters that no encoding has."""
    return text.encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectCode:
    """Code of the project; `code` as people read it: `tools/rates.py:exchange_rate`.

    `runner` is what runs it, a function or a check, and `name` which one.
    """

    code: str
    runner: str
    name: str
    location: Location


def find_code(project: Project, scenarios: Iterable[Scenario]) -> tuple[ProjectCode, ...]:
    """What the functions of these scenarios' assistants, and their checks, may run, each declaration once."""
    found: dict[Location, ProjectCode] = {}
    for scenario in scenarios:
        assistant = project.find_assistant(scenario.assistant)
        for function in functions_in(scenario, assistant) if assistant else ():
            location = function.answering.location
            if location not in found and (code := build_answerer(function).code):
                found[location] = ProjectCode(code=code, runner="function", name=function.name, location=location)
        for one, code in find_check_code([scenario]):
            found[one.location] = ProjectCode(code=code, runner="check", name=one.check, location=one.location)
    return tuple(found.values())


def find_code_files(project: Project, scenarios: Iterable[Scenario]) -> Iterator[tuple[Path, Path]]:
    """The Python files of the functions and checks of these scenarios, each with the folder that it imports from."""
    for scenario in scenarios:
        assistant = project.find_assistant(scenario.assistant)
        for function in functions_in(scenario, assistant) if assistant else ():
            match function.answering.settings:
                case {"file": Path() as file, "root": Path() as root}:
                    yield file, root
        yield from ((code.file, code.root) for _, code in find_check_code([scenario]))


def find_check_code(scenarios: Iterable[Scenario]) -> Iterator[tuple[Expectation, LocatedCode]]:
    """The checks that run code of the project, each with that."""
    for one in find_expectations(scenarios):
        yield from ((one, value) for value in one.parameters.values() if isinstance(value, LocatedCode))


def refuse_code(project: Project, scenarios: Iterable[Scenario]) -> None:
    """Raises ConfigError with everything that would be run."""
    if problems := describe_refused_code(project, scenarios):
        raise ConfigError(problems)


def describe_refused_code(project: Project, scenarios: Iterable[Scenario], *, only: str = "") -> tuple[Problem, ...]:
    """What would be run, as mistakes; `only` by functions, or by checks."""
    answer = "give it another answer in the scenario, as in `functions: {NAME: {returns: VALUE}}`"
    return tuple(
        one.location.problem(
            f"the {one.runner} '{one.name}' runs {one.code}, which --no-code forbids",
            hint=answer if one.runner == "function" else "",
        )
        for one in find_code(project, scenarios)
        if only in ("", one.runner)
    )
