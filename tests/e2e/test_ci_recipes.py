"""The recipes for CI: what their shell does, with stand-ins for `gh` and the network, and whether CI takes the YAML."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from verbs import run_verb

from runner.plugins import plugin_names

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"] if "id" in step}
HAS_ALL = {"compare"} <= set(plugin_names("runner.cli")) and {"junit", "markdown", "html"} <= set(
    plugin_names("runner.reporting")
)
pytestmark = pytest.mark.slow

STAND_IN = """#!/bin/sh
printf '%s\\n' "$(basename "$0") $*" >>"$CALLS"
case "$(basename "$0") $1 $2" in
  "gh run list") printf '%s' "${FOUND:-}" ;;
  "gh run download")
    [ -z "${DOWNLOADS:-}" ] && exit 1
    mkdir -p "$REPORTS/base"; echo '{}' >"$REPORTS/base/report.json" ;;
  "gh pr comment") exit "${COMMENTS:-0}" ;;
  "runner plan --since") echo "the plan" ; exit "${PLANS:-0}" ;;
  "runner validate ") exit "${MISTAKES:-0}" ;;
  "runner validate --keys") exit "${KEYS:-0}" ;;
  "runner plan "*) exit "${REACHES:-0}" ;;
  "runner play "*) echo "{}" >"$REPORTS/report.json"; echo "the report" >"$REPORTS/report.md"; exit "${PLAYS:-0}" ;;
  "runner report "*) exit "${READS:-0}" ;;
  "runner compare "*) echo "the comparison"; exit "${COMPARES:-0}" ;;
esac
"""


class Job:
    """A folder with stand-ins, in which steps of the action are run one after the other, as GitHub would."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.reports = folder / "reports"
        (folder / "bin").mkdir()
        for name in ("gh", "runner"):
            (folder / "bin" / name).write_text(STAND_IN)
            (folder / "bin" / name).chmod(0o755)
        self.environment = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder),
            "CALLS": str(folder / "calls"),
            "REPORTS": str(self.reports),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            **environment,
        }

    def run(self, step: str, **inputs: str) -> "subprocess.CompletedProcess[str]":
        given = dict.fromkeys(STEPS[step].get("env", {}), "")
        environment = {**given, **self.environment, **inputs}
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[step]["run"]]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    def calls(self) -> list[str]:
        return self.read("calls").splitlines()

    def read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text("utf-8") if path.exists() else ""


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = Job(tmp_path)
    subprocess.run(["git", "init", "--quiet", "."], cwd=tmp_path, check=True)
    said = ["-c", "user.name=x", "-c", "user.email=x@x.invalid", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *said, "commit", "--quiet", "--allow-empty", "-m", "x"], cwd=tmp_path, check=True)
    job.environment["BASE"] = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.strip()
    return job


def test_play_writes_every_report_and_its_exit_code_does_not_end_the_job(job: Job) -> None:
    done = job.run("play", TARGET="openai", OPTIONS="--repeat 3", PATHS="scenarios/a*.yaml", PLAYS="1")

    assert done.returncode == 0, done.stderr
    assert job.read("output") == f"reports={job.reports}\nexit-code=1\n"
    (call,) = job.calls()
    assert call.startswith("runner play scenarios/a*.yaml --repeat 3 --target openai --report json=")
    assert re.findall(r"--report (\w+)=", call) == ["json", "junit", "markdown", "html"]


@pytest.mark.parametrize(
    ("given", "is_replayed"),
    [
        ({"REACHES": "2"}, True),
        ({"KEYS": "2"}, True),
        ({}, False),
        ({"AZURE_KEY": "sk-1", "KEYS": "2"}, False),
        ({"GITHUB_EVENT_NAME": "push", "KEYS": "2"}, False),
        ({"KEYS": "2", "MISTAKES": "2"}, False),
    ],
    ids=["a fork", "a judge that needs a key", "a script", "a branch", "a push that lacks the key", "a mistake"],
)
def test_a_pull_request_without_the_key_that_is_needed_is_played_from_recordings(
    job: Job, given: Mapping[str, str], is_replayed: bool
) -> None:
    usual = {"GITHUB_EVENT_NAME": "pull_request", "AZURE_KEY": "", "RECORDINGS": "kept", "KEY_ENV": "AZURE_KEY"}
    done = job.run("play", TARGET="azure", **{**usual, **given})
    assert done.returncode == 0, done.stderr
    assert ("--target azure --replay kept --report" in job.calls()[-1]) == is_replayed
    assert ("::notice::No AZURE_KEY here" in done.stdout) == is_replayed


