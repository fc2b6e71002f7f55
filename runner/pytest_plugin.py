"""pytest collects scenario files as tests, and its fixture `assistant` asks in code.

It is loaded by every pytest in an environment that has runner, so it imports nothing of runner before a scenario file
is met, and meets none unless it is named on the command line or lies below a folder of `assistant_scenarios`.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from _pytest._code.code import ExceptionInfo, TerminalRepr
    from _pytest._io import TerminalWriter

    from runner.cli._session import Session
    from runner.domain.assistant import Assistant
    from runner.domain.conversation import Run, ThreadId
    from runner.domain.judgement import Answers, Questions
    from runner.domain.report import ScenarioResult, TurnResult, Verdict
    from runner.domain.scenario import Scenario
    from runner.errors import RunnerError
    from runner.execution.judging import Asker
    from runner.execution.player import Player
    from runner.execution.stage import KeptOpen, Stage

T = TypeVar("T")

_FOLDERS = "assistant_scenarios"
_TARGET = "assistant_target"
_SUFFIXES = (".yaml", ".yml")
_PROJECT_FILE = "assistants.yaml"
_TAG = re.compile(r"[^\W_][\w.+-]*")
_TAKEN = frozenset("skip skipif xfail parametrize usefixtures filterwarnings asyncio timeout tryfirst trylast".split())
"""Marks that mean something to pytest: a tag of that name would change what happens."""
_LINES_AROUND = 3
_WEAK = "weak_passes"
_UNCOMPARED = pytest.StashKey[bool]()
"""Whether there is something that `runner play` would compare with an earlier play."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(_FOLDERS, "folders whose scenario files are tests", type="paths", default=[])
    parser.addini(_TARGET, "where assistants are asked, instead of the file's `target`", default="")
    group = parser.getgroup("assistants")
    group.addoption("--assistant-target", metavar="NAME", help="where assistants are asked (runner)")


def pytest_configure(config: pytest.Config) -> None:
    for folder in config.getini(_FOLDERS):
        if not any(file.suffix in _SUFFIXES for file in folder.rglob("*")):
            missing = "no scenario in it" if folder.is_dir() else "no such folder"
            where = os.path.relpath(folder, config.rootpath)
            raise pytest.UsageError(f"{_FOLDERS} names {where}, and there is {missing}: nothing would be played")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix not in _SUFFIXES or file_path.name == _PROJECT_FILE:
        return None
    folders: Sequence[Path] = parent.config.getini(_FOLDERS)
    is_named = parent.session.isinitpath(file_path)
    if not is_named and not any(folder in file_path.parents for folder in folders):
        return None
    project = _find_project(file_path.parent)
    return ScenarioFile.from_parent(parent, path=file_path, project=project) if project else None


def _find_project(folder: Path) -> Path | None:
    return next((one / _PROJECT_FILE for one in (folder, *folder.parents) if (one / _PROJECT_FILE).is_file()), None)


class ScenarioFile(pytest.File):
    """A scenario file; each scenario in it is a test."""

    def __init__(self, *, project: Path, **rest: Any) -> None:
        super().__init__(**rest)
        self._project = project

    def collect(self) -> Iterable[ScenarioTest]:
        from runner.cli._session import load_project
        from runner.errors import RunnerError

        try:
            # What isn't set matters once it is played: `--collect-only` needs no key.
            found = load_project(self._project, (str(self.path),), needs_variables=False)
        except RunnerError as error:
            raise self.CollectError(str(error)) from error
        if found.baseline or any(one.golden for one in found.scenarios):
            self.config.stash[_UNCOMPARED] = True
        for scenario in found.scenarios:
            # By its text, as pytest's cache and reports have it: there, pytest reads the `[a]` of "prices [a]" as a
            # parameter, and in a name alone it does not, so that `--lf` and `--sw` would never find the row again.
            nodeid = f"{self.nodeid}::{scenario.name}"
            test = ScenarioTest.from_parent(
                self, name=scenario.name, nodeid=nodeid, scenario=scenario, project=self._project
            )
            for tag in scenario.tags:
                if _TAG.fullmatch(tag) and tag not in _TAKEN:
                    _register(self.config, f"{tag}: a tag of scenarios")
                    test.add_marker(tag)
            yield test


