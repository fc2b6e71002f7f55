"""What runs cost: the library's prices to the cent, the user's own before them, and never a guess."""

from decimal import Decimal

import genai_prices
import pytest

from runner.domain.assistant import Price
from runner.domain.conversation import Usage
from runner.prices import PriceUnknown, cost_usd, show_usd


def used(tokens: int, *, cached: int = 0) -> Usage:
    return Usage(input_tokens=tokens, output_tokens=tokens // 2, total_tokens=tokens, cached_tokens=cached)


@pytest.mark.parametrize("model", ["gpt-6-luna", "gpt-4o", "gpt-5", "o3"])
@pytest.mark.parametrize("tokens", [0, 1, 1_000, 150_000, 250_000, 900_000])
@pytest.mark.parametrize("share_cached", [0, 2])
def test_it_is_what_the_library_says_also_where_a_long_input_has_another_price(
    model: str, tokens: int, share_cached: int
) -> None:
    cached = tokens // 2 if share_cached else 0
    usage = genai_prices.Usage(input_tokens=tokens, output_tokens=tokens // 2, cache_read_tokens=cached)
    assert cost_usd(used(tokens, cached=cached), model) == genai_prices.calc_price(usage, model).total_price


def test_ones_own_price_comes_first() -> None:
    own = {"gpt-4o": Price(input=Decimal(2), output=Decimal(4), cached_input=Decimal(1))}
    assert cost_usd(used(1_000_000, cached=500_000), "gpt-4o", own) == Decimal("3.5")


@pytest.mark.parametrize(
    ("usage", "model", "said"),
    [
        (None, "gpt-4o", "the API didn't say how many tokens it used"),
        (Usage(total_tokens=5), "gpt-4o", "the API didn't say how many tokens it used"),
        (used(5), None, "the API didn't say which model answered"),
        (used(5), "our-own-model", "has no price of the model 'our-own-model'"),
    ],
)
def test_what_is_not_known_is_no_zero(usage: Usage | None, model: str | None, said: str) -> None:
    with pytest.raises(PriceUnknown, match=said):
        cost_usd(usage, model)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "0.0000"), (1.25, "1.2500"), (0.0001, "0.0001"), (0.000021, "0.00002"), (3e-7, "0.0000003")],
)
def test_what_was_used_is_never_shown_as_nothing(amount: float, shown: str) -> None:
    assert show_usd(amount) == shown
