"""Answers by calling a Python function of the project, each time in a process of its own; code is named before it runs.

Where the function changes to, what it sets, starts or breaks ends with that process. The file is read
when the configuration is, to see that the function is there; it is run in no other place than that process.
"""

from __future__ import annotations

import ast
import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from runner.did_you_mean import quote, suggest
from runner.domain.assistant import Project
from runner.domain.conversation import Output
from runner.domain.scenario import Expectation, Scenario, find_expectations, functions_in
from runner.errors import ConfigError, Location, Problem
from runner.functions import (
    MAX_OUTPUT_BYTES,
    FunctionFailed,
    FunctionTookTooLong,
    Misfit,
    ProjectFiles,
    build_answerer,
)

if TYPE_CHECKING:
    from asyncio import StreamReader, Task
    from asyncio.subprocess import Process

DEFAULT_TIMEOUT_S = 10.0
MAX_SOURCE_BYTES = 1024 * 1024
_WORKER = Path(__file__).with_name("_python_worker.py")
# JSON escapes a character with six at most.
_LONGEST_LINE = 6 * MAX_OUTPUT_BYTES + 1024
_MOST_PRINTED_BYTES = 64 * 1024
"""Of the end of what a call prints: more than anybody is shown, so that no secret is cut in two before it is found."""
_LAST_WORDS_S = 0.2
"""After the process has ended, what it printed is all there, unless a child that went away holds the pipe open."""

