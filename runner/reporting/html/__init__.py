"""The HTML report: one page that needs nothing else, to be read, searched and shared."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from math import floor, log10
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from runner import __version__
from runner.domain.report import COUNTED, DECLINED, NOT_STARTED, Report, ScenarioResult, Tally
from runner.domain.result_json import as_plain
from runner.domain.statistics import wilson_interval
from runner.escaping import terminal
from runner.reporting import MARK, describe_weak, name_uniquely
from runner.reporting._failure import answer_of, cut_middle, find_failure, shorten

DEFAULT_NAME = "report.html"
HERE = Path(__file__).parent
LONGEST_TEXT = 100_000
"""Characters of one text; the JSON report has it whole."""
LARGEST_PAGE = 30_000_000
"""Characters, about: what comes after that is one line for each scenario. A browser takes as long as it is large."""
MOST_DETAILS = 4_000
"""Scenarios that are there with all that was said; of more, those that did not pass come first."""
BARS = 24
"""Of a histogram."""
_MOST_TAGS = 12
_PEEK = 70
_PIECE = 4_096
"""Characters that are worth writing by themselves."""
_FIRST = ("failed", "errored", DECLINED, "flaky")
_SYMBOLS = {
    "passed": "✓", "failed": "✕", "errored": "!", DECLINED: "–", "flaky": "~", "skipped": "○", NOT_STARTED: "○",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Of a histogram: how many values lie between `low` and `high`; `share` is its height, in 0..1."""

    low: float
    high: float
    count: int
    share: float


def histogram(values: Sequence[float]) -> list[Bar]:
    """From zero to the largest, in bars of the same width; [] without values."""
    top = max(values, default=0.0)
    if top <= 0:
        return []
    counts = Counter(min(BARS - 1, int(value / top * BARS)) for value in values)
    highest = max(counts.values())
    return [
        Bar(low=top * one / BARS, high=top * (one + 1) / BARS, count=counts[one], share=counts[one] / highest)
        for one in range(BARS)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """An assistant as it was played; `rest` are its tools, functions and settings as users write them."""

    id: str
    hash: str
    addresses: tuple[str, ...]
    model: object
    instructions: object
    files: tuple[Mapping[str, object], ...]
    rest: Mapping[str, object]


def find_definitions(report: Report) -> list[Definition]:
    """Those that the report knows, in plain JSON that anybody may have written."""
    found = []
    for number, (key, one) in enumerate(report.definitions.items(), start=1):
        told = dict(one) if isinstance(one, Mapping) else {}
        files = told.pop("files", ())
        played = sorted({str(address) for (address, _), at in report.tally.definitions.items() if at == key})
        found.append(
            Definition(
                id=f"d{number}",
                hash=key,
                addresses=tuple(played) or (str(told.get("name", "")),),
                model=told.pop("model", ""),
                instructions=told.pop("instructions", ""),
                files=tuple(file for file in files if isinstance(file, Mapping)) if isinstance(files, list) else (),
                rest=told,
            )
        )
    return found


def conclude(comparison: Sequence[str]) -> str:
    """What the lines come to: the last one that is no advice."""
    return next((line for line in reversed(comparison[1:]) if not line.startswith("to decide: ")), "")


class _Page:
    """What was written so far, and how much of the scenarios that follow there is room for."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._details = MOST_DETAILS
        self.room = LARGEST_PAGE

    def go_through(self) -> Iterator[tuple[int, str, ScenarioResult, bool]]:
        """Each scenario with its number and name, and whether it is shown whole; first those that did not pass."""
        for is_first in (True, False):
            for number, (name, result) in enumerate(name_uniquely(self._report), start=1):
                if (result.counted_as in _FIRST) is is_first:
                    self._details -= 1
                    yield number, name, result, self._details >= 0 and self.room > 0


def render(report: Report) -> Iterator[str]:
    """The overview first, which needs to see all results once; then one scenario after the other."""
    costs, tags = _sum_up(report)
    several = len(report.variants) > 1
    variants = report.tally_by_variant if several else {one.label: report.tally for one in report.variants}
    page = _Page(report)
    definitions = find_definitions(report)
    style, script = (HERE / "page.css").read_text(encoding="utf-8"), (HERE / "page.js").read_text(encoding="utf-8")
    stream = (
        _environment()
        .get_template("page.html.j2")
        .stream(
            mark=MARK,
            version=__version__,
            report=report,
            weak=describe_weak(report.tally),
            results=page.go_through(),
            left_out=max(0, len(report.results) - MOST_DETAILS),
            definitions=definitions,
            links={one.hash: one.id for one in definitions},
            costs=costs,
            variants=variants,
            tags=tags,
            style=Markup(style),
            script=Markup(script),
            style_hash=_hash(style),
            script_hash=_hash(script),
            words=COUNTED,
        )
    )
    waiting: list[str] = []
    for part in stream:
        page.room -= len(part)
        waiting.append(part)
        if len(part) > _PIECE or len(waiting) > _PIECE // 16:
            yield "".join(waiting)
            waiting.clear()
    yield "".join(waiting)


def _sum_up(report: Report) -> tuple[list[float], dict[str, Tally]]:
    """What each scenario cost, where that is known; and the sums of the tags that most scenarios have."""
    costs, tags = list[float](), dict[str, Tally]()
    for result in report.results:
        turns = [turn for attempt in result.attempts for turn in attempt.turns]
        known = [turn.cost_usd for turn in turns if turn.cost_usd is not None]
        costs += [sum(known)] if known else []
        for tag in result.scenario.tags:
            tags.setdefault(tag, Tally()).add(result)
    common = sorted(tags, key=lambda tag: -tags[tag].counts.total())[:_MOST_TAGS]
    return costs, {tag: tags[tag] for tag in sorted(common)}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_make_visible,
    )
    environment.globals |= {
        "find_failure": find_failure,
        "answer_of": answer_of,
        "conclude": conclude,
        "cut_middle": cut_middle,
        "histogram": histogram,
        "wilson_interval": wilson_interval,
        "symbols": _SYMBOLS,
    }
    environment.filters |= {"pretty": _pretty, "peek": _peek, "duration": _duration, "dollars": _dollars}
    return environment


def _make_visible(value: Any) -> Any:
    """Before it is escaped: what a browser doesn't show, or would turn around; and no more than can be looked at."""
    return terminal(shorten(value, LONGEST_TEXT)) if isinstance(value, str) and not isinstance(value, Markup) else value


def _peek(text: str) -> str:
    """The beginning, on one line."""
    return " ".join(text[:_PEEK].split()) + ("…" if len(text) > _PEEK else "")


def _pretty(text: object) -> str:
    """JSON in lines; other text as it is."""
    try:
        data = json.loads(text) if isinstance(text, str) else as_plain(text)
        is_data = isinstance(data, dict | list)
        return json.dumps(data, indent=2, ensure_ascii=False, default=str) if is_data else str(text)
    except (ValueError, RecursionError):
        return str(text)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min {rest:02} s"


def _dollars(value: float) -> str:
    """Cents; less than that with two figures that say something."""
    places = 2 if value == 0 or value >= 1 else min(10, 1 - floor(log10(value)))
    return f"${value:,.{places}f}"


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()
