"""What may differ in the Assistants API's answers without being a difference; docs/differences.md tells the rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from recorded_comparison import Complaint, Event, Leeway, is_alike_count, is_time

RULES = (
    "An id stands for one object throughout: ours for the recorded one, one to one.",
    "A time is a whole number of seconds where one was recorded, and null where null was; it is as far from the"
    " object's making as recorded, within ten minutes.",
    "Where indexing was recorded as `in_progress`, ours may have come further: the counts must still add up to the"
    " recorded total, none may have failed, and the object must be as it would be once completed.",
    "`usage_bytes` and `score` follow from a stand-in's content: nothing where nothing was recorded, else something;"
    " scores lie in 0..1, the best first.",
    "The model's tokens are replayed, and a run's usage is the recorded one. In a list of steps they may lie on another"
    " step: a remark and the call after it are one move here, and were two for OpenAI. Every usage adds up.",
    "Into how many deltas a text is cut is the model's pace: deltas are joined, and are what the object says at its"
    " end.",
)
_FIXED = {"id", "index", "type"}
_PACE_S = 600


def _adds_up(_: Any, ours: Any) -> Complaint:
    is_true = ours["total_tokens"] == ours["prompt_tokens"] + ours["completion_tokens"]
    return None if is_true else f"{ours} does not add up"


def keeps_time(recorded: Any, ours: Any) -> Complaint:
    """What has happened, or is to come, is about as far from the object's making as recorded, and not before it."""
    before, after = _times(recorded), _times(ours)
    for name in before.keys() & after.keys():
        if after[name] < 0 or abs(after[name] - before[name]) > _PACE_S:
            return f"{name} is {after[name]} s after the making, and was {before[name]} s"
    return None


def _times(one: Any) -> dict[str, int]:
    """In seconds since the making; none where that is not told."""
    made = one.get("created_at")
    return {} if made is None else {key: at - made for key, at in one.items() if key.endswith("_at") and at is not None}


def _is_count(_: int, ours: int) -> Complaint:
    return None if ours >= 0 else f"{ours} is no count"


def _is_score(recorded: float, ours: float) -> Complaint:
    return None if 0 <= ours <= 1 and bool(recorded) == bool(ours) else f"{recorded} became {ours}"


def _has_best_first(_: Any, ours: Any) -> Complaint:
    scores = [one["score"] for one in ours]
    return None if scores == sorted(scores, reverse=True) else f"the scores {scores} are not in order"


def at_our_pace(recorded: Any, ours: Any) -> Any:
    """What had to be recorded if indexing had come as far as it has in our answer."""
    if recorded.get("status") != "in_progress" or "vector_store" not in recorded["object"]:
        return recorded
    expected = dict(recorded)
    before, after = recorded.get("file_counts"), ours.get("file_counts")
    if before is not None and after is not None and before["completed"] <= after["completed"]:
        done = min(after["completed"], before["completed"] + before["in_progress"])
        left = before["in_progress"] + before["completed"] - done
        expected["file_counts"] = {**before, "completed": done, "in_progress": left}
    if ours.get("status") == "completed" and (before is None or not expected["file_counts"]["in_progress"]):
        expected["status"] = "completed"
    if ours.get("usage_bytes", 0) > 0:
        expected["usage_bytes"] = ours["usage_bytes"]
    return expected


LEEWAYS = (
    Leeway(place=r"(.*\.)?\w+_at", check=is_time),
    Leeway(place=r"(data\[\])?", expect=at_our_pace),
    Leeway(place=r"(data\[\]|thread\.[a-z_.]+\[\])?", check=keeps_time),
    Leeway(place=r"(.*\.)?usage_bytes", check=is_alike_count),
    Leeway(place=r".*\.results\[\]\.score", check=_is_score),
    Leeway(place=r".*\.results", check=_has_best_first),
    Leeway(place=r"(.*\.)?usage", check=_adds_up),
)
OF_STEP_LISTS = (Leeway(place=r"data\[\]\.usage\.\w+_tokens", check=_is_count),)


def merge_deltas(before: Any, after: Any) -> Any:
    """Two deltas of one object as the SDK adds them up: texts are joined, numbered items belong together."""
    return {**before, "delta": _add_up(before["delta"], after["delta"])} if before["id"] == after["id"] else None


def _add_up(before: Any, after: Any) -> Any:
    if isinstance(before, dict) and isinstance(after, dict):
        both = before.keys() & after.keys() - _FIXED
        return {**before, **after, **{key: _add_up(before[key], after[key]) for key in both}}
    if isinstance(before, list) and isinstance(after, list):
        items = {one["index"]: one for one in before}
        for one in after:
            items[one["index"]] = _add_up(items[one["index"]], one) if one["index"] in items else one
        return [items[index] for index in sorted(items)]
    return before + after if isinstance(before, str) and isinstance(after, str) else after


def find_untrue_deltas(events: list[Event]) -> Iterator[str]:
    """Ids of the completed messages and steps that say something else than their deltas said."""
    told: dict[str, Any] = {}
    for name, data in events:
        if name.endswith(".delta"):
            told[data["id"]] = data if data["id"] not in told else merge_deltas(told[data["id"]], data)
    for name, data in events:
        if name in ("thread.message.completed", "thread.run.step.completed") and data["id"] in told:
            delta = told[data["id"]]["delta"]
            if name == "thread.message.completed":
                is_true = list(_texts(delta["content"])) == list(_texts(data["content"]))
            else:
                calls = delta["step_details"]["tool_calls"], data["step_details"]["tool_calls"]
                is_true = list(_inputs(calls[0])) == list(_inputs(calls[1]))
            if not is_true:
                yield data["id"]


def _texts(content: list[Any]) -> Iterator[object]:
    for part in content:
        text = part.get("text", {})
        yield part["type"], text.get("value"), [one["text"] for one in text.get("annotations", [])], part.get("refusal")


def _inputs(calls: list[Any]) -> Iterator[object]:
    for call in calls:
        details = call[call["type"]]
        logs = [one.get("logs") for one in details.get("outputs", [])]
        yield call["id"], call["type"], details.get("name"), details.get("arguments"), details.get("input"), logs
