"""`runner export`: what an app in production sends, so that it needs no copy of the prompt."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli._session import Session, open_session, target_options
from runner.cli.plan import read_plan
from runner.errors import ChangesPending, UsageError
from runner.plugins import load_plugin, plugin_names

if TYPE_CHECKING:
    from runner.sync import SyncPlan


_TOKEN_COMMAND = "az account get-access-token --resource https://ai.azure.com --query accessToken --output tsv"


@click.command(name="export", short_help="Print an assistant as a request for production.")
@click.argument("address")
@target_options
@click.option("--format", "format_name", default="json", metavar="FORMAT", help="json, python, curl or agents-sdk.")
@click.option("--stale", is_flag=True, help="Even if the target is not in sync.")
def command(*, address: str, file: Path | None, target: str | None, format_name: str, stale: bool) -> None:
    """Print the complete request of an assistant for OpenAI's Responses API, with the ids of its vector stores.
    On a target with `api: foundry` the request names the stored version instead.

    Secrets are not printed: the names of their environment variables are. Nothing is written.

    Exits 6 if the target is not in sync for this assistant, 2 if a file is wrong.
    """
    import asyncio

    from runner.cli._targets import check_offline, key_variables
    from runner.definitions import request_body
    from runner.domain.files import FileUse
    from runner.exporting import FOUNDRY_TOKEN, Export
    from runner.sync import Policy

    formats = {name.replace("_", "-"): name for name in plugin_names("runner.exporting")}
    if format_name not in formats:
        raise UsageError(f"--format {format_name!r}: there is {', '.join(formats)}")
    session = open_session(file, target)
    assistant = session.configuration.find_assistant(address)
    check_offline(session.configuration.project, None, session.target, only=assistant.address)
    plan = asyncio.run(read_plan(session, "export", Policy(only=assistant.address)))
    if not stale:
        _need_sync(session, plan)
    (unit,) = plan.units
    store_ids = unit.search_store_ids
    hidden = session.configuration.secrets | {os.environ.get(name, "") for name in key_variables(session.target)}
    export = Export(
        assistant=assistant,
        target=session.target,
        body=request_body(
            assistant,
            session.target,
            store_ids,
            unit.desired.definition_hash,
            stored_id=unit.assistant.id if unit.assistant else None,
        ),
        secrets={value: name for name, value in sorted(os.environ.items(), reverse=True) if value and value in hidden},
    )
    click.echo(session.redactor.clean(load_plugin("runner.exporting", formats[format_name]).render(export)))
    if export.wants_token:
        session.show([f"note: {FOUNDRY_TOKEN} is a token of Entra ID: {_TOKEN_COMMAND}"], err=True)
    if export.is_foundry:
        if unit.assistant is None:
            session.show([f"note: there is no such agent yet: `runner sync{session.option}`"], err=True)
        return
    uses = {file.use for file in assistant.files}
    if FileUse.CODE_INTERPRETER in uses:
        session.show(["note: code interpreter files have no place in a request: they are not in it"], err=True)
    if FileUse.FILE_SEARCH in uses and not store_ids:
        session.show(
            [f"note: there is no vector store yet, so file search is not in it: `runner sync{session.option}`"],
            err=True,
        )


def _need_sync(session: Session, plan: SyncPlan) -> None:
    """Raises ChangesPending if what is stored for the assistant is not what the file declares."""
    from runner.domain.plan import Action

    unsettled = [one for unit in plan.units for one in unit.changes if one.action is not Action.IN_SYNC]
    if unsettled:
        names = ", ".join(f"{one.kind.value} {one.address}" for one in unsettled)
        raise ChangesPending(
            f"not in sync with target '{session.target.name}': {names}; run `runner sync{session.option}`, or export "
            "with --stale"
        )
