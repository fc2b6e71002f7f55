"""What becomes of the output never decides what becomes of the work: in real processes, whose streams they are."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from app_listening import listening_environment
from forked_verbs import start_program
from play_project import Project, make_project, project_elsewhere
from verbs import Done, run_verb

from runner.server.inference.offline import create

NAMED = "assistant: guide\nturns:\n  - ask: What is 12 times 12?\n    expect: [contains: 旅]\n"
ASKED = "assistant: guide\nturns:\n  - ask: What is 12 times 12?\n    expect: [number: 144]\n"
VERBS = ["validate", "plan", "sync", "list", "play", "destroy --confirm tests-000001", "clean", "--help"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_project(tmp_path / "project")
    file = project.folder / "assistants.yaml"
    file.write_text(file.read_text().replace("name: Guide", "name: Führer für 旅"), encoding="utf-8")
    project.write_scenario(ASKED)
    return project


def run(project: Project, command: str, *redirect: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program under bash, with a redirection or a limit of its streams."""
    before, after = (*redirect, "", "")[:2]
    return subprocess.run(
        ["bash", "-c", f"{before} {' '.join(project.command(command))} {after}"],
        cwd=project.folder,
        env={**project.environment, **listening_environment(), **environment},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=100,
        check=False,
    )


def test_a_character_that_the_encoding_lacks_is_written_in_another_way(project: Project) -> None:
    project.write_scenario(NAMED)
    for encoding, said in (("ascii", "旅"), ("cp1252", "\\u65c5")):  # click takes ASCII for a mistake
        plan = run(project, "plan", PYTHONIOENCODING=encoding)
        assert (plan.returncode, plan.stderr, said in plan.stdout) == (0, "", True)
    play = run(project, "play", PYTHONIOENCODING="cp1252")
    assert (play.returncode, play.stderr) == (1, "")
    assert "\\u65c5" in play.stdout


def test_yaml_that_goes_into_a_file_is_utf_8_whatever_the_encoding_of_the_terminal(project: Project) -> None:
    exported = {"object": "assistant", "name": "旅 Führer", "model": "gpt-6-luna", "instructions": "Führe."}
    (project.folder / "old.json").write_text(json.dumps(exported), encoding="utf-8")
    done = run(project, "import old.json", PYTHONIOENCODING="cp1252")
    assert (done.returncode, done.stderr) == (0, "")
    assert "旅 Führer" in done.stdout


READER_GONE = "reader, writer = os.pipe(); os.close(reader); os.dup2(writer, 1)"
FULL_DISK = "os.dup2(os.open('/dev/full', os.O_WRONLY), 1)"


def files_of(at_most: int) -> str:
    """So many bytes, as on a disk that is nearly full."""
    return f"resource.setrlimit(resource.RLIMIT_FSIZE, ({at_most}, {at_most}))"


def run_after(project: Project, preparation: str, command: str) -> Done:
    """The program in a forked process that has prepared its own streams or limits."""
    program = project.folder / "prepared.py"
    imports = "import os, resource, sys\nfrom runner import cli"
    program.write_text(f"{imports}\n{preparation}\ncli.main({command.split()!r})\n")
    process = start_program(str(program), cwd=project.folder, environment=project.environment)
    out, err = process.communicate()
    assert process.returncode is not None
    return Done(process.returncode, out, err)


@pytest.mark.parametrize(
    ("closed", "verbs"),
    [("stdin stdout stderr", VERBS), *((one, [VERBS[2], *VERBS[4:6]]) for one in ("stdout", "stderr", "stdin"))],
)
def test_streams_that_were_closed_before_we_came_cost_nothing(project: Project, closed: str, verbs: list[str]) -> None:
    """As Python finds them: without a descriptor it has no stream. One process of its own is below."""
    streams = {"stdin": 0, "stdout": 1, "stderr": 2}
    closing = "".join(f"os.close({streams[name]}); sys.{name} = sys.__{name}__ = None\n" for name in closed.split())
    for verb in verbs:
        done = run_after(project, closing, verb)
        assert (done.code, done.err) == (0, ""), verb
    assert project.count_objects().get("assistant", 0) == 0  # synced, and destroyed


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", ">&-"])
def test_a_report_is_whole_though_streams_were_closed(project: Project, closed: str) -> None:
    done = run(project, "play --report json=out.json", "", closed)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((project.folder / "out.json").read_text())["counts"]["passed"] == 1


@pytest.mark.parametrize("verb", ["sync", "destroy --confirm tests-000001", "clean"])
def test_work_is_finished_though_its_reader_went_away(project: Project, verb: str) -> None:
    if verb == "clean":
        assert project.run("play", "--keep").code == 0
    elif verb != "sync":
        assert project.run("sync").code == 0
    done = run_after(project, READER_GONE, verb)
    assert (done.code, done.err) == (0, "")
    left = {kind for kind, number in project.count_objects().items() if number and kind in ("assistant", "thread")}
    assert left == ({"assistant"} if verb == "sync" else set())
    assert project.run("sync", "--check").code == (0 if verb == "sync" else 6)


