"""`api: foundry` against a real server: what sync, play and clean send, and what they leave to others."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from app_listening import listening_environment
from embedded_brains import Echo
from faulty_proxy import FaultyProxy, drop_answer_to, start_proxy
from verbs import Done, run_verb

from runner.server.embedded import ServerAddress, start_embedded

PROJECTS = "/api/projects/tests"
FILE = """\
version: 1
namespace: foundry-1
target: there
targets:
  there: {{api: foundry, base_url: "{url}", key_env: FOUNDRY_KEY}}
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

    def write(self, *assistants: str) -> None:
        (self.root / "scenarios").mkdir(parents=True, exist_ok=True)
        url = self.proxy.base_url.removesuffix("/v1") + PROJECTS
        (self.root / "assistants.yaml").write_text(FILE.format(url=url, assistants="".join(assistants)))
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

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "runner", *arguments),
            cwd=self.root,
            env={**self.environment, **listening_environment()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

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


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as world:
        yield world


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[World]:
    async with (
        start_embedded(folder / "server", Echo()) as address,
        start_proxy(address.base_url) as proxy,
    ):
        root = address.base_url.removesuffix("/v1") + PROJECTS
        headers = {"authorization": f"Bearer {address.token}"}
        async with httpx2.AsyncClient(base_url=root, headers=headers, trust_env=False, timeout=30) as client:
            world = World(folder / "project", address, proxy, client)
            world.write(GUIDE.format(instructions="Be short."))
            yield world


def as_answer(body: object) -> bytes:
    content = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(content) + content


async def test_a_definition_is_stored_and_a_second_sync_sends_no_write_from_a_fresh_clone_either(world: World) -> None:
    first = await world.run("sync")
    assert (first.code, first.err) == (0, "")
    assert "+ assistant guide: created guide:1\n" in first.out
    latest = await world.latest("guide")
    kinds = [tool["type"] for tool in latest["definition"]["tools"]]
    assert (latest["description"], kinds) == ("City Guide", ["code_interpreter", "file_search"])
    assert {key: latest["metadata"][key] for key in OURS} == OURS

    for lost in ("nothing", ".runner/cache", ".runner"):
        shutil.rmtree(world.root / lost, ignore_errors=True)
        again = await world.run("sync")
        assert (again.code, sorted(world.proxy.requests)) == (0, LISTS), again.out
        assert "in sync: nothing to do" in again.out
    assert await world.versions("guide") == ["1"]


async def test_an_update_is_a_new_version_that_has_all_of_the_definition(world: World) -> None:
    await world.run("sync")
    world.write("  guide: {name: Guide, model: gpt-6-luna, temperature: 0.2, tools: [file_search]}\n")

    second = await world.run("sync")

    assert second.code == 0, second.out + second.err
    assert world.proxy.writes.count(VERSIONS) == 1
    latest = await world.latest("guide")
    assert latest["version"] == "2"
    assert latest["definition"] == {"kind": "prompt", "model": "gpt-6-luna", "temperature": 0.2}
    assert (await world.run("sync")).code == 0
    assert world.proxy.writes == []


async def test_a_search_without_files_is_no_tool_there_and_no_difference(world: World) -> None:
    world.write("  guide: {model: gpt-6-luna, tools: [file_search]}\n")
    assert (await world.run("sync")).code == 0
    assert (await world.run("sync", "--check")).code == 0
    world.write("  guide: {model: gpt-6-luna}\n")
    assert "tools" in (await world.run("plan")).out
    assert (await world.run("sync")).code == 0
    assert (await world.run("sync", "--check")).code == 0
    assert await world.versions("guide") == ["1", "2"]


async def test_what_somebody_put_on_top_is_drift_if_it_kept_the_tags(world: World) -> None:
    world.write(PLAIN)
    await world.run("sync")
    tags = (await world.latest("guide"))["metadata"]
    await world.post("guide", "Be rude.", metadata=tags, description="guide")

    blocked = await world.run("sync")
    assert blocked.code == 4
    assert "instructions" in blocked.err
    assert world.proxy.writes == []
    assert (await world.run("sync", "--on-drift", "overwrite")).code == 0
    latest = await world.latest("guide")
    assert (latest["version"], latest["definition"]["instructions"]) == ("3", "Be short.")


async def test_a_name_that_is_somebody_else_s_blocks_and_is_not_written_to(world: World) -> None:
    world.write(PLAIN, "  other: {model: gpt-6-luna}\n")
    for metadata, words in (
        ({}, "guide:1 has its name, and carries no tags of ours; `runner adopt guide guide` takes it over"),
        ({"runner.namespace": "theirs", "runner.address": "guide"}, "belongs to the namespace 'theirs'"),
    ):
        made = await world.post("guide", "Theirs.", metadata=metadata)
        done = await world.run("sync")
        assert done.code == 4, done.out
        assert words.replace(":1", f":{made['version']}") in done.err
        assert VERSIONS not in world.proxy.requests
        assert "other" in await world.agents(), "the others go on"
        assert (await world.run("plan", "--exit-code")).code == 4


async def test_an_agent_is_adopted_by_its_name_with_nothing_but_tags(world: World) -> None:
    world.write(PLAIN)
    theirs = await world.post("guide", "Theirs.", metadata={"team": "blue"}, description="Their guide")

    adopted = await world.run("adopt", "guide", "guide")

    assert adopted.code == 0, adopted.err
    latest = await world.latest("guide")
    assert latest["definition"] == theirs["definition"]
    assert (latest["description"], latest["metadata"]) == ("Their guide", {"team": "blue", **OURS})
    assert (await world.run("sync")).code == 0
    latest = await world.latest("guide")
    assert (latest["definition"]["instructions"], latest["metadata"]["team"]) == ("Be short.", "blue")


async def test_pulled_values_keep_the_file_s_comments(world: World) -> None:
    world.write("  # the guide\n  guide:\n    model: gpt-6-luna # a deployment\n    instructions: Be short.\n")
    await world.run("sync")
    tags = (await world.latest("guide"))["metadata"]
    await world.post("guide", "Be long.", metadata=tags, description="guide")
    assert (await world.run("pull", "guide", "--write")).code == 0
    text = (world.root / "assistants.yaml").read_text()
    assert "  # the guide\n  guide:\n    model: gpt-6-luna # a deployment\n    instructions: Be long.\n" in text


async def test_prune_and_destroy_name_the_versions_and_leave_those_without_our_tags(world: World) -> None:
    for instructions in ("One.", "Two."):
        world.write(PLAIN, OLD.replace("luna}", f"luna, instructions: {instructions}}}"))
        await world.run("sync")
    await world.post("stranger", "Nobody's.")
    world.write(PLAIN)

    plan = await world.run("plan", "--prune")
    assert "old-guide:1,2" in plan.out
    pruned = await world.run("sync", "--prune")
    assert pruned.code == 0, pruned.err
    assert "old-guide:1,2" in pruned.out
    assert await world.agents() == ["guide", "stranger"]

    # Somebody else's version below ours stays, and with it the agent.
    theirs = await world.post("adopted", "Theirs.")
    world.write(PLAIN, "  adopted: {model: gpt-6-luna}\n")
    assert (await world.run("adopt", "adopted", "adopted")).code == 0
    assert (await world.run("sync")).code == 0
    asked = await world.run("destroy")
    assert asked.code == 4
    assert "- assistant adopted: adopted:2,3\n" in asked.out
    assert (await world.run("destroy", "--confirm", "foundry-1")).code == 0
    assert await world.agents() == ["stranger", "adopted"]
    assert (await world.latest("adopted")) == theirs


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        b"",
    ],
    ids=["500", "404", "html", "empty", "cut"],
)
async def test_a_read_that_fails_is_never_taken_for_not_there(world: World, answer: bytes) -> None:
    await world.run("sync")
    shutil.rmtree(world.root / ".runner")
    world.proxy.on_answer = lambda name, good: answer if name == LISTS[0] else good
    done = await world.run("sync")
    assert done.code == 3, done.out
    assert "while listing the agents" in done.err
    assert world.proxy.writes == []
    assert await world.versions("guide") == ["1"]


