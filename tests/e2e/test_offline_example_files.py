"""The examples' PDFs: made by the script beside them, the same every time, and read for what they say."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from offline_talk import Talk

from runner.server.extraction import extract_text

FILES = Path(__file__).parents[2] / "scenarios" / "files"
QUESTION = "I had the burger and soda, how much should I pay for this meal?"


@pytest.fixture
def script() -> dict[str, Any]:
    return runpy.run_path(str(FILES / "make_files.py"))


@pytest.mark.parametrize("name", ["receipt", "ticket"])
def test_the_script_makes_the_files_that_are_kept(script: dict[str, Any], name: str, tmp_path: Path) -> None:
    made = [tmp_path / "first.pdf", tmp_path / "second.pdf"]
    for path in made:
        script[f"make_{name}"]().output(str(path))

    assert made[0].read_bytes() == made[1].read_bytes()
    assert extract_text(made[0], "made.pdf") == extract_text(FILES / f"{name}.pdf", "kept.pdf")


async def test_another_price_on_the_receipt_is_another_answer(script: dict[str, Any], tmp_path: Path) -> None:
    cheaper = [(count, name, "14.00" if name == "Soda" else price) for count, name, price in script["MEAL"]]
    script["make_receipt"](cheaper).output(str(tmp_path / "receipt.pdf"))
    talk = Talk(tmp_path, [tmp_path / "receipt.pdf"])

    answer = await talk.ask(QUESTION)
    await talk.close()

    assert answer.text.endswith("$37.75.")


async def test_a_thing_that_is_taken_off_the_receipt_is_missed(script: dict[str, Any], tmp_path: Path) -> None:
    without = [row for row in script["MEAL"] if row[1] != "Soda"]
    script["make_receipt"](without).output(str(tmp_path / "receipt.pdf"))
    talk = Talk(tmp_path, [tmp_path / "receipt.pdf"])

    answer = await talk.ask(QUESTION)
    await talk.close()

    assert answer.declined
    assert "'soda'" in answer.text
