"""Read who plays a tier from what somebody wrote: settings or a form. Knows neither.

Whatever is left out comes from a default tier, as far as it still fits: another model has another
price, another address gets another key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import urlsplit

from routing import pricing
from routing.types import Price, TierSpec

ANTHROPIC_URL = "https://api.anthropic.com"
OPENAI_URL = "https://api.openai.com/v1"
SIMULATED = "simulated"
#: What each provider's name stands for.
PROVIDERS = {
    "anthropic": "Anthropic, or a server that speaks its Messages API",
    "openai": "OpenAI, or a server that speaks Chat Completions (vLLM, Ollama, …)",
    SIMULATED: "Simulated: no model is asked",
}


class Amount(NamedTuple):
    """One price of a tier: the field of `Price` that keeps it, and how people call it."""

    field: str
    label: str


#: USD per million tokens, by the name they are written with.
AMOUNTS = {
    "input": Amount("input_usd", "Input"),
    "output": Amount("output_usd", "Output"),
    "cache_write": Amount("cache_write_usd", "Cache write, 5 min"),
    "cache_write_1h": Amount("cache_write_1h_usd", "Cache write, 1 h"),
    "cache_read": Amount("cache_read_usd", "Cache read"),
}
#: Everything that describes a price.
PRICE_FIELDS = (*AMOUNTS, "source", "date")
#: Everything that describes a tier.
FIELDS = ("provider", "model", "base_url", "key_name", *PRICE_FIELDS)

_KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
#: Secrets of this program; no provider is ever sent one.
_OUR_SECRETS = {"SHADOWEVAL_SECRET_KEY", "DATABASE_URL", "REDIS_URL"}
_KEY_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
_MODEL = re.compile(r"[!-~]{1,200}")  # it is sent back in a header
_AMOUNT = re.compile(r"[0-9]{1,6}(\.[0-9]{1,9})?")
_NEXT_FIELD = re.compile(rf",(?=\s*(?:{'|'.join(PRICE_FIELDS)})\s*=)")  # a source may hold commas


class TierError(ValueError):
    """What was written describes no tier; says so in a sentence, and never repeats a secret."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def parse(
    given: Mapping[str, str], default: TierSpec, anthropic_url: str = ANTHROPIC_URL
) -> TierSpec:
    """Return the tier that was described.

    A provider's usual key goes to its usual address only; another address gets a key when one is
    named for it.

    Args:
        given: texts by FIELDS; what is missing or blank comes from `default`.
        default: who plays the tier when nothing is said.
        anthropic_url: the usual address of Anthropic's API.

    Raises:
        TierError: when a text cannot be used, or they do not go together.
    """
    said = {name: given.get(name, "").strip() for name in FIELDS}
    provider = _provider(said["provider"], default)
    model = _model(said["model"], provider, default)
    base_url = _base_url(said["base_url"], provider, default, anthropic_url)
    key_name = _key_name(said["key_name"], provider, base_url, default, anthropic_url)
    spec = TierSpec(provider, model, base_url, key_name)
    known = default.price if spec.identity == default.identity else pricing.LIST_PRICES.get(model)
    return TierSpec(provider, model, base_url, key_name, _price(said) or known)


def check_pair(cheap: TierSpec, expensive: TierSpec) -> None:
    """Refuse two tiers that are the same model at the same place.

    Raises:
        TierError: when they are.
    """
    if cheap.identity == expensive.identity:
        raise TierError("model", "Both tiers are the same model at the same address.")


def split_price(text: str) -> dict[str, str]:
    """Return the fields of a price on one line.

    Raises:
        TierError: when a part is not NAME=VALUE, or a name comes twice.

    Example:
        >>> split_price("input=0.1, output=0.5, source=a, b")
        {'input': '0.1', 'output': '0.5', 'source': 'a, b'}
    """
    fields: dict[str, str] = {}
    for part in _NEXT_FIELD.split(text) if text.strip() else []:
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in PRICE_FIELDS:
            names = ", ".join(PRICE_FIELDS)
            raise TierError("price", f"A price is written NAME=VALUE,… with the names {names}.")
        if name in fields:
            raise TierError("price", f"The price names {name} twice.")
        fields[name] = value
    return fields


def amounts(price: Price | None) -> list[tuple[str, Decimal | None]]:
    """Return each amount of a price with its label; None where it is not known."""
    return [(label, getattr(price, field, None)) for field, label in AMOUNTS.values()]


def _provider(said: str, default: TierSpec) -> str:
    if said and said not in PROVIDERS:
        raise TierError("provider", f"The provider must be one of {', '.join(PROVIDERS)}.")
    return said or default.provider


def _model(said: str, provider: str, default: TierSpec) -> str:
    if said and not _MODEL.fullmatch(said):
        raise TierError("model", "A model's name has at most 200 characters, none of them a space.")
    if not said and provider == "openai" != default.provider:
        raise TierError("model", "Name the model: there is no usual one for openai.")
    return said or default.model


def _base_url(said: str, provider: str, default: TierSpec, anthropic_url: str) -> str:
    if said and provider == SIMULATED:
        raise TierError("base_url", "A simulated tier has no address: name another provider too.")
    if said:
        _check_url(said)
    usual = default.base_url if provider == default.provider else _home(provider, anthropic_url)
    return said.rstrip("/") or usual


def _home(provider: str, anthropic_url: str) -> str:
    """Return the usual address of a provider; a simulated one has none."""
    return {"anthropic": anthropic_url, "openai": OPENAI_URL}.get(provider, "")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or len(url) > 500 or not url.isascii() or not url.isprintable() or " " in url:
        raise TierError("base_url", "A base URL looks like https://host/v1 or http://host:8080/v1.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise TierError("base_url", "A base URL holds no credentials, no ? and no #.")


def _key_name(
    said: str, provider: str, base_url: str, default: TierSpec, anthropic_url: str
) -> str:
    if said and provider == SIMULATED:
        raise TierError("key_name", "A simulated tier has no key: name another provider too.")
    if said and (not _KEY_NAME.fullmatch(said) or said in _OUR_SECRETS):
        raise TierError(
            "key_name",
            "A key name is the name of an environment variable, such as OPENAI_API_KEY, "
            "never the key itself.",
        )
    if not said and (provider, base_url) == (default.provider, default.base_url):
        return default.key_name
    is_home = base_url == _home(provider, anthropic_url).rstrip("/")
    return said or (_KEYS.get(provider, "") if is_home else "")


def _price(said: Mapping[str, str]) -> Price | None:
    """Return the price that was described, or None when nothing was said of it."""
    if not any(said[name] for name in PRICE_FIELDS):
        return None
    found = {field: _amount(name, said[name]) for name, (field, _) in AMOUNTS.items()}
    input_usd, output_usd = found.pop("input_usd"), found.pop("output_usd")
    if input_usd is None or output_usd is None:
        missing = "input" if input_usd is None else "output"
        raise TierError(missing, "A price needs at least input and output.")
    return Price(
        input_usd, output_usd, **found, source=said["source"][:200], date=_date(said["date"])
    )


def _amount(name: str, said: str) -> Decimal | None:
    if said and not _AMOUNT.fullmatch(said):
        label = AMOUNTS[name].label
        raise TierError(name, f"{label}: write USD per million tokens as a number such as 0.25.")
    return Decimal(said) if said else None


def _date(said: str) -> str:
    try:
        return date.fromisoformat(said).isoformat() if said else ""
    except ValueError:
        raise TierError("date", "The price's date is written like 2026-10-07.") from None
