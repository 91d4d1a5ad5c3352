"""What served replies add to the figures of this process."""

from __future__ import annotations

from decimal import Decimal

from routing import gauges, pricing
from routing.served import Served

_count_decision = gauges.counted(
    "decisions", "Requests by where they went and why.", "tier", "reason"
)
_count_reply = gauges.counted("replies", "Replies by API and HTTP status.", "wire", "status")
_count_tokens = gauges.counted("served_tokens", "Tokens of served answers.", "tier", "direction")
_count_usd = gauges.counted(
    "served_cost_usd", "Cost of requests of known price, probes included.", "tier"
)
_see_overhead = gauges.measured(
    "overhead_seconds",
    "What this service adds to a reply.",
    (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 2.5),
)
_see_latency = gauges.measured(
    "reply_seconds",
    "From the request to the end of its reply.",
    (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320),
    "tier",
)


def count(row: Served) -> None:
    """Count a served reply among the figures of this process."""
    tier = row.decision.tier.value
    _count_decision(tier, row.decision.reason.value)
    _count_reply(row.wire, str(row.status))
    _see_overhead(row.overhead_ms / 1000)
    _see_latency(row.latency_ms / 1000, tier)
    found = row.request.retrieval
    usd = pricing.total_usd(row.decision, row.cost_usd, found.cost_usd if found else Decimal(0))
    if usd is not None:
        _count_usd(tier, by=float(usd))
    if row.reply is not None:
        _count_tokens(tier, "input", by=row.reply.usage.prompt_tokens)
        _count_tokens(tier, "output", by=row.reply.usage.output_tokens or 0)
