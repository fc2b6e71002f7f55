"""100,000 deterministic checks of ordinary short answers: seconds in all, and microseconds for each kind.

Each check judges answers that differ from one to the next, as a play's do; `python benchmarks/checks.py` exits with 1
if it takes 5 s or more of the processor.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

from runner.checks import an_answer
from runner.domain.conversation import Citation, FileId, ProducedFile, Run, SearchResult, Step, Usage
from runner.errors import CheckBroken
from runner.plugins import load_plugin

WHOLE, LIMIT_S = 100_000, 5.0
KINDS: dict[str, dict[str, Any]] = {
    "cites": {"file": "terms.md"},
    "code_ran": {"printed": "39.25"},
    "contains": {"value": "burger"},
    "cost": {"max": Decimal(1)},
    "date": {"value": "2026-03-04"},
    "equals": {"value": "You pay 39.25."},
    "json": {},
    "json_path": {"path": "$.total", "equals": Decimal("39.25")},
    "json_schema": {"schema": {"type": "object", "required": ["total"]}},
    "latency_s": {"max": Decimal(20)},
    "length": {"max": 50},
    "matches": {"pattern": r"\d+\.\d\d"},
    "not_cites": {"file": "receipt.pdf"},
    "not_contains": {"value": ["guarantee", "promise"]},
    "number": {"value": Decimal("39.25")},
    "numbers": {"values": [Decimal("23.75"), Decimal("15.5")]},
    "one_of": {"values": ["burger", "pizza"], "inside": True},
    "produces": {"name": "*.csv"},
    "refuses": {},
    "searched": {"file": "terms.md", "rank": 1},
    "similar": {"value": "You pay 39.25 for a burger and a soda."},
    "starts_with": {"value": "You"},
    "status": {"value": "completed"},
    "steps": {"max": 3},
    "tokens": {"max": 2000},
    "tool_called": {"tool": "code_interpreter"},
    "tool_calls": {"calls": ["file_search", "code_interpreter"], "mode": "exact"},
    "tool_not_called": {"tool": "web_search"},
}


def main() -> int:
    each, spent_s = WHOLE // len(KINDS), 0.0
    for name, parameters in KINDS.items():
        module = load_plugin("runner.checks", name)
        getattr(module, "prepare", lambda: None)()
        check, runs = module.Check(**parameters), [_answer(name, number) for number in range(each)]
        with suppress(CheckBroken):
            check.judge(runs[0])
        begun = time.process_time()
        for run in runs:
            check.judge(run)
        took_s = time.process_time() - begun
        spent_s += took_s
        print(f"{name:<18}{took_s / each * 1e6:>9.1f} µs")
    whole_s = spent_s * WHOLE / (each * len(KINDS))
    print(
        f"{WHOLE:,} checks of {len(KINDS)} kinds: {whole_s:.2f} s of the processor, {whole_s / WHOLE * 1e6:.0f} µs each"
    )
    return int(whole_s >= LIMIT_S)


_TERMS = SearchResult(file_id=FileId("f1"), filename="terms.md", score=0.9, text="Refunds are paid within 30 days.")
_WHOLE = an_answer(
    steps=(
        Step(tool="file_search", completed=True, results=(_TERMS,)),
        Step(tool="code_interpreter", completed=True, input="print(23.75 + 15.50)", output="39.25\n"),
    ),
    citations=(Citation(position=8, file_id=FileId("f1"), filename="terms.md"),),
    files=(ProducedFile(name="prices.csv", size_bytes=10, sha256="", text="burger,23\n"),),
    usage=Usage(input_tokens=900, output_tokens=120, total_tokens=1020),
    model="gpt-4o",
    duration_s=4.2,
)


def _answer(kind: str, number: int) -> Run:
    if kind.startswith("json"):
        return replace(_WHOLE, text=f'{{"total": 39.25, "number": {number}}}')
    if kind == "date":
        return replace(_WHOLE, text=f"Booking A-{number}: the flight leaves on 4 March 2026.")
    texts = (
        f"You pay **$39.25** for booking A-{number}.",
        f"You pay 39.25 USD, guest {number}.",
        f"A burger costs 23.75 and a soda 15.50 at table {number}, so you pay $39.25.",
        f"Guest {number}: you pay 39.25 euros in all, tip included.",
    )
    return replace(_WHOLE, text=texts[2 if kind == "numbers" else number % len(texts)])


if __name__ == "__main__":
    sys.exit(main())
