"""A scenario's `timeout` is for all of it, and a scenario that ran out of time says so, with the place of the key."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from play_project import Project, at_api, project_elsewhere

from runner.server.inference import Answer, Fail, Scene, Turnout

TURNS = """
assistant: guide
turns:
  - {ask: one, expect: [contains: one]}
  - {ask: two, expect: [contains: two]}
  - {ask: three, expect: [contains: three]}
"""


class Slow:
    """Repeats the question after `pause_s`; a `failure` comes instead, the first time."""

    name = "slow"

    def __init__(self, pause_s: float, failure: str = "") -> None:
        self.pause_s = pause_s
        self.failure = failure

    async def decide(self, scene: Scene) -> Turnout:
        await asyncio.sleep(self.pause_s)
        if self.failure:
            code, self.failure = self.failure, ""
            return Turnout(move=Fail(code=code, message="It broke."))
        return Turnout(move=Answer(text=scene.messages[-1].text))


async def play(project: Project, api: str, scenario: str) -> dict:
    file = project.folder / "assistants.yaml"
    file.write_text(at_api(file.read_text(), api))
    project.write_scenario(scenario)
    done = await asyncio.to_thread(project.run, "play", "--report", "json=report.json")
    report = json.loads((project.folder / "report.json").read_text())
    assert done.code == report["exit_code"], done.out + done.err
    return report["scenarios"][0]


@pytest.mark.parametrize("api", ["assistants", "responses", "foundry", "agents"])
async def test_the_turns_of_a_scenario_have_its_time_together(tmp_path: Path, api: str) -> None:
    async with project_elsewhere(tmp_path, Slow(1.2)) as project:
        scenario = await play(project, api, f"timeout: 2{TURNS}")
    assert (scenario["outcome"], [turn["outcome"] for turn in scenario["attempts"][0]["turns"]]) == (
        "errored",
        ["passed", "errored"],
    )
    assert scenario["attempts"][0]["turns"][1]["reason"].endswith(
        "; `timeout: 2` is for the whole scenario (scenarios/one.yaml:1:10)"
    ), scenario["attempts"][0]["turns"][1]["reason"]
    assert scenario["reason"] == "turn 3 not asked: turn 2 has no answer to go on from"


async def test_a_scenario_that_keeps_its_time_passes(tmp_path: Path) -> None:
    async with project_elsewhere(tmp_path, Slow(0.1)) as project:
        assert (await play(project, "assistants", f"timeout: 60{TURNS}"))["outcome"] == "passed"


async def test_the_place_is_that_of_the_defaults_where_the_key_stands_there(tmp_path: Path) -> None:
    async with project_elsewhere(tmp_path, Slow(5)) as project:
        scenario = await play(
            project,
            "assistants",
            "defaults:\n  assistant: guide\n  timeout: 0.5\n"
            "scenarios: [{name: a, turns: [{ask: x, expect: [contains: x]}]}]\n",
        )
    assert "(scenarios/one.yaml:3:12)" in scenario["attempts"][0]["turns"][0]["reason"]


async def test_a_second_attempt_has_no_time_of_its_own(tmp_path: Path) -> None:
    async with project_elsewhere(tmp_path, Slow(0.1, "rate_limit_exceeded")) as project:
        scenario = await play(project, "assistants", f"timeout: 5{TURNS}")
    assert (scenario["outcome"], scenario["attempts"][0]["retried"]) == ("errored", [])
