"""What README.md and the page on targets show is true: each command is run in a copy of the project."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import responses_wire as wire
from play_project import Project
from verbs import Done
from wire_server import Seen, reply, wire_server

from runner.plugins import plugin_names
from runner.server.embedded import start_embedded
from runner.server.inference.offline import create

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TARGETS = (ROOT / "docs/targets.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README + TARGETS, re.MULTILINE | re.DOTALL)
COMMANDS = [line.split("  #")[0].strip() for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]
# These set up what the tests run in; test_wheel.py installs it and plays.
SETTING_UP = {
    "git clone <this repository> runner && cd runner",
    "make play",
    "python3 -m venv .venv",
    ".venv/bin/pip install .",
}
AZURE = "https://RESOURCE.openai.azure.com/openai/v1/"
LLAMA = "http://127.0.0.1:11434/v1"
NEED_PLAYS = {"runner play --resume": 1, "runner compare previous latest": 2}
CODES = {"runner sync --check": 6, "runner play --target openai": 2}


def yaml_block(first_line: str) -> str:
    block, *_ = (block for kind, block in BLOCKS if kind == "yaml" and block.startswith(first_line))
    return block


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The example project with the targets of their page."""
    for folder in ("scenarios", "knowledge", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    text = (ROOT / "assistants.yaml").read_text(encoding="utf-8")
    head, _, rest = text.partition("\nassistants:")
    (targets,) = re.findall(r"^targets:\n.*?(?=^assistants:)", TARGETS, re.MULTILINE | re.DOTALL)
    whole = f"{head.rstrip()}\n{targets}\nassistants:{rest}"
    (tmp_path / "assistants.yaml").write_text(whole, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if "KEY" not in name and "OPENAI" not in name}
    return Project(tmp_path, tmp_path / ".runner", environment)


async def run(project: Project, command: str, *, azure: str, llama: str, **environment: str) -> Done:
    file = project.folder / "assistants.yaml"
    text = file.read_text(encoding="utf-8")
    assert AZURE in text
    assert LLAMA in text
    file.write_text(text.replace(AZURE, azure).replace(LLAMA, llama), encoding="utf-8")
    program, *arguments = shlex.split(command)
    assert program.removeprefix(".venv/bin/") == "runner", f"{command}: run it here, or say who does"
    here = Project(project.folder, project.state, {**project.environment, **environment})
    return await asyncio.to_thread(here.run, *arguments)


def act_as_model(seen: Seen) -> list:
    """A local model behind both APIs: it asks for the rate between the codes of the question, and repeats it."""
    if seen.path == "/chat/completions":
        return _complete(seen.json)
    assert (str(seen), seen.json["store"]) == ("POST /responses", False)
    *_, last = seen.json["input"]
    if last.get("type") == "function_call_output":
        return wire.answer_with(wire.response(wire.message(f"It is {last['output']}.")), seen)
    call = wire.call("exchange_rate", arguments=_read_arguments(last["content"]))
    return wire.answer_with(wire.response(call), seen)


def _complete(body: dict) -> list:
    last = body["messages"][-1]
    if last["role"] == "tool":
        delta, finish = {"content": f"It is {last['content']}."}, "stop"
    else:
        function = {"name": "exchange_rate", "arguments": _read_arguments(last["content"])}
        delta, finish = (
            {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": function}]},
            "tool_calls",
        )
    if not body.get("stream"):
        return reply({"model": body["model"], "choices": [{"message": delta, "finish_reason": finish}]})
    event = {"model": body["model"], "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return reply(f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n", content_type="text/event-stream")


def _read_arguments(question: str) -> str:
    source, target = re.findall(r"\b[A-Z]{3}\b", question)
    return json.dumps({"source": source, "target": target})


def make_repository(folder: Path) -> None:
    """As somebody has who reviews: all of it on main."""
    for arguments in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "all")):
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@x.invalid", *arguments], cwd=folder, check=True)


@pytest.mark.parametrize("command", [one for one in COMMANDS if one not in SETTING_UP])
async def test_each_command_does_what_it_says(project, tmp_path, command):
    async with (
        start_embedded(tmp_path / "azure", create({})) as azure,
        wire_server(act_as_model) as llama,
    ):
        made_up = {"AZURE_OPENAI_API_KEY": azure.token}
        if "--since" in command:
            make_repository(project.folder)
        before = "runner play --report json scenarios/receipt.yaml"
        plays = [before] * NEED_PLAYS.get(command, 0)
        first, *others = [*plays, command]
        done = await run(project, first, azure=azure.base_url, llama=llama.url, **made_up)
        for other in others:
            done = await asyncio.to_thread(project.run, *shlex.split(other)[1:])
        assert bool(llama.seen) == ("llama" in command)
    assert done.code == CODES.get(command, 0), done.out + done.err


@pytest.mark.parametrize("target", ["openai", "azure"])
async def test_a_command_that_needs_a_key_says_so_without_one(project, target):
    done = await run(project, f"runner play --target {target}", azure=AZURE, llama=LLAMA)
    assert (done.code, done.out) == (2, "")
    (shown,) = (block for kind, block in BLOCKS if kind == "console")
    first, *lines = shown.splitlines()
    assert first == "$ runner play --target openai"
    if target == "openai":
        assert done.err.splitlines() == lines
    else:
        assert (
            "target 'azure': needs a key in the environment variable AZURE_OPENAI_API_KEY, which is not set" in done.err
        )


def test_the_commands_that_set_up_are_all_there_and_make_knows_its_own():
    assert set(COMMANDS) >= SETTING_UP
    done = subprocess.run(["make", "-n", "play"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "runner play" in done.stdout


def test_every_verb_stands_in_the_table_and_no_other():
    table = set(re.findall(r"^\| `runner (\w+)", README, re.MULTILINE))
    assert table == {name.rstrip("_") for name in plugin_names("runner.cli")}


async def test_what_is_shown_of_a_play_is_what_it_prints(project):
    (shown,) = (block for kind, block in BLOCKS if not kind and "PASSED" in block)
    done = await run(project, "runner play", azure=AZURE, llama=LLAMA)
    said = set(_without_times(done.out))
    assert [line for line in _without_times(shown) if line not in said] == ["..."]


def test_the_files_that_are_shown_are_valid(project):
    (project.folder / "assistants.yaml").write_text(yaml_block("# assistants.yaml"), encoding="utf-8")
    shutil.rmtree(project.folder / "scenarios")
    shutil.copytree(ROOT / "scenarios" / "files", project.folder / "scenarios" / "files")
    project.write_scenario(yaml_block("# scenarios/receipt.yaml"), "receipt")
    done = project.run("play")
    assert done.code == 0, done.out + done.err


def _without_times(text: str) -> list[str]:
    lines = [re.sub(r" +\d+\.\d\d s$| in \d+\.\d\d s$", "", line).rstrip() for line in text.splitlines()]
    return list(dict.fromkeys(line for line in lines if line))
