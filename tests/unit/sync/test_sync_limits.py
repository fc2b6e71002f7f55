"""What a target's API would refuse is found offline, all of it at once; a plan in Markdown is harmless."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from sync_memory import make_assistant, make_file

from runner.backends import Limits
from runner.domain.files import FileUse
from runner.escaping import markdown
from runner.sync import find_excesses

TABLE = ["<table", "<thead", "<tr", "<th", "<tbody", "<tr", "<td"]


def test_everything_that_the_api_would_refuse_is_named_at_its_place(tmp_path: Path) -> None:
    files = tuple(make_file(tmp_path / f"{n}.csv", use=FileUse.CODE_INTERPRETER) for n in range(3))
    guide = replace(make_assistant(files=files, metadata={f"k{n}": "v" for n in range(13)}), name="x" * 11)
    limits = Limits(name_characters=10, instructions_characters=5, code_files=2, tools=1)

    problems = find_excesses([make_assistant("fine", instructions="ok"), guide], limits, target="there")

    lines = [str(problem) for problem in problems if "guide" in problem.path]
    assert lines == [
        "assistants.yaml:1:1: assistants.guide.name: 11 characters; target 'there' takes 10; shorten it",
        "assistants.yaml:1:1: assistants.guide.instructions: 11 characters; target 'there' takes 5; shorten it",
        "assistants.yaml:1:1: assistants.guide.tools: 2; target 'there' takes 1; remove some",
        "assistants.yaml:1:1: assistants.guide.files: 3; target 'there' takes 2 for code_interpreter; remove some",
        "assistants.yaml:1:1: assistants.guide.metadata: 13; target 'there' takes 12 beside 4 of ours; remove some",
    ]


@pytest.mark.parametrize("text", ["a | b", "```", "![x](http://e.org)", "<img src=x>", "[x](javascript:1)", "# a\n- b"])
def test_no_markup_comes_of_what_is_shown_in_markdown(text: str) -> None:
    shown = markdown(text)
    assert "\n" not in shown
    assert re.findall(r"<\w+", MarkdownIt("commonmark").enable("table").render(f"| a |\n|---|\n| {shown} |\n")) == TABLE
    assert re.findall(r"<\w+", MarkdownIt("commonmark").enable("table").render(shown)) == ["<p"]


def test_nobody_is_mentioned_and_nothing_is_linked_to_by_a_plan() -> None:
    assert "@all" not in markdown("see @all")
    assert "#12" not in markdown("fixes #12")
    assert "https://" not in markdown("https://example.org")