MAIN_FIELD = "call"
SCHEMA = {
    "type": "object",
    "description": "A Python function of the project, called with the arguments by name.",
    "properties": {
        "call": {
            "type": "string",
            "pattern": r"^[^:]+\.py:[A-Za-z_][A-Za-z0-9_]*$(?!\n)",
            "examples": ["tools/rates.py:exchange_rate"],
            "description": "The file, relative to this one, and the function: tools/rates.py:exchange_rate.",
        },
        "timeout": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 600,
            "default": DEFAULT_TIMEOUT_S,
            "examples": [30],
            "description": "Seconds that a call may take.",
        },
    },
    "required": ["call"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """`file` is real and under `root`, which is where the function runs; `code` is both as people read it.

    What it returns is passed on as JSON, but a text as it is unless `as_json`.
    """

    is_remote: ClassVar[bool] = False
    file: Path
    function: str
    root: Path
    code: str
    timeout: float = DEFAULT_TIMEOUT_S
    as_json: bool = False

    async def answer(self, arguments: Mapping[str, object]) -> Output:
        import asyncio

        process = await asyncio.create_subprocess_exec(
            # -P keeps the folder of runner's own modules out of the function's sight, -B bytecode out of the project;
            # -u: what is printed before it hangs or dies is seen.
            *(sys.executable, "-P", "-B", "-u", "-X", "utf8", str(_WORKER)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            start_new_session=True,
        )
        assert process.stderr is not None, "it is a pipe"
        printed = bytearray()
        listening = asyncio.create_task(_keep_the_end(process.stderr, printed))
        came: Output | FunctionFailed
        try:
            async with asyncio.timeout(self.timeout):
                line = await self._send_order(process, arguments)
                came = Output(self._read_answer(line) if line else self._explain_ending(await process.wait()))
        except TimeoutError:
            came = FunctionTookTooLong(f"{self.code}: there was no result after {self.timeout:g} s")
        except FunctionFailed as error:
            came = error
        finally:
            await _end(process, listening)
        came.printed = printed.decode("utf-8", "replace").rstrip()
        if isinstance(came, FunctionFailed):
            raise came
        return came

    async def _send_order(self, process: Process, arguments: Mapping[str, object]) -> bytes:
        """The line that comes back; empty if the process ended without one."""
        order = {
            "root": str(self.root),
            "file": str(self.file),
            "function": self.function,
            "arguments": arguments,
            "timeout_s": self.timeout,
            "max_bytes": MAX_OUTPUT_BYTES,
            "as_json": self.as_json,
        }
        assert process.stdin is not None, "it is a pipe"
        assert process.stdout is not None, "it is a pipe"
        with suppress(ConnectionError):
            process.stdin.write(json.dumps(order).encode())
            await process.stdin.drain()
        process.stdin.close()
        return await process.stdout.readline()

    def _read_answer(self, line: bytes) -> str:
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        match said:
            case {"output": str(output)}:
                return output
            case {"error": str(error)}:
                raise FunctionFailed(error)
        raise FunctionFailed(f"{self.code}: its process broke off in the middle of the result")

    def _explain_ending(self, exit_code: int) -> NoReturn:
        ending = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
        raise FunctionFailed(f"{self.code}: it ended its process before there was a result ({ending})")


class LocatedCode(str):
    """Code as people read it (`tools/rates.py:exchange_rate`), which knows where it is; both paths are real."""

    file: Path
    root: Path

    def answerer(self, timeout_s: float) -> Answerer:
        """What calls it; the answer is JSON, a text's too."""
        function, code = self.rpartition(":")[2], str(self)
        return Answerer(file=self.file, function=function, root=self.root, code=code, timeout=timeout_s, as_json=True)


def locate_code(named: str, files: ProjectFiles) -> LocatedCode:
    """Raises ValueError as `locate` does."""
    settings = locate({"call": named}, files)
    code = LocatedCode(settings["code"])
    code.file, code.root = Path(str(settings["file"])), files.root
    return code


def locate(written: Mapping[str, Any], files: ProjectFiles) -> Mapping[str, object]:
    """Raises ValueError if the file has no such function, as far as that can be told without running it."""
    named, _, function = str(written["call"]).partition(":")
    file = files.find(named)
    _check_source(file, named, function)
    shown = f"{file.relative_to(files.root).as_posix()}:{function}"
    timeout = float(written.get("timeout", DEFAULT_TIMEOUT_S))
    return {"file": file, "function": function, "root": files.root, "code": shown, "timeout": timeout}


def _check_source(file: Path, named: str, function: str) -> None:
    if file.stat().st_size > MAX_SOURCE_BYTES:
        raise ValueError(f"'{named}' has more than {MAX_SOURCE_BYTES:,} bytes, too many for Python code")
    try:
        module = ast.parse(file.read_bytes())
    except SyntaxError as error:
        raise ValueError(f"'{named}' is not Python: line {error.lineno}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"'{named}' is not Python") from error
    bindings = list(_bindings(module.body))
    own = [_kind_of_data(node) for name, node in bindings if name == function]
    if "" in own or "*" in dict(bindings):
        return
    functions = dict.fromkeys(name for name, node in bindings if isinstance(node, _DEFINITIONS))
    hint = suggest(function, functions, kind="the file has")
    said = (
        f"in '{named}', '{function}' is {own[-1]}, not a function" if own else f"'{named}' has no function '{function}'"
    )
    raise ValueError(said + (f"; {hint}" if hint else ""))


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _bindings(statements: list[ast.stmt]) -> Iterator[tuple[str, ast.AST | None]]:
    """The names that a module's statements give to something, each with what that is if it is plain to see; `*` if an
    import gives names that can't be told.
    """
    for statement in statements:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, statement
            case ast.Import(names=names):
                yield from ((alias.asname or alias.name.partition(".")[0], statement) for alias in names)
            case ast.ImportFrom(names=names):
                yield from ((alias.asname or alias.name, None) for alias in names)
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                yield name, value
            case _:
                # Other assignments, and whatever an `if` or a `try` may do.
                inner = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
                yield from ((node.id, None) for node in inner if isinstance(node.ctx, ast.Store))
                for field in ("body", "orelse", "finalbody"):
                    yield from _bindings(getattr(statement, field, []))
                for handler in getattr(statement, "handlers", []):
                    yield from _bindings(handler.body)


def _kind_of_data(node: ast.AST | None) -> str:
    """What it is that can't be called, in words; "" for what can, and for what only running it would tell."""
    match node:
        case ast.Constant(value=value) if value is not None:  # None may be filled in later
            return f"a value ({type(value).__name__})"
        case ast.Dict() | ast.DictComp():
            return "a dict"
        case ast.List() | ast.ListComp() | ast.Tuple() | ast.Set() | ast.SetComp():
            return "a list of values"
        case ast.JoinedStr():
            return "a text"
        case ast.Import():
            return "a module"
    return ""


def find_misfits(settings: Mapping[str, Any], parameters: Mapping[str, Any]) -> Iterator[Misfit]:
    """Where calls would break on the function's own parameters, as far as one plain `def` tells."""
    from runner.json_schema import describe_gap

    module = ast.parse(Path(settings["file"]).read_bytes())
    found = [node for name, node in _bindings(module.body) if name in (settings["function"], "*")]
    if len(found) != 1 or not isinstance(found[0], _DEFINITIONS) or found[0].decorator_list:
        return
    own, place = found[0].args, f"{settings['code'].rpartition(':')[0]}:{found[0].lineno}"
    positional = [*own.posonlyargs, *own.args]
    needed = positional[: len(positional) - len(own.defaults)]
    needed += [one for one, default in zip(own.kwonlyargs, own.kw_defaults, strict=True) if default is None]
    taken = [one.arg for one in (*own.args, *own.kwonlyargs)]
    foreign = [] if own.kwarg else [name for name in parameters.get("properties", {}) if name not in taken]
    for name in foreign:
        message = f"the function at {place} takes no argument {quote(name)}"
        yield Misfit(message=message, hint=suggest(name, taken, kind="it takes"))
    for one in () if foreign else needed:
        if reason := describe_gap(one.arg, parameters):
            message = f"the function at {place} needs the argument {quote(one.arg)}"
            yield Misfit(message=message, hint=f"{reason}: add it, or give it a default in the code")


def find_modules(file: Path, root: Path) -> tuple[Path, ...]:
    """A file of the project and all that it imports from there, directly or not, as far as import statements tell."""
    found, waiting = {file}, [file]
    while waiting:
        for one in sorted(_imported_by(waiting.pop(), root) - found):
            found.add(one)
            waiting.append(one)
    return tuple(sorted(found))


def _imported_by(file: Path, root: Path) -> set[Path]:
    """Modules under the root, and what makes their folders packages."""
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names: set[str] = set()
    for node in nodes:
        match node:
            case ast.Import():
                names.update(alias.name for alias in node.names)
            case ast.ImportFrom():
                # As many folders up as there are dots, the first of which is for its own.
                package = file.relative_to(root).parts[: -node.level] if node.level else ()
                module = [*package, *([node.module] if node.module else [])]
                names.update(".".join([*module, alias.name]) for alias in node.names)
    return {path for name in names for path in _files_of(name.split("."), root)}


def _files_of(name: list[str], root: Path) -> Iterator[Path]:
    """Those that importing `a.b` may run: `a.py` or `a/__init__.py`, then `a/b.py` or `a/b/__init__.py`."""
    for length in range(1, len(name) + 1):
        place = root.joinpath(*name[:length])
        for path in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if os.path.isfile(path):
                yield path


async def _keep_the_end(stream: StreamReader, printed: bytearray) -> None:
    """Read all of it, whatever there is: a full pipe would stop who prints."""
    while piece := await stream.read(_MOST_PRINTED_BYTES):
        printed += piece
        del printed[:-_MOST_PRINTED_BYTES]


async def _end(process: Process, listening: Task[None]) -> None:
    """End the process and what it started, but for what has gone into a session of its own."""
    import asyncio

    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        with suppress(ProcessLookupError):
            process.kill()
    await asyncio.wait([listening], timeout=_LAST_WORDS_S)
    listening.cancel()
    # asyncio waits for the pipes too, which a grandchild may hold open, and has no public way to close them. Closing
    # all of its transport would ask for the exit code behind the back of what waits for it, and say so on stderr.
    for descriptor in (0, 1, 2):
        pipe = process._transport.get_pipe_transport(descriptor)  # type: ignore[attr-defined]
        if pipe is not None:
            pipe.close()
    await process.wait()


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
