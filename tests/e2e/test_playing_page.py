"""The commands of docs/playing.md, one after the other, in a copy of the example project."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
from play_project import Project

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "docs" / "playing.md").read_text("utf-8"), re.M | re.S)
COMMANDS = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]


@pytest.mark.slow
def test_each_command_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    for folder in ("scenarios", "knowledge", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "assistants.yaml", tmp_path)
    for longest in ("memory", "ticket"):  # which no command of the page names
        (tmp_path / "scenarios" / f"{longest}.yaml").unlink()
    for kind, block in BLOCKS:
        if kind in ("yaml", "csv"):
            first, _, text = block.partition("\n")
            (tmp_path / first.removeprefix("# ")).write_text(text)
    environment = {name: value for name, value in os.environ.items() if "KEY" not in name and "OPENAI" not in name}
    project = Project(tmp_path, tmp_path / ".runner", environment)
    assert len(COMMANDS) > 8
    for command in COMMANDS:
        program, *arguments = shlex.split(command)
        assert program == "runner"
        done = project.run(*arguments)
        assert done.code == 0, f"{command}\n{done.out}{done.err}"
