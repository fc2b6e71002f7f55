"""`runner init`: a folder becomes a project that plays; what is there already stays as it is."""

import importlib.metadata
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from click.testing import CliRunner
from verbs import Done, run_verb

from runner import __version__
from runner.cli import init
from runner.plugins import plugin_names

MADE = [
    ".github/workflows/assistants.yml",
    ".gitignore",
    "assistants.yaml",
    "knowledge/shop.md",
    "scenarios/order.yaml",
    "scenarios/prices.yaml",
    "tools/orders.py",
]
TUTOR = {"id": "asst_1", "object": "assistant", "name": "Math Tutor", "model": "gpt-4o", "instructions": "You teach."}


def run(folder: Path, *arguments: str) -> Done:
    return run_verb(*arguments, cwd=folder, environment={})


def list_files(folder: Path) -> list[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.parts[0] != ".runner")


@pytest.mark.slow
def test_an_empty_folder_becomes_a_project_that_plays(tmp_path: Path) -> None:
    made = run(tmp_path, "init")
    played = run(tmp_path, "play")

    assert made.code == 0, made.err
    assert [line.split()[1] for line in made.out.splitlines() if line.startswith("made")] == sorted(MADE, key=last)
    assert list_files(tmp_path) == MADE
    assert played.code == 0, played.out
    assert "2 passed" in played.out


def last(path: str) -> tuple[bool, str]:
    return path == "assistants.yaml", path


