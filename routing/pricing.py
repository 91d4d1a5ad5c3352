"""List prices with their source and date, and what a completion cost by them.

A price that is not known stays unknown: cost is None, never 0.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from routing.types import Price, Usage

_MILLION = Decimal(1_000_000)
_ANTHROPIC = "Anthropic API pricing page"
_GOOGLE = "Gemini API pricing page"


def _price(input_usd: str, output_usd: str, source: str, date: str) -> Price:
    """Return a price; Anthropic bills cache writes at 1.25 and reads at 0.1 of the input price."""
    base = Decimal(input_usd)
    cached = source == _ANTHROPIC
    return Price(
        base,
        Decimal(output_usd),
        base * Decimal("1.25") if cached else None,
        base * Decimal("0.1") if cached else None,
        source,
        date,
    )


#: USD per million tokens at the date given; a policy may name others.
LIST_PRICES: dict[str, Price] = {
    "claude-3-haiku-20240307": _price("0.25", "1.25", _ANTHROPIC, "2024-03-13"),
    "claude-3-opus-20240229": _price("15", "75", _ANTHROPIC, "2024-03-04"),
    "claude-3-5-haiku-20241022": _price("0.80", "4", _ANTHROPIC, "2024-12-03"),
    "claude-3-5-sonnet-20241022": _price("3", "15", _ANTHROPIC, "2024-10-22"),
    "gemini-1.5-flash-002": _price("0.075", "0.30", _GOOGLE, "2024-10-01"),
    "gemini-1.5-pro-002": _price("1.25", "5", _GOOGLE, "2024-10-01"),
}


def cost_usd(price: Price | None, usage: Usage) -> Decimal | None:
    """Return the cost in USD, or None when a price or a token count is unknown."""
    if price is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    total = usage.input_tokens * price.input_usd + usage.output_tokens * price.output_usd
    for tokens, unit in (
        (usage.cache_write_tokens, price.cache_write_usd),
        (usage.cache_read_tokens, price.cache_read_usd),
    ):
        if tokens and unit is None:
            return None
        total += tokens * (unit or Decimal(0))
    return total / _MILLION


def to_json(price: Price | None) -> dict[str, Any] | None:
    """Return the price as JSON; amounts are strings, so that no digit is lost."""
    if price is None:
        return None
    return {key: None if value is None else str(value) for key, value in vars(price).items()}


def from_json(data: dict[str, Any] | None) -> Price | None:
    """Return the price that `to_json` wrote."""
    if data is None:
        return None
    return Price(
        input_usd=Decimal(data["input_usd"]),
        output_usd=Decimal(data["output_usd"]),
        cache_write_usd=_known(data.get("cache_write_usd")),
        cache_read_usd=_known(data.get("cache_read_usd")),
        source=data.get("source", ""),
        date=data.get("date", ""),
    )


def _known(amount: str | None) -> Decimal | None:
    return None if amount is None else Decimal(amount)
