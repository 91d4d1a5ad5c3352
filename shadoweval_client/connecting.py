"""Where the service is, and how a call becomes a request of httpx."""

from __future__ import annotations

import os
from typing import Any

from shadoweval_client.exchange import Call


def options(url: str | None, api_key: str | None, timeout_s: float) -> dict[str, Any]:
    """Return the arguments that both kinds of httpx client are made with.

    Raises:
        ValueError: when address or key are nowhere.
    """
    key = _given(api_key, "api_key", "SHADOWEVAL_API_KEY")
    return {
        "base_url": _given(url, "url", "SHADOWEVAL_URL").rstrip("/"),
        "headers": {"x-api-key": key},
        "timeout": timeout_s,
    }


def arguments(call: Call) -> dict[str, Any]:
    """Return the arguments of the request that a call is."""
    made = {"method": call.method, "url": call.path, "headers": dict(call.headers)}
    params = {"params": dict(call.params)} if call.params else {}
    return made | params | ({} if call.json is None else {"json": call.json})


def _given(value: str | None, name: str, variable: str) -> str:
    found = value or os.environ.get(variable)
    if not found:
        raise ValueError(f"Give {name}, or set {variable}.")
    return found
