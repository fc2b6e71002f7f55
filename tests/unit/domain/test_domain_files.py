"""What an attachment is used for when nobody says."""

from __future__ import annotations

import pytest

from runner.domain.files import choose_use

BOTH = frozenset({"code_interpreter", "file_search"})
CODE = frozenset({"code_interpreter"})
SEARCH = frozenset({"file_search"})
NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("name", "tools", "use"),
    [
        ("letter.pdf", BOTH, "file_search"),
        ("letter.PDF", SEARCH, "file_search"),
        ("letter.pdf", CODE, "input"),
        ("letter.pdf", NONE, "input"),
        ("data.csv", BOTH, "code_interpreter"),
        ("data.csv", SEARCH, "input"),
        ("data.json", BOTH, "file_search"),
        ("data.json", CODE, "code_interpreter"),
        ("photo.png", BOTH, "input"),
        ("photo.webp", NONE, "input"),
        ("model.pkl", BOTH, "code_interpreter"),
        ("script.py", CODE, "code_interpreter"),
        ("archive.zip", CODE, "code_interpreter"),
    ],
)
def test_search_comes_first_then_code_for_data_then_the_model_itself(name, tools, use):
    chosen = choose_use(name, tools=tools, may_be_input=True)
    assert chosen is not None
    assert chosen.value == use


@pytest.mark.parametrize(
    ("name", "tools"), [("model.pkl", SEARCH), ("script.py", NONE), ("song.mp3", BOTH), ("README", BOTH)]
)
def test_what_nothing_fits_has_no_use(name, tools):
    assert choose_use(name, tools=tools, may_be_input=True) is None


@pytest.mark.parametrize(
    ("name", "tools", "use"),
    [("letter.pdf", CODE, "code_interpreter"), ("photo.png", CODE, "code_interpreter"), ("letter.pdf", NONE, None)],
)
def test_standing_files_are_never_the_model_s_input(name, tools, use):
    chosen = choose_use(name, tools=tools, may_be_input=False)
    assert (chosen.value if chosen else None) == use
