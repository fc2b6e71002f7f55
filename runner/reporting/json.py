"""The JSON report: everything about one play, for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from textwrap import indent

from runner import __version__
from runner.domain.report import COUNTED, PlayEvent, PlayFinished, Report, Tally
from runner.domain.result_json import result_as_json
from runner.domain.statistics import wilson_interval
from runner.redaction import Redactor
from runner.reporting import MARK
from runner.whole_file import write_whole

VERSION = 3
"""Goes up when a key changes its meaning or goes away; new keys may come at any time."""


def open_report(path: Path, redactor: Redactor) -> JsonReport:
    return JsonReport(path, redactor)


class JsonReport:
    """Written when the play has finished, interrupted plays included."""

    def __init__(self, path: Path, redactor: Redactor) -> None:
        self._path = path
        self._redactor = redactor

    def on_event(self, event: PlayEvent) -> None:
        if isinstance(event, PlayFinished):
            write_whole(self._path, self._write(event.report), what="the report")

    def _write(self, report: Report) -> Iterator[str]:
        """One scenario after the other: a large report is never in memory as a whole."""
        head = self._dump(head_as_json(report))
        yield head.removesuffix("\n}") + ',\n  "scenarios": ['
        separator = "\n"
        for result in report.results:
            yield separator + indent(self._dump(result_as_json(result)), "    ")
            separator = ",\n"
        yield "\n  ]\n}\n"

    def _dump(self, data: object) -> str:
        # ASCII only: lone surrogates and controls are escaped, so that any reader takes the file.
        return self._redactor.clean(json.dumps(data, indent=2, ensure_ascii=True, allow_nan=False))


def report_as_json(report: Report) -> dict[str, object]:
    return {**head_as_json(report), "scenarios": [result_as_json(result) for result in report.results]}


def head_as_json(report: Report) -> dict[str, object]:
    """Everything but the scenarios."""
    tally = report.tally
    return {
        "generator": MARK,
        "version": VERSION,
        "runner": __version__,
        "play_id": report.play_id,
        "started_at": report.started_at,
        "duration_s": round(report.duration_s, 3),
        "exit_code": report.exit_code,
        "signal": report.signal,
        "stopped": report.stopped,
        "variants": [asdict(variant) for variant in report.variants],
        "planned": report.planned,
        "counts": dict(report.counts),
        "cut_off": report.cut_off,
        **_tally_as_json(tally),
        "by_variant": {
            label: {"counts": {word: one.counts[word] for word in COUNTED}, **_tally_as_json(one)}
            for label, one in report.tally_by_variant.items()
            if len(report.variants) > 1
        },
        "leftovers": list(report.leftovers),
    }


def _tally_as_json(tally: Tally) -> dict[str, object]:
    low, high = wilson_interval(tally.passes, tally.attempts)
    hat = tally.pass_hat()
    p50, p95 = tally.quantile_s(0.5), tally.quantile_s(0.95)
    return {
        "attempts": {
            "judged": tally.attempts,
            "passed": tally.passes,
            "interval": [round(low, 4), round(high, 4)],
            "pass_hat": {"k": hat[0], "rate": round(hat[1], 4)} if hat else None,
        },
        "usage": {
            "runs": tally.runs,
            "input_tokens": tally.input_tokens,
            "output_tokens": tally.output_tokens,
            "total_tokens": tally.total_tokens,
            "uncounted_runs": tally.uncounted_runs,
            "cost_usd": round(tally.cost_usd, 6),
            "unpriced_runs": tally.unpriced_runs,
        },
        "latency_s": {"p50": None if p50 is None else round(p50, 3), "p95": None if p95 is None else round(p95, 3)},
    }
