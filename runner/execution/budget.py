"""What the runs of a play use, and the most that it may: counted as each turn ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from runner.did_you_mean import count
from runner.domain.assistant import Price
from runner.domain.conversation import Ending
from runner.domain.report import Judging, TurnResult, Variant, Verdict
from runner.execution.scheduler import Interruption
from runner.kept_play import Spent
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

    `spent` is where it is kept, with what earlier, interrupted times of the play have used.
    """

    def __init__(
        self,
        limits: Limits,
        prices: Mapping[str, Price],
        interruption: Interruption,
        spent: Spent | None = None,
    ) -> None:
        self._limits = limits
        self._prices = prices
        self._interruption = interruption
        self._spent = spent or Spent()
        self._earlier = replace(self._spent)
        self._check()

    def describe_earlier(self) -> Iterator[str]:
        """What limits count from, where that is not nothing."""
        earlier = self._earlier
        if self._limits == Limits() or earlier == Spent():
            return
        unknown = f", and {count(earlier.unpriced, 'run')} of unknown cost" if earlier.unpriced else ""
        yield f"limits count what this play used before: {earlier.tokens:,} tokens, {earlier.cost_usd:.4f} USD{unknown}"

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
            self._spent.unpriced += is_answer
            if is_answer and self._limits.cost_usd is not None:
                self._end(f"--max-cost can't be kept: {error}; `prices:` in assistants.yaml is the place for one")
        self._spent.tokens += tokens or 0
        self._spent.cost_usd += cost or 0.0
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
        self._spent.tokens += used.total_tokens
        self._spent.cost_usd += used.cost_usd
        self._check()

    def _check(self) -> None:
        most, now, earlier = self._limits, self._spent, self._earlier
        if most.tokens is not None and now.tokens >= most.tokens:
            before = f", {earlier.tokens:,} of them before it went on" if earlier.tokens else ""
            self._end(f"--max-tokens {most.tokens} is reached: {now.tokens:,} tokens were used{before}")
        if most.cost_usd is not None and now.cost_usd >= most.cost_usd:
            before = f", {earlier.cost_usd:.4f} of them before it went on" if earlier.cost_usd else ""
            self._end(f"--max-cost {most.cost_usd:g} is reached: {now.cost_usd:.4f} USD were used{before}")

    def _end(self, limit: str) -> None:
        self._interruption.reach(limit, cancels=False)
