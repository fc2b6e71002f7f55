"""Nothing is believed for being in an answer."""

from __future__ import annotations

import pytest

from runner.backends import _json_fields as reading


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "it is empty"),
        (b"{", "it is not JSON"),
        (b"\xff\xfe\x00", "it is not JSON"),
        (b"[]", "it is a list, not an object"),
        (b"null", "it is missing, not an object"),
        (b"true", "it is true or false, not an object"),
        (b"[" * 100_000, "it is not JSON"),
    ],
)
def test_what_is_no_object_is_named(content, what):
    with pytest.raises(reading.Malformed, match=what):
        reading.read_object(content)


@pytest.mark.parametrize("value", ["resp_" + "Ym9v" * 99 + "Zg==", "a+b/c==", "a b", "é", "a/b", "v1.2", "x" * 4096])
def test_any_text_that_can_be_sent_back_is_an_id(value):
    assert reading.identifier({"id": value}) == value


@pytest.mark.parametrize(("value", "seconds"), [(1795910993, 1795910993), (1795910993.0, 1795910993), (7.9, 7)])
def test_a_time_may_have_a_fraction(value, seconds):
    assert reading.moment({"created_at": value}) == seconds


@pytest.mark.parametrize(
    ("value", "words"), [(None, "missing"), ("7", "text"), (True, "true or"), (float("inf"), "a num")]
)
def test_anything_else_is_no_time(value, words):
    with pytest.raises(reading.Malformed, match=f"its 'created_at' is {words}"):
        reading.moment({"created_at": value})


def test_a_whole_number_may_be_written_with_a_point():
    assert reading.integer({"n": 3.0}, "n") == 3
    with pytest.raises(reading.Malformed, match="its 'n' is a number, not a whole number"):
        reading.integer({"n": 3.5}, "n")


@pytest.mark.parametrize(
    "value", ["", ".", "..", "../x", "a/../b", "/a", "a/", "a//b", "..\\x", "a\n", "\ud800", 7, None, "x" * 4097]
)
def test_what_could_climb_out_of_a_path_is_no_id(value):
    with pytest.raises(reading.Malformed):
        reading.identifier({"id": value})


def test_wrong_types_are_named():
    with pytest.raises(reading.Malformed, match="its 'created_at' is text, not a whole number"):
        reading.integer({"created_at": "7"}, "created_at")
    with pytest.raises(reading.Malformed, match="its 'n' is true or false"):
        reading.integer({"n": True}, "n")
    with pytest.raises(reading.Malformed, match="its 'tools' is not a list of objects"):
        reading.parts({"tools": ["x"]}, "tools")


def test_a_page_without_a_list_is_no_page():
    with pytest.raises(reading.Malformed, match="no list 'data'"):
        reading.read_page({}, lambda row: row)


def test_metadata_of_other_types_becomes_text():
    assert reading.text_map({"metadata": {"a": "b", "n": 1, "f": False}}, "metadata") == {
        "a": "b",
        "n": "1",
        "f": "false",
    }
