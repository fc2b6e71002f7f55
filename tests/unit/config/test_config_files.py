"""Folders of files: each one in `ok` is read, each one in `broken` gives exactly the message beside it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from runner.config import load_configuration
from runner.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs"
ENVIRONMENT = {
    "STAGE": "test",
    "MODEL": "gpt-6-luna",
    "TOKEN": "a-token-of-some-length",
    "EMPTY": "",
    "NESTED": "${env:STAGE}",
    "TWO_LINES": "two\nlines",
    "SHORT": "1234567",
}


def load(root: Path):
    return load_configuration(file=None, scenario_paths=(), cwd=root, environment=ENVIRONMENT)


def mistakes_in(root: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(root)
    return f"{caught.value}\n"


def check_against(expected: Path, found: str) -> None:
    if "RUNNER_WRITE_EXPECTED" in os.environ:
        expected.write_text(found, encoding="utf-8")
    assert found == expected.read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path):
    """The project that every broken file is put into, without its scenarios."""
    root = tmp_path / "project"
    shutil.copytree(CONFIGS / "ok" / "travel", root)
    for scenario in (root / "scenarios").glob("*.yaml"):
        scenario.unlink()
    return root


@pytest.mark.parametrize("folder", sorted((CONFIGS / "ok").iterdir()), ids=lambda path: path.name)
def test_a_good_project_is_read(folder):
    assert load(folder).scenarios


@pytest.mark.parametrize("file", sorted((CONFIGS / "broken" / "scenarios").glob("*.yaml")), ids=lambda path: path.stem)
@pytest.mark.slow
def test_a_broken_scenario_file_is_explained(file, project):
    shutil.copy(file, project / "scenarios")
    check_against(file.with_suffix(".expected"), mistakes_in(project))


@pytest.mark.parametrize("file", sorted((CONFIGS / "broken" / "assistants").glob("*.yaml")), ids=lambda path: path.stem)
@pytest.mark.slow
def test_a_broken_assistants_file_is_explained(file, project):
    shutil.copy(file, project / "assistants.yaml")
    shutil.copy(CONFIGS / "ok" / "minimal" / "scenarios" / "hello.yaml", project / "scenarios")
    found = mistakes_in(project)
    about_the_file = [line for line in found.splitlines(keepends=True) if line.startswith("assistants.yaml:")]
    check_against(file.with_suffix(".expected"), "".join(about_the_file))


@pytest.mark.parametrize("folder", sorted((CONFIGS / "broken" / "projects").iterdir()), ids=lambda path: path.name)
def test_a_broken_project_is_explained(folder, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(folder, root)
    check_against(folder / "expected", mistakes_in(root))
