"""`runner adopt`: take over an assistant that exists already."""

from __future__ import annotations

import time
from pathlib import Path

import click

from runner.backends import Backend, Limits, RemoteAssistant
from runner.cli._session import Session, open_session, target_options
from runner.did_you_mean import find_similar, quote
from runner.domain.assistant import Address, Namespace
from runner.domain.conversation import AssistantId
from runner.errors import GateClosed, RemoteMissing
from runner.sync import tags
from runner.sync.remote import RemoteState, age, bind


def find_adoptable(
    remote: RemoteState, namespace: Namespace, address: Address, wanted: str, declared: frozenset[Address]
) -> RemoteAssistant:
    """The assistant with that id or name, if it may stand for the address.

    Raises RemoteMissing if there is none, GateClosed if several have that name, or if it, or the address,
    belongs to somebody else already.
    `declared` are all addresses of the file: one of ours that stands for none of them may get a new address.
    """
    found = _find(remote, wanted)
    _refuse_foreign(found, namespace, address, declared)
    bound = bind(remote.assistants, namespace, address).chosen
    if bound is not None and bound.id != found.id:
        raise GateClosed(
            f"'{address}' is bound to {bound.id} already; delete that one, or take its tags away, before {found.id} "
            "can stand for it"
        )
    _refuse_full(found, namespace, address)
    return found


def _find(remote: RemoteState, wanted: str) -> RemoteAssistant:
    """By id, else by name: the copies that plays make of an assistant have its name too, and can't be meant."""
    found = next((one for one in remote.assistants if wanted in (one.id, one.key)), None)
    if found is not None:
        return found
    called = [one for one in remote.assistants if one.name == wanted]
    named = sorted((one for one in called if tags.PLAY not in one.metadata), key=age) or called
    if not named:
        known = [one.name for one in remote.assistants if one.name and tags.PLAY not in one.metadata]
        similar = find_similar(wanted, known)
        hint = f"; did you mean {quote(similar)}?" if similar else ""
        raise RemoteMissing(f"there is no assistant '{wanted}' on this target (it has {len(remote.assistants)}){hint}")
    if len(named) > 1:
        shown = ", ".join(f"{one.id}{_describe_owner(one)}" for one in named)
        raise GateClosed(f"{len(named)} assistants are called '{wanted}', so name one by its id: {shown}")
    return named[0]


def _describe_owner(one: RemoteAssistant) -> str:
    owner, address = one.metadata.get(tags.NAMESPACE), one.metadata.get(tags.ADDRESS)
    return f" ('{address}' of {owner})" if owner and address else ""


async def adopt(
    backend: Backend, assistant: RemoteAssistant, namespace: Namespace, address: Address
) -> RemoteAssistant:
    """Put the owner's tags beside the metadata that an assistant has. Raises RemoteError."""
    metadata = {**assistant.metadata, **tags.owner_tags(namespace, address)}
    return await backend.tag_assistant(AssistantId(assistant.id), metadata)


def is_adopted(assistant: RemoteAssistant, namespace: Namespace, address: Address) -> bool:
    """Whether it stands for the address already."""
    return tags.belongs_to(assistant.metadata, namespace) and assistant.metadata[tags.ADDRESS] == address


def _refuse_foreign(
    found: RemoteAssistant, namespace: Namespace, address: Address, declared: frozenset[Address]
) -> None:
    owner = found.metadata.get(tags.NAMESPACE)
    bound_to = found.metadata.get(tags.ADDRESS)
    if tags.PLAY in found.metadata:
        raise GateClosed(f"{found.id} is the temporary copy of a play, which removes it")
    if owner not in (None, namespace):
        where = f", as '{bound_to}'" if bound_to else ""
        raise GateClosed(
            f"{found.id} belongs to the namespace '{owner}'{where}; this file's is '{namespace}'. "
            "Take it over only if nobody syncs that one any more: remove its tags first"
        )
    if owner is not None and bound_to in declared - {address}:
        raise GateClosed(f"{found.id} stands for '{bound_to}', which this file declares too")


def _refuse_full(found: RemoteAssistant, namespace: Namespace, address: Address) -> None:
    ours = (*tags.owner_tags(namespace, address), tags.SPEC, tags.ECHO)
    theirs = [key for key in found.metadata if key not in ours]
    most = Limits().metadata_pairs
    if len(theirs) + tags.TAGS_OF_OURS > most:
        raise GateClosed(
            f"{found.id} has {len(theirs)} metadata keys; the API takes {most}, "
            f"of which runner needs {tags.TAGS_OF_OURS}"
        )


@click.command(name="adopt", short_help="Let an assistant that exists already stand for ADDRESS.")
@click.argument("address")
@click.argument("wanted", metavar="ID|NAME")
@target_options
def command(address: str, wanted: str, file: Path | None, target: str | None) -> None:
    """Let the stored assistant with that id or name stand for ADDRESS, which the file declares.

    It gets this file's tags and is not changed otherwise. What the next sync would change is printed;
    `runner pull ADDRESS` takes its values into the file instead.

    Exits 0 if it stands for ADDRESS now, 4 if it or ADDRESS belongs to somebody else or several have that name (their
    ids are listed), 3 if there is no such assistant.
    """
    import asyncio

    session = open_session(file, target, for_stored="adopt")
    session.find_assistant(address)
    asyncio.run(_adopt(session, address, wanted))


async def _adopt(session: Session, address: str, name: str) -> None:
    from runner.cli._change_lines import describe_pending
    from runner.cli.adopt import adopt, find_adoptable, is_adopted
    from runner.domain.assistant import Address
    from runner.sync import decide, read_desired, read_remote

    project = session.configuration.project
    namespace, wanted = project.namespace, Address(address)
    declared = frozenset(one.address for one in project.assistants)
    desired = await read_desired(project.assistants)
    async with session.open_remote("adopt") as (backend, journal):
        found = find_adoptable(await read_remote(backend), namespace, wanted, name, declared)
        if is_adopted(found, namespace, wanted):
            session.show([f"assistant {address}: {found.id} stands for it already; nothing was written"])
        else:
            await adopt(backend, found, namespace, wanted)
            journal.add("adopted", address=address, id=found.id, metadata=dict(found.metadata))
            session.show([f"assistant {address}: adopted {found.id} ('{found.name}'); only its tags were written"])
        plan, _ = await decide(desired, namespace, backend, now_s=time.time)
    changes = [one for unit in plan.units if unit.address == wanted for one in unit.changes]
    pending = [line for one in changes for line in describe_pending(one)]
    if pending:
        session.show(["`runner sync` would now:", *(f"  {line}" for line in pending)])
        session.show([f"`runner pull {address}` shows its own values and, with --write, takes them into the file"])
    else:
        session.show(["it is as the file declares it: `runner sync` has nothing to change"])
