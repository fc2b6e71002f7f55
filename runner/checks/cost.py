"""The run cost so much."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runner import prices
from runner.checks import BREAKS, FAILS, PASSES, Example, Limits, an_answer, limits_schema, parameters
from runner.domain.conversation import Run, Usage
from runner.domain.report import Finding
from runner.errors import CheckBroken

MAIN_FIELD = "max"
SCHEMA = parameters(
    "The run's tokens cost no more than so many US dollars, at the list prices of the library genai-prices; the "
    "report names its version. Fees for tools (searches, containers) and discounts aren't included. A model without a "
    "price there is an error, as are tokens that the API doesn't count.",
    least=1,
    **limits_schema("US dollars", example=0.01, whole=False),
)
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
class Check(Limits):
    def judge(self, run: Run) -> Finding:
        try:
            spent = prices.cost_usd(run.usage, run.model)
        except prices.PriceUnknown as error:
            raise CheckBroken(str(error)) from error
        finding = self.judge_amount(spent, "USD")
        return replace(finding, found=f"{finding.found} ({prices.price_source()}, {prices.NOT_INCLUDED})")
