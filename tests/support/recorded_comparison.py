"""Holds two JSON values or streams of events against each other: a recorded one and ours."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Event = tuple[str, Any]
"""An event's name and its data."""
Complaint = str | None
Merge = Callable[[Any, Any], Any]
"""Two deltas as one, or None if they don't belong together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leeway:
    """Which values may differ, and what must hold between them all the same.

    `place` is a regular expression for a whole place, its indices written `[]`. For a leaf, `check` replaces
    equality; for an object or a list it comes on top of comparing what is inside. Types and null are compared in any
    case. `expect` gives what is to be expected in place of the recorded value, seen ours of the same type.
    """

    place: str
    check: Callable[[Any, Any], Complaint] | None = None
    expect: Callable[[Any, Any], Any] | None = None


class Ids:
    """Which id of ours stands for which recorded one: learned at first sight, one to one."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self._pattern = re.compile(rf"\b({'|'.join(sorted(kinds, key=len, reverse=True))})[-_][A-Za-z0-9_]{{8,}}")
        self._ours: dict[str, str] = {}

    def to_ours(self, text: str) -> str:
        """With our id in place of each recorded one that is known."""
        return self._pattern.sub(lambda found: self._ours.get(found.group(), found.group()), text)

    def hide(self, text: str) -> str:
        return self._pattern.sub(lambda found: f"{{{found.group(1)}}}", text)

    def learn(self, recorded: str, ours: str) -> None:
        """Takes two ids of one kind for the same object's, unless one of them is taken already."""
        before, after = self._pattern.fullmatch(recorded), self._pattern.fullmatch(ours)
        is_pair = before is not None and after is not None and before.group(1) == after.group(1)
        if is_pair and recorded not in self._ours and not self.is_taken(ours):
            self._ours[recorded] = ours

    def known(self, recorded: str) -> str | None:
        return self._ours.get(recorded)

    def is_taken(self, ours: str) -> bool:
        return ours in self._ours.values()


class Comparison:
    """Keys, types, values; a value's place is written like `data[0].content[1].text`."""

    def __init__(self, ids: Ids, leeways: Iterable[Leeway]) -> None:
        self._ids = ids
        self._leeways = tuple(leeways)
        self.differences: list[tuple[str, str]] = []
        """(place, what differs), in reading order"""

    def compare(self, recorded: Any, ours: Any, place: str = "") -> None:
        if type(recorded) is not type(ours):
            self.note(place, f"{_kind(recorded)} became {_kind(ours)}")
            return
        if recorded is None:
            return
        general = re.sub(r"\[\d+\]", "[]", place)
        leeways = [one for one in self._leeways if re.fullmatch(one.place, general)]
        for expect in (one.expect for one in leeways if one.expect):
            recorded = expect(recorded, ours)
        checks = [one.check for one in leeways if one.check]
        for complaint in filter(None, (check(recorded, ours) for check in checks)):
            self.note(place, complaint)
        if isinstance(recorded, dict):
            self._compare_objects(recorded, ours, place)
        elif isinstance(recorded, list):
            self._compare_lists(recorded, ours, place)
        elif not checks:
            self._compare_leaves(recorded, ours, place)

    def compare_events(self, recorded: list[Event], ours: list[Event], merge: Merge) -> None:
        """The same names in the same order, deltas merged; then the data, at a place like `run.created[0].usage`."""
        theirs, mine = merge_deltas(recorded, merge), merge_deltas(ours, merge)
        names = [name for name, _ in theirs]
        if names != (found := [name for name, _ in mine]):
            self.note("events", f"{names} became {found}")
            return
        seen: Counter[str] = Counter()
        for (name, before), (_, after) in zip(theirs, mine, strict=True):
            self.compare(before, after, f"{name}[{seen[name]}]")
            seen[name] += 1

    def note(self, place: str, what: str) -> None:
        self.differences.append((place, what))

    def _compare_objects(self, recorded: Mapping[str, Any], ours: Mapping[str, Any], place: str) -> None:
        for key in recorded | ours:
            inside = f"{place}.{key}".lstrip(".")
            if key not in ours:
                self.note(inside, "is missing")
            elif key not in recorded:
                self.note(inside, "is added")
            else:
                self.compare(recorded[key], ours[key], inside)

    def _compare_lists(self, recorded: list[Any], ours: list[Any], place: str) -> None:
        """Item by item: objects of known ids with their like, wherever it is, the others one after the other."""
        if len(recorded) != len(ours):
            self.note(place, f"{len(recorded)} items became {len(ours)}")
        ids = [one.get("id") if isinstance(one, dict) else None for one in ours]
        rest = iter([number for number, one in enumerate(ids) if one is None or not self._ids.is_taken(one)])
        found = []
        for number, before in enumerate(recorded):
            own_id = self._ids.known(before.get("id", "")) if isinstance(before, dict) else None
            like = next(rest, None) if own_id is None else ids.index(own_id) if own_id in ids else None
            if like is not None:
                found.append(like)
                self.compare(before, ours[like], f"{place}[{number}]")
            elif own_id is not None or number < len(ours):
                self.note(f"{place}[{number}]", "is another object")
        if found != sorted(found):
            self.note(place, f"another order: {found}")

    def _compare_leaves(self, recorded: Any, ours: Any, place: str) -> None:
        if isinstance(recorded, str):
            self._ids.learn(recorded, ours)
            if self._ids.to_ours(recorded) != ours:
                before, after = self._ids.hide(recorded), self._ids.hide(ours)
                is_id = before == after
                self.note(place, "names another object" if is_id else f"{before[:200]!r} became {after[:200]!r}")
        elif recorded != ours:
            self.note(place, f"{recorded!r} became {ours!r}")


def merge_deltas(events: list[Event], merge: Merge) -> list[Event]:
    """Neighbouring deltas as one: into how many pieces a text is cut is the model's pace."""
    merged: list[Event] = []
    for name, data in events:
        if name.endswith(".delta") and merged and merged[-1][0] == name:
            whole = merge(merged[-1][1], data)
            if whole is not None:
                merged[-1] = (name, whole)
                continue
        merged.append((name, data))
    return merged


def read_events(stream: str) -> list[Event]:
    """Of a text/event-stream body; data that isn't JSON, like the closing `[DONE]`, stays text."""
    blocks = [
        dict(line.split(": ", 1) for line in block.splitlines() if ": " in line) for block in stream.split("\n\n")
    ]
    return [
        (one.get("event", ""), one["data"] if one["data"] == "[DONE]" else json.loads(one["data"]))
        for one in blocks
        if one
    ]


def is_time(recorded: int, ours: int) -> Complaint:
    """Both are moments in seconds since 1970."""
    return None if ours > 1_600_000_000 and recorded > 1_600_000_000 else f"{ours} is no time"


def is_alike_count(recorded: int, ours: int) -> Complaint:
    """Nothing where nothing was recorded, something where something was."""
    return None if ours >= 0 and bool(recorded) == bool(ours) else f"{recorded} became {ours}"


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__
