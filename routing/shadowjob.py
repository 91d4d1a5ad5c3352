"""What a claimed shadow job carries: all that its call and its pair need."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from routing import policy, spend
from routing.models import Completion, ShadowJob
from routing.redaction import Keeping
from routing.routers.asking import Asking
from routing.types import Tier, TierSpec

_ORDINALS = {
    ShadowJob.Purpose.PAIR.value: 1,
    ShadowJob.Purpose.REPEAT.value: Completion.SECOND,
    ShadowJob.Purpose.RETRIEVAL.value: Completion.ELSEWHERE,
}


@dataclass(frozen=True)
class Job:
    """A claimed job with all that its call and its pair need.

    Attributes:
        purpose: of `ShadowJob.Purpose`.
        attempts: counted with this one.
        lease_until: names this claim: whoever takes the job next has a later one.
        spec: who plays the shadow tier under the policy that decided the request.
        terms: of that policy.
        cap_usd: of the project's day, None for none.
        payload_bytes: of the payload as JSON.
        hold: the money that is kept for the call, None without a cap.
        reason: of the decision; so are `probe_usd` and `probe_ms`.
        asking: the router that is to judge the cheap answer, as it would have when serving.
        query: what it scores; read for such a router only.
        traceparent: the request's trace; "" where there was none.
        keeping: how its answer is stored, None for as it is.
    """

    pk: int
    request_id: UUID
    project_id: int
    purpose: str
    tier: Tier
    rate: float
    attempts: int
    lease_until: datetime
    spec: TierSpec
    terms: policy.Terms
    wire: str
    payload: dict[str, Any]
    payload_bytes: int
    headers: dict[str, str]
    url_query: str
    task: str
    score: float | None
    cap_usd: Decimal | None
    reason: str = ""
    probe_usd: Decimal | None = None
    probe_ms: float | None = None
    hold: spend.Hold | None = None
    asking: Asking | None = None
    query: str = ""
    traceparent: str = ""
    keeping: Keeping | None = None

    @property
    def ordinal(self) -> int:
        """Which of the tier's answers it asks for; the first is half of a pair."""
        return _ORDINALS[self.purpose]

    @property
    def calls(self) -> int:
        """How many calls it makes at once."""
        return 1 if self.asking is None else max(self.asking.asks.samples, 1)