def test_two_projects_own_nothing_in_common(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        assert run(tmp_path, "init", folder).code == 0

    texts = [yaml.safe_load((tmp_path / folder / "assistants.yaml").read_text()) for folder in ("one", "two")]

    assert [text["namespace"].rpartition("-")[0] for text in texts] == ["one", "two"]
    assert texts[0]["namespace"] != texts[1]["namespace"]


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    assert run(tmp_path, "init", "Über ${x}: #1").code == 0
    assert run(tmp_path / "Über ${x}: #1", "validate").code == 0


def test_the_editor_finds_the_schemas_that_the_first_lines_name(tmp_path: Path) -> None:
    run(tmp_path, "init")

    for path in (tmp_path / "assistants.yaml", *(tmp_path / "scenarios").glob("*.yaml")):
        named = path.read_text().partition("\n")[0].removeprefix("# yaml-language-server: $schema=")
        assert "$defs" in json.loads((path.parent / named).read_text())


def test_in_a_project_only_the_schemas_are_made_anew(tmp_path: Path) -> None:
    run(tmp_path, "init")
    (tmp_path / "assistants.yaml").write_text("mine")
    (tmp_path / "scenarios" / "order.yaml").unlink()
    (tmp_path / ".runner" / "schemas" / "scenario.json").write_text("old")

    again = run(tmp_path, "init")

    assert again.code == 0
    assert "assistants.yaml is there already" in again.out
    assert (tmp_path / "assistants.yaml").read_text() == "mine"
    assert not (tmp_path / "scenarios" / "order.yaml").exists()
    assert "$defs" in (tmp_path / ".runner" / "schemas" / "scenario.json").read_text()


def test_what_a_repository_has_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    (tmp_path / "README.md").write_text("mine\n")

    made = run(tmp_path, "init")

    assert made.code == 0
    assert "kept  .gitignore" in made.out
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    assert (tmp_path / "README.md").read_text() == "mine\n"


@pytest.mark.parametrize("is_dangling", [False, True])
def test_a_project_is_not_mixed_with_files_that_mean_something_else(tmp_path: Path, is_dangling: bool) -> None:
    (tmp_path / "tools").mkdir()
    mine = tmp_path / "tools" / "orders.py"
    mine.symlink_to("nowhere.py") if is_dangling else mine.write_text("mine = 1\n")

    done = run(tmp_path, "init")

    assert done.code == 2
    assert "nothing was written: there is tools/orders.py" in done.err
    assert list_files(tmp_path) == ([] if is_dangling else ["tools/orders.py"])
    assert not (tmp_path / "tools" / "nowhere.py").exists()


def test_an_exported_assistant_is_what_a_project_begins_with(tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(json.dumps(TUTOR))

    made = run(tmp_path, "init", "mine", "--from", "export.json")

    assert made.code == 0, made.err
    project = yaml.safe_load((tmp_path / "mine" / "assistants.yaml").read_text())
    assert project["assistants"]["math-tutor"]["instructions"] == "You teach."
    assert list_files(tmp_path / "mine") == [*MADE[:3], "scenarios/first.yaml"]
    assert run(tmp_path / "mine", "validate").code == 0


def test_a_promptfoo_file_is_what_a_project_begins_with(tmp_path: Path) -> None:
    (tmp_path / "promptfooconfig.yaml").write_text(
        "prompts: ['Say {{what}}.']\nproviders: [openai:gpt-4.1]\n"
        "tests: [{vars: {what: hello}, assert: [{type: icontains, value: hello}]}]\n"
    )

    made = run(tmp_path, "init", "mine", "--from", "promptfooconfig.yaml")

    assert made.code == 0, made.err
    (scenario,) = [path for path in list_files(tmp_path / "mine") if path.startswith("scenarios/")]
    assert "ask: Say hello." in (tmp_path / "mine" / scenario).read_text()
    assert run(tmp_path / "mine", "validate").code == 0


def test_an_export_is_not_put_over_a_project(tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(json.dumps(TUTOR))
    (tmp_path / "assistants.yaml").write_text("mine")

    done = run(tmp_path, "init", "--from", "export.json")

    assert done.code == 2
    assert "`runner import export.json --write`" in done.err
    assert list_files(tmp_path) == ["assistants.yaml", "export.json"]


@pytest.mark.parametrize("arguments", [["--from", "nowhere.json"], ["--from", "export.json"]])
def test_what_can_not_be_imported_leaves_nothing_behind(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "export.json").write_text("{}")

    assert run(tmp_path, "init", "mine", *arguments).code == 2
    assert not (tmp_path / "mine").exists()


def test_the_workflow_pins_what_it_runs(tmp_path: Path) -> None:
    run(tmp_path, "init")
    steps = yaml.safe_load((tmp_path / MADE[0]).read_text())["jobs"]["play"]["steps"]

    actions = [step["uses"].partition("@")[2] for step in steps if "uses" in step]

    assert all(len(pin) == 40 for pin in actions), actions
    assert [step["run"] for step in steps if "pip" in step.get("run", "")] == ['python -m pip install "$RUNNER"']
    job = yaml.safe_load((tmp_path / MADE[0]).read_text())["jobs"]["play"]
    assert job["env"]["RUNNER"] == f"assistant-runner=={__version__}"


def test_in_a_repository_the_workflow_is_where_github_looks_and_plays_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    own = tmp_path / ".github" / "workflows" / "assistants.yml"
    own.parent.mkdir(parents=True)
    own.write_text("mine\n")
    made = run(tmp_path, "init", "apps/my desk")
    assert made.code == 0, made.err
    assert "made  ../../.github/workflows/assistants-apps-my-desk.yml" in made.out
    assert (
        "note: the workflow is in the git repository's root, where GitHub looks, and plays in apps/my desk/" in made.out
    )
    assert not (tmp_path / "apps" / "my desk" / ".github").exists()
    assert own.read_text() == "mine\n"
    workflow = yaml.safe_load((own.parent / "assistants-apps-my-desk.yml").read_text())
    job = workflow["jobs"]["play"]
    assert workflow["name"] == "assistants (apps/my desk)"
    assert job["defaults"]["run"]["working-directory"] == "apps/my desk"
    assert job["steps"][-1]["with"] == {
        "name": "assistants",
        "path": "apps/my desk/report.*",
        "if-no-files-found": "ignore",
    }


def test_a_workflow_that_the_repository_has_already_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    own = tmp_path / ".github" / "workflows" / "assistants-desk.yml"
    own.parent.mkdir(parents=True)
    own.write_text("mine\n")
    assert "kept  ../.github/workflows/assistants-desk.yml" in run(tmp_path, "init", "desk").out
    assert own.read_text() == "mine\n"


@pytest.mark.parametrize(
    ("origin", "named", "noted"),
    [
        ({"url": "https://h.example/o/r", "vcs_info": {"vcs": "git", "commit_id": "a1"}}, "h.example/o/r@a1", False),
        ({"url": "https://me:x@h.example/r", "vcs_info": {"vcs": "git", "commit_id": "a1"}}, "runner==", True),
        ({"url": "file:///wheels/assistant_runner-0.1.0-py3-none-any.whl", "archive_info": {}}, "runner==", True),
        (None, "runner==", False),
    ],
    ids=["git", "git with a password", "a wheel", "an index"],
)
def test_the_workflow_installs_from_where_this_program_came_or_init_says_that_it_can_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: object, named: str, noted: bool
) -> None:
    text = None if origin is None else json.dumps(origin)
    installed = SimpleNamespace(read_text=lambda _: text)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: installed)
    done = CliRunner().invoke(init.command, [str(tmp_path / "desk")])
    assert named in yaml.safe_load((tmp_path / "desk" / MADE[0]).read_text())["jobs"]["play"]["env"]["RUNNER"]
    assert ("commit its wheel, or name its git address" in done.output) is noted
    assert "me:x" not in done.output + (tmp_path / "desk" / MADE[0]).read_text()


NEEDS_NO_PROJECT = {"checks", "import", "init", "schema", "serve"}
GIVEN = {
    "adopt": ("guide", "asst_1"),
    "calibrate": ("judged.jsonl",),
    "compare": ("latest",),
    "export": ("guide",),
    "judge": ("latest",),
    "merge": ("a", "b"),
}


@pytest.mark.parametrize("verb", sorted(set(plugin_names("runner.cli")) - NEEDS_NO_PROJECT))
def test_without_a_project_every_verb_names_init(tmp_path: Path, verb: str) -> None:
    done = run(tmp_path, verb, *GIVEN.get(verb, ()))

    assert done.code == 2
    assert "`runner init` makes one" in done.err, done.err


def test_what_others_call_it_leads_to_init(tmp_path: Path) -> None:
    assert "Did you mean 'init'?" in run(tmp_path, "scaffold").err
