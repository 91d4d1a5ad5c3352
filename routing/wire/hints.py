"""What clients may say beside the body, whatever the wire: the x-shadoweval-* request headers."""

from __future__ import annotations

from dataclasses import replace

from routing.types import ChatRequest, Tier
from routing.wire.body import require

_TIERS = {tier.value: tier for tier in Tier}


def apply(request: ChatRequest, headers: dict[str, str], url_query: str) -> ChatRequest:
    """Return the request with what its headers ask for.

    Raises:
        InvalidRequest: when a header has a value that means nothing.
    """
    tier = headers.get("x-shadoweval-tier", "").strip().lower()
    shadow = headers.get("x-shadoweval-shadow", "").strip().lower()
    session = headers.get("x-shadoweval-session", "").strip()
    require(not tier or tier in _TIERS, "x-shadoweval-tier: must be cheap or expensive")
    require(shadow in ("", "on", "off"), "x-shadoweval-shadow: must be on or off")
    require(len(session) <= 120, "x-shadoweval-session: at most 120 characters")
    return replace(
        request,
        url_query=url_query,
        session=session,
        forced=_TIERS.get(tier),
        no_shadow=shadow == "off",
    )
