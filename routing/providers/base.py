"""What a provider does: one call without waiting on the hot path, one blocking in workers."""

from typing import Any, Protocol

from routing.types import Reply, TierSpec


class Provider(Protocol):
    """Speaks to one vendor's API.

    Both calls raise ProviderError when the vendor answered with an error, and
    ProviderUnreachable when no whole answer came.
    """

    async def send(
        self, spec: TierSpec, payload: dict[str, Any], headers: dict[str, str], timeout_s: float
    ) -> Reply:
        """Ask on the hot path: pooled connections, one attempt, the reply's bytes kept."""
        ...

    def ask(
        self, spec: TierSpec, payload: dict[str, Any], headers: dict[str, str], timeout_s: float
    ) -> Reply:
        """Ask from a worker: blocking, one attempt (the shadow job counts the attempts)."""
        ...

    async def close(self) -> None:
        """Close pooled connections."""
        ...
