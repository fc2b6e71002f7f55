"""Take over an assistant that exists already: put this file's tags on it, and nothing else."""

from __future__ import annotations

from runner.backends import Backend, Limits, RemoteAssistant
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
