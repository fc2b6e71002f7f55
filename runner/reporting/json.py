"""The JSON report: everything about one play, for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from runner import __version__
from runner.domain.report import COUNTED, Report, Tally
from runner.domain.result_json import report_as_json, report_from_json, result_as_json, result_from_json
from runner.domain.statistics import wilson_interval
from runner.errors import UsageError
from runner.json_schema import find_mismatch
from runner.reporting import MARK, report_schema

VERSION = 3
"""Goes up when a key changes its meaning or goes away; new keys may come at any time."""


DEFAULT_NAME = "report.json"


def render(report: Report) -> Iterator[str]:
    """One scenario after the other, each on a line: a large report is never in memory as a whole."""
    yield _dump(head_as_json(report), indent=2).removesuffix("\n}") + ',\n  "scenarios": ['
    separator = "\n"
    for result in report.results:
        # Indented, it would take Python's own encoder, which is five times as slow.
        yield f"{separator}    {_dump(result_as_json(result))}"
        separator = ",\n"
    yield "\n  ]\n}\n"


def read(text: str | bytes, *, name: str) -> Report:
    """The report that `render` has written. Raises UsageError, with the file's `name`, for anything else."""
    try:
        data = json.loads(text)
        version = data["version"] if data["generator"] == MARK else None
    except json.JSONDecodeError as error:
        raise UsageError(f"{name} is no JSON report of runner: {error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"{name} is no JSON report of runner") from error
    if version != VERSION:
        raise UsageError(f"{name} is a report of version {version}; this program reads version {VERSION}")
    # The schema takes a millisecond for each scenario, and reading them finds what is wrong, too.
    scenarios = data.get("scenarios")
    head = {**data, "scenarios": [] if isinstance(scenarios, list) else scenarios}
    wrong = find_mismatch(head, json.loads(report_schema()))
    try:
        if not wrong:
            results = tuple(result_from_json(one, f"scenarios[{at}]") for at, one in enumerate(scenarios))
            return report_from_json(data, results, can_go_on=True)
    except ValueError as error:
        wrong = str(error)
    raise UsageError(f"{name} is a report with something missing or wrong in it: {wrong}")


def _dump(data: object, *, indent: int | None = None) -> str:
    # ASCII only: lone surrogates and controls are escaped, so that any reader takes the file.
    return json.dumps(data, indent=indent, ensure_ascii=True, allow_nan=False)


def head_as_json(report: Report) -> dict[str, object]:
    """Everything but the scenarios."""
    tally = report.tally
    return {
        "generator": MARK,
        "version": VERSION,
        "runner": __version__,
        **report_as_json(report),
        "cut_off": report.cut_off,
        **_tally_as_json(tally),
        "by_variant": {
            label: {"counts": {word: one.counts[word] for word in COUNTED}, **_tally_as_json(one)}
            for label, one in report.tally_by_variant.items()
            if len(report.variants) > 1
        },
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
        "judge": {**asdict(tally.judging), "cost_usd": round(tally.judging.cost_usd, 6)},
        "latency_s": {"p50": None if p50 is None else round(p50, 3), "p95": None if p95 is None else round(p95, 3)},
    }
