"""A project stored on the embedded target, for tests that change what is stored behind runner's back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from embedded_brains import Echo
from verbs import Done, run_verb

from runner.backends import Backend, Deployment, Endpoint, RemoteAssistant
from runner.backends.assistants.backend import open_backend
from runner.config import load_configuration
from runner.domain.assistant import Assistant
from runner.journal import Journal
from runner.server.embedded import start_embedded


@dataclass
class StoredProject:
    """`environment` is added to what each command gets."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.root / "assistants.yaml"

    def write(self, text: str) -> None:
        self.file.write_bytes(text.encode())

    async def run(self, *arguments: str, given: bytes = b"") -> Done:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.root), **self.environment}
        return await asyncio.to_thread(run_verb, *arguments, cwd=self.root, environment=environment, given=given)

    def load(self, address: str) -> Assistant:
        configuration = load_configuration(
            file=self.file, scenario_paths=None, cwd=self.root, environment=self.environment
        )
        found = configuration.project.find_assistant(address)
        assert found is not None
        return found

    @asynccontextmanager
    async def backend(self) -> AsyncIterator[Backend]:
        """A way of its own to what is stored; no command runs meanwhile."""
        with Journal(self.root / "looking.jsonl") as journal:
            async with start_embedded(self.root / ".runner" / "embedded", Echo()) as address:
                endpoint = Endpoint(base_url=address.base_url, key=address.token, is_embedded=True)
                async with open_backend(endpoint, journal) as backend:
                    yield backend

    async def stored(self) -> tuple[RemoteAssistant, ...]:
        async with self.backend() as backend:
            return await backend.list_assistants()

    async def store_stray(self, address: str, metadata: Mapping[str, str], **changes: object) -> str:
        """Another assistant like the declared one, as somebody else would have made it. Returns its id."""
        async with self.backend() as backend:
            assistant = replace(self.load(address), **changes)  # type: ignore[arg-type]  # the test names real fields
            deployment = Deployment(assistant=assistant, assistant_id=None)
            return (await backend.create_assistant(deployment, metadata)).id

    async def change_stored(self, address: str, **changes: object) -> None:
        """What somebody does to the stored assistant in a web console; `metadata` is of their own keys."""
        async with self.backend() as backend:
            found = next(
                one for one in await backend.list_assistants() if one.metadata.get("runner.address") == address
            )
            assistant = replace(self.load(address), **changes)  # type: ignore[arg-type]  # the test names real fields
            deployment = Deployment(
                assistant=assistant,
                assistant_id=found.id,
                store_ids=found.store_ids,
                code_file_ids=found.code_file_ids,
            )
            metadata = {**found.metadata, **assistant.metadata}
            for key in self.load(address).metadata.keys() - assistant.metadata.keys():
                del metadata[key]
            await backend.update_assistant(deployment, metadata)