def _register(config: pytest.Config, marker: str) -> None:
    if marker not in config.getini("markers"):
        config.addinivalue_line("markers", marker)


class ScenarioTest(pytest.Item):
    """A scenario, played once pytest comes to it."""

    def __init__(self, *, scenario: Scenario, project: Path, **rest: Any) -> None:
        super().__init__(**rest)
        self._scenario = scenario
        self._project = project
        if scenario.skip:
            self.add_marker(pytest.mark.skip(reason=scenario.skip))

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, _line_of(self._scenario) - 1, self.name

    def runtest(self) -> None:
        from runner.domain.report import Outcome
        from runner.errors import RunnerError

        try:
            table = _tables(self.config).open(self._project)
            result = table.play(self.path, self._scenario)
        except RunnerError as error:
            raise Unplayed(str(error)) from error
        if result.outcome is Outcome.SKIPPED:
            pytest.skip(result.reason)
        if result.weak_checks:
            self.user_properties.append((_WEAK, " ".join(result.weak_checks)))
        if result.outcome is Outcome.FLAKY:
            passed = sum(attempt.outcome is Outcome.PASSED for attempt in result.attempts)
            self.add_report_section("call", "flaky", f"passed {passed} of {len(result.attempts)} times")
        elif result.outcome is not Outcome.PASSED:
            raise ScenarioFailed(result, table.clean)

    def repr_failure(self, excinfo: ExceptionInfo[BaseException], style: Any = None) -> str | TerminalRepr:
        if isinstance(excinfo.value, ScenarioFailed):
            return _explain(self.path, excinfo.value.result, excinfo.value.clean)
        if isinstance(excinfo.value, Unplayed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


def _line_of(scenario: Scenario) -> int:
    """In its scenario file: a row of another file has no line there."""
    place, declared_at = scenario.location, scenario.declared_at
    return declared_at.line if declared_at is not None and declared_at.file != place.file else place.line


class ScenarioFailed(Exception):
    """A scenario that did not pass; `clean` takes secrets out of what is shown of it."""

    def __init__(self, result: ScenarioResult, clean: Callable[[str], str]) -> None:
        super().__init__(result.reason)
        self.result = result
        self.clean = clean


class Unplayed(Exception):
    """A scenario that could not begin: a key that is missing, a target that can't be reached."""


def _explain(path: Path, result: ScenarioResult, clean: Callable[[str], str]) -> TerminalRepr:
    """What pytest shows: the lines of the file around what did not hold, what was expected, and the conversation."""
    from _pytest._code.code import ReprFileLocation, TerminalRepr

    from runner.domain.report import Outcome
    from runner.escaping import terminal

    class Shown(TerminalRepr):
        def __init__(self, lines: Sequence[str], crash: ReprFileLocation) -> None:
            self.lines = lines
            self.reprcrash = crash

        def toterminal(self, tw: TerminalWriter) -> None:
            for line in self.lines:
                tw.line(line, red=line.startswith("E "), bold=line.startswith(("E ", ">")))
            tw.line("")
            self.reprcrash.toterminal(tw)

    shown = result.shown
    turns = [turn for turn in shown.turns if turn.outcome is not Outcome.PASSED] if shown else []
    lines: list[str] = [f"row {result.scenario.row}", ""] if result.scenario.row else []
    line, message = _line_of(result.scenario), result.reason
    for turn in turns:
        broken = [verdict for verdict in turn.verdicts if verdict.outcome is not Outcome.PASSED]
        line = broken[0].location.line if broken else turn.turn.location.line
        message = _say(broken[0]) if broken else turn.reason
        lines += [*_quote_file(path, line), *_say_all(turn, broken), "", *_tell(turn)]
    lines += [f"E   {result.reason}"] if not turns else []
    word = "could not be evaluated: " if result.outcome is Outcome.ERRORED else ""
    message = terminal(clean(f"{word}{message}".replace("\n", " ")))
    # First what xdist takes for the message: it hands on the text alone.
    shown_lines = [message, "", *(terminal(clean(one)) for text in lines for one in text.split("\n"))]
    return Shown(shown_lines, ReprFileLocation(str(path), line, message))


def _quote_file(path: Path, line: int) -> Iterator[str]:
    """Some lines of a file, with a mark at one of them."""
    try:
        text = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        return
    for number in range(max(1, line - _LINES_AROUND), line + 1):
        yield f"{'>' if number == line else ' '} {number:4} {text[number - 1]}" if number <= len(text) else ""


def _say_all(turn: TurnResult, broken: Sequence[Verdict]) -> Iterator[str]:
    for verdict in broken:
        yield f"E   {_say(verdict)}"
        if verdict.reason:
            yield f"E     {verdict.reason}"
    if not broken:
        yield f"E   {turn.reason}"


def _say(verdict: Verdict) -> str:
    from runner.domain.report import Outcome

    if verdict.outcome is Outcome.ERRORED:
        return f"{verdict.check}: {verdict.reason}"
    return f"{verdict.check}: expected {verdict.expected}, found {verdict.found}"


def _tell(turn: TurnResult) -> Iterator[str]:
    yield f"  ask     {turn.turn.ask}"
    if turn.run is not None:
        yield f"  answer  {turn.run.text or turn.run.refusal or turn.run.declined or turn.run.error or ''}"
        for step in turn.run.steps:
            yield f"  {step.title}  {' '.join(step.input.split())[:200]}".rstrip()
            if not step.completed:
                yield f"    not completed: {' '.join(step.output.split())[:200]}"
            yield from (f"    {line}" for line in step.printed.splitlines())


@pytest.fixture
def assistant(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Conversation]]:
    """Asks in code: `assistant("help-desk").ask("What is the price?").text`.

    Each call begins a conversation with the assistant of that address, in the nearest assistants.yaml upwards.
    """
    begun: list[Conversation] = []

    def begin(address: str) -> Conversation:
        __tracebackhide__ = True
        from runner.errors import RunnerError, UsageError

        project = _find_project(request.path.parent)
        if project is None:
            raise UsageError(f"there is no {_PROJECT_FILE} in {request.path.parent} or above it")
        try:
            begun.append(Conversation(_tables(request.config).open(project), address))
        except RunnerError as error:
            raise error.with_traceback(None) from None  # what is wrong is in the test, or in the project
        return begun[-1]

    yield begin
    for one in begun:
        one.close()


