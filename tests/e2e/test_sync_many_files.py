"""What `runner sync` sends for standing files, counted on a server whose state lives elsewhere."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from embedded_brains import Echo
from faulty_proxy import FaultyProxy, start_proxy
from stored_project import StoredProject

from runner.server.embedded import ServerAddress, start_embedded

MANY = 250
"""Several pages of every list; a batch takes 2,000."""
PROJECT = """\
version: 1
namespace: many-files-1
target: elsewhere
targets:
  elsewhere: {{api: {api}, base_url: "{base_url}", key_env: MANY_FILES_KEY}}
assistants:
  guide:
    model: gpt-6-luna
    tools: [file_search]
    files:
      - {files}
"""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerAddress]:
    async with start_embedded(tmp_path / "elsewhere", Echo()) as address:
        yield address


@pytest.fixture
async def proxy(server: ServerAddress) -> AsyncIterator[FaultyProxy]:
    async with start_proxy(server.base_url) as proxy:
        yield proxy


@pytest.fixture
def project(server: ServerAddress, tmp_path: Path) -> StoredProject:
    root = tmp_path / "project"
    (root / "knowledge").mkdir(parents=True)
    return StoredProject(root, {"MANY_FILES_KEY": server.token})


def declare(project: StoredProject, proxy: FaultyProxy, files: str, *, api: str = "assistants") -> None:
    project.write(PROJECT.format(base_url=proxy.base_url, files=files, api=api))


def write_files(project: StoredProject, count: int) -> None:
    for number in range(count):
        (project.root / "knowledge" / f"fact-{number}.md").write_text(f"Fact {number}.")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_with_nothing_to_do_two_calls_are_sent_whatever_the_number_of_files(
    project: StoredProject, proxy: FaultyProxy
) -> None:
    write_files(project, MANY)
    declare(project, proxy, "knowledge/*.md")
    first = await project.run("sync")
    assert first.code == 0, first.out + first.err
    assert f"{MANY} files in" in first.out

    for api, expected in (
        ("assistants", ["GET /v1/assistants", "GET /v1/vector_stores"]),
        ("responses", ["GET /v1/vector_stores"]),
    ):
        declare(project, proxy, "knowledge/*.md", api=api)
        proxy.forget()
        again = await project.run("sync")
        assert again.code == 0, again.out + again.err
        assert "in sync: nothing to do" in again.out
        assert sorted(proxy.requests) == expected


async def test_files_are_cut_up_as_declared_and_again_when_that_changes(
    project: StoredProject, proxy: FaultyProxy, server: ServerAddress
) -> None:
    write_files(project, 2)
    declare(project, proxy, "knowledge/*.md")
    assert (await project.run("sync")).code == 0
    assert await chunk_sizes(server) == {"fact-0.md": (800, 400), "fact-1.md": (800, 400)}

    declare(project, proxy, "{file: knowledge/*.md, chunking: {max_tokens: 200, overlap_tokens: 50}}")
    plan = await project.run("plan")
    assert "fact-0.md (chunks of 200/50 tokens)" in plan.out
    second = await project.run("sync")
    assert second.code == 0, second.out + second.err
    assert await chunk_sizes(server) == {"fact-0.md": (200, 50), "fact-1.md": (200, 50)}
    assert await count_files(server) == 2

    proxy.forget()
    assert (await project.run("sync")).code == 0
    assert proxy.writes == []


async def chunk_sizes(server: ServerAddress) -> dict[str, tuple[int, int]]:
    (store,) = await read(server, "vector_stores")
    sizes = {}
    for file in await read(server, f"vector_stores/{store['id']}/files"):
        static = file["chunking_strategy"]["static"]
        name = file["attributes"]["runner.name"]
        sizes[name] = (static["max_chunk_size_tokens"], static["chunk_overlap_tokens"])
    return sizes


async def count_files(server: ServerAddress) -> int:
    return len(await read(server, "files"))


async def read(server: ServerAddress, path: str):
    headers = {"authorization": f"Bearer {server.token}"}
    async with httpx2.AsyncClient(verify=False, trust_env=False, headers=headers) as client:
        return (await client.get(f"{server.base_url}/{path}")).json()["data"]
