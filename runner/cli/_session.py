"""How every verb opens its project: file, target and key found, secrets known, backend and journal opened."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runner.errors import UsageError
from runner.plugins import load_plugin

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from runner.backends import Backend
    from runner.config import Configuration
    from runner.config.loading import Inspect
    from runner.domain.assistant import Target
    from runner.domain.judgement import Answers, Questions
    from runner.domain.report import Variant
    from runner.domain.scenario import Scenario
    from runner.execution.judging import Asker
    from runner.journal import Journal
    from runner.redaction import Redactor

JUDGED_AT_ONCE = 8

F = TypeVar("F", bound=Callable[..., Any])


class FiniteRange(click.FloatRange):
    """Numbers of a range; a limit of NaN or infinity would never be reached."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number", param, ctx)
        return number


def refuse_empty(ctx: click.Context, arguments: Iterable[str]) -> None:
    """What a variable that isn't set leaves behind would be taken for "here", "any" or "the default"."""
    for one in arguments:
        if not one:
            ctx.fail("One of the arguments is empty; is a variable unset?")
        if one.startswith("--") and one.endswith("="):
            ctx.fail(f"{one} has no value; is a variable unset?")


file_option = click.option(
    "-f", "--file", type=click.Path(path_type=Path), help="The project's file, instead of assistants.yaml."
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Show only what did not pass.")
verbose_option = click.option(
    "-v", "--verbose", is_flag=True, help="Show questions and answers of what passed, too, and what functions printed."
)


def target_options(function: F) -> F:
    """The options that say which project, and where."""
    return file_option(
        click.option("-t", "--target", metavar="NAME", help="Where, instead of the file's `target`.")(function)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayArguments:
    """The command line of `play`, as given."""

    paths: tuple[str, ...]
    file: Path | None
    targets: tuple[str, ...]
    models: tuple[str, ...]
    jobs: int
    rate: float | None
    tier: str | None
    max_time: float | None
    max_cost: float | None
    max_tokens: int | None
    shard: str | None
    engine: str | None
    names: str | None
    tags: str | None
    last_failed: bool
    failed_first: bool
    lists: bool
    form: str
    repeat: int | None
    every_repeat: bool
    fail_fast: bool
    fail_on_flaky: bool
    synced: bool
    keep: bool
    no_code: bool
    allow_declines: bool
    resume: str | None
    changed: str | None
    reports: tuple[str, ...]
    baseline: str | None
    record: Path | None
    replay: Path | None
    no_ci: bool
    quiet: bool
    verbose: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A project and its target, before anything is sent."""

    configuration: Configuration
    target: Target
    redactor: Redactor

    @property
    def state(self) -> Path:
        return state_folder(self.configuration.root)

    @property
    def option(self) -> str:
        """What commands that are told need to be about this target."""
        return self.configuration.project.option_of(self.target.name)

    @property
    def journals(self) -> Path:
        """Where this target's verbs keep their journals: ids of one target mean nothing on another."""
        from runner.escaping import file_name

        return self.state / "journal" / file_name(self.target.name)

    def show(self, lines: Iterable[str], *, err: bool = False) -> None:
        """Print lines as they come, without secrets and with nothing in them that a terminal would act on."""
        from runner.escaping import terminal

        for line in lines:
            click.echo(terminal(self.redactor.clean(line.replace("\n", " "))), err=err)

    @contextmanager
    def open_journal(self, path: Path) -> Iterator[Journal]:
        """A journal without secrets, which knows what it said before; a verb that wrote nothing leaves none."""
        from runner.journal import Journal

        try:
            with Journal(path, clean=self.redactor.clean) as journal:
                yield journal
        finally:
            with suppress(OSError):
                if path.stat().st_size == 0:
                    path.unlink()

    def open_verb_journal(self, verb: str) -> AbstractContextManager[Journal]:
        """A journal of this verb's."""
        # Journals are replayed in the order of their names: two syncs of one second must not swap places.
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        return self.open_journal(self.journals / f"{stamp}-{verb}-{os.getpid()}.jsonl")

    def on_target(self, name: str | None, *, needs_key: bool = True, hint: str = "") -> Session:
        """The same project on another of its targets, as for `session_on`."""
        return session_on(self.configuration, name, self.redactor, needs_key=needs_key, hint=hint)

    def open_target(self, journal: Journal) -> AbstractAsyncContextManager[tuple[Backend, Variant]]:
        """The target, ready to be talked to: an embedded server runs until the block ends."""
        from runner.cli._targets import open_target

        def learn(secret: str) -> None:
            self.redactor.learn(secret)
            _keep_from_last_words({secret})

        embedded_state = self.state / "embedded"
        return open_target(self.target, journal, os.environ, embedded_state=embedded_state, learn_secret=learn)

    def on_judge(self, scenarios: Iterable[Scenario], *, needs_key: bool = True) -> Session | None:
        """The same project on the judge's target, if these scenarios need one. Raises UsageError as above."""
        from runner.execution.judging import needs_judge

        judge = self.configuration.project.judge
        if judge is None or not needs_judge(scenarios):
            return None
        hint = "set it, or leave out what the judge is asked about with `-k` or `-m`"
        return self.on_target(judge.target, needs_key=needs_key, hint=hint)

    @asynccontextmanager
    async def open_judge(self, journal: Journal, jobs: int = JUDGED_AT_ONCE) -> AsyncIterator[Asker]:
        """What answers questions about answers; the session is on the judge's target."""
        import asyncio
        import time

        from runner.backends.responses.backend import ResponsesBackend
        from runner.domain.assistant import Server
        from runner.execution.judging import Asker
        from runner.execution.limits import Limiter

        judge = self.configuration.project.judge
        async with self.open_target(journal) as (backend, _):
            assert judge is not None, "the session was opened for one"
            assert isinstance(backend, ResponsesBackend), "the configuration has checked the judge's target"
            is_openai = self.target.server is Server.OPENAI
            model = backend.as_judge(judge, self.configuration.project.prices, is_openai=is_openai)
            # A local model works on so many at once; the others would wait on their own time.
            slots = getattr(self.target.inference, "slots", None) or jobs
            limiter = Limiter(jobs=min(jobs, slots), clock=time.monotonic, sleep=asyncio.sleep)

            async def ask_cleaned(questions: Questions) -> Answers:
                return await model.ask(questions.cleaned(self.redactor.clean))

            with closing(Asker(model=ask_cleaned, limiter=limiter)) as ask:
                yield ask

    @asynccontextmanager
    async def open_remote(self, verb: str) -> AsyncIterator[tuple[Backend, Journal]]:
        """The backend, and a journal of this verb's."""
        with self.open_verb_journal(verb) as journal:
            async with self.open_target(journal) as (backend, _):
                yield backend, journal


@asynccontextmanager
async def open_ask(judge: Session | None, journal: Journal, jobs: int = JUDGED_AT_ONCE) -> AsyncIterator[Asker]:
    """What checks ask; `judge` is a session on the judge's target, None where no check needs one."""
    from runner.execution.judging import Asker

    if judge is None:
        with closing(Asker()) as ask:
            yield ask
        return
    async with judge.open_judge(journal, jobs) as ask:
        yield ask


def open_session(
    file: Path | None,
    target_name: str | None,
    *,
    paths: tuple[str, ...] | None = None,
    for_stored: str = "",
    needs_key: bool = True,
    needs_variables: bool = True,
) -> Session:
    """Read the file, with the scenarios at `paths` (None: none). Raises UsageError if one is wrong, or the key missing.

    Without `needs_key`, nothing is to be asked of the target; `needs_variables` is as for `load_project`. `for_stored`
    is a verb that is about stored assistants: an error where the target's API stores none.
    """
    from runner.redaction import Redactor

    configuration = load_project(file, paths, needs_variables=needs_variables)
    _keep_from_last_words(configuration.secrets)
    redactor = Redactor(configuration.secrets)
    return session_on(configuration, target_name, redactor, for_stored=for_stored, needs_key=needs_key)


def session_on(
    configuration: Configuration,
    target_name: str | None,
    redactor: Redactor,
    *,
    for_stored: str = "",
    needs_key: bool = True,
    hint: str = "",
) -> Session:
    """A project on one of its targets, whose keys the redactor learns. Raises UsageError as `open_session` does.

    `hint` is what to do about a missing key, where the target is not the one that is asked.
    """
    from runner.cli._targets import WITHOUT_KEY, find_key, key_variables
    from runner.config.declared_targets import find_target

    target = find_target(configuration.project, target_name)
    if for_stored and not load_plugin("runner.backends", target.api).CAPABILITIES.stores_assistants:
        raise UsageError(
            f"target '{target.name}' (api {target.api}) stores no assistants: what the file says goes with each "
            f"request, so there is nothing to {for_stored}"
        )
    keys = {os.environ.get(variable, "") for variable in key_variables(target)} - {""}
    redactor.learn(*keys)
    _keep_from_last_words(keys)
    if needs_key:
        find_key(target, os.environ, hint=hint or WITHOUT_KEY)
    return Session(configuration=configuration, target=target, redactor=redactor)


def load_project(
    file: Path | None,
    paths: tuple[str, ...] | None = None,
    *,
    needs_variables: bool = True,
    inspect: Inspect | None = None,
) -> Configuration:
    """The project of the current folder, or that of `file`. Raises UsageError with every mistake.

    Without `needs_variables`, `${env:NAME}` and `${secret:NAME}` that are not set have a text in their place.
    `inspect` is as for `load_configuration`.
    """
    from runner.config import load_configuration

    environment = os.environ if needs_variables else PlaceholderEnvironment(os.environ)
    return load_configuration(file=file, scenario_paths=paths, cwd=Path.cwd(), environment=environment, inspect=inspect)


class PlaceholderEnvironment(dict[str, str]):
    """The environment, and for what is not set a text that names it: to look at files where nothing is sent.

    The text has the form of an address, which no key of the file refuses.
    """

    def get(self, name: str, default: object = None) -> str:  # noqa: ARG002 - there always is a text
        return super().get(name) or f"https://not-set.invalid/{name}"


def find_root(file: Path | None) -> Path:
    """The folder of the current project, or of that of `file`. Raises UsageError if there is none."""
    from runner.config.paths import find_project_file

    return find_project_file(file, Path.cwd()).parent.resolve()


def state_folder(root: Path) -> Path:
    """`.runner/`, made on its first use, with a `.gitignore` that keeps answers and documents out of commits.

    What can't be made is left to the writer that needs it: its message says for what.
    """
    folder = root / ".runner"
    if not folder.exists():
        with suppress(OSError):
            folder.mkdir()
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    return folder


def _keep_from_last_words(secrets: Iterable[str]) -> None:
    """What the program says at its end, of a bug too, is without them."""
    context = click.get_current_context(silent=True)
    if context is not None and isinstance(context.obj, set):
        context.obj.update(secrets)
