"""Files for the model's input: from the scenario to the request, and to the embedded server's answer."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest
import responses_wire as wire
from play_project import Project
from verbs import Done
from wire_server import Seen, reply, wire_server

ROOT = Path(__file__).parents[2]
KEY = "sk-canary-1234567890"
ASSISTANTS = """
version: 1
namespace: tests-000001
target: here
targets:
  here: {{api: responses, server: embedded}}
  patient: {{api: responses, server: embedded, background: true}}
  older: {{api: assistants, server: embedded}}
  there: {{api: responses, base_url: '{base_url}', key_env: THERE_KEY}}
assistants:
  guide: {{model: any}}
  coder: {{model: any, tools: [code_interpreter]}}
"""
SCENARIO = """
assistant: {assistant}
turns:
  - ask: I had the burger and soda, how much should I pay for this meal?
    attach: {attach}
    expect: [{{number: 39.25}}]
"""


def write_project(folder: Path, base_url: str = "http://127.0.0.1:9/v1") -> Project:
    (folder / "assistants.yaml").write_text(ASSISTANTS.format(base_url=base_url), encoding="utf-8")
    for name in ("receipt.pdf", "other.pdf"):
        shutil.copy(ROOT / "scenarios" / "files" / "receipt.pdf", folder / name)
    (folder / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    state = folder / ".runner" / "embedded"
    environment = {key: value for key, value in os.environ.items() if "KEY" not in key}
    return Project(folder=folder, state=state, environment={**environment, "THERE_KEY": KEY})


def attach(project: Project, attach: str, assistant: str = "guide") -> None:
    project.write_scenario(SCENARIO.format(assistant=assistant, attach=attach))


@pytest.mark.parametrize("target", ["here", "patient"])
@pytest.mark.parametrize(
    ("assistant", "attached"),
    [
        ("guide", "[{file: ../receipt.pdf, for: input}]"),
        ("guide", "[../receipt.pdf]"),
        ("coder", "[../receipt.pdf]"),
    ],
)
def test_the_embedded_server_reads_a_pdf_that_the_model_gets(tmp_path, target, assistant, attached):
    project = write_project(tmp_path)
    attach(project, attached, assistant)
    done = project.run("play", "-t", target, "--verbose")
    assert done.code == 0, done.out + done.err
    assert "39.25" in done.out


def test_on_the_assistants_api_it_is_an_error_with_its_place(tmp_path):
    project = write_project(tmp_path)
    for assistant, advice in (("guide", "give the assistant a tool"), ("coder", "use `for: code_interpreter`")):
        attach(project, "[../receipt.pdf]", assistant)
        done = project.run("play", "-t", "older")
        assert done.code == 2
        assert done.err.startswith("scenarios/one.yaml:5:14: target 'older' (api assistants, embedded server) can't ")
        assert advice in done.err
    assert not project.state.exists()


class Service(wire.Keeper):
    """A Responses API that takes files."""

    def __init__(self, *answers: dict) -> None:
        super().__init__(*answers)
        self.uploads = 0

    def __call__(self, seen: Seen) -> list:
        if str(seen) == "POST /files":
            self.uploads += 1
            return reply({"id": f"file-{self.uploads}", "object": "file"})
        return super().__call__(seen)


async def play_there(folder: Path, scenario: str) -> tuple[Done, list[Seen]]:
    """The program in a process of its own; and what the server saw until things were cleaned up."""
    answers = [wire.response(wire.message(), id=f"resp_{number}") for number in (1, 2)]
    async with wire_server(Service(*answers)) as server:
        project = write_project(folder, server.url)
        project.write_scenario(scenario)
        done = await asyncio.to_thread(project.run, "play", "-t", "there")
    assert done.code == 0, done.out + done.err
    return done, [seen for seen in server.seen if seen.method != "DELETE" and not seen.path.endswith("/items")]


async def test_a_document_goes_with_the_question_and_takes_one_request_more(tmp_path):
    _, seen = await play_there(tmp_path, SCENARIO.format(assistant="guide", attach="[../receipt.pdf]"))
    assert [str(one) for one in seen] == ["POST /files", "POST /responses"]
    upload, asked = seen
    assert re.search(rb'name="purpose"\r\n\r\nuser_data\r\n', upload.body)
    assert re.search(rb'name="expires_after\[seconds\]"\r\n\r\n86400\r\n', upload.body)
    assert b'filename="receipt.pdf"' in upload.body
    (item,) = asked.json["input"]
    assert [part["type"] for part in item["content"]] == ["input_text", "input_file"]
    assert item["content"][1] == {"type": "input_file", "file_id": "file-1"}


async def test_an_image_is_shown_as_one_and_each_file_is_uploaded_once(tmp_path):
    first = '  - {ask: "What is it?", attach: [../photo.png, ../receipt.pdf], expect: [{number: 39.25}]}'
    again = '  - {ask: "And this?", attach: [../receipt.pdf], expect: [{number: 39.25}]}'
    _, seen = await play_there(tmp_path, f"assistant: guide\nturns:\n{first}\n{again}\n")
    calls = sorted(str(one) for one in seen)
    assert calls == ["POST /conversations", "POST /files", "POST /files", "POST /responses", "POST /responses"]
    uploads = {f"file-{number}": one for number, one in enumerate((s for s in seen if s.path == "/files"), 1)}
    one, two = (s.json["input"][0]["content"] for s in seen if s.path == "/responses")
    assert [part["type"] for part in one] == ["input_text", "input_image", "input_file"]
    assert b"vision" in uploads[one[1]["file_id"]].body
    assert b"user_data" in uploads[one[2]["file_id"]].body
    assert [part.get("file_id") for part in two] == [None, one[2]["file_id"]]
