"""Pauses and deadlines, without waiting."""

from __future__ import annotations

import math
import time

import pytest

from runner.backends._waiting import Deadline, Rhythm, backoff_s, poll_after_s, retry_after_s

NOW_S = 1_795_400_000.0


@pytest.mark.fault("N1")
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "Mon, 23 Nov 2020 01:33:50 GMT"}, 0.0),
        ({"retry-after": "1e999"}, math.inf),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_what_the_server_asks_for_is_read(headers, seconds):
    told_s = retry_after_s(headers, NOW_S)
    assert told_s == (pytest.approx(seconds) if seconds is not None else None)


def test_a_date_is_a_moment_not_a_length():
    assert retry_after_s({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, now_s=40.0) == 60.0


@pytest.mark.parametrize(("value", "seconds"), [("1500", 1.5), ("-1", None), ("x", None), (None, None)])
def test_a_poll_delay_is_read_from_its_header(value, seconds):
    assert poll_after_s({} if value is None else {"openai-poll-after-ms": value}) == seconds


def test_the_backoff_doubles_up_to_a_limit():
    assert [backoff_s(attempt) for attempt in (1, 2, 3, 50)] == [0.25, 0.5, 1.0, 8.0]


def test_pauses_grow_with_the_time_waited_up_to_a_second():
    rhythm = Rhythm(0.1)
    assert [rhythm.pause_s(None, waited_s) for waited_s in (0.0, 0.1, 2.0, 60.0)] == [0.1, 0.1, 0.5, 1.0]


def test_what_the_server_says_about_the_next_look_wins_within_reason():
    told = (0.0, 0.03, 5.0, 86_400.0)
    assert [Rhythm(0.1).pause_s(told_s, 0.0) for told_s in told] == [0.02, 0.03, 5.0, 10.0]


def test_the_first_look_comes_to_be_made_when_such_work_is_usually_done():
    rhythm = Rhythm(0.02)
    looks = [_watch(rhythm, work_s=0.1) for _ in range(100)]
    assert looks[0] > 2
    assert sum(looks[50:]) / 50 < 2
    assert rhythm.pause_s(None, 0.0) == pytest.approx(0.1, abs=0.03)


def test_a_deadline_follows_its_clock_and_never_goes_below_nothing():
    now = [10.0]
    deadline = Deadline.after(5.0, lambda: now[0])
    now[0] = 12.0
    assert deadline.left_s() == 3.0
    now[0] = 99.0
    assert deadline.left_s() == 0.0


def _watch(rhythm: Rhythm, work_s: float) -> int:
    waited_s, looks = 0.0, 0
    while not looks or waited_s < work_s:
        waited_s += rhythm.pause_s(None, waited_s)
        looks += 1
    rhythm.learn(looks, waited_s)
    return looks


@pytest.mark.fault("N12")
def test_a_clock_that_is_set_back_or_forth_moves_no_deadline(monkeypatch):
    now_s = [0.0]
    deadline = Deadline.after(10, lambda: now_s[0])
    for set_to in (0.0, 1e12):
        monkeypatch.setattr(time, "time", lambda set_to=set_to: set_to)
        assert deadline.left_s() == 10
    assert retry_after_s({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, 1e12) == 0, "a moment that is over"
