"""The example scenarios, played on the embedded server through each api, from the same files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from verbs import run_verb

ROOT = Path(__file__).parents[2]
TARGETS = {
    "embedded-assistants": "{server: embedded, api: assistants}",
    "embedded-responses": "{server: embedded, api: responses}",
    "embedded-foundry": "{server: embedded, api: foundry}",
    "embedded-patient": "{server: embedded, api: responses, background: true}",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The example project with a target for each api."""
    targets = "".join(f"  {name}: {body}\n" for name, body in TARGETS.items())
    text = (ROOT / "assistants.yaml").read_text(encoding="utf-8")
    head, _, rest = text.partition("\nassistants:")
    assert "targets:" not in head
    (tmp_path / "assistants.yaml").write_text(f"{head}\ntargets:\n{targets}\nassistants:{rest}", encoding="utf-8")
    for folder in ("scenarios", "knowledge", "tools"):
        if (ROOT / folder).exists():
            shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


@pytest.mark.parametrize("target", TARGETS)
def test_all_examples_pass_through_each_api(project: Path, target: str) -> None:
    environment = {name: value for name, value in os.environ.items() if "KEY" not in name}
    done = run_verb("play", "-t", target, cwd=project, environment=environment)

    assert done.code == 0, done.out + done.err
