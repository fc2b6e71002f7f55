"""`api: foundry` against a real server: what sync sends, and what it leaves to others."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from faulty_proxy import drop_answer_to
from foundry_world import GUIDE, LISTS, OLD, OURS, PLAIN, VERSIONS, World, as_answer, kill_at, opened

from runner.backends import Deployment, Endpoint
from runner.backends.foundry.backend import open_backend
from runner.domain.assistant import Address, Assistant
from runner.domain.conversation import AssistantId
from runner.errors import Location
from runner.journal import Journal


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as world:
        yield world


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
    assert "guide:2" in second.out
    assert "guide:1" not in second.out
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
    assert "instructions" in blocked.out
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
        assert words.replace(":1", f":{made['version']}") in done.out
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
    running = [world.start("sync") for _ in range(4)]
    assert await asyncio.gather(*(one.wait() for one in running)) == [0, 0, 0, 0]
    settled = await world.run("sync")
    assert (settled.code, VERSIONS in world.proxy.writes) == (0, False), settled.out
    found = await world.get("/agents/guide/versions")
    alike = [one for one in found["data"] if one["definition"] == found["data"][-1]["definition"]]
    assert len(alike) == 1, "who made a second one alike took it back"


@pytest.mark.parametrize("gone", [False, True])
async def test_who_made_a_version_alike_at_the_same_time_takes_it_back(
    world: World, tmp_path: Path, gone: bool
) -> None:
    """Another sync has made version 2, and perhaps a third has taken version 3 back already."""
    world.write(PLAIN)
    await world.run("sync")
    here = Location("assistants.yaml", 1, 1)
    guide = Assistant(
        address=Address("guide"), location=here, name="guide", model="gpt-6-luna", instructions="Be long."
    )
    with Journal(tmp_path / "mine.jsonl") as journal:
        endpoint = Endpoint(base_url=world.address.base_url, key=world.address.token, is_embedded=True)
        async with open_backend(endpoint, journal) as backend:
            deployment = Deployment(assistant=guide, assistant_id=AssistantId("guide:1"))
            metadata = {**OURS, "runner.spec": "alike"}
            first = await backend.update_assistant(deployment, metadata)
            if gone:
                await world.post("guide", "Be long.", metadata=metadata)
                await world.client.delete("/agents/guide/versions/3", params={"api-version": "v1"})
            assert first.id == "guide:2"
            assert (await backend.update_assistant(deployment, metadata)).id == "guide:2"
            different = {**metadata, "runner.spec": "another"}
            assert (await backend.update_assistant(deployment, different)).id == f"guide:{4 + gone}"
    assert await world.versions("guide") == ["1", "2", str(4 + gone)]


@pytest.mark.parametrize("when", ["/openai/v1/vector_stores", "/agents/guide/versions"])
async def test_a_sync_that_was_killed_is_finished_by_the_next(world: World, when: str) -> None:
    await kill_at(world, when, "sync")
    resumed = await world.run("sync")
    assert resumed.code == 0, resumed.err
    assert await world.versions("guide") == ["1"]
    assert (await world.run("sync")).code == 0
    assert world.proxy.writes == []


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
    assert "guide:1 has its name" in done.out
    assert world.proxy.writes == []
