"""What speaks to Foundry: agents' versions are the assistants, and the Responses API plays them by reference."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from runner.backends import Backend, Deployment, Endpoint, Files, Question, RemoteAssistant
from runner.backends._requests import Api, Creation, Request, join_path, open_api
from runner.backends._sdk import Bearer, has_key, stays_here
from runner.backends._waiting import Clock, Sleep
from runner.backends.foundry import CAPABILITIES, EMBEDDED_PROJECT, OPENAI_PATH
from runner.backends.foundry.wire import (
    OWNER_TAGS,
    PLAY_TAG,
    Version,
    as_assistant,
    name_for_copy,
    read_agent,
    read_version,
    read_version_id,
    reference_body,
    split_id,
    version_body,
)
from runner.backends.responses.backend import ResponsesBackend
from runner.backends.responses.bodies import Body, Material
from runner.domain.conversation import AssistantId, Run, ThreadId
from runner.domain.hosts import host_of
from runner.domain.plan import Kind
from runner.errors import RemoteError, RemoteMissing, UsageError
from runner.journal import Journal
from runner.redaction import Redactor

LOOKS_AT_ONCE = 8
_VERSION = {"api-version": "v1"}
_FEATURES = {"Foundry-Features": "DraftAgents=V1Preview"}

Drafts = dict[Material, AssistantId]
"""A thread's own versions, by what their tools work with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a new version goes."""

    agent: str
    is_draft: bool = False


class FoundryBackend(Backend):
    """An assistant's id names an agent and its version: see `version_id`."""

    def __init__(self, agents: Api, responses: ResponsesBackend) -> None:
        self.files: Files = responses.files
        self.capabilities = responses.capabilities
        self._api = agents
        self._responses = responses
        self._drafts: dict[ThreadId, Drafts] = {}

    async def list_assistants(self, *, in_full: bool = False) -> tuple[RemoteAssistant, ...]:
        request = Request(doing="listing the agents", path="/agents", query={"order": "asc"})
        latest = await self._api.list_all(request, read_agent, goes_on_unless_told=True)
        if not in_full:
            # Where there are drafts alone, one of them is shown in the place of the latest.
            return tuple(as_assistant(one) for one in latest if not one.is_draft)
        places = asyncio.Semaphore(LOOKS_AT_ONCE)

        async def look(one: Version) -> tuple[RemoteAssistant, ...]:
            if OWNER_TAGS[0] not in one.metadata:
                return (as_assistant(one),)
            async with places:
                return _in_full(one, await self._list_versions(one.name))

        looked = await asyncio.gather(*map(look, latest))
        return tuple(assistant for found in looked for assistant in found)

    async def create_assistant(self, deployment: Deployment, metadata: Mapping[str, str]) -> RemoteAssistant:
        address = deployment.assistant.address
        if PLAY_TAG not in metadata:
            version = await self._create(deployment, metadata, _material_of(deployment), _Place(agent=address))
            return as_assistant(await self._give_way(version, seen=""))
        place = await self._place_copy(address, metadata)
        version = await self._create(deployment, metadata, _material_of(deployment), place)
        return as_assistant(version)

    async def update_assistant(self, deployment: Deployment, metadata: Mapping[str, str]) -> RemoteAssistant:
        name, numbers = split_id(deployment.stored_id)
        body = version_body(deployment, metadata, _material_of(deployment))
        doing = f"updating the agent '{name}' with a new version"
        version = (await self._api.post(_creating(doing, name, body), read_version)).value
        return as_assistant(await self._give_way(version, seen=numbers[-1] if numbers else ""))

    async def tag_assistant(self, assistant_id: AssistantId, metadata: Mapping[str, str]) -> RemoteAssistant:
        """Versions are immutable: the same definition becomes a new one."""
        name, numbers = split_id(assistant_id)
        doing = f"tagging the agent '{name}' with a new version"
        path = join_path("agents", name, "versions", numbers[-1])
        live = (await self._api.get(Request(doing=doing, path=path), read_version)).value
        kept = {field: live.body[field] for field in ("definition", "description") if live.body.get(field) is not None}
        request = _creating(doing, name, {**kept, "metadata": dict(metadata)})
        return as_assistant((await self._api.post(request, read_version)).value)

    async def delete_assistant(self, assistant_id: AssistantId) -> None:
        """The versions that the id names, and the agent if nothing is left of it; all of it if the id names none."""
        name, numbers = split_id(assistant_id)
        for number in numbers:
            path = join_path("agents", name, "versions", number)
            await self._api.delete(f"deleting version {number} of the agent '{name}'", path)
        if not numbers or not await self._list_versions(name):
            await self._api.delete(f"deleting the agent '{name}'", join_path("agents", name))
        self._api.note_deleted(Kind.ASSISTANT, assistant_id)

    async def ask(self, question: Question) -> Run:
        drafts = self._drafts.get(question.thread_id, {}) if question.thread_id else {}

        async def define(material: Material) -> Body:
            deployment = question.deployment
            if material == _material_of(deployment):
                return reference_body(deployment.stored_id)
            # A request may not add to the tools of the agent that it names: what was attached goes into a draft.
            if material not in drafts:
                place = _Place(agent=split_id(deployment.stored_id)[0], is_draft=True)
                drafts[material] = (await self._create(deployment, question.tags, material, place)).id
            return reference_body(drafts[material])

        run = await self._responses.ask_of(question, define)
        if drafts:
            self._drafts[run.thread_id] = drafts
        return run

    async def delete_thread(self, thread_id: ThreadId) -> None:
        await self._responses.delete_thread(thread_id)
        for draft in self._drafts.pop(thread_id, {}).values():
            await self.delete_assistant(draft)

    async def find_containers(self, response_id: str) -> tuple[tuple[str, ...], bool]:
        return await self._responses.find_containers(response_id)

    async def delete_container(self, container_id: str) -> None:
        await self._responses.delete_container(container_id)

    async def _create(
        self, deployment: Deployment, metadata: Mapping[str, str], material: Material, place: _Place
    ) -> Version:
        """A new version. Raises RemoteError, too, if a draft has become the latest version: then it is gone again."""
        address, name = deployment.assistant.address, place.agent
        body = version_body(deployment, metadata, material, is_draft=place.is_draft)
        doing = f"creating a {'draft' if place.is_draft else 'version'} of the agent '{name}'"
        creation = Creation(kind=Kind.ASSISTANT, label=address, tags=metadata, read_id=read_version_id)
        version = (await self._api.create(_creating(doing, name, body), creation, read_version)).value
        if place.is_draft and not version.is_draft:
            await self.delete_assistant(version.id)
            message = f"the server made the draft {version.id} a released version; it was deleted again"
            raise RemoteError(self._api.line(doing, message))
        return version

    async def _place_copy(self, address: str, metadata: Mapping[str, str]) -> _Place:
        """A draft of our own agent; where that isn't there, or is somebody else's, an agent of the play's own."""
        request = Request(doing=f"looking for the agent '{address}'", path=join_path("agents", address))
        try:
            found = (await self._api.get(request, read_agent)).value
        except RemoteMissing:
            return _Place(agent=name_for_copy(address))
        owner = {OWNER_TAGS[0]: metadata[OWNER_TAGS[0]], OWNER_TAGS[1]: address}
        return _Place(agent=address, is_draft=True) if found.is_of(owner) else _Place(agent=name_for_copy(address))

    async def _give_way(self, version: Version, *, seen: str) -> Version:
        """The version that another sync has made alike since ours saw the version `seen`: then ours is deleted.

        The oldest of them never is; so one remains, however many there are.
        """
        if not version.number.isdecimal() or int(version.number) - 1 == (int(seen) if seen.isdecimal() else 0):
            return version
        try:
            others = await self._list_versions(version.name)
        except RemoteError:
            # One version too many does no harm.
            return version
        earlier = [one for one in others if one.number.isdecimal() and int(one.number) < int(version.number)]
        unseen = [one for one in earlier if not seen.isdecimal() or int(one.number) > int(seen)]
        twins = sorted((one for one in unseen if one.is_like(version)), key=lambda one: int(one.number))
        if not twins:
            return version
        await self.delete_assistant(version.id)
        return twins[0]

    async def _list_versions(self, name: str) -> tuple[Version, ...]:
        request = Request(
            doing=f"listing the versions of the agent '{name}'",
            path=join_path("agents", name, "versions"),
            query={"order": "asc", "include_drafts": "true"},
        )
        try:
            return await self._api.list_all(request, read_version, goes_on_unless_told=True)
        except RemoteMissing:
            return ()


