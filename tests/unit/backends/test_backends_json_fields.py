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


@pytest.mark.parametrize("value", ["", ".", "..", "../x", "a/b", "a b", "a\n", "é", 7, None, "x" * 257])
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
