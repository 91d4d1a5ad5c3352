"""List prices with their source and date, and what a completion cost by them.

A price that is not known stays unknown: cost is None, never 0.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, Protocol

from routing.types import Price, Tier, Usage

_MILLION = Decimal(1_000_000)
_ANTHROPIC = "Anthropic, platform.claude.com/docs, Pricing"
_GOOGLE = "Gemini API pricing page"


def _anthropic(
    input_usd: str, output_usd: str, date: str, read_factor: str = "0.1", **more: Any
) -> Price:
    """Return a price of Anthropic's; cache writes cost 1.25 (5 minutes) and 2 (1 hour) inputs."""
    base = Decimal(input_usd)
    return Price(
        input_usd=base,
        output_usd=Decimal(output_usd),
        cache_write_usd=base * Decimal("1.25"),
        cache_write_1h_usd=base * 2,
        cache_read_usd=base * Decimal(read_factor),
        source=_ANTHROPIC,
        date=date,
        **more,
    )


def _google(input_usd: str, output_usd: str, date: str) -> Price:
    return Price(Decimal(input_usd), Decimal(output_usd), source=_GOOGLE, date=date)


#: USD per million tokens at the date given; a policy may name others.
LIST_PRICES: dict[str, Price] = {
    "claude-haiku-5-5": _anthropic(
        "0.10", "0.50", "2026-10-07", long_over_tokens=100_000, long_factor=Decimal(5)
    ),
    "claude-sonnet-5-5": _anthropic("2", "10", "2026-10-07", read_factor="0.05"),
    "claude-opus-5-5": _anthropic("4", "20", "2026-10-10", read_factor="0.05"),
    "claude-sonnet-5": _anthropic("2", "10", "2026-10-10"),
    "claude-opus-5": _anthropic("5", "25", "2026-10-10"),
    "claude-fable-5-1": _anthropic("10", "50", "2026-10-10", read_factor="0.025"),
    "claude-haiku-4-5": _anthropic("1", "5", "2026-10-10"),
    "claude-haiku-4-5-20251001": _anthropic("1", "5", "2026-10-10"),
    "claude-sonnet-4-6": _anthropic("3", "15", "2026-10-10"),
    "claude-opus-4-8": _anthropic("5", "25", "2026-10-10"),
    # Retired; their recorded answers are still replayed.
    "claude-3-haiku-20240307": _anthropic("0.25", "1.25", "2024-03-13"),
    "claude-3-opus-20240229": _anthropic("15", "75", "2024-03-04"),
    "claude-3-5-haiku-20241022": _anthropic("0.80", "4", "2024-12-03"),
    "claude-3-5-sonnet-20241022": _anthropic("3", "15", "2024-10-22"),
    "gemini-1.5-flash-002": _google("0.075", "0.30", "2024-10-01"),
    "gemini-1.5-pro-002": _google("1.25", "5", "2024-10-01"),
}

#: The longest prompt with its answer, in tokens; a model that is not here has no known length.
#: Anthropic: platform.claude.com/docs, Models, read 2026-11-27; of the 3 series its model cards.
#: Gemini: ai.google.dev, Gemini models, read 2024-10-01.
CONTEXT_TOKENS: dict[str, int] = {
    "claude-haiku-5-5": 1_000_000,
    "claude-sonnet-5-5": 1_000_000,
    "claude-opus-5-5": 1_000_000,
    "claude-fable-5-1": 1_000_000,
    "claude-haiku-4-5": 200_000,
    "claude-haiku-4-5-20251001": 200_000,
    "claude-3-haiku-20240307": 200_000,
    "claude-3-opus-20240229": 200_000,
    "claude-3-5-haiku-20241022": 200_000,
    "claude-3-5-sonnet-20241022": 200_000,
    "gemini-1.5-flash-002": 1_048_576,
    "gemini-1.5-pro-002": 2_097_152,
}


def cost_usd(price: Price | None, usage: Usage) -> Decimal | None:
    """Return the cost in USD, or None when a price or a token count is unknown."""
    if price is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    total = usage.input_tokens * price.input_usd + usage.output_tokens * price.output_usd
    for tokens, unit in (
        (usage.cache_write_tokens, price.cache_write_usd),
        (usage.cache_write_1h_tokens, price.cache_write_1h_usd),
        (usage.cache_read_tokens, price.cache_read_usd),
    ):
        if tokens and unit is None:
            return None
        total += tokens * (unit or Decimal(0))
    return total * _length_factor(price, usage) / _MILLION


class Probed(Protocol):
    """A decision, as it is made or as it is stored."""

    @property
    def tier(self) -> str: ...  # noqa: D102

    @property
    def probe_usd(self) -> Decimal | None: ...  # noqa: D102

    @property
    def probe_ms(self) -> float | None: ...  # noqa: D102


def total_usd(
    decision: Probed, served_usd: Decimal | None, rewrite_usd: Decimal | None = Decimal(0)
) -> Decimal | None:
    """Return what a request cost: its answer, and what was asked before it.

    The answer of a cheap model that was asked first is one of those calls already.

    Args:
        decision: with `probe_ms` when CHEAP was asked first.
        served_usd: of the completion that the client got; None when it is not known.
        rewrite_usd: of making the query self-contained; None when it is not known.
    """
    if decision.probe_ms is None:
        paid: list[Decimal | None] = [served_usd]
    elif decision.tier == Tier.CHEAP:
        paid = [decision.probe_usd]
    else:
        paid = [decision.probe_usd, served_usd]
    known = [amount for amount in (*paid, rewrite_usd) if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(paid) + 1 else None


def _length_factor(price: Price, usage: Usage) -> Decimal:
    """Return what a long prompt multiplies every rate by."""
    if price.long_over_tokens is None or price.long_factor is None:
        return Decimal(1)
    is_long = usage.prompt_tokens > price.long_over_tokens
    return price.long_factor if is_long else Decimal(1)


def scaled(price: Price, factor: Decimal) -> Price:
    """Return the price with every rate times a factor, as batches have it."""
    rates = {
        name: value * factor
        for name, value in vars(price).items()
        if name.endswith("_usd") and value is not None
    }
    return replace(price, **rates)


def to_json(price: Price | None) -> dict[str, Any] | None:
    """Return the price as JSON; amounts are strings, so that no digit is lost."""
    if price is None:
        return None
    return {
        key: str(value) if isinstance(value, Decimal) else value
        for key, value in vars(price).items()
    }


def from_json(data: dict[str, Any] | None) -> Price | None:
    """Return the price that `to_json` wrote; a field it did not know then is unknown."""
    if data is None:
        return None
    known = {name: value for name, value in data.items() if name in Price.__dataclass_fields__}
    amounts = {
        name: Decimal(value)
        for name, value in known.items()
        if value is not None and (name.endswith("_usd") or name == "long_factor")
    }
    return Price(**{**known, **amounts})
