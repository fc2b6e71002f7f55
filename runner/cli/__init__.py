"""The command line: one file per verb, and the one place that reads the environment, prints, and exits.

A verb's module has `command`, a `click.Command`; its name is the file's. Heavy libraries are imported inside the
command's function: `runner --help` imports every verb and must stay quick.

Last, what the process has to do with its system: standard streams, limits, signals. A reader that has gone, an encoding
that lacks a character, a stream that was closed before we came: what is printed never decides what becomes of the work.
Ctrl-C and its kin end the program at whatever moment they come, with an exit code of their own; while a verb listens,
once asks its work to stop and twice stops it.
"""

from __future__ import annotations

import errno
import gc
import io
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click

from runner import __version__
from runner.did_you_mean import count, find_similar
from runner.errors import DISK_TROUBLE, TOO_MANY_FILES, ConfigError, RunnerError
from runner.plugins import load_plugin, plugin_names

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from runner.execution.scheduler import Interruption
    from runner.server.app import Server

EXIT_WRONG_USAGE = 2
EXIT_NOT_WRITTEN = 3
EXIT_BUG = 70
_LESS_THAN_NOT_WRITTEN = (0, 5, 6)
"""Exit codes that give way to "not written"; the others say what is worse."""
_MOST_MISTAKES_SHOWN = 200
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


class _Verbs(click.Group):
    """A group that finds its commands as plug-ins of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [*plugin_names(__name__)]  # `list` is a verb's module here, once that is imported

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in plugin_names(__name__):
            return None
        command: click.Command = load_plugin(__name__, cmd_name).command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        from runner.cli._session import refuse_empty

        # `play` looks itself: it has to discard an earlier report before it fails.
        if args[:1] != ["play"]:
            refuse_empty(ctx, args)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            from runner.config.familiar_words import VERBS

            similar = VERBS.get(args[0]) or find_similar(args[0], self.list_commands(ctx))
            ctx.fail(f"No such command '{args[0]}'." + (f" Did you mean '{similar}'?" if similar else ""))
        return super().resolve_command(ctx, args)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="runner")
def root() -> None:
    """Assistants as code: declare assistants in YAML, sync them, play scenarios, judge the answers.

    Start with `runner init` in an empty folder, then `runner play`.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """The program: runs one verb and exits with the code of docs/exit_codes.md."""
    # A seventh of a short play was spent on 400 searches for garbage among modules and declarations that stay.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    output, ending = Output(), Ending()
    ending.listen()
    exit_code = _run(arguments, ending)
    ending.ignore_all()
    if refusal := output.finish():
        told = _explain_system(refusal)
        exit_code = told if exit_code in _LESS_THAN_NOT_WRITTEN else exit_code
    # The interpreter would search all that is there for garbage twice, a tenth of a second before the system takes it.
    gc.freeze()
    sys.exit(exit_code)


def _run(arguments: list[str] | None, ending: Ending) -> int:
    secrets: set[str] = set()
    try:
        result: Any = root.main(args=arguments, prog_name="runner", standalone_mode=False, obj=secrets)
        return result if isinstance(result, int) else 0
    except RunnerError as error:
        return _explain(error, secrets)
    except click.ClickException as error:
        _name_what_was_meant(error).show()
        return EXIT_WRONG_USAGE
    except (KeyboardInterrupt, click.Abort):
        click.echo("runner: interrupted", err=True)
        return ending.exit_code
    except OSError as error:
        return _explain_system(error) or _report_bug(error, secrets)
    except Exception as error:  # noqa: BLE001 - the boundary: a bug must not end in a bare traceback
        return _report_bug(error, secrets)


