"""What a run cost: its tokens at the prices of the library genai-prices, or at the user's own.

The library's prices are those of its release, looked up without a request. What a model's tools cost by themselves
(web search, file search, the code interpreter's containers) is not included.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from math import inf
from typing import Any

from runner.domain.assistant import Price
from runner.domain.conversation import Usage

_A_MILLION = 1_000_000
NOT_INCLUDED = "fees for tools not included"


def show_usd(amount: float) -> str:
    """To a hundredth of a cent, or as far as its first digit: what was used is never shown as nothing."""
    return f"{amount:.4f}" if amount >= 0.0001 or not amount else f"{Decimal(f'{amount:.1g}'):f}"


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
        return _cost_at(price, usage.input_tokens, usage.output_tokens, cached)
    return _library_cost(usage.input_tokens, usage.output_tokens, cached, model)


def _library_cost(input_tokens: int, output_tokens: int, cached: int, model: str) -> Decimal:
    try:
        plain = _plain_price(model)
    except LookupError as error:
        raise PriceUnknown(f"{price_source()} has no price of the model '{model}'") from error
    if plain is not None and input_tokens < plain[1]:
        return _cost_at(plain[0], input_tokens, output_tokens, cached)
    import genai_prices

    usage = genai_prices.Usage(input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=cached)
    return Decimal(genai_prices.calc_price(usage, model).total_price)


def _cost_at(price: Price, input_tokens: int, output_tokens: int, cached: int) -> Decimal:
    at_cache = price.input if price.cached_input is None else price.cached_input
    whole = (input_tokens - cached) * price.input + cached * at_cache + output_tokens * price.output
    return whole / _A_MILLION


@cache
def _plain_price(model: str) -> tuple[Price, float] | None:
    """A model's price, and the number of input tokens from which another one holds; None if it isn't that plain.

    The library takes 0.3 ms to work out one run; of ten thousand runs most cost the same a token. Raises LookupError.
    """
    import genai_prices

    found = genai_prices.calc_price(genai_prices.Usage(input_tokens=1, output_tokens=1), model).model_price
    words = ("input_mtok", "output_mtok", "cache_read_mtok")
    prices: list[Any] = [getattr(found, word, None) for word in words]
    starts = [tier.start for price in prices for tier in getattr(price, "tiers", ())]
    bases = [getattr(price, "base", price) for price in prices]
    if not all(isinstance(base, Decimal) for base in bases[:2]):
        return None
    return Price(input=bases[0], output=bases[1], cached_input=bases[2]), min(starts, default=inf)


@cache
def price_source() -> str:
    """The library with its version, which is what says of when its prices are."""
    from importlib.metadata import version

    return f"genai-prices {version('genai-prices')}"