class NoAnswer(AssertionError):
    """A question that got no complete answer; `run` is what came instead."""

    def __init__(self, run: Run) -> None:
        said = run.declined or run.refusal or run.error or "the answer is empty"
        super().__init__(f"no answer ({run.ending.value}): {said}")
        self.run = run


class Conversation:
    """Questions to one assistant, in one thread."""

    def __init__(self, table: _Table, address: str) -> None:
        self._table = table
        self._assistant = table.find_assistant(address)
        self._thread_id: ThreadId | None = None

    def ask(self, text: str, *, timeout_s: float = 300.0, any_ending: bool = False) -> Run:
        """The run: `text`, `steps`, `citations`, `usage` and the rest of `runner.domain.conversation.Run`.

        Raises NoAnswer, an AssertionError, where it ended without an answer; with `any_ending` that is returned, too.
        Raises RemoteError if the API said no, or nothing in time.
        """
        __tracebackhide__ = True
        from runner.errors import RunnerError

        try:
            run = self._table.ask(self._assistant, text, self._thread_id, timeout_s)
        except RunnerError as error:
            raise error.with_traceback(None) from None
        self._thread_id = run.thread_id
        if run.ending.value != "answered" and not any_ending:
            raise NoAnswer(run)
        return run

    def close(self) -> None:
        self._table.release(self._thread_id)
        self._thread_id = None


