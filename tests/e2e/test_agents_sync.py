"""Agents that are stored: sync, drift, adoption, pruning, and what is refused before anything is sent."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from play_project import Project, make_project

SCENARIOS = Path(__file__).parents[2] / "scenarios"
HEAD = "version: 1\nnamespace: agents-000001\ntarget: here\ntargets: {here: {api: agents, server: embedded}}\n"
STRICT = "{type: object, properties: {}, required: [], additionalProperties: false}"
GUIDE = f"""assistants:
  guide:
    name: Guide
    model: gpt-6-luna
    instructions: You are a guide.
    metadata: {{team: a}}
    functions:
      - {{name: rate, description: A rate, parameters: {STRICT}, strict: true, returns: 1}}
"""
FORMAT = f"    response_format: {{json_schema: {{name: bill, strict: true, schema: {STRICT}}}}}\n"
SUM = "assistant: guide\nturns: [{ask: 'How much is 17 * 3?', expect: [number: 51]}]\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_project(tmp_path)
    write(project, GUIDE)
    project.write_scenario(SUM)
    return project


def write(project: Project, text: str) -> None:
    (project.folder / "assistants.yaml").write_text(HEAD + text)


def stored(project: Project) -> list[dict]:
    with sqlite3.connect(project.state / "server.db") as connection:
        rows = connection.execute("SELECT body FROM objects WHERE kind='agent'").fetchall()
    return [json.loads(body) for (body,) in rows]


def test_a_second_sync_sends_no_write_without_anything_local_either(project: Project) -> None:
    write(project, GUIDE + FORMAT)
    assert project.run("sync").code == 0
    before = stored(project)
    for name in ("cache", "journal", "sync.json", "plays"):
        place = project.folder / ".runner" / name
        shutil.rmtree(place, ignore_errors=True)
    done = project.run("sync")
    assert (done.code, "in sync: nothing to do" in done.out, stored(project)) == (0, True, before)
    assert project.run("sync", "--check").code == 0


def test_a_change_is_an_update_in_place_and_what_the_file_drops_goes_back(project: Project) -> None:
    project.run("sync")
    (before,) = stored(project)
    write(project, "assistants: {guide: {name: Guide, model: gpt-6-sol, instructions: Be brief.}}\n")
    assert project.run("sync").code == 0
    (after,) = stored(project)
    assert (after["id"], after["brief"]["model"], after["brief"].get("tools") or []) == (before["id"], "gpt-6-sol", [])
    assert "team" not in after["metadata"]
    assert project.run("sync", "--check").code == 0


def test_a_play_of_a_candidate_leaves_the_stored_agent_and_nothing_else(project: Project) -> None:
    project.run("sync")
    before = stored(project)
    write(project, GUIDE.replace("You are a guide.", "You are another."))
    done = project.run("play")
    assert done.code == 0, done.out + done.err
    assert stored(project) == before
    assert not {"session", "thread", "run"} & project.count_objects().keys()


def test_pruning_deletes_the_agents_that_the_file_no_longer_has(project: Project) -> None:
    project.run("sync")
    write(project, GUIDE.replace("  guide:", "  other:"))
    assert project.run("sync", "--prune").code == 0
    assert [one["metadata"]["runner.address"] for one in stored(project)] == ["other"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("temperature: 0.5", "does not take temperature"),
        ("top_p: 0.5", "does not take top_p"),
        ("max_output_tokens: 500", "does not take max_output_tokens"),
        ("tools: [file_search]", "does not have the tool file_search"),
        ("tools: [code_interpreter]", "does not have the tool code_interpreter"),
        ("response_format: json_object", "does not take response_format: json_object"),
    ],
)
def test_what_the_api_lacks_is_an_error_with_its_place(project: Project, line: str, words: str) -> None:
    write(project, f"assistants:\n  guide:\n    model: gpt-6-luna\n    {line}\n")
    for verb in ("play", "plan", "sync"):
        done = project.run(verb)
        assert (done.code, words in done.err) == (2, True), done.err
        assert "assistants.yaml:8:" in done.err
    assert not project.state.exists()


def test_only_one_assistant_is_held_to_what_the_api_can_do_where_only_one_is_meant(project: Project) -> None:
    write(project, f"{GUIDE}  searching: {{model: gpt-6-luna, tools: [file_search]}}\n")
    assert project.run("sync").code == 2
    for verb in ("plan", "sync", "plan"):
        assert project.run(verb, "--only", "guide").code == 0
    assert len(stored(project)) == 1


RECEIPT = "{ask: 'I had the burger and soda, how much should I pay?', attach: [{file: receipt.pdf, for: input}]"


@pytest.mark.parametrize("is_first", [True, False])
def test_a_document_lies_in_the_session_s_environment_be_it_of_a_later_question(
    project: Project, is_first: bool
) -> None:
    shutil.copy(SCENARIOS / "files" / "receipt.pdf", project.folder / "scenarios" / "receipt.pdf")
    before = "" if is_first else "{ask: 'How much is 17 * 3?', expect: [number: 51]}, "
    project.write_scenario(f"assistant: guide\nturns: [{before}{RECEIPT}, expect: [number: 39.25]}}]\n")
    done = project.run("play")
    assert done.code == 0, done.out + done.err
    assert not {"session", "thread", "run", "file", "container", "container_file"} & project.count_objects().keys()


MOVES = r"""
scripts:
  - question: any
    moves:
      - call:
          code_interpreter: |
            text = open('/workspace/note.txt').read()
            with open('/workspace/outputs/loud.txt', 'w') as file:
                file.write(text.upper())
      - say: I wrote it down.