@pytest.mark.parametrize("hostile", ["$(touch hacked)", "`touch hacked`", "; touch hacked", "x' ; touch hacked ; '"])
def test_an_input_is_never_run(job: Job, hostile: str) -> None:
    job.run("plan", BASE=hostile)
    given = {"RECORDINGS": hostile, "KEY_ENV": hostile, "GITHUB_EVENT_NAME": "pull_request"}
    job.run("play", TARGET=hostile, OPTIONS=hostile, PATHS=hostile, **given)
    job.run("compare", BRANCH=hostile, WORKFLOW=hostile, ARTIFACT=hostile, FAIL_ON=hostile, FOUND="1", DOWNLOADS="1")
    job.run("comment", NUMBER=hostile, COMMENT="true")
    assert not (job.folder / "hacked").exists()


def test_what_a_pull_request_changes_is_said_in_one_comment(job: Job) -> None:
    for step in ("plan", "play", "compare", "comment"):
        done = job.run(step, BRANCH="main", FOUND="77", DOWNLOADS="1", NUMBER="5", COMMENT="true", FAIL_ON="regression")
        assert done.returncode == 0, done.stderr

    assert job.read("reports/comment.md").split() == "the plan the comparison the report".split()
    assert f"runner plan --since {job.environment['BASE']} --format markdown" in job.calls()
    assert any(call.endswith("--format markdown --fail-on regression") for call in job.calls())
    assert job.calls()[-1].startswith("gh pr comment 5 --body-file")
    assert job.read("summary") == ""


def test_without_the_permission_to_comment_the_summary_has_it(job: Job) -> None:
    job.run("play")
    done = job.run("comment", NUMBER="5", COMMENT="true", COMMENTS="1")
    assert done.returncode == 0
    assert "the report" in job.read("summary")


def test_a_comment_that_nobody_wants_is_in_the_summary(job: Job) -> None:
    job.run("play")
    job.run("comment", NUMBER="5", COMMENT="false")
    assert "the report" in job.read("summary")
    assert not [call for call in job.calls() if call.startswith("gh")]


def test_a_long_report_is_cut_between_characters(job: Job) -> None:
    job.reports.mkdir()
    (job.reports / "report.md").write_text("€" * 40_000, "utf-8")
    job.run("comment", NUMBER="5", COMMENT="true")
    assert (job.reports / "comment.md").read_bytes().decode("utf-8") == "€" * 20_000


@pytest.mark.parametrize("given", [{}, {"FOUND": "77"}])
def test_without_a_report_of_the_base_branch_nothing_is_compared(job: Job, given: Mapping[str, str]) -> None:
    job.run("play")
    done = job.run("compare", BRANCH="main", **given)
    assert done.returncode == 0, done.stderr
    assert "There is no report of main yet" in job.read("reports/compare.md")


def test_a_plan_that_fails_is_said_and_ends_nothing(job: Job) -> None:
    done = job.run("plan", PLANS="2")
    assert done.returncode == 0
    assert "could not be told" in job.read("reports/plan.md")


@pytest.mark.parametrize(("played", "compared", "code"), [("0", "", 0), ("1", "0", 1), ("0", "1", 1), ("3", "1", 3)])
def test_the_job_ends_as_play_did_or_compare(job: Job, played: str, compared: str, code: int) -> None:
    assert job.run("end", PLAYED=played, COMPARED=compared).returncode == code


def test_the_action_is_installed_from_its_own_checkout(job: Job) -> None:
    (job.folder / "bin" / "python").write_text(STAND_IN)
    (job.folder / "bin" / "python").chmod(0o755)
    job.run("install", ACTION="/the/action")
    assert job.calls() == ["python -m pip install --quiet --disable-pip-version-check /the/action"]


