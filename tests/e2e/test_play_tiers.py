"""`play --tier`: the same verdicts for less money and more patience, in the background or by batches."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import responses_wire as wire
from acting_brains import Actor
from play_project import Project, at_api, project_elsewhere
from verbs import Done
from wire_server import reply

from runner.server.inference import Answer, Role, Scene

SCENARIOS = """
defaults: {assistant: guide}
scenarios:
  - {name: right, turns: [{ask: one, expect: [contains: one]}]}
  - {name: wrong, turns: [{ask: two, expect: [contains: three]}]}
  - {name: twice, repeat: 2, turns: [{ask: four, expect: [contains: four]}]}
  - {name: talk, turns: [{ask: five, expect: [contains: five]}, {ask: six, expect: [contains: six after five]}]}
"""
EMPTY: set[str] = {"run", "response", "conversation", "file", "store"}


def echo(scene: Scene) -> Answer:
    """The question, and in a conversation the one before it."""
    asked = [one.text for one in scene.messages if one.role is Role.USER]
    return Answer(text=" after ".join(reversed(asked[-2:])))


@asynccontextmanager
async def project_on(folder: Path, *, api: str = "responses") -> AsyncIterator[tuple[Project, Actor]]:
    actor = Actor(echo)
    async with project_elsewhere(folder, actor) as project:
        path = project.folder / "assistants.yaml"
        text = at_api(path.read_text(), api)
        path.write_text(text.replace("    tools: [code_interpreter, file_search]\n    files: [city.md]\n", ""))
        project.write_scenario(SCENARIOS)
        yield project, actor


async def play(project: Project, *arguments: str) -> tuple[Done, dict[str, Any]]:
    report = project.folder / "report.json"
    done = await asyncio.to_thread(project.run, "play", "--report", f"json={report}", *arguments)
    return done, json.loads(report.read_text()) if report.exists() else {}


def told(report: dict[str, Any]) -> dict[str, Any]:
    """What a report says that is the same however it was asked."""
    return {
        one["name"]: (
            one["outcome"],
            [
                (turn["outcome"], turn["run"]["answer"], turn["run"]["usage"])
                for attempt in one["attempts"]
                for turn in attempt["turns"]
            ],
        )
        for one in report["scenarios"]
    }


def read_batches(project: Project) -> list[dict[str, Any]]:
    """What the server has of batches."""
    with closing(sqlite3.connect(project.state / "server.db")) as connection:
        rows = connection.execute("SELECT body FROM objects WHERE kind = 'request_batch'").fetchall()
    return [json.loads(body) for (body,) in rows]


@pytest.mark.parametrize("tier", ["2h", "8h"])
async def test_a_window_changes_no_verdict_and_leaves_nothing(tmp_path: Path, tier: str) -> None:
    async with project_on(tmp_path) as (project, _):
        plainly, plain = await play(project)
        done, report = await play(project, "--tier", tier)
        left = project.count_objects()
    assert (plainly.code, done.code) == (1, 1), done.out + done.err
    assert told(report) == told(plain)
    assert f"--tier {tier}: what is said of costs is the list price, not the tier's\n" in done.out
    assert not EMPTY & left.keys(), left


async def test_a_window_travels_with_each_background_response(tmp_path: Path) -> None:
    queued = wire.Keeper(reply(wire.response(status="completed")))
    async with wire.talking(tmp_path, queued, background=True, window="8h") as (backend, server, _):
        await backend.ask(wire.question())
    body = server.seen[0].json
    assert (body["background"], body["background_options"]) == (True, {"completion_window": "8h"})


@pytest.mark.parametrize("tier", ["2h", "batch"])
async def test_a_tier_on_another_api_is_a_usage_error_before_anything_is_sent(tmp_path: Path, tier: str) -> None:
    async with project_on(tmp_path, api="assistants") as (project, actor):
        done, _ = await play(project, "--tier", tier)
    assert (done.code, actor.scenes) == (2, [])
    assert f"--tier {tier} needs a target with `api: responses`; 'elsewhere' has `api: assistants`" in done.err


async def test_a_batch_changes_no_verdict_and_leaves_nothing(tmp_path: Path) -> None:
    async with project_on(tmp_path) as (project, actor):
        plainly, plain = await play(project)
        asked = len(actor.scenes)
        done, report = await play(project, "--tier", "batch")
        batches, left = read_batches(project), project.count_objects()
    assert (plainly.code, done.code) == (1, 1), done.out + done.err
    assert told(report) == told(plain)
    assert len(actor.scenes) == 2 * asked
    assert [(one["total"], one["state"]) for one in batches] == [(5, "completed")]
    assert not EMPTY & left.keys(), left
    assert report["leftovers"] == []