def _in_full(latest: Version, versions: tuple[Version, ...]) -> tuple[RemoteAssistant, ...]:
    """An agent with all versions of ours, and a play's drafts of it as what they are."""
    numbers = tuple(one.number for one in versions if not one.is_draft and one.is_of(latest.metadata))
    copies = tuple(as_assistant(one) for one in versions if one.is_a_play_s and one.number != latest.number)
    return (as_assistant(latest, numbers), *copies)


def _creating(doing: str, name: str, body: Mapping[str, object]) -> Request:
    return Request(doing=doing, path=join_path("agents", name, "versions"), body=body)


def _material_of(deployment: Deployment) -> Material:
    return Material(store_ids=deployment.store_ids, code_file_ids=deployment.code_file_ids)


@asynccontextmanager
async def open_backend(
    endpoint: Endpoint, journal: Journal, *, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[FoundryBackend]:
    """The backend of a project. Raises UsageError for what can't be used, before anything is sent to it."""
    project = endpoint.base_url.rstrip("/")
    if endpoint.is_embedded:
        project = project.removesuffix("/v1") + EMBEDDED_PROJECT
    bearer = await _open_bearer(endpoint)
    openai, agents = replace(endpoint, base_url=project + OPENAI_PATH), replace(endpoint, base_url=project)
    async with (
        open_api(openai, journal, headers={}, bearer=bearer, clock=clock, sleep=sleep) as openai_api,
        open_api(
            agents, journal, headers=_FEATURES, query=_VERSION, bearer=bearer, clock=clock, sleep=sleep
        ) as agents_api,
    ):
        yield FoundryBackend(agents_api, ResponsesBackend(openai_api, openai, CAPABILITIES))


async def _open_bearer(endpoint: Endpoint) -> Bearer | None:
    """Where tokens come from, with one at hand already; None where a key is sent, or nothing needs to be."""
    host = host_of(endpoint.base_url)
    if not endpoint.token_command and (has_key(endpoint, None) or stays_here(endpoint)):
        return None
    from runner.backends.foundry.access_tokens import BearerAuth, TokenKeeper, from_azure_identity, from_command

    redactor = Redactor(())

    def learn(token: str) -> None:
        redactor.learn(token)
        endpoint.learn_secret(token)

    try:
        fetch = from_command(endpoint.token_command) if endpoint.token_command else from_azure_identity()
    except UsageError as error:
        raise UsageError(f"{endpoint.place}: {error}") from None
    keeper = TokenKeeper(fetch, place=endpoint.place, learn=learn)
    await keeper.current()
    source = "token_command prints" if endpoint.token_command else "azure-identity finds"
    words = f"{endpoint.place}: the token that {source}"
    return Bearer(auth=BearerAuth(keeper, host), clean=redactor.clean, words=words)
