"""The file of faults: its mistakes, which request meets what, and what a limit leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import ConfigError
from runner.server.faults import Cut, Ending, Faults, OtherAnswer, Part, Word
from runner.server.faults.fault_file import read_faults


@pytest.fixture
def plan(tmp_path: Path):
    def write(text: str):
        path = tmp_path / "faults.yaml"
        path.write_text(text, "utf-8")
        return read_faults(path, file="faults.yaml")

    return write


def met(faults: Faults, requests: str, count: int = 10, body: bytes = b"") -> list[int]:
    """The numbers of the requests that meet a fault."""
    method, path = requests.split(" ")
    return [number for number in range(1, count + 1) if faults.meet(method, path, body).fault is not None]


@pytest.mark.parametrize(
    ("rule", "numbers"),
    [
        ("{on: any, do: drop}", [*range(1, 11)]),
        ("{on: 'POST /v1/files#2', do: drop}", [2]),
        ("{on: 'POST /v1/files#2-4', do: drop}", [2, 3, 4]),
        ("{on: 'POST /v1/files#8+', do: drop}", [8, 9, 10]),
        ("{on: '* /v1/**', every: 4, do: drop}", [4, 8]),
        ("{on: POST /v1/*, times: 2, do: drop}", [1, 2]),
        ("{on: POST /v1/*, every: 3, times: 1, do: drop}", [3]),
        ("{on: POST /v1, do: drop}", []),
        ("{on: GET /v1/files, do: drop}", []),
        ("{on: any, chance: 0, do: drop}", []),
        ("{on: any, contains: Total, do: drop}", []),
        ("{on: any, delay: 1}", []),
    ],
)
def test_a_rule_says_which_requests_meet_its_fault(plan, rule: str, numbers: list[int]) -> None:
    assert met(Faults(plan(f"faults: [{rule}]")), "POST /v1/files") == numbers


def test_a_star_is_one_segment(plan) -> None:
    faults = Faults(plan("faults: [{on: GET /v1/responses/*, do: drop}]"))

    assert met(faults, "GET /v1/responses/resp_1", 1) == [1]
    assert met(faults, "GET /v1/responses/resp_1/input_items", 1) == []


def test_the_first_rule_that_is_due_happens_and_all_count(plan) -> None:
    faults = Faults(plan("faults: [{on: any, every: 2, do: hang}, {on: 'any', every: 3, do: drop}]"))

    found = [faults.meet("GET", "/v1/files", b"").fault for _ in range(6)]
    assert found == [None, Word.HANG, Word.DROP, Word.HANG, None, Word.HANG]


def test_a_seed_decides_what_a_chance_draws_whatever_else_comes(plan) -> None:
    rules = "faults: [{on: POST /v1/files, chance: 0.3, do: drop}]\nseed: "
    first, again, other = (Faults(plan(f"{rules}{seed}")) for seed in (1, 1, 2))
    for _ in range(7):
        again.meet("GET", "/v1/other", b"")

    drawn = met(first, "POST /v1/files", 200)
    assert drawn == met(again, "POST /v1/files", 200)
    assert drawn != met(other, "POST /v1/files", 200)
    assert 40 < len(drawn) < 80


def test_a_text_in_the_body_picks_requests_whatever_their_order(plan) -> None:
    faults = Faults(plan("faults: [{on: POST /v1/responses, contains: scenario 17., do: drop}]"))

    assert faults.plan.reads_bodies
    assert met(faults, "POST /v1/responses", 1, b'{"input": "scenario 17."}') == [1]
    assert met(faults, "POST /v1/responses", 1, b'{"input": "scenario 18."}') == []


def test_faults_are_read_with_all_that_they_say(plan) -> None:
    text = """
faults:
  - {on: any, do: {cut: {events: 3}, by: end}}
  - {on: any, do: {answer: {status: 429, headers: {Retry-After: 2}, code: insufficient_quota, apply: true}}}
  - {on: any, do: {answer: {body: "<html>busy</html>"}}}
