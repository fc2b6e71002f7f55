"""What the verbs that talk to a target have in common: the file read, the target chosen, a journal, and a screen."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import click

from runner.cli._keys import find_key
from runner.cli._known_secrets import keep_secret
from runner.cli._state_folder import state_folder
from runner.cli._targets import find_target, secrets_of
from runner.config import Configuration, load_configuration
from runner.domain.assistant import Assistant, Target
from runner.errors import UsageError
from runner.escaping import terminal
from runner.journal import Journal
from runner.plugins import load_plugin
from runner.redaction import Redactor


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteWork:
    """`show` prints lines without secrets, and with nothing in them that a terminal would act on."""

    configuration: Configuration
    target: Target
    journal: Journal
    redactor: Redactor
    show: Callable[[Iterable[str]], None]


@contextmanager
def open_remote_work(verb: str, file: Path | None, target_name: str | None) -> Iterator[RemoteWork]:
    """Everything that a verb needs before it opens its target. A verb that wrote nothing leaves no journal.

    Raises ConfigError and UsageError; also for a target that stores no assistants, which these verbs are about.
    """
    configuration = load_configuration(file=file, scenario_paths=None, cwd=Path.cwd(), environment=os.environ)
    target = find_target(configuration, target_name)
    if not load_plugin("runner.backends", target.api).CAPABILITIES.stores_assistants:
        raise UsageError(
            f"target '{target.name}' (api {target.api}) stores no assistants: what the file says goes with each "
            f"request, so there is nothing to {verb}"
        )
    secrets = secrets_of(configuration, target, os.environ)
    keep_secret(secrets)
    find_key(target, os.environ)
    redactor = Redactor(secrets)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = state_folder(configuration.root) / "journal" / f"{verb}-{stamp}-{os.getpid()}.jsonl"

    def show(lines: Iterable[str]) -> None:
        for line in lines:
            click.echo(terminal(redactor.clean(line.replace("\n", " "))))

    try:
        with Journal(path) as journal:
            yield RemoteWork(configuration=configuration, target=target, journal=journal, redactor=redactor, show=show)
    finally:
        if path.is_file() and path.stat().st_size == 0:
            path.unlink()


def find_declared(configuration: Configuration, address: str) -> Assistant:
    """The assistant that the file declares under an address. Raises UsageError with what was probably meant."""
    found = configuration.project.find_assistant(address)
    if found is not None:
        return found
    known = [one.address for one in configuration.project.assistants]
    close = get_close_matches(address, known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"it declares {', '.join(known[:12])}"
    raise UsageError(f"{configuration.file.name} declares no assistant '{address}'; {hint}")
