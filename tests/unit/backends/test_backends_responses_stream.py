"""Server-sent events are the same wherever their bytes are cut, and none is handed on before it is whole."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.backends._json_fields import Malformed
from runner.backends.responses.turn import EventReader, ServerEvent

STREAM = (
    b'\xef\xbb\xbf: a comment\n\nevent: one\ndata: {"a": 1}\n\n'
    b"data: first\r\ndata: second\r\nid: 7\r\nretry: 9\r\n\r\n"
    b"event: empty\n\nevent:three\rdata:t\xc3\xa9\r\rdata\n\ndata: unfinished\n"
)
EVENTS = [
    ServerEvent("one", '{"a": 1}'),
    ServerEvent("", "first\nsecond"),
    ServerEvent("three", "té"),
    ServerEvent("", ""),
]


@given(st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=12))
def test_cuts_make_no_difference(cuts):
    reader, read = EventReader(), []
    places = [0, *sorted(cuts), len(STREAM)]
    for start, end in pairwise(places):
        read += reader.feed(STREAM[start:end])
    assert read == EVENTS


@pytest.mark.parametrize("place", range(len(STREAM)))
def test_what_is_cut_off_is_never_an_event(place):
    whole = list(EventReader().feed(STREAM[:place]))
    assert whole == EVENTS[: len(whole)]


def test_an_event_is_there_with_its_blank_line_and_not_before():
    reader = EventReader()
    assert list(reader.feed(b"data: x\n")) == []
    assert list(reader.feed(b"\n")) == [ServerEvent("", "x")]


def test_text_that_is_not_utf_8_is_no_event():
    with pytest.raises(Malformed, match="not UTF-8"):
        list(EventReader().feed(b"data: \xff\xfe\n\n"))


def test_a_long_line_in_small_pieces_takes_no_time():
    reader = EventReader()
    events = [event for _ in range(40_000) for event in reader.feed(b"data: 0123456789" if not _ else b"x" * 100)]
    events += reader.feed(b"\n\n")
    assert len(events[0].data) > 3_900_000
