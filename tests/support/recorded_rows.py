"""Rows of the page on differences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place in the answers to some exchanges (counted from 1) of a recording.

    `data[*]` in a place is each item of the recorded list. `what` is what the comparison notes, word for word.
    """

    recording: str
    endpoint: str
    exchanges: tuple[int, ...]
    place: str
    what: str
    reason: str

    def expand(self, exchanges: list[dict[str, Any]]) -> Iterator[tuple[int, str, str]]:
        """What is found if the row holds."""
        for number in self.exchanges:
            if "[*]" in self.place:
                items = range(len(exchanges[number - 1]["response"]["data"]))
                yield from ((number, self.place.replace("[*]", f"[{item}]"), self.what) for item in items)
            else:
                yield number, self.place, self.what


def write_table(differences: Iterable[Difference]) -> list[str]:
    rows = (
        f"| {one.recording} | {', '.join(map(str, one.exchanges))} | `{one.endpoint}` | `{one.place}` | {one.what} "
        f"| {one.reason} |"
        for one in differences
    )
    return ["| Recording | Exchange | Endpoint | Place | Difference | Reason |", "|---|---|---|---|---|---|", *rows]
