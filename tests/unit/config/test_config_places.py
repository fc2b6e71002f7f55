"""Which scenarios a command line means: files, folders, globs, and places that messages show."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from runner.config import load_configuration
from runner.errors import ConfigError, NothingFound, UsageError

ONE = "assistant: guide\nturns:\n  - ask: Hello?\n    expect: [contains: Hello]\n"
ROWS = """\
defaults:
  assistant: guide
scenarios:
  - name: first row
    turns:
      - ask: One?
        expect: [contains: one]

  # about the second
  - name: second
    turns:
      - ask: |
          Two
          lines?
        expect: [contains: two]
  - {name: "Dritte Zeile", turns: [{ask: "Three?", expect: [contains: three]}]}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "assistants.yaml").write_text("version: 1\nnamespace: demo\nassistants: {guide: {model: m}}\n")
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "rows.yaml").write_text(ROWS)
    return tmp_path


def names(project: Path, *asked: str) -> list[str]:
    found = load_configuration(file=None, scenario_paths=asked, cwd=project, environment={})
    return [scenario.name for scenario in found.scenarios]


def refusal(project: Path, *asked: str) -> str:
    with pytest.raises(UsageError) as caught:
        names(project, *asked)
    return str(caught.value)


def write(path: Path, text: str = ONE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["two.YAML", "three.Yml", "four.yml", "five.YaML"])
def test_an_ending_in_capitals_is_that_of_a_scenario_file(project: Path, name: str) -> None:
    write(project / "scenarios" / name)

    assert Path(name).stem in names(project)
    assert Path(name).stem in names(project, "scenarios/*")


def test_a_linked_folder_is_a_folder(project: Path) -> None:
    write(project / "more" / "linked.yaml")
    (project / "scenarios" / "there").symlink_to("../more", target_is_directory=True)

    assert "linked" in names(project)
    assert "linked" in names(project, "scenarios/*")


def test_folders_that_are_linked_in_a_circle_are_read_once(project: Path) -> None:
    write(project / "scenarios" / "deep" / "bill.yaml")
    (project / "scenarios" / "a-link").symlink_to("deep", target_is_directory=True)
    (project / "scenarios" / "deep" / "up").symlink_to("..", target_is_directory=True)

    found = load_configuration(file=None, scenario_paths=(), cwd=project, environment={})

    files = [scenario.location.file for scenario in found.scenarios]
    assert sorted(set(files)) == ["scenarios/deep/bill.yaml", "scenarios/rows.yaml"]
    assert files.count("scenarios/deep/bill.yaml") == 1


def test_a_link_that_leads_into_the_wide_world_is_not_followed_for_ever(project: Path, monkeypatch) -> None:
    monkeypatch.setattr("runner.config.paths._MOST_FOLDERS", 3)
    for number in range(4):
        (project / "world" / str(number)).mkdir(parents=True)
    (project / "scenarios" / "there").symlink_to("../world", target_is_directory=True)

    assert "does a link lead out of the project?" in refusal(project)


def test_a_folder_that_a_glob_matches_is_read(project: Path) -> None:
    write(project / "scenarios" / "more" / "bill.yaml")

    assert names(project, "scenarios/m*") == ["bill"]


def test_a_broken_link_is_called_one(project: Path) -> None:
    (project / "scenarios" / "gone").symlink_to("../nowhere", target_is_directory=True)
    assert "gone' is a link to '../nowhere', which is not there" in refusal(project)

    (project / "scenarios" / "gone").unlink()
    (project / "scenarios" / "bill.yaml").symlink_to("../bill.yaml")
    wanted = (
        "scenarios/bill.yaml:1:1: this is a link to '../bill.yaml', which is not there; mend the link, or remove it"
    )
    assert refusal(project) == wanted
    assert refusal(project, "scenarios/bill.yaml") == wanted


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_told(project: Path) -> None:
    (project / "scenarios" / "locked").mkdir(mode=0o000)

    assert "locked' can't be read" in refusal(project)


@pytest.mark.parametrize("asked", ["", " ", "\t"])
def test_an_empty_path_is_not_the_folder_it_stands_in(project: Path, asked: str) -> None:
    assert refusal(project, asked) == "one of the paths is empty; is a variable unset?"
    assert refusal(project, "scenarios/rows.yaml", asked) == "one of the paths is empty; is a variable unset?"


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (":4", "first row"),
        (":6:14", "first row"),
        (":8", "first row"),
        (":10:5:", "second"),
        (":14", "second"),
        (":16", "Dritte Zeile"),
        ("::second", "second"),
        ("::SECOND", "second"),
        ("::first row", "first row"),
        ("::Dritte Zeile", "Dritte Zeile"),
    ],
)
def test_a_place_in_a_file_is_the_scenario_that_stands_there(project: Path, place: str, name: str) -> None:
    assert names(project, f"scenarios/rows.yaml{place}") == [name]