_KEY = pytest.StashKey["_Tables"]()


def _tables(config: pytest.Config) -> _Tables:
    if _KEY not in config.stash:
        wanted = config.getoption("--assistant-target") or config.getini(_TARGET) or None
        config.stash[_KEY] = _Tables(wanted)
        config.add_cleanup(config.stash[_KEY].close)
    return config.stash[_KEY]


class _Tables:
    """The targets of the projects that are met, each opened once for the whole run of pytest, on a thread of ours."""

    def __init__(self, target: str | None) -> None:
        self._target = target
        self._tables: dict[Path, _Table | RunnerError] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="runner", daemon=True)
        self._thread.start()

    def open(self, project: Path) -> _Table:
        """Raises RunnerError, the same each time: what can't be reached is not waited for by every test."""
        from runner.errors import RunnerError

        if project not in self._tables:
            try:
                self._tables[project] = _Table(project, self._target, self._loop)
            except RunnerError as error:
                self._tables[project] = error
        found = self._tables[project]
        if isinstance(found, RunnerError):
            raise found
        return found

    def close(self) -> None:
        for table in self._tables.values():
            if isinstance(table, _Table):
                with suppress(Exception):
                    table.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()


class _Table:
    """An opened target with what its tests share. Its methods are called from pytest's thread, and wait."""

    def __init__(self, project: Path, target: str | None, loop: asyncio.AbstractEventLoop) -> None:
        from runner.cli._session import open_session
        from runner.cli._targets import check_named_files

        self._session: Session = open_session(project, target)
        check_named_files(self._session.configuration.project, self._session.target)
        self.clean = self._session.redactor.clean
        self._loop = loop
        self._scenarios: dict[Path, dict[str, Scenario]] = {}
        self._judge: KeptOpen[Asker] | None = None
        self._player: Player
        self._stage: Stage
        self._wait(self._open())

    def find_assistant(self, address: str) -> Assistant:
        return self._session.configuration.find_assistant(address)

    def play(self, path: Path, scenario: Scenario) -> ScenarioResult:
        """Raises RunnerError if it can't begin."""
        from runner.cli._targets import check_offline
        from runner.execution.judging import prepare_checks

        mine = self._read(path).get(scenario.name, scenario)
        check_offline(self._session.configuration.project, (mine,), self._session.target)
        prepare_checks((mine,))
        return self._wait(self._play(mine))

    def _read(self, path: Path) -> dict[str, Scenario]:
        """Once more, with what the environment has: pytest collects without."""
        from runner.cli._session import load_project

        if path not in self._scenarios:
            read = load_project(self._session.configuration.file, (str(path),))
            self._session.redactor.learn(*read.secrets)
            self._scenarios[path] = {one.name: one for one in read.scenarios}
        return self._scenarios[path]

    def ask(self, assistant: Assistant, text: str, thread_id: ThreadId | None, timeout_s: float) -> Run:
        return self._wait(self._ask(assistant, text, thread_id, timeout_s))

    def release(self, thread_id: ThreadId | None) -> None:
        async def release() -> None:
            self._cleaner.release(thread_id, None)

        self._wait(release())

    def close(self) -> None:
        self._wait(self._opened.close(), timeout_s=60)

    def _wait(self, work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    async def _open(self) -> None:
        from runner.execution.stage import KeptOpen

        self._opened = KeptOpen(self._hold())
        await self._opened.get()

    @asynccontextmanager
    async def _hold(self) -> AsyncIterator[None]:
        from runner.cli.play import make_play_id
        from runner.execution.judging import Asker
        from runner.execution.play import Lane, PlayOptions, furnish
        from runner.execution.player import Player, Surroundings
        from runner.execution.scheduler import Interruption
        from runner.execution.stage import Cleaner
        from runner.journal import forget_plays
        from runner.sync import read_remote

        session = self._session
        play_id = make_play_id()
        async with AsyncExitStack() as stack:
            journal = stack.enter_context(session.open_journal(session.state / "plays" / play_id / "journal.jsonl"))
            journal.add("play", target=session.target.name)
            self._backend, self._variant = await stack.enter_async_context(session.open_target(journal))
            self._cleaner = Cleaner(self._backend, journal, keeps=False)
            around = Surroundings(
                emit=lambda _event: None,
                clock=time.monotonic,
                interruption=Interruption(),
                clean=self.clean,
                ask=stack.enter_context(
                    closing(Asker(model=self._ask_judge if session.configuration.project.judge else None))
                ),
            )
            self._journal = journal
            project = session.configuration.project
            lane = Lane(variant=self._variant, project=project, backend=self._backend, journal=journal)
            remote = await read_remote(self._backend, with_stores=True)
            means = furnish(lane, remote, self._cleaner, PlayOptions(play_id=play_id), around)
            self._stage = means.stage
            self._player = Player(around, means)
            yield
            if self._judge is not None:
                await self._judge.close()
            await self._stage.close()
            await self._cleaner.finish()
        forget_plays(session.state / "plays")

    async def _ask_judge(self, questions: Questions) -> Answers:
        """Opened when the first check asks: who has no such check needs no key for it."""
        from runner.execution.stage import KeptOpen

        if self._judge is None:
            judge = self._session.configuration.project.judge
            assert judge is not None, "somebody is asked only where there is one"
            self._judge = KeptOpen(self._session.on_target(judge.target).open_judge(self._journal))
        ask = await self._judge.get()
        return await ask(questions)

    async def _play(self, scenario: Scenario) -> ScenarioResult:
        from runner.domain.report import Attempt, ScenarioResult, decide

        assistant = self.find_assistant(scenario.assistant)
        attempts: list[Attempt] = []
        outcome = None
        while outcome is None:
            attempts.append(await self._player.play(scenario, assistant))
            outcomes = [attempt.outcome for attempt in attempts]
            outcome = decide(outcomes, repeat=scenario.repeat, needed=scenario.passes_needed)
        return ScenarioResult(
            scenario=scenario,
            outcome=outcome,
            attempts=tuple(attempts),
            reason=attempts[-1].reason,
            variant=self._variant,
        )

    async def _ask(self, assistant: Assistant, text: str, thread_id: ThreadId | None, timeout_s: float) -> Run:
        from runner.backends import Question
        from runner.execution.answering import CALLS_AT_ONCE, Desk

        desk = Desk(assistant.functions, clean=self.clean, places=asyncio.Semaphore(CALLS_AT_ONCE))
        question = Question(
            deployment=await self._stage.deployment_of(assistant),
            text=text,
            thread_id=thread_id,
            tags=self._stage.tags,
            answer=desk.answer if assistant.functions else None,
            deadline_s=timeout_s,
        )
        return await self._backend.ask(question)


def pytest_report_header(config: pytest.Config) -> str | None:
    folders = config.getini(_FOLDERS)
    shown = ", ".join(os.path.relpath(folder, config.rootpath) for folder in folders)
    return f"assistants: scenarios in {shown}" if folders else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What the counts alone would hide."""
    passed = terminalreporter.stats.get("passed", [])
    if weak := [one.nodeid for one in passed if dict(one.user_properties).get(_WEAK)]:
        terminalreporter.write_line(f"assistants: {len(weak)} passed by checks that prove little: {', '.join(weak)}")
    if _UNCOMPARED in config.stash:
        terminalreporter.write_line("assistants: compared with nothing: `baseline` and `golden` are for `runner play`")
