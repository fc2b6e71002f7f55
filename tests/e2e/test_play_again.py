"""A scenario whose run failed for a reason that passes is played again, a few times, each in a fresh thread."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from acting_brains import Actor
from play_project import at_api, project_elsewhere
from verbs import Done

from runner.server.inference import Answer, Fail, Move

BROKE = Fail(code="server_error", message="It broke.")
RETRY = {"code": "server_error", "reason": "It broke.", "times": 1, "of_request": False}
HELLO = Answer(text="hello")
SCENARIO = (
    "assistant: guide\nturns: [{ask: hello, expect: [contains: hello]}, {ask: hello, expect: [contains: hello]}]\n"
)


async def play(folder: Path, api: str, *moves: Move) -> tuple[Done, dict, list[int]]:
    """What was printed, the scenario's report, and how many messages the inference saw each time."""
    actor = Actor(*moves)
    async with project_elsewhere(folder, actor) as project:
        path = project.folder / "assistants.yaml"
        path.write_text(at_api(path.read_text(), api))
        project.write_scenario(SCENARIO)
        done = await asyncio.to_thread(project.run, "play", "--report", "json=report.json")
        (scenario,) = json.loads((project.folder / "report.json").read_text())["scenarios"]
        left = project.count_objects()
    assert not {"thread", "run", "response", "conversation"} & left.keys(), left
    return done, scenario, [len(scene.messages) for scene in actor.scenes]


@pytest.mark.parametrize("api", ["assistants", "responses", "foundry", "agents"])
async def test_what_passes_in_a_second_attempt_counts_and_both_are_told(tmp_path: Path, api: str) -> None:
    done, scenario, seen = await play(tmp_path, api, HELLO, BROKE, HELLO)
    assert done.code == 0, done.out + done.err
    assert " · played again after server_error: It broke.\n" in done.out
    assert (scenario["outcome"], scenario["attempts"][0]["retried"], len(scenario["attempts"][0]["turns"])) == (
        "passed",
        [RETRY],
        2,
    )
    assert seen == [1, 3, 1, 3], "the second attempt begins with the first question, in a thread without the old one"


@pytest.mark.parametrize("api", ["assistants", "responses", "foundry", "agents"])
async def test_what_fails_each_time_is_an_error_with_its_reason(tmp_path: Path, api: str) -> None:
    done, scenario, seen = await play(tmp_path, api, BROKE)
    assert done.code == 3
    assert "the run ended as failed (server_error): It broke." in done.out
    assert (scenario["outcome"], scenario["attempts"][0]["retried"], seen) == ("errored", [RETRY] * 3, [1] * 4)


@pytest.mark.fault("S2")
@pytest.mark.parametrize("api", ["assistants", "responses", "foundry", "agents"])
async def test_what_can_not_pass_is_not_asked_again(tmp_path: Path, api: str) -> None:
    done, scenario, seen = await play(tmp_path, api, Fail(code="invalid_prompt", message="No."))
    assert (done.code, scenario["attempts"][0]["retried"], seen) == (3, [], [1])