async def test_a_list_that_does_not_say_whether_it_goes_on_is_read_to_its_end(world: World) -> None:
    assistants = "".join(f"  guide-{number:03}: {{model: gpt-6-luna}}\n" for number in range(120))
    world.write(assistants)
    assert (await world.run("sync")).code == 0
    assert (await world.run("sync")).code == 0
    assert (len(world.proxy.requests), world.proxy.writes) == (3, []), "two pages, and the stores"

    def hide(name: str, answer: bytes) -> bytes:
        if name != LISTS[0]:
            return answer
        body = json.loads(answer.split(b"\r\n\r\n", 1)[1])
        del body["has_more"]
        return as_answer(body)

    world.proxy.on_answer = hide
    again = await world.run("sync")
    assert (again.code, world.proxy.writes) == (0, []), again.out + again.err
    assert "120 assistants" in again.out


async def test_with_a_hundred_agents_a_sync_that_has_nothing_to_do_is_two_calls(world: World) -> None:
    world.write("".join(f"  guide-{number:02}: {{model: gpt-6-luna}}\n" for number in range(100)))
    assert (await world.run("sync")).code == 0
    shutil.rmtree(world.root / ".runner")
    assert (await world.run("sync")).code == 0
    assert sorted(world.proxy.requests) == LISTS


