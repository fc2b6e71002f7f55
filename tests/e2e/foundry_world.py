"""A project on Foundry, or on another API, the server that it talks to through a proxy, and a way of the tests' own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import httpx2
from embedded_brains import Echo
from faulty_proxy import FaultyProxy, start_proxy
from forked_verbs import Forked, start_verb
from verbs import Done, run_verb

from runner.server.embedded import ServerAddress, start_embedded

PROJECTS = "/api/projects/tests"
FILE = """\
version: 1
namespace: foundry-1
target: there
targets:
  there: {{api: {api}, base_url: "{url}", key_env: FOUNDRY_KEY}}
assistants:
{assistants}
"""
GUIDE = """\
  guide:
    name: City Guide
    model: gpt-6-luna
    instructions: {instructions}
    tools: [code_interpreter, file_search]
    files: [city.md, {{file: rates.csv, for: code_interpreter}}]
"""
OLD = "  old-guide: {model: gpt-6-luna}\n"
PLAIN = "  guide: {model: gpt-6-luna, instructions: Be short.}\n"
VERSIONS = f"POST {PROJECTS}/agents/guide/versions"
LISTS = [f"GET {PROJECTS}/agents", f"GET {PROJECTS}/openai/v1/vector_stores"]
OURS = {"runner.namespace": "foundry-1", "runner.address": "guide"}


@dataclass
class World:
    """A project, the server that it talks to through a proxy, and a way of the tests' own to that."""

    root: Path
    address: ServerAddress
    proxy: FaultyProxy
    client: httpx2.AsyncClient
    api: ClassVar[str] = "foundry"
    place: ClassVar[str] = PROJECTS

    def begin(self) -> None:
        self.write(GUIDE.format(instructions="Be short."))

    def write(self, *assistants: str) -> None:
        (self.root / "scenarios").mkdir(parents=True, exist_ok=True)
        url = self.proxy.base_url.removesuffix("/v1") + self.place
        text = FILE.format(api=self.api, url=url, assistants="".join(assistants))
        (self.root / "assistants.yaml").write_text(text)
        (self.root / "city.md").write_text("The town hall opens at nine.\n")
        (self.root / "rates.csv").write_text("currency,rate\nEUR,1.10\n")

    def scenario(self, text: str) -> None:
        (self.root / "scenarios" / "one.yaml").write_text(text)

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.root), "FOUNDRY_KEY": self.address.token}

    async def run(self, *arguments: str) -> Done:
        self.proxy.forget()
        return await asyncio.to_thread(run_verb, *arguments, cwd=self.root, environment=self.environment)

    def start(self, *arguments: str) -> Forked:
        return start_verb(*arguments, cwd=self.root, environment=self.environment)

    async def get(self, path: str, **query: str) -> Any:
        answer = await self.client.get(path, params={"api-version": "v1", "limit": "100", "order": "asc", **query})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, agent: str, instructions: str, **more: object) -> Any:
        """A version that somebody makes by other means."""
        body = {"definition": {"kind": "prompt", "model": "gpt-6-luna", "instructions": instructions}, **more}
        answer = await self.client.post(f"/agents/{agent}/versions", params={"api-version": "v1"}, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def versions(self, agent: str) -> list[str]:
        found = await self.get(f"/agents/{agent}/versions", include_drafts="true")
        return [f"{one['version']}{'d' if one['draft'] else ''}" for one in found["data"]]

    async def agents(self) -> list[str]:
        return [one["name"] for one in (await self.get("/agents"))["data"]]

    async def latest(self, agent: str) -> Any:
        found = await self.client.get(f"/agents/{agent}", params={"api-version": "v1"})
        return found.json()["versions"]["latest"]


@asynccontextmanager
async def opened(folder: Path, kind: type[World] = World) -> AsyncIterator[World]:
    async with (
        start_embedded(folder / "server", Echo()) as address,
        start_proxy(address.base_url) as proxy,
    ):
        root = address.base_url.removesuffix("/v1") + kind.place
        headers = {"authorization": f"Bearer {address.token}"}
        async with httpx2.AsyncClient(
            base_url=root, headers=headers, verify=False, trust_env=False, timeout=30
        ) as client:
            world = kind(folder / "project", address, proxy, client)
            world.begin()
            yield world


def as_answer(body: object) -> bytes:
    content = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(content) + content


async def kill_at(world: World, path: str, *arguments: str, method: str = "POST") -> None:
    """The answer to the first such request to what ends like that never arrives: whoever sent it is dead."""
    killed: list[Forked] = []

    def kill(name: str, answer: bytes) -> bytes:
        if name.startswith(f"{method} ") and name.endswith(path) and killed[0].returncode is None:
            killed[0].send_signal(signal.SIGKILL)
        return answer

    world.proxy.on_answer = kill
    killed.append(world.start(*arguments))
    assert await killed[0].wait() == -signal.SIGKILL
    world.proxy.on_answer = lambda _, answer: answer
