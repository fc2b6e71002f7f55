"""What a run cost: its tokens at the prices of the library genai-prices, or at the user's own.

The library's prices are those of its release, looked up without a request. What a model's tools cost by themselves
(web search, file search, the code interpreter's containers) is not included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from runner.domain.conversation import Usage

_A_MILLION = 1_000_000
NOT_INCLUDED = "fees for tools not included"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for a million tokens; `cached_input` is None where such tokens cost what the others do."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None


class PriceUnknown(LookupError):
    """The message says why there is no price."""


def cost_usd(usage: Usage | None, model: str | None, own: Mapping[str, Price] | None = None) -> Decimal:
    """What the tokens cost in US dollars; `own` prices, by the model's name, come before the library's.

    Raises PriceUnknown where the tokens aren't known, or the model has no price.
    """
    if usage is None or usage.input_tokens is None or usage.output_tokens is None:
        raise PriceUnknown("the API didn't say how many tokens it used")
    if not model:
        raise PriceUnknown("the API didn't say which model answered")
    cached = min(usage.cached_tokens or 0, usage.input_tokens)
    if price := (own or {}).get(model):
        at_cache = price.input if price.cached_input is None else price.cached_input
        whole = (usage.input_tokens - cached) * price.input + cached * at_cache + usage.output_tokens * price.output
        return whole / _A_MILLION
    return _library_cost(usage.input_tokens, usage.output_tokens, cached, model)


def _library_cost(input_tokens: int, output_tokens: int, cached: int, model: str) -> Decimal:
    import genai_prices

    usage = genai_prices.Usage(input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=cached)
    try:
        return Decimal(genai_prices.calc_price(usage, model).total_price)
    except LookupError as error:
        raise PriceUnknown(f"{price_source()} has no price of the model '{model}'") from error


@cache
def price_source() -> str:
    """The library with its version, which is what says of when its prices are."""
    from importlib.metadata import version

    return f"genai-prices {version('genai-prices')}"