async def test_a_version_whose_creation_was_not_confirmed_is_found_and_not_made_again(world: World) -> None:
    world.proxy.on_answer = drop_answer_to(VERSIONS)
    first = await world.run("sync")
    assert first.code == 0, first.err
    assert "the answer to its creation was lost; it was found by its tags" in first.out
    assert await world.versions("guide") == ["1"]

    world.write(GUIDE.format(instructions="Be long."))
    world.proxy.on_answer = drop_answer_to(VERSIONS)
    second = await world.run("sync")
    assert second.code == 3
    assert (await world.run("sync")).code == 0
    assert world.proxy.writes == []
    assert await world.versions("guide") == ["1", "2"]


@pytest.mark.parametrize("is_update", [False, True])
async def test_of_syncs_at_once_one_version_remains(world: World, is_update: bool) -> None:
    if is_update:
        await world.run("sync")
        await asyncio.sleep(1.2)
        world.write(GUIDE.format(instructions="Be long."))
    running = [await world.start("sync") for _ in range(4)]
    assert [await one.wait() for one in running] == [0, 0, 0, 0]
    settled = await world.run("sync")
    assert (settled.code, VERSIONS in world.proxy.writes) == (0, False), settled.out
    found = await world.get("/agents/guide/versions")
    alike = [one for one in found["data"] if one["definition"] == found["data"][-1]["definition"]]
    assert len(alike) == 1, "who made a second one alike took it back"


@pytest.mark.parametrize("when", ["POST " + PROJECTS + "/openai/v1/vector_stores", VERSIONS])
async def test_a_sync_that_was_killed_is_finished_by_the_next(world: World, when: str) -> None:
    await kill_at(world, when, "sync")
    resumed = await world.run("sync")
    assert resumed.code == 0, resumed.err
    assert await world.versions("guide") == ["1"]
    assert (await world.run("sync")).code == 0
    assert world.proxy.writes == []


async def kill_at(world: World, request: str, *arguments: str) -> None:
    """The answer to that request never arrives: whoever sent it is dead."""
    killed: list[asyncio.subprocess.Process] = []

    def kill(name: str, answer: bytes) -> bytes:
        if name == request and killed[0].returncode is None:
            killed[0].send_signal(signal.SIGKILL)
        return answer

    world.proxy.on_answer = kill
    killed.append(await world.start(*arguments))
    assert await killed[0].wait() == -signal.SIGKILL
    world.proxy.on_answer = lambda _, answer: answer


# Plays

HELLO = "{assistant: guide, turns: [{ask: hello, expect: [contains: hello]}, {ask: you, expect: [contains: you]}]}"
ATTACHED = """
assistant: guide
turns:
  - {ask: hello, attach: [{file: note.md, for: file_search}], expect: [contains: hello]}
  - {ask: again, expect: [contains: again]}
"""


