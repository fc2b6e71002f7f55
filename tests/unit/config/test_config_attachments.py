"""Names of attached files: letters of any script, however they are joined, and nothing that hides."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.config import load_configuration
from runner.errors import ConfigError


def attach(tmp_path: Path, name: str) -> str:
    """The name under which a file is attached."""
    (tmp_path / "assistants.yaml").write_text(
        "version: 1\nnamespace: demo\nassistants: {guide: {model: m, tools: [file_search]}}\n", encoding="utf-8"
    )
    escaped = name.encode("unicode_escape").decode() if "\n" in name or "\\" in name else name
    (tmp_path / "one.yaml").write_text(
        f'assistant: guide\nturns:\n  - ask: Hi\n    attach: ["{escaped}"]\n    expect: [contains: x]\n',
        encoding="utf-8",
    )
    (tmp_path / name).write_text("text", encoding="utf-8")
    found = load_configuration(file=None, scenario_paths=("one.yaml",), cwd=tmp_path, environment={})
    return found.scenarios[0].turns[0].attachments[0].name


@pytest.mark.parametrize(
    "name",
    [
        "👩\u200d🚀.txt",
        "می\u200cخواهم.txt",
        "क्\u200dष.md",
        "3.00\u202fPM.txt",
        "全角\u3000空白.txt",
        "a\u00a0b.md",
        "a'b.md",
    ],
)
def test_a_name_in_any_script_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    assert attach(tmp_path, name) == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a\nb.txt", "holds characters that can't be printed"),
        ("\\.txt", "holds a '\\'; write '/' between folders; in a file's name, rename it"),
        ("a\\b.txt", "holds a '\\'"),
    ],
)
def test_a_name_that_would_not_arrive_as_it_is_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        attach(tmp_path, name)
    assert message in str(caught.value)


def test_a_broken_link_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "gone.txt").symlink_to("nowhere.txt")
    with pytest.raises(ConfigError, match=r"it is a link to 'nowhere\.txt', which is not there"):
        attach_link(tmp_path)


def attach_link(tmp_path: Path) -> None:
    (tmp_path / "assistants.yaml").write_text(
        "version: 1\nnamespace: demo\nassistants: {guide: {model: m, tools: [file_search], files: [gone.txt]}}\n"
    )
    load_configuration(file=None, scenario_paths=None, cwd=tmp_path, environment={})
