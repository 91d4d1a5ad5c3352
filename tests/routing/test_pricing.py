"""Costs by hand, at the prices of the providers' own tables."""

from dataclasses import replace
from decimal import Decimal

import pytest

from routing import pricing
from routing.types import Price, Usage

MILLION = 1_000_000
HAIKU, SONNET = (pricing.LIST_PRICES[f"claude-{name}-5-5"] for name in ("haiku", "sonnet"))


@pytest.mark.parametrize(
    ("price", "usage", "expected"),
    [
        (SONNET, Usage(1000, 500), "0.007"),
        # 1000 x 2 + 10 x 10 + writes 400 x 2.5 and 200 x 4 + reads 5000 x 0.1, per million
        (SONNET, Usage(1000, 10, 400, 200, 5000), "0.0044"),
        (HAIKU, Usage(100_000, 100), "0.01005"),
        # One token more, and every token of the request costs five times as much.
        (HAIKU, Usage(100_001, 100), "0.0502505"),
        (HAIKU, Usage(1, 0, cache_read_tokens=100_000), "0.0050005"),
    ],
)
def test_cost(price, usage, expected):
    assert pricing.cost_usd(price, usage) == Decimal(expected)


@pytest.mark.parametrize(
    ("price", "usage"),
    [
        (None, Usage(1, 1)),
        (SONNET, Usage(None, 1)),
        (SONNET, Usage(1, None)),
        (Price(Decimal(1), Decimal(1)), Usage(1, 1, cache_read_tokens=1)),
        (replace(SONNET, cache_write_1h_usd=None), Usage(1, 1, cache_write_1h_tokens=1)),
    ],
)
def test_what_is_not_known_makes_the_cost_unknown(price, usage):
    assert pricing.cost_usd(price, usage) is None


@pytest.mark.parametrize("price", [*pricing.LIST_PRICES.values(), None])
def test_a_price_survives_its_way_through_json(price):
    assert pricing.from_json(pricing.to_json(price)) == price


def test_a_price_stored_before_a_field_existed_is_read():
    assert pricing.from_json({"input_usd": "1", "output_usd": "2"}) == Price(Decimal(1), Decimal(2))


def test_every_list_price_names_source_and_date():
    assert all(price.source and price.date for price in pricing.LIST_PRICES.values())