async def test_the_stored_version_is_played_by_its_number(world: World) -> None:
    await world.run("sync")
    world.scenario(HELLO)
    assert (await world.run("play")).code == 0
    assert world.proxy.requests.count(VERSIONS) == 0
    assert await world.versions("guide") == ["1"]


async def test_a_candidate_is_a_draft_that_production_never_sees_and_that_is_deleted(world: World) -> None:
    await world.run("sync")
    world.write(GUIDE.format(instructions="Be long."))
    world.scenario(HELLO)
    looks: list[asyncio.Task[tuple[str, list[str]]]] = []

    async def look() -> tuple[str, list[str]]:
        return (await world.latest("guide"))["version"], await world.versions("guide")

    def note(name: str, answer: bytes) -> bytes:
        if name == f"POST {PROJECTS}/openai/v1/responses":
            looks.append(asyncio.get_running_loop().create_task(look()))
        return answer

    world.proxy.on_answer = note
    done = await world.run("play")
    assert done.code == 0, done.out + done.err
    seen = [await one for one in looks]
    assert seen[0] == ("1", ["1", "2d"])
    assert {latest for latest, _ in seen} == {"1"}
    assert await world.versions("guide") == ["1"]
    assert (await world.run("clean")).out.endswith("nothing to clean\n")


async def test_where_no_agent_of_ours_is_there_a_play_has_one_of_its_own(world: World) -> None:
    world.scenario(HELLO)
    done = await world.run("play")
    assert done.code == 0, done.out + done.err
    assert await world.agents() == []
    await world.post("guide", "Theirs.")
    done = await world.run("play")
    assert done.code == 0, done.out + done.err
    assert VERSIONS not in world.proxy.requests
    assert (await world.agents(), await world.versions("guide")) == (["guide"], ["1"])


async def test_what_is_attached_goes_into_a_draft_of_the_thread_s_own(world: World) -> None:
    await world.run("sync")
    world.scenario(ATTACHED)
    (world.root / "scenarios" / "note.md").write_text("A note.\n")
    done = await world.run("play")
    assert done.code == 0, done.out + done.err
    assert world.proxy.requests.count(VERSIONS) == 1, "the second turn has the same files"
    assert world.proxy.requests.count(f"DELETE {PROJECTS}/agents/guide/versions/2") == 1
    assert await world.versions("guide") == ["1"]


@pytest.mark.parametrize("loses", ["the draft's answer", "the first answer"])
@pytest.mark.parametrize("is_synced", [True, False])
async def test_what_a_killed_play_left_is_found_by_clean(world: World, loses: str, is_synced: bool) -> None:
    if is_synced:
        await world.run("sync")
    world.write(PLAIN)
    world.scenario(HELLO)

    def is_it(name: str) -> bool:
        what = "/versions" if loses == "the draft's answer" else "/openai/v1/responses"
        return name.startswith("POST") and name.endswith(what)

    killed: list[asyncio.subprocess.Process] = []
    before = await world.agents()

    def kill(name: str, answer: bytes) -> bytes:
        if is_it(name) and killed[0].returncode is None:
            killed[0].send_signal(signal.SIGKILL)
        return answer

    world.proxy.on_answer = kill
    killed.append(await world.start("play"))
    assert await killed[0].wait() == -signal.SIGKILL
    world.proxy.on_answer = lambda _, answer: answer
    assert (await world.agents(), (await world.versions("guide")) if is_synced else []) != (before, ["1"])

    done = await world.run("clean")
    assert done.code == 0, done.err
    assert await world.agents() == before
    if is_synced:
        assert await world.versions("guide") == ["1"]


async def test_drafts_without_a_journal_are_cleaned_when_they_are_old(world: World) -> None:
    world.write(PLAIN)
    await world.run("sync")
    tags = {"runner.namespace": "foundry-1", "runner.play": "a-play-elsewhere"}
    await world.post("guide", "Draft.", metadata=tags, draft=True)
    await world.post("guide", "Theirs.", metadata={"team": "blue"}, draft=True)
    assert "too young" in (await world.run("clean")).out
    await asyncio.sleep(1.1)
    done = await world.run("clean", "--older-than", "0")
    assert "assistant guide:2 of the play a-play-elsewhere: removed" in done.out
    assert await world.versions("guide") == ["1", "3d"]