def _name_what_was_meant(error: click.ClickException) -> click.ClickException:
    """Options that other tools have lead to ours, before click guesses by their letters."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return error
    from runner.config.familiar_words import explain_option

    hint = explain_option(error.ctx.info_name, error.option_name)
    return click.UsageError(f"No such option: {error.option_name}; {hint}.", ctx=error.ctx) if hint else error


def _explain_system(error: OSError) -> int:
    """What is no fault of ours, wherever it was met: the exit code, or 0 for what may be one."""
    where = f" {error.filename}" if error.filename else ""
    if error.errno in DISK_TROUBLE:  # an output, a journal, a temporary file
        click.echo(f"runner: cannot write{where}: {error.strerror}", err=True)
        return EXIT_NOT_WRITTEN
    if error.errno in TOO_MANY_FILES:
        click.echo(
            f"runner: cannot open{where}: {error.strerror}; allow more (`ulimit -n`), or play fewer at once (`-n 1`)",
            err=True,
        )
        return EXIT_NOT_WRITTEN
    return 0


def _explain(error: RunnerError, secrets: set[str]) -> int:
    from runner.escaping import terminal

    if isinstance(error, ConfigError):
        found = len(error.problems)
        shown = [terminal(_redacted(str(problem), secrets)) for problem in error.problems[:_MOST_MISTAKES_SHOWN]]
        if found > len(shown):
            shown.append(f"... and {found - len(shown):,} more")
        click.echo("\n".join(shown), err=True)
        click.echo(f"runner: {count(found, 'mistake')} found; nothing was sent", err=True)
    else:
        click.echo(f"runner: {terminal(_redacted(str(error), secrets))}", err=True)
    return error.exit_code


def _report_bug(error: Exception, secrets: set[str]) -> int:
    """Put the traceback into a file, without secrets, and say where it is."""
    import tempfile
    import traceback

    text = _redacted("".join(traceback.format_exception(error)), secrets)
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="runner-bug-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(f"runner {__version__}\n{text}")
        place = f"the traceback is in {file.name}"
    except OSError:
        place = f"and its traceback could not be written to a file:\n{text}"
    click.echo(f"runner: this is a bug in runner ({type(error).__name__}); {place}", err=True)
    return EXIT_BUG


def _redacted(text: str, secrets: set[str]) -> str:
    """Without `secrets`, and without any value of an environment variable that looks like one."""
    from runner.redaction import Redactor, find_secrets

    return Redactor(secrets | find_secrets(os.environ)).clean(text)


# A pipe without a reader, a terminal that was closed: nobody is there who could miss anything.
_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EIO})
_MOST_COLUMNS_DIGITS = 5
ENOUGH_FILES = 4096


class _Descriptor(io.FileIO):
    """Takes whatever is written; what can't be handed on is dropped, and `refusal` is why."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "wb", closefd=False)
        self.refusal: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        if self.refusal is None:
            try:
                return self._write_when_possible(data)
            except OSError as error:
                self.refusal = error
        return memoryview(data).nbytes

    def _write_when_possible(self, data: ReadableBuffer) -> int:
        # Another program may have left the stream non-blocking, which is a property of the pipe, not of ours.
        while (written := super().write(data)) is None:
            from select import select

            select([], [self], [])
        return written


class Output:
    """The streams of this process from here on. `refusal` is why not all of stdout could be written, if it matters."""

    def __init__(self) -> None:
        _open_closed_ones()
        _ignore_impossible_sizes()
        _allow_many_files()
        self._stdout: _Descriptor | None = None
        if sys.stdin is None:
            sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - the process's own
        if sys.stdout is sys.__stdout__:
            sys.stdout, self._stdout = _take_over(sys.stdout, 1)
        if sys.stderr is sys.__stderr__:
            sys.stderr, _ = _take_over(sys.stderr, 2)

    def finish(self) -> OSError | None:
        """Hand over the last lines. Returns why something could not be, where somebody will miss it: a full disk."""
        sys.stdout.flush()
        refusal = self._stdout.refusal if self._stdout else None
        return None if refusal is None or refusal.errno in _GONE else refusal


