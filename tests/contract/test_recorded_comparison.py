"""The comparison with recordings itself: doctored answers are found out, and nothing else is."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from openai_schemas import SHARED
from recorded_comparison import Comparison, Event, Ids, Leeway, is_alike_count, is_time, read_events
from recorded_differences import Difference
from recorded_leeways import LEEWAYS, OF_STEP_LISTS, find_untrue_deltas, merge_deltas

KINDS = ("msg", "run", "file", "vs", "vsfb")
USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
STORED = {"id": "file-recorded01", "object": "vector_store.file", "status": "in_progress", "usage_bytes": 0}
COUNTS = {"in_progress": 2, "completed": 1, "failed": 0, "cancelled": 0, "total": 3}
STORE = {"id": "vs_recorded01", "object": "vector_store", "status": "in_progress", "file_counts": COUNTS}


def differences(recorded: Any, ours: Any, *leeways: Leeway, ids: Ids | None = None) -> list[tuple[str, str]]:
    comparison = Comparison(ids or Ids(KINDS), leeways)
    comparison.compare(recorded, ours)
    return comparison.differences


@pytest.mark.parametrize(
    ("recorded", "ours", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {}, [("a", "is missing")]),
        ({}, {"a": 1}, [("a", "is added")]),
        ({"a": 1}, {"a": 1.0}, [("a", "int became float")]),
        ({"a": 1}, {"a": True}, [("a", "int became bool")]),
        ({"a": None}, {"a": 0}, [("a", "null became int")]),
        ({"a": {}}, {"a": []}, [("a", "dict became list")]),
        ({"a": "yes"}, {"a": "no"}, [("a", "'yes' became 'no'")]),
        ({"a": [{"b": [1, 2]}]}, {"a": [{"b": [1, 3]}]}, [("a[0].b[1]", "2 became 3")]),
        ([1, 2], [1], [("", "2 items became 1")]),
        ([1], [1, 2], [("", "1 items became 2")]),
    ],
)
def test_keys_types_and_values_are_compared_place_by_place(recorded: Any, ours: Any, found: list[Any]) -> None:
    assert differences(recorded, ours) == found


def test_an_id_stands_for_one_object_throughout() -> None:
    ids = Ids(KINDS)
    assert differences({"id": "msg_recorded01"}, {"id": "msg_ours00001"}, ids=ids) == []
    assert differences({"first_id": "msg_recorded01"}, {"first_id": "msg_ours00001"}, ids=ids) == []
    assert differences({"first_id": "msg_recorded01"}, {"first_id": "msg_ours00002"}, ids=ids) == [
        ("first_id", "names another object")
    ]
    assert differences({"id": "msg_recorded02"}, {"id": "msg_ours00001"}, ids=ids) == [("id", "names another object")]
    assert differences({"id": "msg_recorded03"}, {"id": "run_ours00003"}, ids=ids) == [("id", "'{msg}' became '{run}'")]


def test_ids_within_a_text_are_the_same_objects_ids() -> None:
    ids = Ids(KINDS)
    ids.learn("file-recorded01", "file-ours00001")
    assert differences("see file-recorded01.", "see file-ours00001.", ids=ids) == []
    assert differences("see file-recorded01.", "see file-ours00002.", ids=ids) == [("", "names another object")]


def test_known_objects_are_held_against_their_like_and_their_order_counts() -> None:
    ids = Ids(KINDS)
    for number in (1, 2):
        ids.learn(f"msg_recorded0{number}", f"msg_ours0000{number}")
    recorded = [{"id": "msg_recorded01", "n": 1}, {"id": "msg_recorded02", "n": 2}]
    ours = [{"id": "msg_ours00002", "n": 2}, {"id": "msg_ours00001", "n": 9}]
    assert differences(recorded, ours, ids=ids) == [("[0].n", "1 became 9"), ("", "another order: [1, 0]")]


def test_a_list_that_has_another_object_in_place_of_a_known_one_is_found_out() -> None:
    ids = Ids(KINDS)
    for number in (1, 2, 3):
        ids.learn(f"msg_recorded0{number}", f"msg_ours0000{number}")
    recorded, ours = ["msg_recorded01", "msg_recorded02"], ["msg_ours00001", "msg_ours00003"]
    found = differences([{"id": one} for one in recorded], [{"id": one} for one in ours], ids=ids)
    assert found == [("[1]", "is another object")]


@pytest.mark.parametrize("recorded_first", ["known", "new"])
def test_a_new_object_has_its_place_among_known_ones(recorded_first: str) -> None:
    ids = Ids(KINDS)
    ids.learn("msg_recorded01", "msg_ours00001")
    recorded = [{"id": "msg_recorded01"}, {"id": "msg_recorded02"}]
    ours = [{"id": "msg_ours00002"}, {"id": "msg_ours00001"}]
    if recorded_first == "new":
        recorded.reverse()
        ours.reverse()
    assert differences(recorded, ours, ids=ids) == [("", "another order: [1, 0]")]


def test_a_known_object_in_place_of_a_new_one_is_found_out() -> None:
    ids = Ids(KINDS)
    ids.learn("msg_recorded01", "msg_ours00001")
    assert differences([{"id": "msg_recorded02"}], [{"id": "msg_ours00001"}], ids=ids) == [("[0]", "is another object")]


def test_new_objects_in_a_list_are_learned_one_after_the_other() -> None:
    ids = Ids(KINDS)
    ids.learn("msg_recorded01", "msg_ours00001")
    recorded, ours = ["msg_recorded02", "msg_recorded01"], ["msg_ours00002", "msg_ours00001"]
    assert differences([{"id": one} for one in recorded], [{"id": one} for one in ours], ids=ids) == []
    assert ids.known("msg_recorded02") == "msg_ours00002"


def test_a_leeway_frees_a_value_and_neither_its_type_nor_null() -> None:
    leeways = (Leeway(place=r"(.*\.)?\w+_at", check=is_time), Leeway(place="n", check=is_alike_count))
    assert differences({"created_at": 1761861555, "n": 5}, {"created_at": 1800000000, "n": 7}, *leeways) == []
    assert differences({"created_at": 1761861555}, {"created_at": 5}, *leeways) == [("created_at", "5 is no time")]
    assert differences({"created_at": 1761861555}, {"created_at": None}, *leeways) == [
        ("created_at", "int became null")
    ]
    assert differences({"created_at": None}, {"created_at": 1761861555}, *leeways) == [
        ("created_at", "null became int")
    ]
    assert differences({"n": 5}, {"n": 0}, *leeways) == [("n", "5 became 0")]
    assert differences({"n": 0}, {"n": 5}, *leeways) == [("n", "0 became 5")]
    assert differences({"m": 5}, {"m": 7}, *leeways) == [("m", "5 became 7")]


@pytest.mark.parametrize(
    ("change", "is_fine"),
    [
        ({}, True),
        ({"completed_at": 1800000090, "expires_at": 1800000640}, True),
        ({"completed_at": 1799999999}, False),
        ({"completed_at": 1800003600}, False),
        ({"expires_at": 1800006000}, False),
    ],
)
def test_what_happens_or_is_to_come_keeps_its_distance_from_the_making(change: dict[str, int], is_fine: bool) -> None:
    recorded = {"created_at": 1761861555, "completed_at": 1761861557, "expires_at": 1761862155}
    ours = {"created_at": 1800000000, "completed_at": 1800000000, "expires_at": 1800000600, **change}
    assert (differences(recorded, ours, *LEEWAYS) == []) is is_fine
    lists = [{"object": "list", "data": [one]} for one in (recorded, ours)]
    assert (differences(*lists, *LEEWAYS) == []) is is_fine
    streams = [[("thread.run.completed", one), ("done", "[DONE]")] for one in (recorded, ours)]
    assert (stream_differences(*streams) == []) is is_fine


@pytest.mark.parametrize(
    ("change", "is_fine"),
    [
        ({"status": "completed", "usage_bytes": 12}, True),
        ({"status": "in_progress", "usage_bytes": 0}, True),
        ({"status": "failed", "usage_bytes": 0}, False),
        ({"status": "cancelled", "usage_bytes": 0}, False),
    ],
)
def test_a_file_may_be_indexed_already_and_nothing_else(change: dict[str, Any], is_fine: bool) -> None:
    assert (differences(STORED, {**STORED, **change}, *LEEWAYS) == []) is is_fine
    lists = [{"object": "list", "data": [one]} for one in (STORED, {**STORED, **change})]
    assert (differences(*lists, *LEEWAYS) == []) is is_fine


def test_a_recorded_completed_file_must_be_completed() -> None:
    assert differences({**STORED, "status": "completed", "usage_bytes": 5}, STORED, *LEEWAYS) == [
        ("status", "'completed' became 'in_progress'"),
        ("usage_bytes", "5 became 0"),
    ]


@pytest.mark.parametrize(
    ("status", "counts", "is_fine"),
    [
        ("completed", {"in_progress": 0, "completed": 3}, True),
        ("in_progress", {"in_progress": 1, "completed": 2}, True),
        ("completed", {"in_progress": 1, "completed": 2}, False),
        ("in_progress", {"in_progress": 3, "completed": 0}, False),
        ("in_progress", {"in_progress": 1, "completed": 1, "failed": 1}, False),
        ("completed", {"in_progress": 0, "completed": 4}, False),
        ("completed", {"in_progress": 0, "completed": 2, "total": 2}, False),
        ("completed", {"in_progress": 0, "completed": 2, "failed": 1}, False),
    ],
)
def test_counts_of_files_must_add_up_at_any_pace(status: str, counts: dict[str, int], is_fine: bool) -> None:
    ours = {**STORE, "status": status, "file_counts": {**COUNTS, **counts}}
    assert (differences(STORE, ours, *LEEWAYS) == []) is is_fine


def test_a_run_has_no_pace_of_its_own() -> None:
    run = {"id": "run_recorded01", "object": "thread.run", "status": "in_progress"}
    assert differences(run, {**run, "status": "completed"}, *LEEWAYS) != []


@pytest.mark.parametrize(
    ("change", "is_fine"),
    [({}, True), ({"total_tokens": 15}, False), ({"prompt_tokens": 11, "total_tokens": 15}, False)],
)
def test_usage_is_the_recorded_one_and_adds_up(change: dict[str, int], is_fine: bool) -> None:
    assert (differences({"usage": USAGE}, {"usage": {**USAGE, **change}}, *LEEWAYS) == []) is is_fine


def test_tokens_may_lie_on_another_step_of_a_list() -> None:
    lists = [
        {"object": "list", "data": [{"usage": usage, "object": "thread.run.step"}]}
        for usage in (USAGE, {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
    ]
    assert differences(*lists, *LEEWAYS, *OF_STEP_LISTS) == []
    assert differences(*lists, *LEEWAYS) != []
    lists[1]["data"][0]["usage"]["prompt_tokens"] = 1
    assert differences(*lists, *LEEWAYS, *OF_STEP_LISTS) != []


@pytest.mark.parametrize(
    ("scores", "is_fine"), [((0.9, 0.2), True), ((0.2, 0.9), False), ((1.1, 0.2), False), ((0.9, 0.0), False)]
)
def test_scores_lie_in_0_to_1_the_best_first(scores: tuple[float, float], is_fine: bool) -> None:
    recorded = {"file_search": {"results": [{"score": 0.75}, {"score": 0.5}]}}
    ours = {"file_search": {"results": [{"score": score} for score in scores]}}
    assert (differences(recorded, ours, *LEEWAYS) == []) is is_fine


def message_events(*pieces: str, said: str | None = None) -> list[Event]:
    texts = [{"index": 0, "type": "text", "text": {"value": piece}} for piece in pieces]
    deltas = [{"id": "msg_1", "object": "thread.message.delta", "delta": {"content": [text]}} for text in texts]
    whole = "".join(pieces) if said is None else said
    content = [{"type": "text", "text": {"value": whole, "annotations": []}}]
    return [
        *(("thread.message.delta", delta) for delta in deltas),
        ("thread.message.completed", {"id": "msg_1", "content": content}),
        ("done", "[DONE]"),
    ]


def stream_differences(recorded: list[Event], ours: list[Event]) -> list[tuple[str, str]]:
    comparison = Comparison(Ids(KINDS), LEEWAYS)
    comparison.compare_events(recorded, ours, merge_deltas)
    return comparison.differences


def test_a_text_may_be_cut_into_other_deltas_and_says_the_same() -> None:
    assert stream_differences(message_events("One, ", "two", "."), message_events("One, two.")) == []
    assert [place for place, _ in stream_differences(message_events("One."), message_events("Two."))] == [
        "thread.message.delta[0].delta.content[0].text.value",
        "thread.message.completed[0].content[0].text.value",
    ]


@pytest.mark.parametrize("doctor", [lambda events: events[1:], lambda events: events[::-1], lambda events: events * 2])
def test_events_that_are_missing_or_in_another_order_are_found_out(
    doctor: Callable[[list[Event]], list[Event]],
) -> None:
    events = message_events("One.")
    assert [place for place, _ in stream_differences(events, doctor(events))] == ["events"]


def test_deltas_must_be_what_the_message_says_at_its_end() -> None:
    assert list(find_untrue_deltas(message_events("One, ", "two."))) == []
    assert list(find_untrue_deltas(message_events("One, ", "two.", said="One, two, three."))) == ["msg_1"]


@pytest.mark.skipif(not SHARED.exists(), reason="no recordings; set RUNNER_SHARED to compare them")
@pytest.mark.parametrize("name", ["StreamingToolCall", "FileSearchStreamingWorks", "StreamingRunWorks"])
def test_a_recorded_stream_is_like_itself_and_its_deltas_are_true(name: str) -> None:
    exchanges = json.loads((SHARED / f"recordings/assistants/{name}.json").read_text("utf-8"))
    streams = [read_events(one["response"]) for one in exchanges if isinstance(one["response"], str)]
    assert streams
    for events in streams:
        assert stream_differences(events, copy.deepcopy(events)) == []
        assert list(find_untrue_deltas(events)) == []


def test_a_listed_difference_covers_its_place_alone() -> None:
    row = Difference(
        recording="r", endpoint="GET /x", exchanges=(2,), place="data[*].usage", what="is added", reason="why"
    )
    exchanges = [{}, {"response": {"data": [{}, {}]}}]
    assert list(row.expand(exchanges)) == [(2, "data[0].usage", "is added"), (2, "data[1].usage", "is added")]