def read_block(page: str, first_line: str) -> str:
    (found,) = re.findall(rf"```yaml\n{re.escape(first_line)}\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    return str(found)


def run_gitlab(job: Job, **environment: str) -> "subprocess.CompletedProcess[str]":
    (job.folder / "bin" / "curl").write_text('#!/bin/sh\n[ -n "$CURLS" ] && echo "{}" >"$CI_PROJECT_DIR/base.json"\n')
    (job.folder / "bin" / "curl").chmod(0o755)
    lines = yaml.safe_load(read_block("docs/ci.md", "# .gitlab-ci.yml"))["assistants"]["script"]
    job.reports.mkdir(exist_ok=True)
    given = {
        "CI_PROJECT_DIR": str(job.folder),
        "FOLDER": ".",
        "CI_API_V4_URL": "https://x.invalid",
        "CI_PROJECT_ID": "1",
        "CI_DEFAULT_BRANCH": "main",
        "CI_JOB_NAME": "a",
    }
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(lines)],
        cwd=job.folder,
        env={**job.environment, **given, "CI_JOB_TOKEN": "t", "TARGET": "openai", "CURLS": "", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("played", "code"), [("0", 0), ("1", 1), ("4", 4)])
def test_the_gitlab_job_ends_as_play_did(job: Job, played: str, code: int) -> None:
    assert run_gitlab(job, PLAYS=played).returncode == code
    reports = f"--report json={job.folder}/report.json --report junit={job.folder}/report.xml"
    assert job.calls() == [f"runner play --target openai {reports}"]


def test_the_gitlab_job_of_a_merge_request_plans_and_compares(job: Job) -> None:
    subprocess.run(["git", "remote", "add", "origin", str(job.folder)], cwd=job.folder, check=True)
    request = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": job.environment["BASE"]}
    done = run_gitlab(job, **request, CURLS="1", COMPARES="1", REACHES="2")
    assert done.returncode == 1, done.stderr
    assert f"runner plan --since {job.environment['BASE']}" in job.calls()
    compared = f"runner compare {job.folder}/base.json {job.folder}/report.json --fail-on regression"
    assert compared in job.calls()
    assert f"runner play --target openai --replay recordings --report json={job.folder}" in "".join(job.calls())
    (job.folder / "apps" / "desk").mkdir(parents=True)
    unread = run_gitlab(job, **request, CURLS="1", PLANS="2", COMPARES="2", FOLDER="apps/desk")
    assert (unread.returncode, "could not be told" in unread.stdout, job.calls()[-1]) == (0, True, compared)
    assert "the report of main can't be read" in unread.stdout
    assert run_gitlab(job, **request, CURLS="1", PLAYS="3", COMPARES="1").returncode == 3
    run_gitlab(job, **request, KEYS="2", MISTAKES="2")
    assert "--replay" not in job.calls()[-1]
    run_gitlab(job, **request, KEYS="2")
    assert job.calls()[-1].startswith("runner play --target openai --replay recordings --report")
    for given in ({"OPENAI_API_KEY": "sk-1", "REACHES": "2"}, {"TARGET": "script"}):
        alone = run_gitlab(job, **request, **given)
        assert "compared with nothing" in alone.stdout
        assert job.calls()[-1].startswith(f"runner play --target {given.get('TARGET', 'openai')} --report")


STARTER = (ROOT / "runner/starter/workflow.yml").read_text("utf-8")