def _open_closed_ones() -> None:
    """What was closed (`>&-`) leads nowhere from now on, or the next file that is opened would take its place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def _take_over(stream: TextIO | None, number: int) -> tuple[TextIO, _Descriptor]:
    if stream is not None:
        stream.flush()
    descriptor = _Descriptor(number)
    text = io.TextIOWrapper(
        io.BufferedWriter(descriptor),
        encoding=stream.encoding if stream is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=number == 2 or descriptor.isatty(),
    )
    return text, descriptor


def _ignore_impossible_sizes() -> None:
    """A terminal of no columns is a mistake of whoever set the variables: nothing could be shown on it."""
    for name in ("COLUMNS", "LINES"):
        value = os.environ.get(name, "")
        if not (value.isdecimal() and len(value) <= _MOST_COLUMNS_DIGITS and int(value) > 0):
            os.environ.pop(name, None)


def count_descriptors() -> int | None:
    """How many files and connections this process may have open; None if that is not limited."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def _allow_many_files() -> None:
    """As many as the system lets us have: some (macOS: 256) allow few until they are asked."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143
_ONE_PRESS_S = 0.05
# A closed terminal (SIGHUP) is a request to end, too.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ending:
    """`exit_code` is the one for a program that was told to end, by the signal that said so."""

    def __init__(self) -> None:
        self.exit_code = EXIT_INTERRUPTED

    def listen(self) -> None:
        for number in _without_hushed((signal.SIGTERM, signal.SIGHUP)):
            signal.signal(number, self._end)

    def ignore_all(self) -> None:
        """The work is done and its exit code known: nothing that comes now is to change that."""
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self.exit_code = EXIT_TERMINATED
        # Whoever handles Ctrl-C well, as an event loop does, handles this too. Shells have background jobs ignore it.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)


@contextmanager
def tie_signals(interruption: Interruption) -> Iterator[None]:
    """Inside a running loop: signals request the interruption; a second one ends the process at once.

    Python hears signals on the main thread alone: on another one, whoever lives on the main thread hears them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int) -> None:
        if interruption.signal is None:
            click.echo("\nrunner: stopping; runs are cancelled and cleaned up (press again to stop at once)", err=True)
            interruption.request(number)

    before = {number: signal.getsignal(number) for number in _without_hushed(_ENDING)}
    _on_press(before, stop, hangs_up_as=signal.SIGTERM)
    try:
        yield
    finally:
        from asyncio import get_running_loop

        for number, handler in before.items():
            get_running_loop().remove_signal_handler(number)
            signal.signal(number, handler)


def tie_stop(server: Server) -> None:
    """Inside the running loop that serves. Being stopped is how a server's work ends: it is no interruption."""

    def stop(_number: int) -> None:
        server.should_exit = True

    _on_press(_without_hushed(_ENDING), stop)


def _on_press(
    numbers: Iterable[signal.Signals], stop: Callable[[int], None], *, hangs_up_as: signal.Signals = signal.SIGHUP
) -> None:
    """Inside a running loop: what a signal does from now on; one that comes after the first ends the process at once.

    `timeout` and other wrappers send one press twice: to the process, and to its group.
    """
    from asyncio import get_running_loop

    loop = get_running_loop()
    first_s: float | None = None

    def on_signal(number: int) -> None:
        nonlocal first_s
        first_s = loop.time() if first_s is None else first_s
        if loop.time() - first_s > _ONE_PRESS_S:
            # A journal is written line by line, so it is whole. What a server acknowledged is in its database; what was
            # at work is settled by its lease.
            os._exit(128 + number)
        stop(number)

    for number in numbers:
        loop.add_signal_handler(number, on_signal, hangs_up_as if number is signal.SIGHUP else number)


def _without_hushed(numbers: Iterable[signal.Signals]) -> tuple[signal.Signals, ...]:
    """Without SIGHUP where `nohup` has us ignore it."""
    return tuple(
        number for number in numbers if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    )
