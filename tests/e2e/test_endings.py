"""Being told to end, at moments when no verb is listening."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from app_listening import listening_environment
from play_project import make_project, project_elsewhere
from wire_server import wire_server

from runner.server.inference import Answer, Scene, Turnout

# The tests themselves may run where a closed terminal, or Ctrl-C, is ignored: that is inherited.
SCRIPT = """
import atexit, os, signal, sys
number = signal.Signals[sys.argv[1]]
for one in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(one, signal.SIG_DFL)
if sys.argv[2] == "background":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
from runner import cli
load = cli.load_plugin
def load_slowly(*names):
    os.kill(os.getpid(), number)
    return load(*names)
if sys.argv[2] == "late":
    atexit.register(os.kill, os.getpid(), number)
else:
    cli.load_plugin = load_slowly
cli.main(["schema", "assistants"])
"""
ENDINGS = [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143)]


@pytest.mark.parametrize(("name", "code"), ENDINGS)
def test_a_signal_while_the_program_starts_ends_it_in_one_line(name: str, code: int) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, name, "early"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (code, "", "runner: interrupted")


@pytest.mark.fault("P2")
@pytest.mark.parametrize(("name", "code"), ENDINGS[1:])
def test_a_background_job_can_be_ended_too(name: str, code: int) -> None:
    command = [sys.executable, "-c", SCRIPT, name, "background"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (code, "", "runner: interrupted")


@pytest.mark.parametrize(("name", "code"), ENDINGS)
def test_a_signal_after_the_last_line_changes_nothing(name: str, code: int) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, name, "late"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("}\n")


@pytest.mark.parametrize(("name", "code"), ENDINGS)
async def test_a_sync_that_waits_for_its_server_ends_in_one_line(tmp_path: Path, name: str, code: int) -> None:
    async with wire_server(lambda _: [60]) as server:
        project = make_project(tmp_path / "project", target="elsewhere", base_url=server.url)
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", 'trap - TERM HUP INT; exec "$@"', "sh", *project.command("sync")),
            cwd=project.folder,
            env={"PATH": os.environ["PATH"], "ELSEWHERE_KEY": "sk-canary-12345", **listening_environment()},
            stderr=asyncio.subprocess.PIPE,
        )
        await server.asked.wait()
        process.send_signal(signal.Signals[name])
        _, err = await process.communicate()
    assert (process.returncode, err.decode().strip()) == (code, "runner: interrupted")


@pytest.mark.fault("P2")
async def test_a_play_under_nohup_does_not_mind_that_the_terminal_closes(tmp_path: Path) -> None:
    inference = Pausing()
    async with project_elsewhere(tmp_path, inference) as project:
        project.write_scenario("assistant: guide\nturns: [{ask: hello, expect: [contains: hello]}]")
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", 'trap "" HUP; exec "$@"', "sh", *project.command("play")),
            cwd=project.folder,
            env=dict(project.environment),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        await asyncio.to_thread(inference.asked.wait, 20)
        process.send_signal(signal.SIGHUP)
        inference.may_answer.set()
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b""), out


class Pausing:
    """Says when it was asked, and answers when it may."""

    name = "pausing"

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may_answer = threading.Event()

    async def decide(self, scene: Scene) -> Turnout:
        self.asked.set()
        await asyncio.to_thread(self.may_answer.wait, 20)
        return Turnout(move=Answer(text="hello"))
