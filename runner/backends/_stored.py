"""Assistants that a server stores: made, changed and removed alike on every API, whatever that calls them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runner.backends import Backend, Deployment, RemoteAssistant
from runner.backends._json_fields import Json
from runner.backends._requests import Api, Creation, Request, join_path
from runner.domain.conversation import AssistantId
from runner.domain.plan import Kind

MakeBody = Callable[[Deployment, Mapping[str, str], bool], Mapping[str, object]]
"""What is sent to create one, or to update it: then what the file doesn't say is reset to its default."""


class StoringBackend(Backend):
    """The part of a backend that is about them; `noun` is the API's word, and in the plural its path."""

    def __init__(self, api: Api, noun: str, make_body: MakeBody, read: Callable[[Json], RemoteAssistant]) -> None:
        self._api = api
        self._noun = noun
        self._make_body = make_body
        self._read = read

    async def list_assistants(self, *, in_full: bool = False) -> tuple[RemoteAssistant, ...]:  # noqa: ARG002 - no drafts here
        request = Request(doing=f"listing the {self._noun}s", path=f"/{self._noun}s", query={"order": "asc"})
        return await self._api.list_all(request, self._read)

    async def create_assistant(self, deployment: Deployment, metadata: Mapping[str, str]) -> RemoteAssistant:
        address = deployment.assistant.address
        request = Request(
            doing=f"creating the {self._noun} '{address}'",
            path=f"/{self._noun}s",
            body=self._make_body(deployment, metadata, False),
        )
        creation = Creation(kind=Kind.ASSISTANT, label=address, tags=metadata)
        return (await self._api.create(request, creation, self._read)).value

    async def update_assistant(self, deployment: Deployment, metadata: Mapping[str, str]) -> RemoteAssistant:
        doing = f"updating the {self._noun} '{deployment.assistant.address}'"
        return await self._change(doing, deployment.stored_id, self._make_body(deployment, metadata, True))

    async def tag_assistant(self, assistant_id: AssistantId, metadata: Mapping[str, str]) -> RemoteAssistant:
        body = {"metadata": dict(metadata)}
        return await self._change(f"tagging the {self._noun} {assistant_id}", assistant_id, body)

    async def delete_assistant(self, assistant_id: AssistantId) -> None:
        doing, path = f"deleting the {self._noun} {assistant_id}", join_path(f"{self._noun}s", assistant_id)
        await self._api.delete(doing, path, Kind.ASSISTANT, assistant_id)

    async def _change(self, doing: str, assistant_id: AssistantId, body: Mapping[str, object]) -> RemoteAssistant:
        request = Request(doing=doing, path=join_path(f"{self._noun}s", assistant_id), body=body)
        return (await self._api.post(request, self._read)).value
