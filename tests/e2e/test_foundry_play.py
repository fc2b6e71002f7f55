"""Plays on `api: foundry`: candidates that production never sees, and what a killed play leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from foundry_world import GUIDE, LISTS, PLAIN, PROJECTS, VERSIONS, World, kill_at, opened


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as world:
        yield world


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

    before = await world.agents()
    await kill_at(world, "/versions" if loses == "the draft's answer" else "/openai/v1/responses", "play")
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