def run_starter(
    job: Job, name: str = "play", *, inside: str = ".", **environment: str
) -> "subprocess.CompletedProcess[str]":
    """A step of `init`'s workflow, with what GitHub gives it."""
    whole = yaml.safe_load(STARTER)["jobs"]["play"]
    (step,) = (one for one in whole["steps"] if one.get("name") == name)
    assert set(step.get("env", ())) <= {"OPENAI_API_KEY"}
    given = {"GITHUB_EVENT_NAME": "pull_request", "OPENAI_API_KEY": "", **whole["env"], **environment}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    environment = {**job.environment, **given}
    folder = job.folder / inside
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("given", "call"),
    [
        ({}, "--report"),
        ({"TARGET": "openai", "REACHES": "2"}, "--target openai --replay recordings --report"),
        ({"REACHES": "2"}, "--replay recordings --report"),
        ({"KEYS": "2"}, "--replay recordings --report"),
        ({"KEYS": "2", "MISTAKES": "2"}, "--report"),
        ({"TARGET": "script"}, "--target script --report"),
        ({"TARGET": "openai", "OPENAI_API_KEY": "sk-1"}, "--target openai --report"),
        ({"TARGET": "openai", "GITHUB_EVENT_NAME": "push"}, "--target openai --report"),
    ],
    ids=[
        "a new project",
        "a fork",
        "a fork where the file's target needs a key",
        "a fork whose judge needs one",
        "a fork with a mistake",
        "a fork of a script's",
        "a branch",
        "a push that lacks the key",
    ],
)
def test_the_first_project_s_workflow_replays_for_forks_alone(job: Job, given: Mapping[str, str], call: str) -> None:
    job.reports.mkdir()
    done = run_starter(job, **given)
    assert done.returncode == 0, done.stderr
    assert job.calls()[-1].startswith(f"runner play {call} json")


def test_files_of_the_base_branch_that_can_not_be_read_do_not_stop_who_mends_them(job: Job) -> None:
    job.reports.mkdir()
    (job.reports / "report.json").write_text("{}")
    compared = job.run("compare", BRANCH="main", FOUND="77", DOWNLOADS="1", COMPARES="2")
    assert (compared.returncode, "::warning::" in compared.stdout) == (0, True)
    assert job.read("output") == "exit-code=0\n"
    assert "can't be read" in job.read("reports/compare.md")
    for plans, told in (("0", False), ("2", True)):
        done = run_starter(job, "what changes in the definitions", GITHUB_BASE_REF="main", PLANS=plans)
        assert (done.returncode, "::warning::" in done.stdout) == (0, told), done.stderr
    assert job.calls()[-1] == "runner plan --since origin/main --format markdown"


@pytest.mark.parametrize("inside", [".", "apps/desk"])
def test_the_first_project_s_workflow_compares_with_the_report_that_is_kept(job: Job, inside: str) -> None:
    (job.folder / inside).mkdir(parents=True, exist_ok=True)
    job.reports.mkdir()
    assert "::notice::There is no HEAD:reports/baseline.json: this" in run_starter(job, inside=inside).stdout
    kept = job.folder / inside / "reports" / "baseline.json"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("{}")
    said = ["-c", "user.name=x", "-c", "user.email=x@x.invalid", "-c", "commit.gpgsign=false"]
    for command in (
        ["add", str(kept)],
        [*said, "commit", "-qm", "x"],
        ["update-ref", "refs/remotes/origin/main", "HEAD"],
    ):
        subprocess.run(["git", *command], cwd=job.folder, check=True)
    for branch, base in (("main", "origin/main"), ("", "HEAD")):
        unread = run_starter(job, inside=inside, GITHUB_BASE_REF=branch, READS="2")
        # What a push brings itself is no other branch's trouble.
        assert ("--baseline" not in job.calls()[-1], "::warning::" in unread.stdout) == (bool(branch), bool(branch))
        done = run_starter(job, inside=inside, GITHUB_BASE_REF=branch)
        assert (done.returncode, "::notice::There is no" in done.stdout) == (0, False)
        assert f"--baseline {base}:reports/baseline.json --report" in job.calls()[-1]


@pytest.mark.timeout(300)
def test_a_fork_is_green_without_a_key_or_red_for_a_reason(job: Job) -> None:
    (job.folder / "bin" / "runner").unlink()
    (job.folder / "bin" / "runner").symlink_to(BIN / "runner")
    assert run_verb("init", cwd=job.folder, environment={}).code == 0
    project = job.folder / "assistants.yaml"
    text = project.read_text("utf-8")
    assert run_starter(job).returncode == 0

    unrecorded = run_starter(job, TARGET="openai")
    assert unrecorded.returncode == 2
    assert "`runner play --record recordings` makes it" in unrecorded.stderr

    # OpenAI's place is taken by the embedded server while recordings are made: there is no key here either.
    project.write_text(text.replace("openai: {api: responses}", "openai: {api: responses, server: embedded}"), "utf-8")
    recorded = run_verb("play", "-t", "openai", "--record", "recordings", cwd=job.folder, environment={})
    assert recorded.code == 0, recorded.out + recorded.err
    project.write_text(text, "utf-8")
    green = run_starter(job, TARGET="openai")
    assert green.returncode == 0, green.stdout + green.stderr
    assert "2 passed" in green.stdout

    scenario = job.folder / "scenarios" / "order.yaml"
    scenario.write_text(scenario.read_text("utf-8").replace("number 1042?", "number 1043?"), "utf-8")
    red = run_starter(job, TARGET="openai", GITHUB_ACTIONS="true")
    assert red.returncode == 3
    assert "question was 'What is the order status of number 1042?', and is 'What" in " ".join(red.stdout.split())
    assert "::error file=scenarios/order.yaml,line=" in red.stdout
    assert "not recorded" in job.read("summary")


