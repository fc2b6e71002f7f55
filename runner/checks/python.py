"""A Python function of the project says whether the answer is right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar

from runner.checks import BREAKS, FAILS, PASSES, PROJECT_CODE, Ask, Example, Exchange, field, parameters
from runner.checks._text import shorten
from runner.domain.conversation import Run
from runner.domain.report import Finding
from runner.domain.result_json import as_plain, run_as_json
from runner.domain.scenario import Turn
from runner.errors import CheckBroken

TIMEOUT_S = Decimal(10)
MAIN_FIELD = "call"
SCHEMA = parameters(
    "A Python function of the project says that the answer is right. It gets one argument, `turn`, with all that is "
    "known of the turn (`answer`, `question`, `steps`, `citations`, `item`, ...), in a process of its own. It returns "
    "true or false, a score from 0 to 1, the reason why it is wrong ('' if it isn't), or {holds, score, reason}.",
    required=["call"],
    call=field(
        "string",
        "The file, relative to this one, and the function: checks/policy.py:no_discounts.",
        "checks/policy.py:no_discounts",
        format=PROJECT_CODE,
        pattern=r"^[^:]+\.py:[A-Za-z_][A-Za-z0-9_]*$(?!\n)",
    ),
    threshold=field(
        "number",
        "The least score that passes; needed for a function that returns a score alone. `holds: true` with a score "
        "below it is an error.",
        0.8,
        exclusiveMinimum=0,
        maximum=1,
    ),
    timeout=field("number", "Seconds that it may take.", 30, exclusiveMinimum=0, maximum=600, default=TIMEOUT_S),
)
CODE_ARGUMENTS = ("turn",)
"""What the function is called with."""
EXAMPLES = (
    Example("python: policy.py:no_discounts", "That is 39.25.", PASSES),
    Example("python: policy.py:no_discounts", "With 10% discount it is 35.33.", FAILS),
    Example("python: {call: policy.py:share_of_short_words, threshold: 0.5}", "It is on me.", PASSES),
    Example("python: policy.py:broken", "That is 39.25.", BREAKS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`call` is located code (`functions/python.py`) once the configuration has read it."""

    call: str
    threshold: Decimal | None = None
    timeout: Decimal = TIMEOUT_S
    is_paid: ClassVar[bool] = False

    async def judge_asking(self, exchange: Exchange, ask: Ask) -> Finding:
        told = dict.fromkeys(CODE_ARGUMENTS, show_turn(exchange))
        output = await ask.run(self.call, told, float(self.timeout))
        try:
            found = self._read(output)
        except CheckBroken as error:
            error.printed = output.printed
            raise
        return replace(found, details={"printed": output.printed}) if output.printed else found

    def _read(self, text: str) -> Finding:
        said = json.loads(text)
        match said:
            case bool():
                return self._finding(said, "it returned false")
            case int() | float():
                return self._finding_of_score(said, "")
            case str():
                return self._finding(not said.strip(), said)
            case {"holds": bool(holds), **more} if more.keys() <= {"score", "reason"}:
                score = None if more.get("score") is None else _check_score(more["score"])
                if holds and score is not None and self.threshold is not None and score < self.threshold:
                    both = f"`holds: true` with the score {score:g}, below the threshold {self.threshold}"
                    raise CheckBroken(f"it returned {both}: return one of the two, or remove `threshold`")
                return self._finding(holds, str(more.get("reason") or ""), score)
            case {"score": score, **more} if more.keys() <= {"reason"}:
                return self._finding_of_score(score, str(more.get("reason") or ""))
        raise CheckBroken(f"it returned {shorten(text)}: neither a boolean, a score, a reason nor {{holds: ...}}")

    def _finding_of_score(self, score: object, reason: str) -> Finding:
        number = _check_score(score)
        if self.threshold is None:
            raise CheckBroken(f"it returned a score, {number:g}; say from where on it passes: `threshold`")
        holds = Decimal(str(number)) >= self.threshold
        return self._finding(holds, reason or f"the score {number:g} is below {self.threshold}", number)

    def _finding(self, holds: bool, reason: str, score: float | None = None) -> Finding:
        found = f"score {score:g}" if score is not None else "right" if holds else "wrong"
        told = "" if holds else shorten(reason) or "it returned false"
        return Finding(holds=holds, expected=shorten(str(self.call)), found=found, reason=told, score=score)


def _check_score(score: object) -> float:
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise CheckBroken(f"the score {shorten(str(score))} is not between 0 and 1")
    return float(score)


def show_turn(exchange: Exchange) -> Mapping[str, Any]:
    """What a function of the project is told, as plain data: docs/judge.md."""
    asked, _ = exchange.turns[-1]
    return {
        **_show(asked, exchange.run),
        "previous": [_show(turn, run) for turn, run in exchange.turns[:-1]],
        "item": as_plain(exchange.scenario.item),
        "scenario": {"name": exchange.scenario.name, "tags": list(exchange.scenario.tags)},
        "target": exchange.target,
        "api": exchange.api,
    }


def _show(turn: Turn, run: Run) -> dict[str, Any]:
    return {"question": turn.ask, "attachments": [file.name for file in turn.attachments], **run_as_json(run)}
