"""What `plan`, `sync` and the verbs beside them have in common: their options, and the way to the remote side."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runner.cli._state_folder import state_folder

if TYPE_CHECKING:
    from runner.backends import Backend
    from runner.config import Configuration
    from runner.domain.assistant import Target
    from runner.journal import Journal
    from runner.redaction import Redactor
    from runner.sync import Policy, RemoteState, SyncPlan
    from runner.sync.printing import PrintedPlan

F = TypeVar("F", bound=Callable[..., Any])


def target_options(function: F) -> F:
    """The options that say which project, and where."""
    function = click.option("-t", "--target", metavar="NAME", help="Where, instead of the file's `target`.")(function)
    option = click.option("-f", "--file", type=click.Path(path_type=Path), help="The file, instead of assistants.yaml.")
    return option(function)


def policy_options(function: F) -> F:
    """The options that say how far a sync may go; the same for `plan`, so that its checksum fits."""
    options = (
        click.option("--prune", is_flag=True, help="Delete what carries our tags and is no longer declared."),
        click.option("--only", metavar="ADDRESS", help="This assistant alone."),
        click.option(
            "--on-drift",
            type=click.Choice(["block", "overwrite", "ignore"]),
            default="block",
            show_default=True,
            help="What to do about an assistant that was changed remotely.",
        ),
        click.option("--allow-deletes", type=click.IntRange(0), metavar="N", help="Delete exactly N objects."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A project and its target, before anything is sent."""

    configuration: Configuration
    target: Target
    redactor: Redactor

    @property
    def journals(self) -> Path:
        """Where this target's syncs keep their journals: file ids of one target mean nothing on another."""
        from runner.escaping import file_name

        return state_folder(self.configuration.root) / "journal" / file_name(self.target.name)

    def show(self, lines: Iterable[str]) -> None:
        """Print lines as they come, without secrets and with nothing in them that a terminal would act on."""
        from runner.escaping import terminal

        for line in lines:
            click.echo(terminal(self.redactor.clean(line.replace("\n", " "))))


def open_session(file: Path | None, target_name: str | None) -> Session:
    """Read the file. Raises UsageError if it is wrong, or if the key is missing."""
    from runner.cli._keys import find_key
    from runner.cli._known_secrets import keep_secret
    from runner.cli._targets import find_target, secrets_of
    from runner.config import load_configuration
    from runner.redaction import Redactor

    configuration = load_configuration(file=file, scenario_paths=None, cwd=Path.cwd(), environment=os.environ)
    target = find_target(configuration, target_name)
    secrets = secrets_of(configuration, target, os.environ)
    keep_secret(secrets)
    find_key(target, os.environ)
    redactor = Redactor(secrets)
    return Session(configuration=configuration, target=target, redactor=redactor)


def read_policy(session: Session, *, on_drift: str, prune: bool, only: str | None) -> Policy:
    """Raises UsageError for an address that is not declared."""
    from difflib import get_close_matches

    from runner.domain.assistant import Address
    from runner.errors import UsageError
    from runner.sync import OnDrift, Policy

    addresses = [one.address for one in session.configuration.project.assistants]
    if only is not None and only not in addresses:
        close = get_close_matches(only, addresses, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there is {', '.join(map(repr, addresses)) or 'none'}"
        raise UsageError(f"--only: unknown assistant '{only}'; {hint}")
    return Policy(on_drift=OnDrift(on_drift), prunes=prune, only=None if only is None else Address(only))


@asynccontextmanager
async def open_remote(session: Session, verb: str) -> AsyncIterator[tuple[Backend, Journal]]:
    """The backend, and a journal that is dropped again if nothing was written."""
    from runner.cli._targets import open_target
    from runner.journal import Journal

    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = session.journals / f"{stamp}-{verb}-{os.getpid()}.jsonl"
    try:
        with Journal(path) as journal:
            async with open_target(session.configuration, session.target, journal, os.environ) as opened:
                yield opened.backend, journal
    finally:
        if path.is_file() and path.stat().st_size == 0:
            path.unlink()


async def make_plan(session: Session, backend: Backend, policy: Policy) -> tuple[SyncPlan, RemoteState]:
    """Hash the files, read the remote side, plan. Raises ConfigError for what the API would not take."""
    from runner.sync import ContentCache, decide, read_desired

    project = session.configuration.project
    cache = ContentCache.load(state_folder(session.configuration.root) / "cache" / "sync.json")
    desired = await read_desired(project.assistants, cache, now_ns=time.time_ns())
    cache.save()
    return await decide(desired, project.namespace, backend, now_s=time.time, policy=policy)


def check_offline(session: Session) -> None:
    """Raises ConfigError with everything that the target's API can't do or would refuse."""
    from runner.cli import _targets

    _targets.check_offline(session.configuration.project, None, session.target)


def print_gated(session: Session, plan: SyncPlan, allow_deletes: int | None) -> PrintedPlan:
    """The plan as it is printed, with the reason why it would be refused."""
    from runner.errors import GateClosed
    from runner.sync import check_gates
    from runner.sync.printing import print_plan

    try:
        check_gates(plan, allowed_deletes=allow_deletes)
    except GateClosed as error:
        return print_plan(plan, target=session.target.name, gate=str(error))
    return print_plan(plan, target=session.target.name)


def raise_if_unsettled(printed: PrintedPlan) -> None:
    """Raises GateClosed if the plan is blocked (4), ChangesPending if it would change something (6)."""
    from runner.errors import ChangesPending

    raise_if_stopped(printed)
    pending = [change for change in printed.plan.changes if change.is_pending]
    if pending:
        said = "1 change is" if len(pending) == 1 else f"{len(pending)} changes are"
        raise ChangesPending(f"{said} pending; `runner sync` makes {'it' if len(pending) == 1 else 'them'}")


def raise_if_stopped(printed: PrintedPlan) -> None:
    """Raises GateClosed if the plan is refused, or a part of it blocked."""
    from runner.domain.plan import Action
    from runner.errors import GateClosed

    if printed.gate:
        raise GateClosed(printed.gate)
    blocked = [change for change in printed.plan.changes if change.action is Action.BLOCKED]
    if blocked:
        names = ", ".join(f"{change.kind.value} {change.address}: {change.reason}" for change in blocked)
        raise GateClosed(f"{len(blocked)} of {len(printed.plan.changes)} objects are blocked ({names})")
