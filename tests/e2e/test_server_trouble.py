"""The embedded server when its own state can't be written or read: it says so, and nobody waits for it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import httpx2
import pytest
from embedded_brains import Echo, Sleeper
from forked_verbs import start_program
from play_project import Project, make_project
from served import Served, served

from runner.server.embedded import start_embedded
from runner.server.inference import Scene, Turnout

SCENARIO = "assistant: guide\nturns:\n  - ask: When does the museum open?\n    expect: [contains: '9:30']\n"
THREAD = {"messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_project(tmp_path / "project")
    project.write_scenario(SCENARIO)
    return project


LIMITED = """
import resource
from runner import cli
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
cli.main(["play"])
"""


# The disk is full from the start, from the upload, the indexing, the question or the run on.
@pytest.mark.fault("P4")
@pytest.mark.parametrize("room_kb", [20, 60, 120, 180, 240, 300])
def test_a_play_on_a_full_disk_ends_at_once_and_says_why(project: Project, room_kb: int) -> None:
    limited = project.folder / "limited.py"
    limited.write_text(LIMITED.format(limit=room_kb * 1024))
    process = start_program(str(limited), cwd=project.folder, environment=project.environment)
    out, err = process.communicate(timeout=45)
    assert process.returncode == 3, out + err
    assert "state" in out + err
    assert "disk I/O error" in out + err
    assert "Traceback" not in err


async def test_a_damaged_object_is_named_to_the_client_and_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(tmp_path, Echo()) as server:
        assistant = await make_assistant(server)
    damage(tmp_path, assistant, '{"_": "AssistantRecord", "id": "asst"')
    async with served(tmp_path, Echo()) as server:
        answer = await server.client.get(f"/assistants/{assistant}")
        listed = await server.client.get("/assistants")
        unharmed = await server.client.get("/files")

    assert (answer.status_code, listed.status_code, unharmed.status_code) == (500, 500, 200)
    for body in (answer.json(), listed.json()):
        assert body["error"]["message"].startswith(f"The assistant '{assistant}' in this server's state is damaged: ")
    assert f"GET /v1/assistants/{assistant}: The assistant '{assistant}'" in caplog.text


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("[]", "[] stands where it can't"),
        ("{}", "it has no brief, created_at, id"),
        ('{"id": "a", "created_at": "yesterday", "brief": {"model": "m"}}', '"yesterday" stands where it can\'t'),
        ('{"id": "a", "created_at": 1, "brief": {"model": "m", "tools": [{"_": "Hammer"}]}}', "nothing called"),
        ('{"id": null, "created_at": 1, "brief": {"model": "m"}}', "null stands where it can't"),
        (b"\x00", "it is no text"),
        ("[" * 100_000, "recursion"),
    ],
)
async def test_whatever_is_wrong_with_it_it_is_the_object_s_fault(tmp_path: Path, body: str | bytes, why: str) -> None:
    async with served(tmp_path, Echo()) as server:
        assistant = await make_assistant(server)
        damage(tmp_path, assistant, body)
        answer = await server.client.get(f"/assistants/{assistant}")
    assert answer.status_code == 500
    assert why in answer.json()["error"]["message"]


async def test_an_object_that_every_request_looks_at_is_named_too(tmp_path: Path) -> None:
    async with served(tmp_path, Echo()) as server:
        assistant = await make_assistant(server)
        body = {"assistant_id": assistant, "thread": THREAD}
        run = (await server.client.post("/threads/runs", json=body)).json()["id"]
        damage(tmp_path, run, "{", being_worked_on=True)
        answer = await server.client.get("/files")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "damaged_object")
    assert run in answer.json()["error"]["message"]


@pytest.mark.fault("P6")
def test_a_play_on_a_damaged_state_names_the_object_in_one_line(project: Project) -> None:
    assert project.run("sync").code == 0
    with sqlite3.connect(project.state / "server.db") as connection:
        (assistant,) = connection.execute("SELECT id FROM objects WHERE kind = 'assistant'").fetchone()
    damage(project.state, assistant, "{}")
    done = project.run("play")
    assert done.code == 3
    assert f"The assistant '{assistant}' in this server's state is damaged: it has no" in done.out + done.err
    assert "Traceback" not in done.err


def test_a_state_that_is_no_database_is_one_line(project: Project) -> None:
    project.state.mkdir(parents=True)
    (project.state / "server.db").write_text("this is not a database, whatever its name says\n" * 100)
    done = project.run("play")
    assert (done.code, done.err.count("\n")) == (3, 1)
    assert "file is not a database" in done.err


async def make_assistant(server: Served) -> str:
    made = (await server.client.post("/assistants", json={"model": "m"})).json()["id"]
    assert isinstance(made, str)
    return made


def damage(state: Path, object_id: str, body: str | bytes, *, being_worked_on: bool = False) -> None:
    with sqlite3.connect(state / "server.db") as connection:
        values = (body, being_worked_on, object_id)
        connection.execute("UPDATE objects SET body = ?, being_worked_on = ? WHERE id = ?", values)


class Pondering(Sleeper):
    """Says when it was asked."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    async def decide(self, scene: Scene) -> Turnout:
        self.asked.set()
        return await super().decide(scene)


async def test_who_streams_a_run_hears_of_its_end_when_the_server_stops(tmp_path: Path) -> None:
    inference = Pondering()
    async with httpx2.AsyncClient(verify=False, trust_env=False, timeout=30) as client:
        async with start_embedded(tmp_path, inference) as address:
            client.headers["authorization"] = f"Bearer {address.token}"
            assistant = (await client.post(f"{address.base_url}/assistants", json={"model": "m"})).json()["id"]
            body = {"assistant_id": assistant, "thread": THREAD, "stream": True}
            heard = asyncio.create_task(client.post(f"{address.base_url}/threads/runs", json=body))
            await asyncio.to_thread(inference.asked.wait, 20)
        events = (await heard).text
    assert "event: thread.run.failed" in events
    assert events.endswith("event: done\ndata: [DONE]\n\n")
