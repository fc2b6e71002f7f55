"""What stands behind every other test: an invalid answer of an embedded server is seen, whatever process it runs in."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
from embedded_brains import Echo
from judged_answers import take_violations
from openai_schemas import OPENAPI
from play_project import make_project
from served import served

SCENARIO = "assistant: guide\nturns:\n  - ask: When does the museum open?\n    expect: [contains: '9:30']\n"
PATCHED_COMMAND = """
import sys
from runner.cli import main
from runner.server.faces.assistants_api import assistants
right = assistants.render_assistant
assistants.render_assistant = lambda record: {**right(record), "created_at": "yesterday"}
main(sys.argv[1:])
"""

pytestmark = pytest.mark.skipif(not OPENAPI.exists(), reason=f"no OpenAPI file at {OPENAPI}; set RUNNER_SHARED")


def test_an_invalid_body_inside_a_command_is_seen(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    project.write_scenario(SCENARIO)
    assert project.run("play").code == 0
    assert take_violations() == ()

    command = [sys.executable, "-c", PATCHED_COMMAND, "play"]
    environment = dict(project.environment)
    subprocess.run(command, cwd=project.folder, env=environment, capture_output=True, timeout=60, check=False)

    (found,) = take_violations()
    assert found.startswith('POST /v1/assistants -> 200: "yesterday" is not of type "integer"')


async def test_an_invalid_event_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.server.faces.assistants_api.runs.render_run", lambda *_, **__: {"object": "walk"})
    async with served(tmp_path, Echo()) as server:
        assistant = (await server.client.post("/assistants", json={"model": "m"})).json()["id"]
        thread = {"messages": [{"role": "user", "content": "Hello"}]}
        body = {"assistant_id": assistant, "thread": thread, "stream": True}
        assert "walk" in (await server.client.post("/threads/runs", json=body)).text

    # An answer is written down when the server is done with it: here, when what was left of it is collected.
    async with asyncio.timeout(10):
        while not (violations := take_violations()):
            gc.collect()
            await asyncio.sleep(0.02)
    (found,) = violations
    assert found.startswith("POST /v1/threads/runs -> 200: ")


def test_a_process_that_starts_no_server_pays_nothing(tmp_path: Path) -> None:
    code = "import sys, app_listening; print(sorted({'starlette', 'listened_app', 'jsonschema_rs'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=dict(os.environ), capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
