"""What is put together of one reply while it leaves, to be recorded: plain and frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from routing.types import ChatRequest, DecisionValue, Reply, Tier

if TYPE_CHECKING:
    from routing.redaction import Keeping


@dataclass(frozen=True)
class Probe:
    """One answer of the cheap model that was asked for before deciding, and was not served.

    Attributes:
        reply: without the line in which the model says how sure it is.
        cost_usd: None when the price or a count is unknown.
        ordinal: which of the cheap tier's answers; the first one may be half of a pair.
    """

    reply: Reply
    provider: str
    cost_usd: Decimal | None
    ordinal: int = 1


@dataclass(frozen=True)
class Served:
    """Everything to be recorded of one reply, put together while it leaves.

    Attributes:
        skip: why no shadow call may be made, whatever the reply; "" when one may.
        shadow_lane: who would be asked; see `TierSpec.lane`.
        kept_share: of the shadow calls that were due, those that overload leaves.
        probes: what was asked before deciding, and not served.
        repeat_lane: whom a repeat would ask.
        repeat_rate: share of the pairs whose EXPENSIVE tier is asked once more.
        retrieval_rate: share of those with retrieval that it answers on another one, too.
        end_user: hash of whom the client named.
        keeping: how the answers are stored, None for as they are; the request is so already.
        redacted: what was taken out, by part and kind.
    """

    request_id: UUID
    received_at: datetime
    project_id: int
    api_key_id: int | None
    policy_id: int
    wire: str
    request: ChatRequest
    decision: DecisionValue
    status: int
    error: str
    provider: str
    reply: Reply | None
    cost_usd: Decimal | None
    shadow_rate: float
    overhead_ms: float
    latency_ms: float
    skip: str = ""
    is_stream: bool = False
    shadow_lane: str = ""
    kept_share: float = 1.0
    probes: tuple[Probe, ...] = ()
    repeat_lane: str = ""
    repeat_rate: float = 0.0
    retrieval_rate: float = 0.0
    end_user: str = ""
    keeping: Keeping | None = None
    redacted: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def has_both(self) -> bool:
        """Whether both tiers answered already: their pair needs no shadow call.

        Of a stream that has only begun: when it comes to its end.
        """
        is_first = any(probe.ordinal == 1 for probe in self.probes)
        return is_first and self.decision.tier is Tier.EXPENSIVE
