"""The HTML report: one page that needs nothing else, to be read, searched and shared."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from runner import __version__
from runner.domain.report import COUNTED, DECLINED, NOT_STARTED, Outcome, Report, ScenarioResult
from runner.domain.result_json import as_plain
from runner.domain.statistics import pass_hat, wilson_interval
from runner.escaping import terminal
from runner.reporting import MARK, name_uniquely
from runner.reporting._failure import answer_of, find_failure, shorten

DEFAULT_NAME = "report.html"
HERE = Path(__file__).parent
LONGEST_TEXT = 100_000
"""Characters of one text; the JSON report has it whole."""
BARS = 24
"""Of a histogram."""
_MOST_TAGS = 12
_SYMBOLS = {
    "passed": "✓", "failed": "✕", "errored": "!", DECLINED: "–", "flaky": "~", "skipped": "○", NOT_STARTED: "○",
}  # fmt: skip


@dataclass(slots=True)
class Sums:
    """What some of the results come to; one number for each run, and for each scenario whose cost is known."""

    counts: Counter[str] = field(default_factory=Counter)
    passes: int = 0
    attempts: int = 0
    tokens: int = 0
    seconds: list[float] = field(default_factory=list)
    dollars: list[float] = field(default_factory=list)

    def add(self, result: ScenarioResult) -> None:
        self.counts[result.counted_as] += 1
        self.passes += result.passes
        self.attempts += sum(one.outcome in (Outcome.PASSED, Outcome.FAILED) for one in result.attempts)
        turns = [turn for attempt in result.attempts for turn in attempt.turns]
        runs = [turn.run for turn in turns if turn.run]
        self.seconds += [run.duration_s for run in runs if run.duration_s is not None]
        self.tokens += sum(run.usage.total_tokens or 0 for run in runs if run.usage)
        costs = [turn.cost_usd for turn in turns if turn.cost_usd is not None]
        self.dollars += [sum(costs)] if costs else []

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.passes, self.attempts)

    def second_at(self, share: float) -> float:
        """The time in which this share of the runs was done."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Of a histogram: how many values lie between `low` and `high`; `share` is its height, in 0..1."""

    low: float
    high: float
    count: int
    share: float


def histogram(values: list[float]) -> list[Bar]:
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


def render(report: Report) -> Iterator[str]:
    """The overview first, which needs to see all results once; then one scenario after the other."""
    whole, variants, tags = _sum_up(report)
    style, script = (HERE / "page.css").read_text(encoding="utf-8"), (HERE / "page.js").read_text(encoding="utf-8")
    stream = (
        _environment()
        .get_template("page.html.j2")
        .stream(
            mark=MARK,
            version=__version__,
            report=report,
            results=name_uniquely(report),
            whole=whole,
            variants=variants,
            tags=tags,
            style=Markup(style),
            script=Markup(script),
            style_hash=_hash(style),
            script_hash=_hash(script),
            words=COUNTED,
        )
    )
    stream.enable_buffering(256)
    yield from stream


def _sum_up(report: Report) -> tuple[Sums, dict[str, Sums], dict[str, Sums]]:
    """All, those of each variant, and those of the tags that most scenarios have."""
    whole, variants, tags = Sums(), {one.label: Sums() for one in report.variants}, dict[str, Sums]()
    for result in report.results:
        label = [result.variant.label] if result.variant else []
        for sums in [whole, *(variants.setdefault(one, Sums()) for one in label)]:
            sums.add(result)
        for tag in result.scenario.tags:
            tags.setdefault(tag, Sums()).add(result)
    common = sorted(tags, key=lambda tag: -tags[tag].counts.total())[:_MOST_TAGS]
    return whole, variants, {tag: tags[tag] for tag in sorted(common)}


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
        "histogram": histogram,
        "pass_hat": pass_hat,
        "symbols": _SYMBOLS,
    }
    environment.filters |= {"pretty": _pretty, "duration": _duration, "dollars": lambda value: f"${value:,.4f}"}
    return environment


def _make_visible(value: Any) -> Any:
    """Before it is escaped: what a browser doesn't show, or would turn around; and no more than can be looked at."""
    return terminal(shorten(value, LONGEST_TEXT)) if isinstance(value, str) and not isinstance(value, Markup) else value


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


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()
