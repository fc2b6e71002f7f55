"""The docs as a stranger meets them: the site builds without a warning, the first project's page does what it says."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from verbs import run_verb

from runner.config import load_configuration

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/first_project.md").read_text("utf-8")


@pytest.mark.slow
def test_the_site_builds_and_asks_nobody_for_anything(tmp_path: Path) -> None:
    command = [Path(sys.executable).parent / "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path / "site"]
    given = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=100, check=False)

    assert done.returncode == 0, done.stderr
    pages = {page.name: page.read_text("utf-8") for page in (tmp_path / "site").glob("*.html")}
    assert {"index.html", "first_project.html", "verbs.html", "keys.html"} <= set(pages)
    for name, text in pages.items():
        links = re.findall(r'href="?((?!https?:|mailto:|#|/)[^">#\s]+)', text)
        assert [link for link in links if not (tmp_path / "site" / link).exists()] == [], name
        assert re.findall(r"<(?:script|img|link[^>]*stylesheet)[^>]*(?:src|href)=\"?https?:", text) == [], name


@pytest.mark.slow
def test_the_first_project_does_what_its_page_says(tmp_path: Path) -> None:
    folder = tmp_path
    for kind, block in re.findall(r"```(console|yaml)\n(.*?)```", PAGE, re.DOTALL):
        if kind == "yaml":
            if block.startswith("# in assistants.yaml"):
                project = folder / "assistants.yaml"
                text = project.read_text().replace("\ntarget: embedded ", "\ntarget: script ")
                project.write_text(text.replace("\nassistants:", f"{block}\nassistants:"))
                continue
            path = folder / re.match(r"# (\S+)", block)[1]  # type: ignore[index]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block, encoding="utf-8")
            continue
        for line in block.splitlines():
            verb, *arguments = line.removeprefix("$ runner ").split()
            if line.startswith("$ cd "):
                folder = folder / line.removeprefix("$ cd ")
                continue
            words = re.findall(r'"([^"]*)"|(\S+)', " ".join(arguments))
            done = run_verb(verb, *(quoted or word for quoted, word in words), cwd=folder, environment={})
            assert done.code == 0, f"{line}: {done.out}{done.err}"
    played = run_verb("play", cwd=folder, environment={})
    assert (played.code, "10 passed" in played.out) == (0, True), played.out + played.err


@pytest.mark.slow
def test_the_failure_on_the_page_is_the_one_that_comes(tmp_path: Path) -> None:
    run_verb("init", cwd=tmp_path, environment={})
    path = tmp_path / "scenarios" / "prices.yaml"
    path.write_text(path.read_text().replace("number: 73.50", "number: 73.60"))

    done = run_verb("play", "-k", "prices", cwd=tmp_path, environment={})

    (shown,) = re.findall(r"```text\n(FAILED.*?)```", PAGE, re.DOTALL)
    assert done.code == 1
    assert "\n".join(shown.splitlines()[1:]) in done.out


def test_the_page_lists_what_init_makes(tmp_path: Path) -> None:
    made = run_verb("init", cwd=tmp_path, environment={}).out
    for path in re.findall(r"^made  (?:scenarios/)?(\S+)", made, re.MULTILINE):
        assert path in PAGE or path == ".gitignore"


def test_the_page_on_targets_shows_what_is_read(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/targets.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "assistants.yaml").write_text(text, encoding="utf-8")
    found = load_configuration(file=None, scenario_paths=None, cwd=tmp_path, environment={})
    assert {target.api for target in found.project.targets.values()} >= {"responses", "agents", "foundry"}


def test_nothing_that_is_shown_names_a_page_that_only_the_repository_has() -> None:
    shown = {}
    for path in (ROOT / "runner").rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        said = [node.value.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and node.value in texts]
        found = {one.value for one in texts if re.search(r"docs/\w+\.md", one.value) and one.value not in said}
        if found:
            shown[path.name] = found
    assert shown == {}


def test_every_page_has_its_place_in_the_site() -> None:
    listed = set(re.findall(r"[\w/]+\.md", (ROOT / "mkdocs.yml").read_text("utf-8")))
    assert yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["validation"]
    assert listed == {page.name for page in (ROOT / "docs").glob("*.md")}