"""


def test_what_the_agent_leaves_in_the_outputs_is_a_file_of_the_run_and_nothing_stays_on_the_server(
    project: Project,
) -> None:
    scripted = "server: embedded, inference: {scripted: moves.yaml}"
    (project.folder / "assistants.yaml").write_text((HEAD + GUIDE).replace("server: embedded", scripted))
    (project.folder / "moves.yaml").write_text(MOVES)
    (project.folder / "note.txt").write_text("hello")
    ask = "{ask: Be loud., attach: [{file: ../note.txt, for: input}], expect: [contains: wrote]}"
    project.write_scenario(f"assistant: guide\nturns: [{ask}]\n")
    done = project.run("play", "--report", "json=report.json")
    assert done.code == 0, done.out + done.err
    (turn,) = json.loads((project.folder / "report.json").read_text())["scenarios"][0]["attempts"][0]["turns"]
    (file,) = turn["run"]["files"]
    assert (file["name"], file["sha256"]) == ("loud.txt", hashlib.sha256(b"HELLO").hexdigest())
    assert [step["tool"] for step in turn["run"]["steps"]] == ["command_execution"]
    assert project.count_objects() == {}


@pytest.mark.parametrize("api", ["assistants", "responses", "agents", "foundry"])
def test_verdicts_are_those_of_the_other_apis(project: Project, api: str) -> None:
    write(project, "assistants: {guide: {model: gpt-6-luna}}\n")
    path = project.folder / "assistants.yaml"
    path.write_text(path.read_text().replace("api: agents", f"api: {api}"))
    project.write_scenario("assistant: guide\nturns: [{ask: 'How much is 6 * 7?', expect: [number: 43]}]\n", "wrong")
    project.write_scenario("assistant: guide\nturns: [{ask: 'Who was Napoleon?', expect: [contains: x]}]\n", "asked")
    done = project.run("play", "--report", "json=report.json")
    found = json.loads((project.folder / "report.json").read_text())["scenarios"]
    assert {one["name"]: one["outcome"] for one in found} == {"one": "passed", "wrong": "failed", "asked": "errored"}
    assert ("DECLINED asked" in done.out, done.code) == (True, 1)
