"""The commands of docs/playing.md, in a copy of the example project, and what the page says they print."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from play_project import Project
from verbs import Done

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "playing.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.M | re.S)
PORTS = ("8786", "8787")
PATIENCE_S = 60.0


@dataclass
class Shell:
    """As much of one as the page needs: verbs run in this process, what has an `&` in one of its own."""

    project: Project
    background: ExitStack
    ports: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, line: str) -> Done:
        words = [self.at_ports(word) for word in shlex.split(line)]
        here = Project(self.project.folder, self.project.state, {**self.project.environment, **self.environment})
        match words:
            case ["export", setting]:
                name, _, value = setting.partition("=")
                self.environment[name] = value
            case ["kill", *_]:
                self.background.close()
            case ["runner", *arguments, "&"]:
                self.background.enter_context(running(here, "runner", *arguments))
            case ["dask", *arguments, "&"]:
                self.background.enter_context(running(here, "dask", *arguments))
            case ["runner", *arguments]:
                return here.run(*arguments)
            case [("sed" | "mv"), *_]:
                subprocess.run(words, cwd=here.folder, check=True)
            case _:
                raise AssertionError(f"{line}: run it here, or say who does")
        return Done(0, "", "")

    def at_ports(self, text: str) -> str:
        """Other tests have the page's ports, too."""
        for port, free in self.ports.items():
            text = text.replace(f":{port}", f":{free}") if ":" in text else text.replace(port, free)
        return text


@contextmanager
def running(project: Project, module: str, *arguments: str) -> Iterator[None]:
    """A process of its own; where it listens, it does so before anything else is run."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, cwd=project.folder, env=project.environment, stdout=subprocess.DEVNULL)
    try:
        for option, value in pairwise(arguments):
            if option == "--port":
                wait_for_listener(int(value))
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def wait_for_listener(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens at port {port}")


def free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def read_steps() -> Iterator[tuple[str, list[str]]]:
    """Each command of the page with the lines that stand under it; a file of the page has none."""
    for kind, block in BLOCKS:
        if kind in ("yaml", "csv"):
            yield block, []
        if kind == "sh":
            for step in re.split(r"\n(?!#)", block.rstrip()):
                command, *lines = step.split("\n")
                yield command, [line.removeprefix("#").removeprefix(" ") for line in lines]


def holds(shown: str, printed: list[str]) -> bool:
    """Whether a line is printed; `...` stands for anything."""
    pattern = ".*".join(re.escape(part.strip()) for part in shown.split("..."))
    return any(re.search(rf"^\s*{pattern}\s*$", line) for line in printed)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_each_command_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    for folder in ("scenarios", "knowledge", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "assistants.yaml", tmp_path)
    (tmp_path / "trial").mkdir()
    environment = {name: value for name, value in os.environ.items() if "KEY" not in name and "OPENAI" not in name}
    commands = 0
    with ExitStack() as background:
        shell = Shell(Project(tmp_path, tmp_path / ".runner", environment), background, {p: free_port() for p in PORTS})
        for text, shown in read_steps():
            if text.startswith("# "):
                first, _, content = text.partition("\n")
                (tmp_path / first.removeprefix("# ")).write_text(shell.at_ports(content))
                continue
            done = shell.run(text)
            commands += 1
            codes = [line for line in shown if re.fullmatch(r"exit \d+", line)]
            whole = f"{text}\n{done.out}{done.err}"
            assert [f"exit {done.code}"] == (codes or ["exit 0"]), whole
            printed = (done.out + done.err).splitlines()
            for line in shown:
                assert line in codes or holds(line, printed), f"{line}\nis not what is printed:\n{whole}"
    assert commands > 40
