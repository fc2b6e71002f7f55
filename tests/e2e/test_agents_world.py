"""Agents in the world: what others do to them, answers that are lost, processes that die, and several at once."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest
from faulty_proxy import drop_answer_to
from foundry_world import World as StoredWorld
from foundry_world import as_answer, kill_at, opened

GUIDE = """\
  guide:
    name: City Guide
    model: gpt-6-luna
    # Said by the town council.
    instructions: {instructions}  # keep it short
    metadata: {{team: a}}
"""
OTHER = "  other: {model: gpt-6-luna}\n"
AGENTS = "POST /v1/agents"
SUM = "assistant: guide\nturns: [{ask: 'Say it.', expect: [contains: 'Say it']}]\n"


class World(StoredWorld):
    api: ClassVar[str] = "agents"
    place: ClassVar[str] = "/v1"

    def begin(self) -> None:
        self.write(GUIDE.format(instructions="Be short."))

    async def stored(self) -> list[dict]:
        answer = await self.client.get("/agents", params={"limit": "100", "order": "asc"})
        return answer.json()["data"]

    async def change(self, agent_id: str, **fields: object) -> None:
        assert (await self.client.post(f"/agents/{agent_id}", json=fields)).status_code == 200

    async def sessions(self) -> list[str]:
        answer = await self.client.get("/agents/sessions", params={"limit": "100"})
        return [one["id"] for one in answer.json()["data"]]

    def file(self) -> str:
        return (self.root / "assistants.yaml").read_text()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path, World) as world:
        yield world


@pytest.mark.slow
async def test_what_somebody_changed_is_drift_until_it_is_taken_over_or_put_back(world: World) -> None:
    await world.run("sync")
    (agent,) = await world.stored()
    await world.change(agent["id"], instructions="Be long.", metadata={**agent["metadata"], "colour": "blue"})
    blocked = await world.run("sync")
    assert (blocked.code, world.proxy.writes) == (4, []), blocked.out
    assert "changed remotely since the last sync: instructions" in blocked.out
    assert (await world.run("plan", "--exit-code")).code == 4

    assert (await world.run("pull", "guide", "--write")).code == 0
    assert "instructions: Be long.  # keep it short" in world.file()
    assert "# Said by the town council." in world.file()
    assert (await world.run("sync")).code == 0

    await world.change(agent["id"], instructions="Be odd.")
    assert (await world.run("sync", "--on-drift", "overwrite")).code == 0
    (after,) = await world.stored()
    assert (after["id"], after["instructions"]) == (agent["id"], "Be long.")
    assert after["metadata"]["colour"] == "blue", "what others put there stays"


@pytest.mark.parametrize("by", ["id", "name"])
async def test_an_agent_is_adopted_with_nothing_but_tags(world: World, by: str) -> None:
    made = (
        await world.client.post("/agents", json={"model": "gpt-6-sol", "name": "Mine", "metadata": {"k": "v"}})
    ).json()
    adopted = await world.run("adopt", "guide", made[by])
    assert adopted.code == 0, adopted.err
    (after,) = await world.stored()
    assert {**after, "metadata": None, "updated_at": None} == {**made, "metadata": None, "updated_at": None}
    assert after["metadata"]["k"] == "v"
    assert after["metadata"]["runner.address"] == "guide"
    assert (await world.run("sync", "--on-drift", "overwrite")).code == 0
    assert [one["id"] for one in await world.stored()] == [made["id"]]


async def test_an_agent_of_somebody_else_is_not_adopted_and_never_pruned(world: World) -> None:
    theirs = {"runner.namespace": "else", "runner.address": "guide"}
    made = (await world.client.post("/agents", json={"model": "gpt-6-sol", "metadata": theirs})).json()
    assert (await world.run("adopt", "guide", made["id"])).code == 4
    world.write(GUIDE.format(instructions="Be short."), OTHER)
    await world.run("sync")
    world.write(OTHER)
    pruned = await world.run("sync", "--prune", "--allow-deletes", "1")
    assert pruned.code == 0, pruned.err
    assert {one["metadata"]["runner.address"] for one in await world.stored()} == {"guide", "other"}
    assert (await world.run("destroy", "--confirm", "foundry-1")).code == 0
    assert await world.stored() == [made]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\r\n<html>no</html>",
        as_answer({"object": "list"}),
        as_answer({"object": "list", "data": [{"id": "agent_1"}], "has_more": False}),
    ],
)
async def test_a_read_that_fails_is_never_taken_for_not_there(world: World, answer: bytes) -> None:
    world.proxy.on_answer = lambda name, real: answer if name == "GET /v1/agents" else real
    done = await world.run("sync")
    assert (done.code, world.proxy.writes) == (3, []), done.out
    assert await world.stored() == []


async def test_an_agent_whose_creation_was_not_confirmed_is_found_and_not_made_again(world: World) -> None:
    world.proxy.on_answer = drop_answer_to(AGENTS)
    done = await world.run("sync")
    assert done.code == 0, done.err
    assert "the answer to its creation was lost; it was found by its tags" in done.out
    (agent,) = await world.stored()

    world.write(GUIDE.format(instructions="Be long."))
    world.proxy.on_answer = drop_answer_to(f"POST /v1/agents/{agent['id']}")
    assert (await world.run("sync")).code in (0, 3)
    assert (await world.run("sync")).code == 0
    assert [one["instructions"] for one in await world.stored()] == ["Be long."]


@pytest.mark.slow
async def test_of_syncs_at_once_one_agent_remains(world: World) -> None:
    running = [world.start("sync") for _ in range(2)]
    assert [await one.wait() for one in running] == [0, 0]
    settled = await world.run("sync")
    assert (settled.code, world.proxy.writes) == (0, []), settled.out
    assert len(await world.stored()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("is_update", [False, True])
async def test_a_sync_that_was_killed_is_finished_by_the_next(world: World, is_update: bool) -> None:
    if is_update:
        await world.run("sync")
        world.write(GUIDE.format(instructions="Be long."))
    where = (await world.stored())[0]["id"] if is_update else "/v1/agents"
    await kill_at(world, where, "sync")
    assert (await world.run("sync")).code == 0
    assert (await world.run("sync")).code == 0
    assert world.proxy.writes == []
    instructions = "Be long." if is_update else "Be short."
    assert [one["instructions"] for one in await world.stored()] == [instructions]


async def test_an_agent_that_vanished_is_made_again_by_sync_and_an_error_of_a_play_under_way(world: World) -> None:
    await world.run("sync")
    (agent,) = await world.stored()
    world.scenario(SUM)

    def vanish(name: str, answer: bytes) -> bytes:
        if name == "POST /v1/agents/sessions":
            body = json.dumps({"error": {"message": f"No agent found with id '{agent['id']}'.", "code": "not_found"}})
            return b"HTTP/1.1 404 Not Found\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body.encode())
        return answer

    world.proxy.on_answer = vanish
    played = await world.run("play")
    assert (played.code, agent["id"] in played.out) == (3, True), played.out
    world.proxy.on_answer = lambda _, answer: answer
    await world.client.delete(f"/agents/{agent['id']}")
    assert (await world.run("plan", "--exit-code")).code == 6
    assert (await world.run("sync")).code == 0
    assert len(await world.stored()) == 1


async def test_a_session_whose_creation_was_not_confirmed_is_found_by_its_tags_and_removed(world: World) -> None:
    world.scenario(SUM)
    world.proxy.on_answer = drop_answer_to("POST /v1/agents/sessions")
    played = await world.run("play")
    assert played.code == 3, played.out
    assert "may be left" not in played.out + played.err
    assert await world.sessions() == []


@pytest.mark.slow
@pytest.mark.parametrize(("method", "where"), [("POST", "/agents/sessions"), ("GET", "/turns")])
async def test_what_a_killed_play_left_is_found_by_clean(world: World, method: str, where: str) -> None:
    world.scenario(SUM)
    stays = (await world.client.post("/agents/sessions", json=FOREIGN)).json()["id"]
    await kill_at(world, where, "play", method=method)
    assert len(await world.sessions()) == 2
    cleaned = await world.run("clean")
    assert cleaned.code == 0, cleaned.err
    assert await world.sessions() == [stays]


@pytest.mark.slow
async def test_sessions_without_a_journal_are_cleaned_when_they_are_old(world: World) -> None:
    world.scenario(SUM)
    await kill_at(world, "/agents/sessions", "play")
    shutil.rmtree(world.root / ".runner")
    await world.client.post("/agents/sessions", json=FOREIGN)
    young = await world.run("clean")
    assert (young.code, "is too young to be left behind" in young.out, len(await world.sessions())) == (0, True, 2)
    old = await world.run("clean", "--older-than", "0")
    assert (old.code, len(await world.sessions())) == (0, 1), old.err


async def test_what_clean_could_not_remove_is_an_error_and_tried_again(world: World) -> None:
    world.scenario(SUM)
    assert (await world.run("play", "--keep")).code == 0
    world.proxy.on_answer = lambda name, answer: b"" if name.startswith("DELETE") else answer
    failed = await world.run("clean")
    world.proxy.on_answer = lambda _, answer: answer
    again = await world.run("clean")
    assert (failed.code, again.code, await world.sessions()) == (3, 0, []), failed.out
    assert "1 object could not be removed" in failed.err
    assert "nothing to clean" not in failed.out


THEIRS = {"runner.play": "other"}
FOREIGN = {"agent": {"model": "m"}, "environment": {"type": "none"}, "input": "Hi", "metadata": THEIRS}


@pytest.mark.parametrize("how_often", [1, 1000])
async def test_lost_looks_at_a_turn_are_looked_again_as_long_as_there_is_time(world: World, how_often: int) -> None:
    world.scenario("timeout: 4\n" + SUM)
    left = [how_often]

    def lose(name: str, answer: bytes) -> bytes:
        if name.startswith("GET /v1/agents/sessions/") and left[0]:
            left[0] -= 1
            return b""
        return answer

    world.proxy.on_answer = lose
    played = await world.run("play")
    assert played.code == (0 if how_often == 1 else 3), played.out
    world.proxy.on_answer = lambda _, answer: answer
    await world.run("clean")
    assert await world.sessions() == []


async def test_a_fresh_clone_binds_to_the_same_agents_with_one_call(world: World) -> None:
    world.write(GUIDE.format(instructions="Be short."), *(f"  a{n}: {{model: gpt-6-luna}}\n" for n in range(40)))
    assert (await world.run("sync")).code == 0
    shutil.rmtree(world.root / ".runner")
    assert (await world.run("sync")).code == 0
    assert world.proxy.requests == ["GET /v1/agents"]
