"""Holds one answer of the Responses face against the recorded one."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Any

import httpx2
from recorded_comparison import Comparison, Event, merge_deltas, read_events

Json = dict[str, Any]


def compare_answers(comparison: Comparison, exchange: Json, answer: httpx2.Response) -> None:
    """Both have the same status."""
    recorded = exchange["response"]
    content_type = answer.headers["content-type"].partition(";")[0]
    comparison.compare(exchange["content_type"], content_type, "content-type")
    if content_type == "text/event-stream":
        _compare_streams(comparison, read_events(recorded), read_events(answer.text))
    elif content_type == "application/json":
        _compare_bodies(comparison, recorded, answer.json())
    elif answer.text != recorded:
        comparison.note("content", f"{recorded!r} became {answer.text!r}")


def _compare_bodies(comparison: Comparison, recorded: Json, ours: Json) -> None:
    plain, dropped = _without_reasoning(recorded)
    if dropped:
        comparison.note("output[reasoning]", "is missing")
    comparison.compare(plain, ours)


def _without_reasoning(body: Json) -> tuple[Json, bool]:
    """A recorded response without its items of reasoning, and whether it had any: the others keep their order."""
    items = body.get("output", [])
    kept = [item for item in items if item["type"] != "reasoning"]
    return ({**body, "output": kept}, True) if len(kept) < len(items) else (body, False)


def _compare_streams(comparison: Comparison, recorded: list[Event], ours: list[Event]) -> None:
    """Events that only one of them has are differences of their own; the others are held together."""
    numbers = [data["sequence_number"] for _, data in ours]
    if numbers != list(range(len(ours))):
        comparison.note("sequence_number", f"counted from 0 became {numbers[:20]}")
    theirs, mine = merge_deltas(recorded, _join), merge_deltas(ours, _join)
    matcher = SequenceMatcher(None, [name for name, _ in theirs], [name for name, _ in mine], autojunk=False)
    for change, begin, end, first, last in matcher.get_opcodes():
        if change != "equal":
            for events, what in ((theirs[begin:end], "is missing"), (mine[first:last], "is added")):
                for name, _ in events:
                    comparison.note(name, what)
    pairs = [(one.a + step, one.b + step) for one in matcher.get_matching_blocks() for step in range(one.size)]
    comparison.compare_events([theirs[here] for here, _ in pairs], [mine[there] for _, there in pairs], _join)


def _join(first: Json, second: Json) -> Json | None:
    same = ("item_id", "output_index", "content_index")
    if any(first.get(name) != second.get(name) for name in same):
        return None
    return {**first, "delta": first["delta"] + second["delta"]}
