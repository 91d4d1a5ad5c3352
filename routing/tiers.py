"""Read who plays a tier, and at what price, from texts: settings and forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from routing import pricing
from routing.types import Price, TierSpec

PROVIDERS = ("anthropic", "openai", "simulated")
AMOUNTS = ("input", "output", "cache_write", "cache_write_1h", "cache_read")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
_MOST_USD = Decimal(100_000)


def read(said: Mapping[str, str], default: TierSpec) -> TierSpec:
    """Return a tier from texts by name: provider, model, url, key_name, prices, source, date.

    What is left empty is the default's, as long as the provider is; a price that nobody gives is
    the list's, or unknown.

    Raises:
        ValueError: with a sentence for whoever wrote the texts.
    """
    text = {name: str(value).strip() for name, value in said.items()}
    provider = text.get("provider") or default.provider
    if provider not in PROVIDERS:
        raise ValueError(f"The provider must be one of {', '.join(PROVIDERS)}.")
    base = default if provider == default.provider else TierSpec(provider, "")
    model = text.get("model") or base.model
    if not 0 < len(model) <= 120:
        raise ValueError("A tier needs the name of its model, up to 120 characters.")
    spec = TierSpec(
        provider=provider,
        model=model,
        base_url=_url(text.get("url") or base.base_url),
        key_name=_key_name(text.get("key_name") or base.key_name),
        price=_price(text) or pricing.LIST_PRICES.get(model),
    )
    return replace(spec, base_url="", key_name="") if provider == "simulated" else spec


def check_differ(cheap: TierSpec, expensive: TierSpec) -> None:
    """Refuse two tiers that are one model.

    Raises:
        ValueError: with a sentence.
    """
    if cheap.identity == expensive.identity:
        raise ValueError("Both tiers name the same model at the same place.")


def _url(text: str) -> str:
    parts = urlsplit(text)
    is_good = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    if text and not (is_good and len(text) <= 200):
        raise ValueError("The base URL must begin with http:// or https:// and name no user.")
    return text.rstrip("/")


def _key_name(text: str) -> str:
    if text and not _VARIABLE.fullmatch(text):
        raise ValueError("The key's name must be that of an environment variable, not the key.")
    return text


def _price(text: Mapping[str, str]) -> Price | None:
    """Return the price, or None when no amount was given."""
    amounts = {name: _amount(name, text[name]) for name in AMOUNTS if text.get(name)}
    if not amounts:
        return None
    if "input" not in amounts or "output" not in amounts:
        raise ValueError("A price needs at least input and output, in USD per million tokens.")
    named: dict[str, Any] = {f"{name}_usd": value for name, value in amounts.items()}
    return Price(**named, source=text.get("source", "")[:200], date=text.get("date", "")[:20])


def _amount(name: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not (value.is_finite() and 0 <= value <= _MOST_USD):
        raise ValueError(f"The price {name} must be a number of USD per million tokens.")
    return value