def test_the_hook_is_a_command_that_there_is(tmp_path: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert hook["id"] in (ROOT / "docs/ci.md").read_text("utf-8")
    assert [bool(re.search(hook["files"], path)) for path in ("a/assistants.yaml", "scenarios/x/y.yml", "x.yaml")] == [
        True,
        True,
        False,
    ]
    shutil.copytree(ROOT / "runner" / "starter", tmp_path / "project")
    done = subprocess.run(
        [BIN / hook["entry"].split()[0], *hook["entry"].split()[1:]], cwd=tmp_path / "project", check=False
    )
    assert done.returncode == 0


WORKFLOWS = {
    "starter": STARTER,
    "page": read_block("docs/ci.md", "# .github/workflows/assistants.yml"),
}


def check_schema(kind: str, file: Path) -> None:
    command = [BIN / "check-jsonschema", "--builtin-schema", f"vendor.{kind}", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_a_workflow_is_one(tmp_path: Path, name: str) -> None:
    (tmp_path / "workflow.yml").write_text(WORKFLOWS[name])
    check_schema("github-workflows", tmp_path / "workflow.yml")


def test_the_action_is_one() -> None:
    check_schema("github-actions", ROOT / "action.yml")


def test_the_gitlab_job_is_one(tmp_path: Path) -> None:
    (tmp_path / "job.yml").write_text(read_block("docs/ci.md", "# .gitlab-ci.yml"))
    check_schema("gitlab-ci", tmp_path / "job.yml")


def test_nothing_is_left_open_to_injection_or_moving_tags(tmp_path: Path) -> None:
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    for name, text in WORKFLOWS.items():
        pinned = text.replace("OWNER/runner@COMMIT", f"someone/runner@{'0' * 40}")
        (tmp_path / ".github" / "workflows" / f"{name}.yml").write_text(pinned)
    shutil.copy(ROOT / "action.yml", tmp_path)
    command = [BIN / "zizmor", "--offline", "--no-progress", "--format", "json", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout or "[]") == [], done.stdout


def test_the_shell_has_no_slips(tmp_path: Path) -> None:
    gitlab = yaml.safe_load(read_block("docs/ci.md", "# .gitlab-ci.yml"))["assistants"]["script"]
    starter = {step["name"]: step for step in yaml.safe_load(STARTER)["jobs"]["play"]["steps"] if "name" in step}
    for name, step in {**STEPS, **starter, "gitlab": {"run": "\n".join(gitlab)}}.items():
        (tmp_path / f"{name}.sh").write_text(f"#!/bin/bash\n{step['run']}")
    done = subprocess.run(
        [BIN / "shellcheck", *sorted(tmp_path.glob("*.sh"))], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not HAS_ALL, reason="not all of the reports are there yet")
def test_the_action_plays_a_first_project_for_real(job: Job) -> None:
    (job.folder / "bin" / "runner").unlink()
    (job.folder / "bin" / "runner").symlink_to(BIN / "runner")
    shutil.copytree(ROOT / "runner" / "starter", job.folder, dirs_exist_ok=True)
    for step in ("plan", "play", "compare", "comment"):
        done = job.run(step, BRANCH="main", NUMBER="5", COMMENT="false")
        assert done.returncode == 0, done.stderr
    assert "exit-code=0" in job.read("output")
    assert sorted(path.suffix for path in job.reports.glob("report.*")) == [".html", ".json", ".md", ".xml"]
