"""Read who plays a tier, and at what price, from texts: settings and forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from routing import pricing
from routing.types import Price, TierSpec

PROVIDERS = ("anthropic", "openai", "simulated")
AMOUNTS = ("input", "output", "cache_write", "cache_write_1h", "cache_read")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,70}_API_KEY")
_MOST_USD = Decimal(100_000)


def read(said: Mapping[str, str], default: TierSpec) -> TierSpec:
    """Return a tier from texts by name: provider, model, url, key_name, prices, source, date.

    What is left empty is the default's, as far as that fits what is said: another address never
    gets the default's key, another model never has its price.

    Raises:
        ValueError: with a sentence for whoever wrote the texts.
    """
    text = {name: str(value).strip() for name, value in said.items()}
    provider = text.get("provider") or default.provider
    if provider not in PROVIDERS:
        raise ValueError(f"The provider must be one of {', '.join(PROVIDERS)}.")
    if not text.get("provider") and (text.get("url") or text.get("key_name")):
        raise ValueError("Name the provider that the base URL or the key belongs to.")
    base = default if provider == default.provider else TierSpec(provider, "")
    model = _model(text.get("model") or base.model)
    url = _url(text["url"]) if text.get("url") else base.base_url
    key_name = text.get("key_name") or (base.key_name if url == base.base_url else "")
    is_simulated = provider == "simulated"
    return TierSpec(
        provider=provider,
        model=model,
        base_url="" if is_simulated else url,
        key_name="" if is_simulated else _key_name(key_name),
        price=_price(text) or _known_price(model, url, base),
        follows_key=default.follows_key and not text.get("provider"),
    )


def _known_price(model: str, url: str, base: TierSpec) -> Price | None:
    is_same = (model, url) == (base.model, base.base_url) and base.price is not None
    return base.price if is_same else pricing.LIST_PRICES.get(model)


def _model(text: str) -> str:
    if not (0 < len(text) <= 120 and text.isprintable()):
        raise ValueError("A tier needs the name of its model, up to 120 characters.")
    return text


def check_differ(cheap: TierSpec, expensive: TierSpec) -> None:
    """Refuse two tiers that are one model.

    Raises:
        ValueError: with a sentence.
    """
    if cheap.identity == expensive.identity:
        raise ValueError("Both tiers name the same model at the same place.")


def _url(text: str) -> str:
    sentence = "The base URL must begin with http:// or https:// and name no user."
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as exc:  # its own words may repeat what was typed
        raise ValueError(sentence) from exc
    is_plain = text.isprintable() and " " not in text and len(text) <= 200
    if not is_good or "@" in parts.netloc or parts.query or parts.fragment or not is_plain:
        raise ValueError(sentence)
    return text.rstrip("/")


def _key_name(text: str) -> str:
    """Return the name; only what is named like a provider's key may be sent to one."""
    if text and not _VARIABLE.fullmatch(text):
        raise ValueError(
            "The key's name must be that of an environment variable such as OPENAI_API_KEY: "
            "capitals, ending in _API_KEY; never the key itself."
        )
    return text


def _price(text: Mapping[str, str]) -> Price | None:
    """Return the price, or None when no amount was given."""
    amounts = {name: _amount(name, text[name]) for name in AMOUNTS if text.get(name)}
    if not amounts and not text.get("source") and not text.get("date"):
        return None
    if "input" not in amounts or "output" not in amounts:
        raise ValueError("A price needs at least input and output, in USD per million tokens.")
    named: dict[str, Any] = {f"{name}_usd": value for name, value in amounts.items()}
    return Price(**named, source=text.get("source", "")[:200], date=_date(text.get("date", "")))


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError as exc:
        raise ValueError("The date of a price must read like 2026-10-07.") from exc


def _amount(name: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not (value.is_finite() and 0 <= value <= _MOST_USD):
        raise ValueError(f"The price {name} must be a number of USD per million tokens.")
    return value
