"""What the spans of a request say of it; `tracing` knows none of our values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from routing import tracing
from routing.models import Policy
from routing.types import ChatRequest, DecisionValue


def of_decision(decision: DecisionValue, policy: Policy) -> dict[str, Any]:
    """Return where a request goes and why, as attributes."""
    return {
        "shadoweval.tier": decision.tier.value,
        "shadoweval.reason": decision.reason.value,
        "shadoweval.score": decision.score,
        "shadoweval.threshold": decision.threshold,
        "shadoweval.task": decision.task,
        "shadoweval.policy": policy.name,
    }


def linked(request: ChatRequest) -> ChatRequest:
    """Return the request with its trace among its headers, as its shadow job finds it there.

    No provider gets that header: `shadow` takes it out again.
    """
    traceparent = tracing.current()
    if not traceparent:
        return request
    return replace(request, headers=request.headers | {tracing.HEADER: traceparent})
