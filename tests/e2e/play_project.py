"""A project in a folder and a server in this process, for tests that run the program as users do."""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from forked_verbs import Forked, start_verb
from verbs import Done, run_verb

from runner.server.embedded import start_embedded
from runner.server.inference import Inference

ASSISTANTS = """
version: 1
namespace: tests-000001
target: {target}
targets:
  elsewhere: {{api: assistants, base_url: '{base_url}', key_env: ELSEWHERE_KEY}}
assistants:
  guide:
    name: Guide
    model: gpt-6-luna
    instructions: You are a guide.
    tools: [code_interpreter, file_search]
    files: [city.md]
"""


@dataclass(frozen=True)
class Project:
    """A folder with an assistants.yaml; `state` is the state folder of the server that it talks to."""

    folder: Path
    state: Path
    environment: Mapping[str, str]

    def write_scenario(self, text: str, name: str = "one") -> Path:
        path = self.folder / "scenarios" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, *arguments: str) -> Done:
        return run_verb(*arguments, cwd=self.folder, environment=self.environment)

    def start(self, *arguments: str) -> Forked:
        return start_verb(*arguments, cwd=self.folder, environment=self.environment)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "runner", *arguments]

    def count_objects(self) -> dict[str, int]:
        """What the server has, by kind, all projects' objects together."""
        with sqlite3.connect(self.state / "server.db") as connection:
            return dict(connection.execute("SELECT kind, count(*) FROM objects GROUP BY kind").fetchall())


def at_api(text: str, api: str) -> str:
    """A project's file whose targets speak another API than `assistants`.

    Foundry's is at another address; agents have no hosted tools on the embedded server.
    """
    text = text.replace("api: assistants", f"api: {api}")
    if api == "agents":
        text = text.replace("    tools: [code_interpreter, file_search]\n    files: [city.md]\n", "")
    return re.sub(r"(127\.0\.0\.1:\d+)/v1\b", r"\1/api/projects/tests", text) if api == "foundry" else text


def make_project(folder: Path, *, target: str = "embedded", base_url: str = "http://127.0.0.1:9/v1") -> Project:
    folder.mkdir(exist_ok=True)
    (folder / "assistants.yaml").write_text(ASSISTANTS.format(target=target, base_url=base_url))
    (folder / "city.md").write_text("# Lisbon\n\nThe museum opens at 9:30.\nA ticket costs 12.50 EUR.\n")
    environment = {key: value for key, value in os.environ.items() if "KEY" not in key}
    return Project(folder, folder / ".runner" / "embedded", environment)


@asynccontextmanager
async def project_elsewhere(folder: Path, inference: Inference) -> AsyncIterator[Project]:
    """A project whose target is a server that lives apart from it, with an inference of the test's."""
    state = folder / "server"
    async with start_embedded(state, inference) as address:
        project = make_project(folder / "project", target="elsewhere", base_url=address.base_url)
        environment = {**project.environment, "ELSEWHERE_KEY": address.token}
        yield Project(project.folder, state, environment)