"""
    cut, quota, page = (rule.fault for rule in plan(text).rules)

    assert cut == Cut(after=3, part=Part.EVENTS, by=Ending.END)
    assert isinstance(quota, OtherAnswer)
    assert (quota.status, quota.headers["retry-after"], quota.applied) == (429, "2", True)
    assert b'"code": "insufficient_quota"' in quota.body
    assert isinstance(page, OtherAnswer)
    assert (page.status, page.headers["content-type"]) == (200, "text/html")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "1:1: is empty"),
        ("fault: []", "1:1: unknown key 'fault'; did you mean 'faults'?"),
        ("faults: [{do: drop}]", "1:10: faults[0]: the key 'on' is missing"),
        ("faults: [{on: any, do: dorp}]", "1:24: faults[0].do: unknown fault 'dorp'; did you mean 'drop'?"),
        ("faults: [{on: post /files, do: drop}]", "1:15: faults[0].on: 'post /files' names no requests"),
        (f"faults: [{{on: 'GET /v1/files#{'9' * 5000}', do: drop}}]", "1:15: faults[0].on: 'GET /v1/files#9"),
        ("faults: [{on: 'POST /v1/files#4-2', do: drop}]", "1:15: faults[0].on: 2 comes before 4"),
        ("faults: [{on: any}]", "1:10: faults[0]: there is no fault in it"),
        ("faults: [{on: any, do: {cut: 1, dribble: 2}}]", "1:24: faults[0].do: 2 faults in one"),
        ("faults: [{on: any, do: {dribble: 2, by: end}}]", "1:41: faults[0].do.by: 'by' has no meaning"),
        ("faults: [{on: any, do: {cut: {headers: 9}, by: end}}]", "1:48: faults[0].do.by: an answer can't end"),
        ("faults: [{on: any, do: {answer: 99}}]", "1:33: faults[0].do.answer"),
        ("faults: [{on: any, every: 0, do: drop}]", "1:27: faults[0].every"),
        ("limits: [{on: any}]", "1:10: limits[0]: there is no limit in it"),
        ("limits: [{on: 'GET /v1/files#2', requests_per_minute: 3}]", "1:15: limits[0].on: a limit counts all"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_place(plan, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(text)

    assert f"faults.yaml:{says}" in str(caught.value)


def test_a_limit_lets_so_many_through_and_says_when_to_come_again(plan) -> None:
    now = [0.0]
    text = "limits: [{on: POST /v1/responses, requests_per_minute: 60, burst: 2}]"
    faults = Faults(plan(text), clock=lambda: now[0])

    first, second, third = (faults.meet("POST", "/v1/responses", b"") for _ in range(3))
    assert (first.fault, second.fault) == (None, None)
    assert first.headers == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "1",
        "x-ratelimit-reset-requests": "1s",
    }
    assert isinstance(third.fault, OtherAnswer)
    assert (third.fault.status, third.fault.headers["retry-after"]) == (429, "1")
    assert third.headers["x-ratelimit-remaining-requests"] == "0"
    assert faults.meet("GET", "/v1/responses", b"").headers == {}
    now[0] = 1.0
    assert faults.meet("POST", "/v1/responses", b"").fault is None


def test_tokens_have_a_limit_of_their_own(plan) -> None:
    now = [0.0]
    faults = Faults(plan("limits: [{on: any, tokens_per_minute: 100}]"), clock=lambda: now[0])

    assert faults.meet("POST", "/v1/responses", b"x" * 320).fault is None
    refused = faults.meet("POST", "/v1/responses", b"x" * 320)
    assert isinstance(refused.fault, OtherAnswer)
    assert refused.fault.headers["retry-after-ms"] == "36000"
    assert refused.headers["x-ratelimit-remaining-tokens"] == "20"
    assert refused.headers["x-ratelimit-reset-tokens"] == "48s"
    now[0] = 36.0
    assert faults.meet("POST", "/v1/responses", b"x" * 320).fault is None
