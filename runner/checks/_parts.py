"""What checks inside another one said: in words for people, and as plain JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from runner.checks import Exchange, Part, applying
from runner.checks._text import shorten
from runner.domain.conversation import Run
from runner.domain.report import Finding, Outcome, Verdict
from runner.domain.result_json import verdict_as_json

_MOST_SHOWN = 4
_LONGEST_NAMES = 200


def saying(run: Run, text: str) -> Run:
    """The run, as if this text were all of its answer: for parts that judge a piece of it."""
    return replace(run, text=text, raw_text=text, citations=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """A check that is made of those under `expect`."""

    expect: Sequence[Part]
    states_endings: ClassVar[bool] = True

    def parts_in(self, _exchange: Exchange | None) -> tuple[Part, ...]:
        return tuple(self.expect)


def conclude(
    holds: bool | None, verdicts: Sequence[Verdict], why: Outcome, *, weak: bool = False, **told: Any
) -> Finding:
    """What follows from the parts; `why` is how those came out that are the reason where it doesn't hold."""
    reason = "" if holds else explain(applying(verdicts), why)
    return Finding(holds=holds, reason=reason, weak=weak and holds is True, details=as_details(verdicts), **told)


def name_parts(parts: Iterable[Part]) -> str:
    """`contains and number`, as the checks are written."""
    return ", ".join(part.expectation.check for part in parts)[:_LONGEST_NAMES]


def explain(verdicts: Sequence[Verdict], *outcomes: Outcome) -> str:
    """Which of the parts came out so, each with what it wanted and found."""
    told = [one for one in verdicts if one.outcome in outcomes]
    shown = "; ".join(_explain_one(one) for one in told[:_MOST_SHOWN])
    more = f"; and {len(told) - _MOST_SHOWN} more" if len(told) > _MOST_SHOWN else ""
    return shown[: 480 - len(more)] + more


def _explain_one(verdict: Verdict) -> str:
    if verdict.outcome is Outcome.PASSED:
        return shorten(f"`{verdict.check}` holds: {verdict.expected or verdict.found}")
    word = "fails" if verdict.outcome is Outcome.FAILED else "can't be told"
    return shorten(f"`{verdict.check}` {word}: {verdict.reason or verdict.found}")


def as_details(verdicts: Sequence[Verdict]) -> dict[str, object]:
    """Plain JSON: what each part said, and where it is written."""
    return {"parts": [verdict_as_json(one) for one in verdicts]}