def test_the_exit_code_is_the_work_s_though_its_reader_went_away(project: Project) -> None:
    project.run("sync")
    done = run(project, "destroy", "", "| head -0; exit ${PIPESTATUS[0]}")
    assert done.returncode == 4
    assert run_after(project, READER_GONE, "sync --check").code == 0


@pytest.mark.parametrize("columns", ["0", "00", "-1", "x", "99999999999999999999"])
def test_a_terminal_of_impossible_width_is_written_to_all_the_same(project: Project, columns: str) -> None:
    environment = {**project.environment, "COLUMNS": columns, "LINES": columns}
    done = run_verb("play", cwd=project.folder, environment=environment)
    assert (done.code, done.err) == (0, "")
    assert "1 passed in" in done.out


@pytest.mark.fault("P8")
def test_few_open_files_are_enough_or_are_told_of(project: Project) -> None:
    few = run(project, "play", "ulimit -n 32;")
    assert (few.returncode, few.stderr) == (0, "")
    none = run(project, "play", "ulimit -n 12;")
    assert none.returncode == 3
    assert none.stderr.splitlines()[-1].startswith("runner: cannot ")


@pytest.mark.slow
def test_no_more_is_played_at_once_than_there_are_open_files_for(project: Project) -> None:
    for number in range(8):
        turn = f"turns: [{{ask: '1{number} * 17?', expect: [{{tool_called: code_interpreter}}]}}]"
        project.write_scenario(f"assistant: guide\n{turn}\n", name=f"sum_{number}")
    done = run(project, "play --target embedded --jobs 8", "ulimit -n 48;")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


WITHOUT_FILES = """
import asyncio
import resource
from decimal import Decimal
from runner.domain.conversation import Run, RunId, RunStatus, ThreadId
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import Location
from runner.checks import Exchange
from runner.execution.judging import Asker, judge_exchange, prepare_checks

place = Location("scenarios/x.yaml", 3, 5)
number = Expectation(check="number", parameters={"value": Decimal(12000000), "unit": "EUR"}, location=place)
turn = Turn(ask="How much?", expectations=(number,), location=place)
run = Run(id=RunId("run"), thread_id=ThreadId("thread"), status=RunStatus.COMPLETED, text="12 Millionen Euro am 4. Mai")
scenario = Scenario(name="x", assistant="guide", turns=(turn,), location=place)
prepare_checks([scenario])
said = Exchange(scenario=scenario, turns=((turn, run),), target="t", api="responses", model="m")
with asyncio.Runner() as loop:
    loop.get_loop()
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    print(loop.run(judge_exchange(said, Asker())).outcome)
"""


def test_checks_open_no_file_once_they_are_prepared() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_FILES], capture_output=True, encoding="utf-8", check=False)
    assert (done.stdout, done.stderr) == ("Outcome.PASSED\n", "")


def test_more_open_files_are_asked_for_where_the_system_has_them(project: Project) -> None:
    done = run(project, "play", "ulimit -S -n 12;")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("verb", "code"), [("sync", 3), ("sync --check", 3), ("plan --exit-code", 3), ("destroy", 4)])
def test_a_full_disk_behind_the_screen_is_told_when_the_work_is_done(project: Project, verb: str, code: int) -> None:
    if verb == "destroy":
        project.run("sync")
    done = run_after(project, FULL_DISK, verb)
    assert done.code == code
    assert "runner: cannot write: No space left on device\n" in done.err
    assert project.count_objects().get("assistant", 0) == (1 if verb in ("sync", "destroy") else 0)


@pytest.mark.fault("P4")
@pytest.mark.parametrize(("expected", "code"), [("144", 3), ("141", 1)])
async def test_a_disk_that_is_full_in_the_middle_costs_no_result(tmp_path: Path, expected: str, code: int) -> None:
    async with project_elsewhere(tmp_path, create({})) as project:
        for number in range(40):
            project.write_scenario(ASKED.replace("number: 144", f"number: {expected}"), name=f"s{number}")
        done = await asyncio.to_thread(run_after, project, files_of(8192), "play -n 2 --report json=out.json")
    told = {"144": "passed", "141": "failed"}[expected]
    assert done.code == code
    assert re.search(rf"\d+ {told}, .*\d+ not started in", done.out.replace("\n", " ")), done.out[-500:]
    assert "not started: the journal can't be written" in done.out
    assert re.search(r"runner: cannot write the journal \S+journal\.jsonl: File too large\n", done.err)
    assert "Traceback" not in done.err


@pytest.mark.fault("P4")
async def test_a_sync_on_a_full_disk_says_how_far_it_came(tmp_path: Path) -> None:
    async with project_elsewhere(tmp_path, create({})) as project:
        (project.folder / ".runner").mkdir()
        done = await asyncio.to_thread(run_after, project, files_of(0), "sync")
    assert done.code == 3
    assert done.out.splitlines()[-1] == "stopped: 0 created, 0 updated, 0 unchanged"
    assert re.fullmatch(r"runner: cannot write the journal \S+-sync-\d+\.jsonl: File too large\n", done.err)
