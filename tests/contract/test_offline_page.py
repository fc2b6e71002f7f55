"""The page on the offline rules says what they do: each of its questions is asked."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from offline_talk import Talk

PAGE = (Path(__file__).parents[2] / "docs/offline.md").read_text("utf-8")
(DOCUMENT,) = re.findall(r"```text\n(.+?)```", PAGE, re.DOTALL)
ANSWERED, DECLINED = (
    re.findall(r"^\| (?!Question)(?!-)(.+?) \| (.+?) \|$", table.split("\n\n")[0], re.MULTILINE)
    for table in PAGE.split("| Question |")[1:]
)
LINES = re.findall(r"^\| (`.+`) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    path = tmp_path / "notes.txt"
    path.write_text(DOCUMENT, encoding="utf-8")
    opened = Talk(tmp_path, [path])
    yield opened
    await opened.close()


@pytest.mark.parametrize(("question", "words"), ANSWERED)
async def test_what_the_page_says_is_answered_is_answered(talk: Talk, question: str, words: str) -> None:
    answer = await talk.ask(question)
    assert not answer.declined, answer.text
    assert words in answer.text


@pytest.mark.parametrize("question", [question for question, _ in DECLINED])
async def test_what_the_page_says_is_declined_is_declined(talk: Talk, question: str) -> None:
    assert (await talk.ask(question)).declined


@pytest.mark.parametrize(("lines", "question", "words"), LINES)
async def test_what_the_page_says_of_a_document_s_form_is_so(
    tmp_path: Path, lines: str, question: str, words: str
) -> None:
    path = tmp_path / "notes.md"
    path.write_text("\n\n".join(["# Notes", *re.findall("`(.+?)`", lines.replace("\\|", "|"))]), encoding="utf-8")
    talk = Talk(tmp_path, [path])
    answer = await talk.ask(question)
    await talk.close()
    assert answer.declined is words.startswith("declined: "), answer.text
    assert answer.declined or words in answer.text
