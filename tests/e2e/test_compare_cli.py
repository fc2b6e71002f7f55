"""`runner compare`, `runner report` and `play --baseline` as users run them."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import jsonschema_rs
import pytest
from junitparser import JUnitXml
from markdown_it import MarkdownIt
from play_project import Project, make_project

from runner.reporting import report_schema


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project")


def write(project: Project, number: int, *, right: bool, golden: bool = False) -> None:
    project.write_scenario(
        f"assistant: guide\ngolden: {str(golden).lower()}\nturns:\n  - ask: What is {number} times 12?\n"
        f"    expect: [number: {number * 12 if right else 1}]\n",
        name=f"times{number}",
    )


def play_twice(project: Project, numbers: range, *, golden: bool = False) -> None:
    """old.json has all of them passed, new.json none."""
    for right, name in ((True, "old.json"), (False, "new.json")):
        for number in numbers:
            write(project, number, right=right, golden=golden)
        done = project.run("play", "--report", f"json={name}")
        assert done.code == (0 if right else 1), done.out + done.err


def test_a_regression_closes_the_gate_and_chance_does_not(project: Project) -> None:
    play_twice(project, range(2, 4))
    open_ = project.run("compare", "old.json", "new.json", "--fail-on", "regression")
    assert open_.code == 3
    assert (
        "neither proven nor ruled out: times2 is broken, which may be chance: 3 more repeats would decide" in open_.err
    )
    assert project.run("compare", "old.json", "new.json").code == 0
    first, _, summary, cure = open_.out.splitlines()
    assert first.startswith("broken times2 1/1 → 0/1 · inconclusive: 3 more repeats would decide")
    assert summary.startswith("2 broken; all together: inconclusive (p = 0.25"), "one number alone"
    paths = "scenarios/times2.yaml::times2 scenarios/times3.yaml::times3"
    assert cure == f"to decide: runner play {paths} --repeat 4 --every-repeat, before the change and after it"
    assert project.run("compare", "old.json", "new.json", "--fail-on", "any").code == 1


def test_what_would_decide_decides(project: Project) -> None:
    for right, name in ((True, "old.json"), (False, "new.json")):
        write(project, 2, right=right)
        project.run("play", "--repeat", "4", "--every-repeat", "--report", f"json={name}")
    closed = project.run("compare", "old.json", "new.json", "--fail-on", "regression")
    assert (closed.code, closed.out.splitlines()[0].startswith("broken times2 4/4 → 0/4 · broken (p = 0.0286)")) == (
        1,
        True,
    )
    write(project, 2, right=True)
    once = project.run("play", "--repeat", "4", "--report", "json=new.json")
    assert project.run("compare", "old.json", "new.json", "--fail-on", "regression").code == once.code == 0


def test_what_came_to_no_verdict_opens_no_gate(project: Project) -> None:
    play_twice(project, range(2, 3))
    project.write_scenario("assistant: guide\nturns: [{ask: Who are you?, expect: [contains: x]}]", name="times2")
    assert project.run("play", "--report", "json=new.json").code == 3
    done = project.run("compare", "old.json", "new.json", "--fail-on", "regression")
    assert (done.code, "times2 passed, and came to no verdict now" in done.err) == (3, True)


def test_what_a_killed_play_has_no_result_of_opens_no_gate(project: Project) -> None:
    write(project, 2, right=True)
    write(project, 3, right=True)
    assert project.run("play", "--report", "json=old.json").code == 0
    (results,) = project.folder.glob(".runner/plays/*/results.jsonl")
    results.write_text("".join(line for line in results.read_text().splitlines(True) if "times2" not in line))
    done = project.run("compare", "old.json", "latest", "--fail-on", "regression")
    assert (done.code, "ruled out: the new play has no result of 1 scenario" in done.err) == (3, True), done.err


def test_five_of_five_broken_is_a_regression(project: Project) -> None:
    play_twice(project, range(2, 7))
    assert project.run("compare", "old.json", "new.json").code == 0
    closed = project.run("compare", "old.json", "--fail-on", "regression")
    assert closed.code == 1
    assert "5 broken; all together: broken (p = 0.0312, McNemar, mid-p)" in closed.out
    fixed = project.run("compare", "new.json", "old.json", "--fail-on", "regression")
    assert (fixed.code, "5 fixed; all together: fixed (p = 0.0312" in fixed.out) == (0, True)


def test_it_is_told_as_json_and_as_markdown(project: Project) -> None:
    play_twice(project, range(2, 4))
    told = json.loads(project.run("compare", "old.json", "new.json", "--format", "json").out)
    assert (told["version"], told["counts"]["broken"], told["verdict"]) == (1, 2, "inconclusive")
    assert told["scenarios"][0]["old"]["passes"] == 1
    text = project.run("compare", "old.json", "new.json", "--format", "markdown").out
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    assert sum(token.type == "tr_open" for token in tokens) == 3
    assert text.count("- **not ruled out**: times") == len(told["undecided"]) == 2
    assert f"to decide: {told['to_decide']}, before the change" in text
    cut = json.loads((project.folder / "new.json").read_text())
    (project.folder / "cut.json").write_text(json.dumps(cut | {"signal": 2, "planned": 9}))
    note = "the new play did not come to its end (it was interrupted by signal 2): 7 of 9 are missing"
    assert f"note: {note}\n" in project.run("compare", "old.json", "cut.json").out
    open_ = project.run("compare", "new.json", "cut.json", "--fail-on", "regression")
    assert (open_.code, "the new play has no result of 7 scenarios" in open_.err) == (3, True)
    assert json.loads(project.run("compare", "old.json", "cut.json", "--format", "json").out)["notes"] == [note]
    assert "7 of 9 are missing" in project.run("compare", "old.json", "cut.json", "--format", "markdown").out


def test_golden_scenarios_close_it_alone_at_the_end_of_a_play_too(project: Project) -> None:
    play_twice(project, range(2, 3), golden=True)
    closed = project.run("compare", "old.json", "new.json", "--fail-on", "regression")
    assert (closed.code, "regression: golden scenario times2 does not pass any more" in closed.out) == (1, True)
    summary = project.folder / "summary.md"
    on_ci = replace(
        project, environment={**project.environment, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    )
    kinds = [f"--report={kind}" for kind in ("json", "html", "markdown", "junit", "ctrf")]
    played = on_ci.run("play", "--baseline", "old.json", *kinds)
    assert played.code == 1
    ends = ("json", "html", "md", "junit.xml", "ctrf.json")
    for path in (summary, *(project.folder / f"report.{end}" for end in ends)):
        told = path.read_text("utf-8")
        assert told.count("compared with old.json") == 1, path
        assert "golden scenario times2 does not pass any more" in told, path
    assert project.run("report", "report.json").out.count("compared with old.json:") == 1
    assert "compared with old.json:" in played.out
    assert "regression: golden scenario times2 does not pass any more" in played.out
    write(project, 3, right=True)
    (project.folder / "scenarios" / "times2.yaml").unlink()
    without = project.run("play", "--baseline", "old.json")
    assert (without.code, "regression: golden scenario times2 is gone" in without.out) == (1, True)
    assert project.run("play", "scenarios/times3.yaml", "--baseline", "old.json").code == 0


def test_why_a_baseline_may_not_be_alike_is_told_at_the_end_of_a_play_too(project: Project) -> None:
    play_twice(project, range(2, 4))
    sharded = project.run("play", "--shard", "1/2", "--report", "json=shard.json")
    assert sharded.code == 1
    done = project.run("play", "--baseline", "shard.json")
    assert "note: the old play is a shard (1/2 of division " in done.out


def test_the_project_s_file_can_name_the_baseline_which_need_not_be_there_yet(project: Project) -> None:
    file = project.folder / "assistants.yaml"
    file.write_text(file.read_text() + "baseline: reports/base.json\n")
    write(project, 2, right=True)
    first = project.run("play", "--report", "json=reports/base.json")
    assert (first.code, "compared with" in first.out) == (0, False)
    again = project.run("play", "--report", "json=reports/base.json")
    assert (again.code, "compared with reports/base.json:" in again.out) == (0, True)
    assert "1 of 1 the same: nothing broke, nothing was fixed" in again.out
    assert "p =" not in again.out
    missing = project.run("play", "--baseline", "missing.json")
    assert (missing.code, "`runner play --report json=missing.json` makes one; `baseline:` in" in missing.err) == (
        2,
        True,
    )


def test_a_baseline_that_is_not_there_yet_is_told_wherever_a_comparison_would_be(project: Project) -> None:
    file = project.folder / "assistants.yaml"
    line = file.read_text().count("\n") + 1
    (project.folder / "reports").mkdir()
    file.write_text(file.read_text() + "baseline: reports/basline.json\n")
    write(project, 2, right=True)
    summary = project.folder / "summary.md"
    on_ci = {**project.environment, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    first = replace(project, environment=on_ci).run("play", "--report", "json=reports/baseline.json")
    told = (
        f"no baseline yet: reports/basline.json isn't there (assistants.yaml:{line}:11); nothing was compared; "
        "`runner play --report json=reports/basline.json` makes one"
    )
    assert (first.code, first.out.splitlines()[-1]) == (0, told)
    assert "no baseline yet" in summary.read_text()
    assert project.run("play").out.splitlines()[-1] == f"{told}; did you mean 'reports/baseline.json'?"
    note = f"{told.replace('nothing was compared; ', '')}; did you mean 'reports/baseline.json'?"
    assert project.run("validate").out.splitlines()[-1] == f"note: {note}"
    made = project.run("play", "--report", "json=reports/basline.json")
    assert made.out.splitlines()[-1].count("nothing was compared; this play makes it") == 1
    assert project.run("validate").out.splitlines()[-1].endswith(": valid")


def test_what_has_no_verdict_any_more_closes_the_gate_of_a_play_too(project: Project) -> None:
    for number in (2, 3):
        write(project, number, right=True)
    project.run("play", "--report", "json=old.json")
    path = project.folder / "scenarios" / "times2.yaml"
    path.write_text("skip: later\n" + path.read_text())
    done = project.run("play", "--baseline", "old.json", "--report", "json=new.json")
    assert (done.code, "unjudged times2 1/1 → skipped (later) · not compared" in done.out) == (3, True), done.out
    assert done.out.splitlines()[-1].endswith("ruled out: times2 passed, and is skipped now: later")
    assert project.run("compare", "old.json", "new.json", "--fail-on", "regression").code == 3
    project.write_scenario("assistant: guide\nturns: [{ask: Who are you?, expect: [contains: x]}]", name="times2")
    declined = project.run("play", "--allow-declines", "--baseline", "old.json")
    assert (declined.code, "times2 passed, and was declined now, which is skipped" in declined.out) == (3, True)


def test_what_a_selection_would_have_played_is_gone_and_what_it_leaves_out_is_not(project: Project) -> None:
    for number in (2, 3, 4):
        write(project, number, right=True, golden=number == 2)
    project.run("play", "--report", "json=old.json")
    for number in (2, 3):
        (project.folder / "scenarios" / f"times{number}.yaml").unlink()
    whole = project.run("play", "scenarios", "--baseline", "old.json")
    assert (whole.code, "golden scenario times2 is gone" in whole.out) == (1, True)
    assert "gone times3 was 1/1" in whole.out
    part = project.run("play", "-k", "times4", "--baseline", "old.json")
    assert (part.code, "1 of 1 the same" in part.out) == (0, True)
    path = project.folder / "scenarios" / "times4.yaml"
    path.write_text("tags: [slow]\n" + path.read_text())
    write(project, 5, right=True)
    retagged = project.run("play", "-m", "not slow", "-k", "4 or 5", "--baseline", "old.json")
    assert "note: still there, but chosen no more, since the tags are others: times4" in retagged.out


def test_a_kept_play_and_a_report_know_which_selection_they_are(project: Project) -> None:
    for number in (2, 3):
        write(project, number, right=True, golden=True)
    project.run("play", "--report", "json=old.json")
    project.run("play", "-k", "times2", "--report", "json=new.json")
    for new in ("latest", "new.json"):
        done = project.run("compare", "old.json", new, "--fail-on", "regression")
        assert (done.code, "note: the new play is a selection (-k times2)" in done.out) == (0, True), done.out
        assert "not compared: 1 scenario of the old play, not asked for in the new one, or cut off there" in done.out
    (project.folder / "scenarios" / "times2.yaml").unlink()
    project.run("play", "-k", "times", "--report", "json=new.json")
    done = project.run("compare", "old.json", "new.json", "--fail-on", "regression")
    assert (done.code, "golden scenario times2 is gone" in done.out) == (1, True), done.out


def test_a_play_with_itself_proves_nothing_and_the_one_before_has_a_word(project: Project) -> None:
    write(project, 2, right=False)
    write(project, 3, right=True)
    project.run("play", "--report", "json=report.json")
    assert project.run("compare", "previous", "--fail-on", "any").code == 5
    same = project.run("compare", "latest", "report.json", "--fail-on", "any")
    assert (same.code, "note: both are the same play" in same.out) == (3, True), same.out
    project.run("play")
    before = project.run("compare", "previous", "--fail-on", "any")
    assert (before.code, "note: failed before, and fails now: times2" in before.out) == (0, True), before.out


def test_a_baseline_that_git_tracks_outlives_a_play_that_plays_nothing(project: Project) -> None:
    write(project, 2, right=True)
    for name in ("base.json", "other.json"):
        project.run("play", "--report", f"json={name}")
    for command in ("init -q", "add -f base.json"):
        subprocess.run(["git", *command.split()], cwd=project.folder, check=True, capture_output=True)
    kept, other = project.folder / "base.json", project.folder / "other.json"
    names = [f"--report=json={one.name}" for one in (kept, other)]
    assert project.run("play", *names, "-k", "zebra").code == 5
    assert (kept.exists(), other.exists()) == (True, False)
    project.write_scenario("asistant: guide", name="times2")
    assert project.run("play", *names).code == 2
    assert project.run("play", *names, "--bogus").code == 2
    assert kept.exists()


def test_a_report_at_a_git_ref_is_compared_with(project: Project) -> None:
    play_twice(project, range(2, 3))
    for command in ("init -q", "add -f old.json", "-c user.name=t -c user.email=t@t commit -qm kept"):
        subprocess.run(["git", *command.split()], cwd=project.folder, check=True, capture_output=True)
    (project.folder / "old.json").unlink()
    done = project.run("compare", "HEAD:old.json", "new.json")
    assert (done.code, done.out.startswith("broken times2")) == (0, True)
    missing = project.run("compare", "HEAD:other.json", "new.json")
    assert (missing.code, "HEAD:other.json" in missing.err) == (2, True)
    file = project.folder / "assistants.yaml"
    text = file.read_text()
    file.write_text(text + "baseline: HEAD:odl.json\n")
    note = project.run("validate").out.splitlines()[-1]
    assert note.startswith("note: no baseline yet: HEAD:odl.json isn't there (assistants.yaml:")
    assert note.endswith("did you mean 'HEAD:old.json'?")
    file.write_text(text + "baseline: HEAD:old.json\n")
    below = replace(project, folder=project.folder / "scenarios").run("validate")
    assert (below.code, "no baseline yet" in below.out) == (0, False), "it is named from the project's root"
    file.write_text(text + "baseline: mian:old.json\n")
    assert project.run("play").code == 2


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("asistants.yaml", 2, "there is no file asistants.yaml, but there is assistants.yaml; `runner play"),
        ("gone.json", 2, "there is no file gone.json"),
        ("city.md", 2, "city.md is no JSON report of runner"),
        ("20200101T000000Z-000000", 5, "no play is kept under .runner/plays, and there is no file"),
        ("earlier.json", 2, "is a report of version 2; this program reads version 3"),
        ("half.json", 2, "something missing or wrong"),
        ("-x:old.json", 2, "-x"),
    ],
)
def test_what_can_t_be_compared_is_told(project: Project, source: str, code: int, words: str) -> None:
    (project.folder / "earlier.json").write_text('{"generator": "assistant-runner report", "version": 2}')
    (project.folder / "half.json").write_text('{"generator": "assistant-runner report", "version": 3}')
    done = project.run("compare", "--", source, "latest")
    assert (done.code, words in done.err) == (code, True), done.err


def test_a_kept_play_is_told_again_in_any_kind(project: Project) -> None:
    write(project, 2, right=True)
    write(project, 3, right=False)
    played = project.run("play", "--report", "json=first.json")
    kinds = ("json", "junit", "html", "csv", "ctrf", "markdown")
    done = project.run("report", "latest", *(f"--report={kind}=again/{kind}" for kind in kinds))
    assert done.out.splitlines() == [f"{kind} report: again/{kind}" for kind in kinds]
    again = json.loads((project.folder / "again" / "json").read_text())
    assert again == json.loads((project.folder / "first.json").read_text())
    jsonschema_rs.validator_for(json.loads(report_schema())).validate(again)
    assert JUnitXml.fromfile(str(project.folder / "again" / "junit")).failures == 1
    from_file = project.run("report", "first.json", "--report", "html=from_file.html")
    assert from_file.code == 0
    assert (project.folder / "from_file.html").read_text() == (project.folder / "again" / "html").read_text()
    shown = project.run("report", "-q")
    assert shown.out.splitlines()[-1] == played.out.splitlines()[-1]
    assert project.run("report", "first.json", "--report", "json=first.json").code == 2


KINDS = ("json", "junit", "html", "csv", "ctrf", "markdown")


def told(project: Project, folder: str) -> dict[str, str]:
    return {kind: (project.folder / folder / kind).read_text("utf-8") for kind in KINDS}


def reports_in(folder: str) -> list[str]:
    return [f"--report={kind}={folder}/{kind}" for kind in KINDS]


def test_a_play_that_went_on_is_told_again_as_it_told_itself(project: Project) -> None:
    for number in range(2, 6):
        write(project, number, right=number != 2)
    project.write_scenario(
        "assistant: guide\nrepeat: 2\npass_at_least: 1\nturns: [{ask: 'What is 7 times 12?', expect: [number: 1]}]\n",
        name="aaa",
    )
    assert project.run("play", "-x", "-n", "1").code == 1
    assert project.run("play", "--resume", "latest", "--fail-on-flaky", *reports_in("own")).code == 1
    assert json.loads(told(project, "own")["json"])["counts"]["not_started"] == 0
    assert project.run("report", "latest", *reports_in("kept")).code == 0
    assert project.run("report", "own/json", *reports_in("read")).code == 0
    assert told(project, "kept") == told(project, "own")
    assert told(project, "read") == told(project, "own")


def test_merged_shards_are_told_again_as_they_were_merged(project: Project) -> None:
    for number in range(2, 5):
        write(project, number, right=number != 2)
    for number in (1, 2):
        project.run("play", "--shard", f"{number}/2", "--report", f"json=shard{number}.json")
    assert project.run("merge", "shard1.json", "shard2.json", *reports_in("merged")).code == 1
    merged = json.loads(told(project, "merged")["json"])
    assert [one["definition"] in merged["definitions"] for one in merged["scenarios"]] == [True] * 3
    assert project.run("report", "merged/json", *reports_in("read")).code == 0
    assert told(project, "read") == told(project, "merged")


def test_a_flaky_scenario_counts_as_it_did(project: Project) -> None:
    write(project, 2, right=True)
    assert project.run("play", "--fail-on-flaky", "--report", "json=flaky.json").code == 0
    report = json.loads((project.folder / "flaky.json").read_text())
    report["scenarios"][0]["outcome"] = "flaky"
    (project.folder / "flaky.json").write_text(json.dumps(report))
    assert project.run("report", "flaky.json", "--report", "junit=flaky.xml").code == 0
    assert JUnitXml.fromfile(str(project.folder / "flaky.xml")).failures == 1