async def test_a_journal_that_names_production_deletes_nothing(world: World) -> None:
    world.write(PLAIN)
    await world.run("sync")
    world.scenario(HELLO)
    world.write("  guide: {model: gpt-6-luna, instructions: Be long.}\n")
    assert (await world.run("play", "--keep")).code == 0
    (journal,) = (world.root / ".runner" / "plays").glob("*/journal.jsonl")
    journal.write_text(journal.read_text().replace('"guide:2"', '"guide:1"'))
    done = await world.run("clean")
    assert "assistant guide:1 carries no tag of a play of ours, and was left alone" in done.out
    assert "1" in await world.versions("guide")


async def test_a_draft_that_the_server_made_a_release_is_taken_back_and_an_error(world: World) -> None:
    await world.run("sync")
    world.write(GUIDE.format(instructions="Be long."))
    world.scenario(HELLO)
    world.proxy.on_answer = lambda name, answer: (
        answer.replace(b'"draft":true', b'"draft":null') if name == VERSIONS else answer
    )
    done = await world.run("play")
    assert done.code == 3, done.out + done.err
    assert "the server made the draft guide:2 a released version; it was deleted again" in done.out
    assert await world.versions("guide") == ["1"]


async def test_a_version_that_vanished_behind_our_back_is_an_error_that_names_it(world: World) -> None:
    world.write(PLAIN)
    await world.run("sync")
    world.scenario(HELLO)

    def lie(name: str, answer: bytes) -> bytes:
        return answer.replace(b'"guide:1"', b'"guide:9"').replace(b'"version":"1"', b'"version":"9"')

    world.proxy.on_answer = lambda name, answer: lie(name, answer) if name == LISTS[0] else answer
    done = await world.run("play")
    assert done.code == 3, done.out + done.err
    assert "Version '9' of agent 'guide' not found" in done.out


async def test_an_agent_that_somebody_disabled_is_one_clear_line(world: World) -> None:
    world.write(PLAIN)
    await world.run("sync")
    await world.client.post("/agents/guide:disable", params={"api-version": "v1"})
    world.scenario(HELLO)
    done = await world.run("play")
    assert done.code == 3, done.out + done.err
    assert "Agent 'guide' is disabled." in done.out


@pytest.mark.parametrize("address", ["travel_guide", "guide.de", "a" * 64, "guide-"])
@pytest.mark.parametrize("verb", ["validate --target there", "plan", "play"])
async def test_a_name_that_foundry_refuses_is_found_before_anything_is_sent(
    world: World, address: str, verb: str
) -> None:
    world.write(f"  {address}: {{model: gpt-6-luna}}\n")
    world.scenario(f"{{assistant: {address}, smoke: true, turns: [{{ask: hello}}]}}")
    done = await world.run(*verb.split())
    assert done.code == 2, done.out + done.err
    assert done.err.startswith(
        f"assistants.yaml:7:3: assistants.{address}: target 'there' does not take this address: it is the agent's name"
    ), done.err
    assert world.proxy.requests == []


async def test_an_agent_of_another_kind_is_nobody_s_business(world: World) -> None:
    """One of Foundry's other kinds, which our server doesn't make: it is listed, blocks its name, and stays."""
    world.write(PLAIN)
    workflow = {
        "object": "agent",
        "id": "guide",
        "name": "guide",
        "versions": {
            "latest": {
                "object": "agent.version",
                "id": "guide:1",
                "name": "guide",
                "version": "1",
                "metadata": {},
                "created_at": int(time.time()),
                "definition": {"kind": "workflow", "workflow": "x"},
            }
        },
    }
    listed = as_answer({"object": "list", "data": [workflow], "has_more": False})
    world.proxy.on_answer = lambda name, answer: listed if name == LISTS[0] else answer
    done = await world.run("sync")
    assert done.code == 4, done.out + done.err
    assert "guide:1 has its name" in done.err
    assert world.proxy.writes == []
