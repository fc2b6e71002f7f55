"""The run cost so much."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from runner import prices
from runner.checks import BREAKS, FAILS, PASSES, Example, an_answer, check_limits, judge_amount, limits_schema
from runner.domain.conversation import Run, Usage
from runner.domain.report import Finding
from runner.errors import CheckBroken

MAIN_FIELD = "max"
SCHEMA = {
    "type": "object",
    "description": "The run's tokens cost no more than so many US dollars, at the list prices of the library "
    "genai-prices; the report names its version. Fees for tools (searches, containers) and discounts aren't included. "
    "A model without a price there is an error, as are tokens that the API doesn't count.",
    "properties": limits_schema("US dollars", example=0.01, whole=False),
    "minProperties": 1,
    "additionalProperties": False,
}
_USAGE = Usage(input_tokens=900, output_tokens=120, total_tokens=1020)
EXAMPLES = (
    Example("cost: 0.01", an_answer("39.25", usage=_USAGE, model="gpt-4o"), PASSES),
    Example("cost: {max: 0.0001}", an_answer("39.25", usage=_USAGE, model="gpt-4o"), FAILS),
    Example("cost: 0.01", an_answer("39.25", usage=_USAGE, model="our-own-model"), BREAKS),
    Example("cost: 0.01", an_answer("39.25", model="gpt-4o"), BREAKS),
)


def prepare(*_written: object) -> None:
    prices.price_source()
    prices.cost_usd(_USAGE, "gpt-4o")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    max: Decimal | None = None
    min: Decimal | None = None

    def __post_init__(self) -> None:
        check_limits(self.min, self.max)

    def judge(self, run: Run) -> Finding:
        try:
            spent = prices.cost_usd(run.usage, run.model)
        except prices.PriceUnknown as error:
            raise CheckBroken(str(error)) from error
        finding = judge_amount(spent, self.min, self.max, unit="USD")
        return replace(finding, found=f"{finding.found} ({prices.price_source()}, {prices.NOT_INCLUDED})")
