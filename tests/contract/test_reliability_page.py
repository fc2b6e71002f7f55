"""Every fault of the list has a test, and no test names one that isn't there."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
import make_reliability


def test_every_row_has_a_test() -> None:
    text = make_reliability.make()["docs/reliability.md"]
    assert "**none**" not in text, re.findall(r"^\| (\w+) .*\*\*none\*\*", text, re.MULTILINE)


def test_every_mark_is_of_a_row() -> None:
    known = {row for rows in make_reliability.ROWS.values() for row in rows}
    assert {row for row, _ in make_reliability._find_tests()} <= known
