"""What an app gets at its start: requests from the file, light to import, and never stale without a word."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from verbs import run_verb

from runner import definitions
from runner.errors import ChangesPending, ConfigError, NotDeclared, UsageError
from runner.sync.desired import describe

# Most of them sync, in this process, against a server.
pytestmark = pytest.mark.slow

PROJECT = """\
version: 1
namespace: definitions-test-1
target: here
targets:
  here: {server: embedded, api: responses}
  azure: {api: foundry, server: embedded}
  other: {api: responses, base_url: "http://127.0.0.1:9/v1"}
  forgetful: {api: responses, base_url: "http://127.0.0.1:9/v1", history: replay}
assistants:
  guide:
    model: gpt-6-luna
    instructions: You guide.
    tools: [file_search]
    files: [tips.md]
    metadata: {team: a}
  poet:
    model: gpt-6-luna
    functions:
      - {name: rhyme, parameters: {type: object, properties: {}}, returns: blue}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "assistants.yaml").write_text(PROJECT, encoding="utf-8")
    (tmp_path / "tips.md").write_text("Stay awhile.\n", encoding="utf-8")
    return tmp_path


def sync(folder: Path, *arguments: str) -> None:
    done = run_verb("sync", *arguments, cwd=folder, environment={"HOME": str(folder)})
    assert done.code == 0, done.err


def stores_of(request: dict[str, object]) -> list[str]:
    (tool,) = request["tools"]  # type: ignore[misc]  # JSON
    return tool["vector_store_ids"]


def test_a_file_is_a_mapping_of_addresses(folder: Path) -> None:
    found = definitions.load(folder / "assistants.yaml")
    assert list(found) == ["guide", "poet"]
    assert len(found) == 2
    assert "guide" in found
    assert "gide" not in found
    assert found.get("gide") is None
    assert found["guide"].assistant.instructions == "You guide."


def test_an_address_that_is_not_there_is_a_key_error_that_says_what_was_meant(folder: Path) -> None:
    with pytest.raises(KeyError) as raised:
        definitions.load(folder)["gide"]
    assert isinstance(raised.value, NotDeclared)
    assert str(raised.value) == "unknown assistant 'gide'; did you mean 'guide'?"


def test_a_request_is_what_the_file_says(folder: Path) -> None:
    found = definitions.load(folder)["guide"]
    assert found.request(vector_store_ids=["vs_1"]) == {
        "model": "gpt-6-luna",
        "instructions": "You guide.",
        "tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}],
        "include": ["file_search_call.results"],
        "metadata": {"team": "a", "runner.definition": describe(found.assistant).definition_hash},
    }


def test_on_foundry_the_agent_s_name_stands_for_the_definition(folder: Path) -> None:
    found = definitions.load(folder)["guide"]
    request = found.request("azure")
    assert request.pop("extra_body") == {"agent_reference": {"type": "agent_reference", "name": "guide"}}
    assert request.keys() == {"metadata"}
    with pytest.raises(UsageError, match="has its vector stores already"):
        found.request("azure", vector_store_ids=["vs_1"])


def test_a_server_that_keeps_nothing_is_told_to_store_nothing(folder: Path) -> None:
    request = definitions.load(folder)["poet"].request("forgetful")
    assert request["store"] is False


def test_each_request_is_the_caller_s_own(folder: Path) -> None:
    found = definitions.load(folder)["poet"]
    found.request()["tools"][0]["parameters"].clear()  # type: ignore[index]  # JSON
    assert found.request()["tools"][0]["parameters"] == {"type": "object", "properties": {}}  # type: ignore[index]


def test_stores_are_those_of_the_last_sync(folder: Path) -> None:
    sync(folder)
    (store_id,) = stores_of(definitions.load(folder)["guide"].request())
    exported = run_verb("export", "guide", cwd=folder, environment={"HOME": str(folder)})
    assert stores_of(json.loads(exported.out)) == [store_id]


def test_what_needs_no_store_needs_no_sync(folder: Path) -> None:
    assert definitions.load(folder)["poet"].request()["model"] == "gpt-6-luna"


def test_without_a_sync_the_error_says_what_to_do(folder: Path) -> None:
    with pytest.raises(ChangesPending, match=r"synced.here\.json knows no vector store.*`runner sync --target here`"):
        definitions.load(folder)["guide"].request()


def test_files_that_changed_since_the_sync_are_stale(folder: Path) -> None:
    sync(folder)
    (folder / "tips.md").write_text("Leave.\n", encoding="utf-8")
    found = definitions.load(folder)["guide"]
    with pytest.raises(ChangesPending, match="are not those of the last `runner sync --target here`"):
        found.request()
    assert stores_of(found.request(vector_store_ids=("vs_7",))) == ["vs_7"]


