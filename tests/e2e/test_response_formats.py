"""`response_format` and `max_output_tokens`, from the file through both APIs to what is said."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from acting_brains import Actor, serve_in_sight
from openai import AsyncOpenAI
from play_project import Project, at_api, make_project
from stored_project import StoredProject

from runner.backends import Endpoint
from runner.backends.responses.backend import open_backend
from runner.domain.assistant import PlainFormat, SchemaFormat
from runner.domain.files import FileUse
from runner.journal import Journal
from runner.server.embedded import start_embedded
from runner.server.inference import Answer, Refuse, Scene, Spent, Turnout

SCHEMA = {
    "type": "object",
    "properties": {"total": {"type": "number", "minimum": 0}, "code": {"const": "1.10"}},
    "required": ["total", "code"],
    "additionalProperties": False,
}
JSON_SCHEMA = {"name": "bill", "description": "What it cost.", "schema": SCHEMA, "strict": True}
FORMATS = {
    "text": "text",
    "json_object": "json_object",
    "a schema": json.dumps({"json_schema": {"name": "bill", "schema": {"type": "object", "minProperties": 1.0}}}),
    "a strict schema": json.dumps({"json_schema": JSON_SCHEMA}),
}
MOVES = """
scripts:
  - question: {contains: cost}
    moves: [{say: '{"total": 12.5, "code": "1.10"}'}]
  - question: {contains: story}
    moves: [{say: Once upon a time, tokens: {input: 10, output: 900}}]
"""
SCENARIOS = """
scenarios:
  - name: bill
    assistant: guide
    turns: [{ask: What does it cost, expect: [{equals: '{"total": 12.5, "code": "1.10"}'}]}]
  - {name: story, assistant: guide, smoke: true, turns: [{ask: Tell me a story.}]}
