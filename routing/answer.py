"""What comes of asking: a reply, a stream that has begun, or the provider's error."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from routing.providers.base import EventStream
from routing.served import Probe
from routing.types import DecisionValue, Dialect, Reply


@dataclass(frozen=True)
class Answer:
    """What the client gets: a reply, a stream that has begun, or the provider's error.

    Attributes:
        dialect: of the provider, for reply, stream and error alike.
        body: the reply in the client's dialect.
        headers: of an error, those that the client gets too.
        cost_usd: of what is served; what was asked before comes on top.
        probes: what was asked before deciding, and is not served.

    A whole reply may come with a stream that tells it.
    """

    decision: DecisionValue
    reply: Reply | None = None
    body: bytes = b""
    stream: EventStream | None = None
    status: int = 200
    error_body: bytes = b""
    error_type: str = ""
    error: str = ""
    retry_after_s: float | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cost_usd: Decimal | None = None
    provider: str = ""
    model: str = ""
    dialect: Dialect = Dialect.MESSAGES
    probes: tuple[Probe, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether a model answers."""
        return self.reply is not None or self.stream is not None