def test_stores_of_another_place_or_namespace_are_not_taken(folder: Path) -> None:
    sync(folder)
    path = folder / "assistants.yaml"
    with pytest.raises(ChangesPending):
        definitions.load(folder)["guide"].request("other")
    path.write_text(PROJECT.replace("definitions-test-1", "definitions-test-2"), encoding="utf-8")
    with pytest.raises(ChangesPending):
        definitions.load(folder)["guide"].request()
    moved = "here: {api: responses, base_url: 'http://127.0.0.1:9/v1'}"
    path.write_text(PROJECT.replace("here: {server: embedded, api: responses}", moved), encoding="utf-8")
    with pytest.raises(ChangesPending):
        definitions.load(folder)["guide"].request()


@pytest.mark.parametrize(
    "record",
    ["", "[]", "nonsense", '{"version": 1}', '{"version": 2, "assistants": 7}', "[" * 100_000],
)
def test_a_record_that_makes_no_sense_is_none(folder: Path, record: str) -> None:
    sync(folder)
    (folder / ".runner/synced/here.json").write_text(record, encoding="utf-8")
    with pytest.raises(ChangesPending):
        definitions.load(folder)["guide"].request()


@pytest.mark.parametrize("entry", [7, {}, {"vector_store_ids": "vs_1", "search_mark": "x"}, {"vector_store_ids": [7]}])
def test_an_entry_that_makes_no_sense_is_none(folder: Path, entry: object) -> None:
    sync(folder)
    path = folder / ".runner/synced/here.json"
    record = json.loads(path.read_bytes())
    record["assistants"]["guide"] = entry
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(ChangesPending):
        definitions.load(folder)["guide"].request()


def test_a_sync_of_one_address_keeps_what_is_known_of_others(folder: Path) -> None:
    sync(folder)
    before = (folder / ".runner/synced/here.json").read_bytes()
    sync(folder, "--only", "poet")
    assert (folder / ".runner/synced/here.json").read_bytes() == before


def test_a_sync_that_brings_nothing_new_writes_nothing(folder: Path) -> None:
    sync(folder)
    path = folder / ".runner/synced/here.json"
    before = path.stat()
    sync(folder)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_sync_does_without_the_record(folder: Path) -> None:
    sync(folder)
    path = folder / ".runner/synced/here.json"
    before = path.read_bytes()
    path.unlink()
    sync(folder)
    assert path.read_bytes() == before


def test_what_was_destroyed_is_forgotten(folder: Path) -> None:
    sync(folder)
    done = run_verb("destroy", "--confirm", "definitions-test-1", cwd=folder, environment={"HOME": str(folder)})
    assert done.code == 0
    with pytest.raises(ChangesPending):
        definitions.load(folder)["guide"].request()


def test_mistakes_are_told_as_the_command_line_tells_them(folder: Path) -> None:
    found = definitions.load(folder)
    with pytest.raises(UsageError, match="unknown target 'hre'; did you mean 'here'"):
        found["poet"].request("hre")
    with pytest.raises(UsageError, match="a list of ids, not 'vs_1'"):
        found["guide"].request(vector_store_ids="vs_1")
    with pytest.raises(UsageError, match=r"there is no file 'nothing\.yaml'"):
        definitions.load("nothing.yaml")
    (folder / "assistants.yaml").write_text("assistants: {a: {}}\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        definitions.load(folder)


def test_placeholders_are_filled_from_the_environment_that_is_given(folder: Path) -> None:
    text = PROJECT.replace("You guide.", "You guide in ${env:CITY}.")
    (folder / "assistants.yaml").write_text(text, encoding="utf-8")
    request = definitions.load(folder, environment={"CITY": "Oslo"})["guide"].request(vector_store_ids=[])
    assert request["instructions"] == "You guide in Oslo."


def test_it_is_light_and_stays_off_the_network(folder: Path) -> None:
    sync(folder)
    script = """
import socket, sys
def refuse(*arguments): raise AssertionError("the network")
socket.socket.connect = socket.socket.bind = socket.getaddrinfo = refuse
from runner import definitions
request = definitions.load("assistants.yaml")["guide"].request()
heavy = {"openai", "httpx2", "httpcore2", "starlette", "uvicorn", "click", "rich", "babel", "pydantic"}
heavy |= {"runner.server.app", "runner.server.embedded", "runner.connections"}
print(sorted(heavy & set(sys.modules)), len(request["tools"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("[] 1\n", "")
