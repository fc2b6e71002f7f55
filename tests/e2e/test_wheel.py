"""The built wheel, installed where no source tree is near, plays the examples, and a project that it makes."""

import os
import shutil
import subprocess
import sys
import venv
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path

import pytest
from app_listening import listening_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_wheel_installed_elsewhere_plays_the_examples_and_a_first_project(tmp_path: Path) -> None:
    # With what builds it here: what `build-system` asks for was fetched when this environment was made.
    build = ["build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(ROOT)]
    run([sys.executable, "-m", *build], tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    run([*pip, "install", "--quiet", "--no-compile", "--no-deps", str(wheel)], tmp_path)
    link_what_is_needed_by("assistant-runner", packages)
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(ROOT / "assistants.yaml", project)
    for folder in ("scenarios", "knowledge", "tools"):
        shutil.copytree(ROOT / folder, project / folder)

    done = run([str(python.parent / "runner"), "play"], project)
    schema = run([str(python.parent / "runner"), "schema", "assistants"], project)
    run([str(python.parent / "runner"), "init", "first"], tmp_path)
    first = run([str(python.parent / "runner"), "play"], tmp_path / "first")

    assert "FAILED" not in done
    assert "passed in" in done
    assert '"$schema"' in schema
    assert "2 passed in" in first


def link_what_is_needed_by(name: str, packages: Path) -> None:
    """What the wheel's metadata asks for, and nothing else, as this environment has it: to fetch it anew costs 12 s."""
    (here,) = (path for path in packages.glob("*.dist-info") if path.name.startswith(name.replace("-", "_")))
    wanted = _needed(PathDistribution(here), {""})
    seen = set()
    while wanted:
        asked = wanted.pop()
        if str(asked) in seen:
            continue
        seen.add(str(asked))
        found = distribution(asked.name)
        assert found.version in asked.specifier, f"{asked} is asked for, and {found.version} is here"
        wanted += _needed(found, asked.extras or {""})
        # Packages as wholes; what lies outside, as programs in bin/ do, one by one.
        for path in {str(file) if file.parts[0] == ".." else file.parts[0] for file in found.files or ()}:
            if not (packages / path).exists():
                (packages / path).resolve().symlink_to(Path(str(found.locate_file(path))).resolve())


def _needed(installed: Distribution, extras: set[str]) -> list[Requirement]:
    asked = [Requirement(line) for line in installed.requires or ()]
    return [one for one in asked if not one.marker or any(one.marker.evaluate({"extra": name}) for name in extras)]


def run(command: list[str], cwd: Path) -> str:
    """Standard output; the environment is this one's without what would lead back to the source tree."""
    environment = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    environment |= listening_environment()
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=500, env=environment, check=False)
    assert done.returncode == 0, f"{command[-3:]} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