"""
APIS = ["assistants", "responses", "foundry"]


def write_project(folder: Path, api: str, keys: str, *, server: str) -> Project:
    project = make_project(folder)
    target = at_api(f"api: assistants, {server}", api)
    (folder / "assistants.yaml").write_text(
        f"version: 1\nnamespace: formats-1\ntarget: here\ntargets:\n  here: {{{target}}}\n"
        f"assistants:\n  guide:\n    model: gpt-6-luna\n{keys}"
    )
    (folder / "moves.yaml").write_text(MOVES)
    project.write_scenario(SCENARIOS)
    return project


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("response_format", FORMATS.values(), ids=FORMATS)
def test_an_answer_comes_in_each_format_and_one_that_is_cut_off_is_an_error(
    tmp_path: Path, api: str, response_format: str
) -> None:
    keys = f"    response_format: {response_format}\n    max_output_tokens: 256\n"
    server = "server: embedded, inference: {scripted: moves.yaml}"
    project = write_project(tmp_path / "project", api, keys, server=server)
    done = project.run("play", "--report", "json=report.json")
    assert done.code == 3, done.out + done.err
    report = json.loads((project.folder / "report.json").read_text())
    outcomes = {one["name"]: one["outcome"] for one in report["scenarios"]}
    assert outcomes == {"bill": "passed", "story": "errored"}
    word = "max_completion_tokens" if api == "assistants" else "max_output_tokens"
    assert f"the run ended as incomplete ({word})" in done.out
    assert project.count_objects() == {}


@pytest.mark.parametrize("response_format", ["json_object", FORMATS["a schema"]])
@pytest.mark.parametrize("api", APIS)
def test_offline_rules_say_that_they_write_no_json(tmp_path: Path, api: str, response_format: str) -> None:
    keys = f"    response_format: {response_format}\n"
    project = write_project(tmp_path / "project", api, keys, server="server: embedded")
    done = project.run("play", "--verbose")
    assert done.code == 3, done.out + done.err
    assert "the answer is to be in JSON" in done.out
    assert " declined: no language model is connected" in done.out


@dataclass
class Listener:
    """Keeps what it was asked for."""

    name = "listener"
    scenes: list[Scene] = field(default_factory=list)

    async def decide(self, scene: Scene) -> Turnout:
        self.scenes.append(scene)
        return Turnout(move=Answer(text="{}"), spent=Spent(input_tokens=1, output_tokens=1))


@pytest.mark.parametrize("api", APIS)
async def test_what_the_file_says_reaches_the_model_in_every_turn(tmp_path: Path, api: str) -> None:
    listener = Listener()
    async with start_embedded(tmp_path / "server", listener) as address:
        keys = f"    response_format: {FORMATS['a strict schema']}\n    max_output_tokens: 256\n"
        project = write_project(tmp_path / "project", api, keys, server=f"base_url: '{address.base_url}', key_env: K")
        project.write_scenario("{assistant: guide, smoke: true, turns: [{ask: One}, {ask: Two}]}")
        playing = StoredProject(project.folder, {"K": address.token})
        done = await playing.run("play")
    assert done.code == 0, done.out + done.err
    assert [scene.messages[-1].text for scene in listener.scenes] == ["One", "Two"]
    for scene in listener.scenes:
        assert scene.response_format == {"type": "json_schema", "json_schema": JSON_SCHEMA}
        assert scene.max_output_tokens == 256


STORED = "version: 1\nnamespace: formats-2\nassistants:\n  guide:\n    model: gpt-6-luna\n{keys}"


@pytest.mark.parametrize("response_format", FORMATS.values(), ids=FORMATS)
async def test_a_second_sync_of_each_format_changes_nothing_and_leaving_it_out_resets_it(
    tmp_path: Path, response_format: str
) -> None:
    project = StoredProject(tmp_path)
    project.write(STORED.format(keys=f"    response_format: {response_format}\n"))
    assert (await project.run("sync")).code == 0
    again = await project.run("sync", "--check")
    assert (again.code, "1 in sync" in again.out) == (0, True), again.out
    project.write(STORED.format(keys="    max_output_tokens: 300\n"))
    plan = await project.run("plan")
    assert "response_format" in plan.out
    assert "tokens" not in plan.out
    assert (await project.run("sync")).code == 0
    (stored,) = await project.stored()
    assert stored.fields["response_format"] is None


async def test_a_pull_takes_a_word_over_and_leaves_a_schema_to_the_user(tmp_path: Path) -> None:
    project = StoredProject(tmp_path)
    project.write(STORED.format(keys=f"    response_format: {FORMATS['a schema']}\n"))
    assert (await project.run("sync")).code == 0
    await project.change_stored("guide", response_format=PlainFormat.JSON_OBJECT)
    taken = await project.run("pull", "--write")
    assert taken.code == 0, taken.out + taken.err
    assert project.file.read_text() == STORED.format(keys="    response_format: json_object\n")
    await project.change_stored("guide", response_format=SchemaFormat(name="bill", schema={"type": "object"}))
    refused = await project.run("pull", "--write")
    assert refused.code == 3
    assert "response_format is left as it was: a JSON Schema has to be taken over by hand" in refused.out
    assert project.load("guide").response_format is PlainFormat.JSON_OBJECT
    await project.change_stored("guide", response_format=None)
    emptied = await project.run("pull", "--write")
    assert emptied.code == 0, emptied.out + emptied.err
    assert project.file.read_text() == STORED.format(keys="")


async def test_an_exported_format_becomes_the_key_and_one_that_does_not_fit_a_note(tmp_path: Path) -> None:
    project = StoredProject(tmp_path)
    strange = {**JSON_SCHEMA, "schema": {"$ref": "https://schemas.example.org/bill.json"}}
    exported = {
        "plain": "auto",
        "words": {"type": "text", "json_schema": None},
        "bill": {"type": "json_schema", "json_schema": JSON_SCHEMA},
        "loose": {"type": "json_schema", "json_schema": {"name": "b", "schema": {}, "strict": None}},
        "strange": {"type": "json_schema", "json_schema": strange},
        "later": {"type": "grammar", "grammar": "x"},
    }
    export = [{"model": "m", "name": name, "response_format": one} for name, one in exported.items()]
    done = await project.run("import", "-", "--write", given=json.dumps(export).encode())
    assert done.code == 0, done.err
    assert project.load("words").response_format is PlainFormat.TEXT
    assert project.load("bill").response_format == SchemaFormat(**JSON_SCHEMA)  # type: ignore[arg-type]  # its fields
    assert project.load("loose").response_format == SchemaFormat(name="b", schema={})
    for name in ("plain", "strange", "later"):
        assert project.load(name).response_format is None
    assert "response_format left out (its schema refers to 'https://schemas.example.org/bill.json'" in done.out
    assert "response_format left out (it is none that is known)" in done.out


@pytest.mark.parametrize("kind", ["json_schema", "json_object"])
@pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
async def test_what_is_no_json_comes_as_a_refusal_where_json_was_asked_for(tmp_path: Path, kind: str) -> None:
    """Clients that parse the answer raise on prose; the official one hands a refusal on."""
    spelled = {"type": kind} if kind == "json_object" else {"type": kind, "name": "bill", "schema": {"type": "object"}}
    nested = {"type": kind} if kind == "json_object" else {"type": kind, kind: {"name": "bill", "schema": {}}}
    for words, move, marker in (
        ("I don't know.", Answer(text="I don't know.", declined=True), {"runner.declined": "true"}),
        ("I won't.", Refuse(text="I won't."), {}),
    ):
        async with serve_in_sight(tmp_path / words, Actor(move)) as (_, client):
            response = await client.responses.create(
                model="m", input="Answer in JSON.", text={"format": cast(Any, spelled)}
            )
            assistant = await client.beta.assistants.create(model="m", response_format=cast(Any, nested))
            thread = {"messages": [{"role": "user", "content": "Answer in JSON."}]}
            run = await client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread=cast(Any, thread))
            messages = await client.beta.threads.messages.list(run.thread_id)
        assert response.output[0].to_dict()["content"] == [{"type": "refusal", "refusal": words}]
        assert (response.output_text, response.metadata) == ("", marker)
        assert messages.data[0].content[0].to_dict() == {"type": "refusal", "refusal": words}
        assert run.status == "completed"


async def test_a_decline_in_prose_stays_prose(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(Answer(text="I don't know.", declined=True))) as (_, client):
        response = await client.responses.create(model="m", input="How much?")
    assert response.output_text == "I don't know."


async def test_any_name_of_a_model_is_one(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(Answer(text="1"))) as (_, client):
        one, other = await client.models.retrieve("gpt-6-luna"), await client.models.retrieve("org/model:7b")
        listed = [model.id async for model in client.models.list()]
    assert (one.id, other.id, one.object) == ("gpt-6-luna", "org/model:7b", "model")
    assert "gpt-6-luna" not in listed


@pytest.mark.parametrize("name", ['a"b.md', "a%22b.md", "ä b.md"])
async def test_an_uploaded_file_keeps_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "x").write_text("Burger 23.75")
    async with start_embedded(tmp_path / "server", Listener()) as address:
        with Journal(tmp_path / "journal.jsonl") as journal:
            endpoint = Endpoint(base_url=address.base_url, key=address.token, is_embedded=True)
            async with open_backend(endpoint, journal) as backend:
                file_id = await backend.files.upload_file(tmp_path / "x", name, FileUse.FILE_SEARCH)
        client = AsyncOpenAI(base_url=address.base_url, api_key=address.token)
        assert (await client.files.retrieve(file_id)).filename == name
        await client.close()
