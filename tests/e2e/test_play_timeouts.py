"""A scenario's `timeout` is for all of it, and a scenario that ran out of time says so, with the place of the key."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from play_project import Project, at_api, make_project, project_elsewhere
from responses_wire import response
from wire_server import Seen, reply, wire_server

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
            return Turnout(move=Fail(code=code, message="Please try again in 6s."))
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


@pytest.mark.fault("S1")
async def test_a_run_that_is_queued_for_too_long_says_so_with_the_place_of_the_key(tmp_path: Path) -> None:
    def answer(seen: Seen) -> list:
        status = "cancelled" if seen.path.endswith("/cancel") else "queued"
        return reply(response(status=status) if "responses" in seen.path else {"object": "list", "data": []})

    async with wire_server(answer) as server:
        project = make_project(tmp_path, target="elsewhere", base_url=server.url)
        file = project.folder / "assistants.yaml"
        text_of_file = at_api(file.read_text(), "responses").replace("_KEY}", "_KEY, background: true}")
        file.write_text(text_of_file.replace("    tools: [code_interpreter, file_search]\n    files: [city.md]\n", ""))
        project.write_scenario(
            "defaults: {queue_timeout: 0.3, assistant: guide}\n"
            "scenarios: [{name: a, turns: [{ask: x, expect: [status: cancelled]}]}]\n"
        )
        hers = Project(project.folder, project.state, {**project.environment, "ELSEWHERE_KEY": "a-key-of-tests"})
        done = await asyncio.to_thread(hers.run, "play", "--report", "json=report.json")
    report = json.loads((project.folder / "report.json").read_text())
    turn = report["scenarios"][0]["attempts"][0]["turns"][0]
    assert (done.code, turn["outcome"]) == (3, "errored")
    assert turn["reason"] == (
        "the response was still 'queued' after 0.3 s, and it was cancelled; "
        "`queue_timeout: 0.3` is for each time that it is queued (scenarios/one.yaml:1:27)"
    )
    assert [one.path for one in server.seen if one.path.endswith("/cancel")] == ["/responses/resp_1/cancel"]


async def test_a_second_attempt_has_no_time_of_its_own(tmp_path: Path) -> None:
    async with project_elsewhere(tmp_path, Slow(0.1, "rate_limit_exceeded")) as project:
        scenario = await play(project, "assistants", f"timeout: 5{TURNS}")
    assert (scenario["outcome"], scenario["attempts"][0]["retried"]) == ("errored", [])
