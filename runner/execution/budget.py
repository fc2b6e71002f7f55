"""What the runs of a play use, and the most that it may: counted as each turn ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from runner.domain.assistant import Price
from runner.domain.conversation import Ending
from runner.domain.report import Judging, TurnResult, Variant, Verdict
from runner.execution.scheduler import Interruption
from runner.prices import PriceUnknown, cost_usd

_FREE_INFERENCES = frozenset({"offline"})
"""Of the embedded server: rules that use no tokens, whatever model the file names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that a play may use in tokens and US dollars; None: as much as it takes."""

    tokens: int | None = None
    cost_usd: float | None = None


class Budget:
    """Keeps the account of one play, and ends it when a limit is reached: the turns under way come to their end.

    What an earlier, interrupted time has used is not in it.
    """

    def __init__(self, limits: Limits, prices: Mapping[str, Price], interruption: Interruption) -> None:
        self._limits = limits
        self._prices = prices
        self._interruption = interruption
        self._tokens = 0
        self._cost_usd = 0.0

    def book(self, turn: TurnResult, variant: Variant) -> TurnResult:
        """The turn with what its run cost, where that can be known."""
        self.book_judging(turn.verdicts)
        run = turn.run
        if run is None:
            return turn
        if variant.inference in _FREE_INFERENCES:
            return replace(turn, cost_usd=0.0)
        is_answer = run.ending is not Ending.BROKEN
        tokens = run.usage.total_tokens if run.usage else None
        if tokens is None and is_answer and self._limits.tokens is not None:
            self._end("--max-tokens can't be kept: the API did not say how many tokens a run used")
        cost: float | None = None
        try:
            cost = float(cost_usd(run.usage, run.model, self._prices))
        except PriceUnknown as error:
            if is_answer and self._limits.cost_usd is not None:
                self._end(f"--max-cost can't be kept: {error}; `prices:` in assistants.yaml is the place for one")
        self._tokens += tokens or 0
        self._cost_usd += cost or 0.0
        self._check()
        return turn if cost is None else replace(turn, cost_usd=cost)

    def book_judging(self, verdicts: Sequence[Verdict]) -> None:
        """What a judge used for these."""
        used = Judging()
        used.add(verdicts)
        if used.uncounted and self._limits.tokens is not None:
            self._end("--max-tokens can't be kept: the judge did not say how many tokens it used")
        if used.unpriced and self._limits.cost_usd is not None:
            place = "`prices:` in assistants.yaml is the place for one"
            self._end(f"--max-cost can't be kept: the price of the judge's model is not known; {place}")
        self._tokens += used.total_tokens
        self._cost_usd += used.cost_usd
        self._check()

    def _check(self) -> None:
        tokens, dollars = self._limits.tokens, self._limits.cost_usd
        if tokens is not None and self._tokens >= tokens:
            self._end(f"--max-tokens {tokens} is reached: {self._tokens:,} tokens were used")
        if dollars is not None and self._cost_usd >= dollars:
            self._end(f"--max-cost {dollars:g} is reached: {self._cost_usd:.4f} USD were used")

    def _end(self, limit: str) -> None:
        self._interruption.reach(limit, cancels=False)
