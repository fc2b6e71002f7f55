"""`runner plan --since REF`: a repository, a change of each kind, and what a reviewer is told; no key."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from verbs import Done, run_verb

ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
BEFORE = """\
version: 1
namespace: since-tests-1
target: openai
targets:
  openai: {api: responses}
assistants:
  guide:
    model: gpt-6
    instructions: |
      Be brief.
      Never guess.
    tools: [file_search]
    files: [guide.md, gone.md, logo.pdf]
  rates:
    model: gpt-6
    functions:
      - name: rate
        description: A rate.
        parameters: {type: object, properties: {to: {type: string}}}
        returns: 1
  leaving: {model: gpt-6}
  same:
    model: gpt-6
    temperature: 1
    tools: [{mcp: {server_label: docs, server_url: "https://x.invalid/${secret:DOCS_TOKEN}"}}]
"""


def git(folder: Path, *arguments: str) -> str:
    said = ("-c", "user.name=x", "-c", "user.email=x@x.invalid", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *said, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def plan(folder: Path, *arguments: str, **environment: str) -> Done:
    return run_verb("plan", *arguments, cwd=folder, environment={**ENVIRONMENT, **environment})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in a folder of a repository, committed on main; a branch is checked out."""
    folder = tmp_path / "work" / "bots"
    folder.mkdir(parents=True)
    (folder / "assistants.yaml").write_text(BEFORE)
    for name, text in (("guide.md", "Open at nine.\nClosed on Sundays.\n"), ("gone.md", "Old.\n")):
        (folder / name).write_text(text)
    (folder / "logo.pdf").write_bytes(b"%PDF\xff\xfe")
    git(tmp_path / "work", "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "before")
    git(folder, "checkout", "-qb", "feature")
    return folder


def change(folder: Path) -> None:
    """A change of each kind, not committed."""
    text = BEFORE.replace("Never guess.", "Never guess a price.").replace("gone.md, logo.pdf", "logo.pdf, new.md")
    text = text.replace("A rate.", "Today's rate.").replace("{type: string}", "{type: string, maxLength: 3}")
    text = text.replace("  leaving: {model: gpt-6}\n", "  coming: {model: gpt-6-luna, metadata: {team: a}}\n")
    text = text.replace("  rates:\n    model: gpt-6\n", "  rates:\n    model: gpt-6-luna\n    top_p: 0.5\n")
    (folder / "assistants.yaml").write_text(text)
    (folder / "guide.md").write_text("Open at ten.\nClosed on Sundays.\n")
    (folder / "logo.pdf").write_bytes(b"%PDF\xff\xfe\xfd")
    (folder / "gone.md").unlink()
    (folder / "new.md").write_text("New.\n")


def test_each_kind_of_change_is_told_and_nothing_else(project):
    change(project)
    done = plan(project, "--since", "main", "--format", "json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert told["since"].startswith("main (")
    changes = {one["address"]: one for one in told["changes"]}
    assert {address: one["action"] for address, one in changes.items()} == {
        "guide": "update",
        "rates": "update",
        "coming": "create",
        "same": "in sync",
        "leaving": "delete",
    }
    guide = {one["field"]: (one["before"], one["after"]) for one in changes["guide"]["fields"]}
    assert set(guide) == {
        "instructions",
        "file guide.md (file_search), 33 -> 32 bytes",
        "file gone.md (file_search)",
        "file new.md (file_search)",
        "file logo.pdf (file_search), 6 -> 7 bytes",
    }
    assert guide["instructions"] == ("Be brief.\nNever guess.\n", "Be brief.\nNever guess a price.\n")
    assert guide["file new.md (file_search)"] == ("", "5 bytes")
    assert guide["file logo.pdf (file_search), 6 -> 7 bytes"][0].startswith("sha256 ")
    rates = {one["field"]: one["after"] for one in changes["rates"]["fields"]}
    assert set(rates) == {"model", "top_p", "function rate"}
    assert "maxLength" in rates["function rate"]


def test_people_read_what_changed_and_no_program_needs_a_key(project):
    change(project)
    text = plan(project, "--since").out
    assert text.startswith("definitions since the merge base with main (")
    for line in (
        "~ assistant guide: changed",
        "-Never guess.",
        "+Never guess a price.",
        "-Open at nine.",
        "+Open at ten.",
        "+description: Today's rate.",
        "+    to: {maxLength: 3, type: string}\n",
        "model gpt-6 -> gpt-6-luna",
        "top_p not set -> 0.5",
        "+ assistant coming: new",
        "- assistant leaving: removed",
        "1 new, 2 changed, 1 removed, 1 unchanged",
    ):
        assert line in text, line
    comment = plan(project, "--since", "main", "--format", "markdown").out
    assert comment.startswith("### Definitions: 1 new")
    assert "```diff\n" in comment
    assert "+Open at ten." in comment


def test_the_exit_code_is_that_of_a_plan(project):
    assert plan(project, "--since", "--exit-code").code == 0
    change(project)
    done = plan(project, "--since", "--exit-code")
    assert (done.code, "changed, 1 removed" in done.err) == (6, True)


def test_a_secret_is_neither_needed_nor_shown(project):
    text = BEFORE.replace("label: docs,", "label: papers,")
    (project / "assistants.yaml").write_text(text)
    assert "papers" in plan(project, "--since").out
    shown = plan(project, "--since", "--format", "json", DOCS_TOKEN="s3cret-enough-to-hide")
    assert "papers" in shown.out
    assert "s3cret" not in shown.out


def test_the_repository_stays_as_it_is(project):
    change(project)
    before = git(project, "status", "--porcelain")
    plan(project, "--since", "main")
    assert git(project, "status", "--porcelain") == before
    assert not (project / ".runner").exists()


def test_one_assistant_alone_and_a_project_that_was_not_there_yet(project):
    change(project)
    only = plan(project, "--since", "main", "--only", "rates").out
    assert "assistant rates" in only
    assert "guide" not in only
    empty = git(project, "commit-tree", "-m", "empty", git(project, "hash-object", "-t", "tree", "-w", "/dev/null"))
    assert "4 new" in plan(project, "--since", empty).out


def test_the_working_tree_is_compared_and_commits_of_main_are_not(project):
    """What main got since is not this branch's change."""
    git(project, "checkout", "-q", "main")
    (project / "guide.md").write_text("Main's own change.\n")
    git(project, "commit", "-qam", "main goes on")
    git(project, "checkout", "-q", "feature")
    assert "4 unchanged" in plan(project, "--since").out
    assert "1 changed" in plan(project, "--since", "main").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "nowhere"), "--since 'nowhere': git knows no such commit here; the history may be cut off"),
        (("--since", "--format=x"), "--format 'x': there is json, markdown, text"),
        (("--since", "main", "--prune"), "--since compares files, and deletes nothing"),
        (("--since", "main", "--only", "guid"), "--only: unknown assistant 'guid'; did you mean 'guide'?"),
        (("--since", "main", "-t", "opnai"), "unknown target 'opnai'"),
        (("--since", "-q"), "no such option"),
    ],
)
def test_what_can_not_be_is_told_in_a_line(project, arguments, said):
    done = plan(project, *arguments)
    assert done.code == 2
    assert said.casefold() in done.err.casefold(), done.err


def test_without_a_repository_or_a_sound_file_at_the_ref_it_says_so(project, tmp_path):
    (project / "assistants.yaml").write_text(BEFORE.replace("model: gpt-6\n", "modell: gpt-6\n"))
    git(project, "commit", "-qam", "broken")
    (project / "assistants.yaml").write_text(BEFORE)
    done = plan(project, "--since", "HEAD")
    assert done.code == 2
    assert "can't be read by this version:\nassistants.yaml:8:5: " in done.err, done.err
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "assistants.yaml").write_text("version: 1\nnamespace: a-b-c\nassistants: {one: {model: gpt-6}}\n")
    done = plan(elsewhere, "--since", GIT_CEILING_DIRECTORIES=str(tmp_path))
    assert done.code == 2
    assert "not a git repository" in done.err, done.err
    done = plan(elsewhere, "--since", PATH="")
    assert done.code == 2
    assert "needs git" in done.err, done.err