def test_places_add_up_and_a_whole_file_is_more(project: Path) -> None:
    rows = "scenarios/rows.yaml"
    assert names(project, f"{rows}:16", f"{rows}:4", f"{rows}::first row") == ["first row", "Dritte Zeile"]
    assert len(names(project, f"{rows}:16", rows)) == 3
    assert len(names(project, "scenarios", f"{rows}:16")) == 3


@pytest.mark.parametrize("line", [1, 3, 4])
def test_any_line_of_a_file_with_one_scenario_is_that_one(project: Path, line: int) -> None:
    write(project / "one.yaml")

    assert names(project, f"one.yaml:{line}") == ["one"]


def test_a_line_after_the_scenarios_is_in_none_of_them(project: Path) -> None:
    write(
        project / "scenarios" / "rows.yaml",
        "scenarios:\n" + ROWS.partition("scenarios:\n")[2] + "defaults:\n  assistant: guide\n",
    )

    assert names(project, "scenarios/rows.yaml:14") == ["Dritte Zeile"]
    assert refusal(project, "scenarios/rows.yaml:16") == (
        "scenarios/rows.yaml:16 is in no scenario; they begin on lines 2, 8, 14"
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("scenarios/rows.yaml:2", "scenarios/rows.yaml:2 is in no scenario; they begin on lines 4, 10, 16"),
        ("scenarios/rows.yaml:99", "scenarios/rows.yaml has 16 lines, and no line 99; scenarios begin on 4, 10, 16"),
        ("scenarios/rows.yaml::secnod", "there is no scenario 'secnod' in scenarios/rows.yaml; did you mean 'second'?"),
        ("scenarios:3", "'scenarios:3': a line or a name goes with one file; use -k to choose by name"),
        ("scenarios/*.yaml::second", "a line or a name goes with one file; use -k to choose by name"),
        (
            "scenarios/row.yaml:3",
            "there is no file or folder 'scenarios/row.yaml'; did you mean 'scenarios/rows.yaml'?",
        ),
        ("scenarios/row.yaml", "there is no file or folder 'scenarios/row.yaml'; did you mean 'scenarios/rows.yaml'?"),
        ("scenario/row.yaml", "did you mean 'scenarios/rows.yaml'?"),
        ("scenarios/rows.yaml:0", "there is no file or folder 'scenarios/rows.yaml:0'"),
        ("elsewhere/rows.yaml", "there is no file or folder 'elsewhere/rows.yaml'"),
    ],
)
def test_a_place_that_is_not_there_is_told_with_its_folder(project: Path, asked: str, message: str) -> None:
    assert message in refusal(project, asked)


def test_a_file_whose_name_looks_like_a_place_is_that_file(project: Path) -> None:
    write(project / "scenarios" / "rows.yaml:4", f"name: odd\n{ONE}")

    assert names(project, "scenarios/rows.yaml:4") == ["odd"]


def test_the_suggestion_for_the_projects_file_keeps_the_folder(project: Path) -> None:
    write(project / "sub" / "assistants.yaml")
    with pytest.raises(UsageError, match=re.escape("did you mean 'sub/assistants.yaml'?")):
        load_configuration(file=Path("sub/asistants.yaml"), scenario_paths=None, cwd=project, environment={})


@pytest.mark.parametrize("name", ["Assistants.yaml", "assistants.YML", "assistant.yaml"])
def test_a_projects_file_of_another_name_is_told(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, "version: 1\n")

    with pytest.raises(UsageError, match=re.escape(f"rename {name}, or use `-f {name}`")):
        load_configuration(file=None, scenario_paths=None, cwd=tmp_path, environment={})


def test_a_line_break_in_a_files_name_splits_no_message(project: Path) -> None:
    write(project / "scenarios" / "a\nb.yaml", "turns: []\n")
    with pytest.raises(ConfigError) as caught:
        names(project)
    lines = str(caught.value).splitlines()
    assert lines
    assert all(line.startswith("scenarios/a\\nb.yaml:1:") for line in lines)

    for asked in ("scenarios/a\nc.yaml", "x\ny/*.yaml", "scenarios/a\nb.yaml::x"):
        with pytest.raises((UsageError, NothingFound)) as caught_too:
            names(project, asked)
        assert all(line.startswith("scenarios/a\\nb.yaml:1:") for line in str(caught_too.value).splitlines()[1:])
