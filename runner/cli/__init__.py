"""The command line: one file per verb, and the one place that reads the environment, prints, and exits.

A verb's module has `command`, a `click.Command`; its name is the file's. Heavy libraries are imported inside the
command's function: `runner --help` imports every verb and must stay quick.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Any, NoReturn

import click

from runner import __version__
from runner.cli._output import Output
from runner.cli._signals import Ending
from runner.errors import DISK_TROUBLE, TOO_MANY_FILES, ConfigError, RunnerError
from runner.plugins import load_plugin, plugin_names

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
            from runner.did_you_mean import find_similar

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
    except click.exceptions.Exit as stop:
        return stop.exit_code
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
    from runner.did_you_mean import count
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
    from runner.redaction import Redactor

    secretive = ("KEY", "TOKEN", "SECRET", "PASSWORD")
    ambient = {value for name, value in os.environ.items() if any(word in name.upper() for word in secretive)}
    return Redactor(secrets | ambient).clean(text)
