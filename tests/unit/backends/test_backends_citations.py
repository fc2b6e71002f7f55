"""Marks out of texts: by offset, and never more than the mark."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.backends.assistants.wire import Annotation, strip_marks
from runner.domain.conversation import FileId

MARK = "【4:0†menu.txt】"
MENU = FileId("file-menu")


def cite(start: int, end: int, mark: str = MARK, file_id: FileId = MENU) -> Annotation:
    return Annotation(start=start, end=end, mark=mark, file_id=file_id)


def test_a_mark_is_stripped_and_its_place_is_kept():
    text, citations = strip_marks(f"It is 39.25{MARK}.", (cite(11, 11 + len(MARK)),), {})
    assert text == "It is 39.25."
    assert [(one.position, one.mark, one.filename) for one in citations] == [(11, MARK, "menu.txt")]


def test_places_after_a_stripped_mark_are_those_in_the_stripped_text():
    raw = f"a{MARK} b{MARK}"
    marks = (cite(1 + len(MARK) + 2, len(raw)), cite(1, 1 + len(MARK)))
    text, citations = strip_marks(raw, marks, {})
    assert text == "a b"
    assert [one.position for one in citations] == [1, 3]


def test_offsets_count_characters_outside_the_basic_plane_as_one():
    raw = f"🍔 39.25{MARK}"
    assert strip_marks(raw, (cite(7, len(raw)),), {})[0] == "🍔 39.25"


def test_one_mark_can_cite_two_files():
    raw = f"x{MARK}y"
    both = (cite(1, 1 + len(MARK)), cite(1, 1 + len(MARK), file_id=FileId("file-other")))
    text, citations = strip_marks(raw, both, {})
    assert text == "xy"
    assert [(one.position, one.mark) for one in citations] == [(1, MARK), (1, MARK)]


@pytest.mark.parametrize(
    "annotation",
    [cite(-3, 4), cite(5, 5), cite(9, 3), cite(0, 9999), cite(0, len(MARK)), cite(9999, 10000)],
    ids=["negative", "empty", "backwards", "too long", "other text there", "far outside"],
)
def test_where_the_offsets_are_wrong_nothing_is_stripped_and_the_citation_stays(annotation):
    raw = f"price: 39.25{MARK}"
    text, citations = strip_marks(raw, (annotation,), {})
    assert text == raw
    assert [(one.file_id, one.mark) for one in citations] == [(MENU, "")]
    assert 0 <= citations[0].position <= len(text)


def test_of_two_marks_that_overlap_the_first_is_stripped():
    raw = f"x{MARK}yz"
    text, citations = strip_marks(raw, (cite(1, 1 + len(MARK)), cite(3, 3 + len(MARK), mark=raw[3:][: len(MARK)])), {})
    assert text == "xyz"
    assert [one.position for one in citations] == [1, 1]


def test_without_a_mark_of_its_own_only_what_looks_like_one_is_stripped():
    raw = f"cake{MARK}"
    assert strip_marks(raw, (cite(4, len(raw), mark=""),), {})[0] == "cake"
    assert strip_marks(raw, (cite(0, 4, mark=""),), {})[0] == raw


def test_the_name_that_a_search_result_gives_wins_over_the_mark():
    raw = "x【1†source】"
    annotation = cite(1, len(raw), mark="【1†source】")
    assert strip_marks(raw, (annotation,), {})[1][0].filename is None
    assert strip_marks(raw, (annotation,), {MENU: "menu.txt"})[1][0].filename == "menu.txt"


@given(
    st.text(alphabet="ab【】†🍔", max_size=30),
    st.lists(st.tuples(st.integers(-5, 40), st.integers(-5, 40), st.sampled_from(["", "【a】", "a"])), max_size=6),
)
def test_no_annotation_breaks_it(text, places):
    annotations = tuple(cite(start, end, mark) for start, end, mark in places)
    stripped, citations = strip_marks(text, annotations, {})
    assert len(citations) == len(annotations)
    assert all(0 <= one.position <= len(stripped) for one in citations)
    assert [one.position for one in citations] == sorted(one.position for one in citations)
