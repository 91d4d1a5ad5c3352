"""What a provider does: calls on the hot path, calls in workers, and how replies are read."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from routing.errors import InvalidRequest, ProviderUnreachable
from routing.types import Dialect, Outgoing, Reply, TierSpec
from routing.wire.body import load

#: The SDKs insist on a key; servers that need none ignore it.
NO_KEY = "no-key"
#: What reading a reply of an unknown shape raises.
STRANGE = (ValueError, LookupError, TypeError, AttributeError)
_MOST_TOKENS = 1_000_000_000


class EventStream(Protocol):
    """The events of a stream that has begun: whole ones, each as its bytes came.

    Iterating raises ProviderUnreachable when the stream breaks off.
    """

    headers: dict[str, str]

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give each event once."""
        ...

    def peek(self) -> bytes | None:
        """Return the first event that says something without taking it."""
        ...

    def hurry(self, within_s: float) -> None:
        """Take what still comes within this time, and no more."""
        ...

    def close(self) -> None:
        """Stop the provider: nobody listens any more."""
        ...


class Provider(Protocol):
    """Speaks to one vendor's API.

    The calls raise ProviderError when the vendor answered with an error, and ProviderUnreachable
    when no whole answer came.
    """

    dialect: Dialect

    async def send(self, spec: TierSpec, outgoing: Outgoing, timeout_s: float) -> Reply:
        """Ask on the hot path: pooled connections, one attempt, the reply's bytes kept."""
        ...

    async def stream(
        self, spec: TierSpec, outgoing: Outgoing, timeout_s: float, idle_s: float
    ) -> EventStream:
        """Ask on the hot path for a stream; returns when its first event is there.

        `timeout_s` is until that event, `idle_s` the longest silence after it.
        """
        ...

    async def ask(
        self,
        spec: TierSpec,
        payload: dict[str, Any],
        headers: dict[str, str],
        url_query: str,
        timeout_s: float,
    ) -> Reply:
        """Ask from a worker, many at once: one attempt (the shadow job counts the attempts).

        `timeout_s` is for the whole call.
        """
        ...

    def read(self, body: bytes, headers: dict[str, str], latency_ms: float) -> Reply:
        """Return a reply's bytes as a reply; raises ProviderUnreachable when it is none."""
        ...

    def probe(self, spec: TierSpec, timeout_s: float) -> None:
        """Ask for something that costs nothing, to see whether address and key are good.

        Blocking, for commands: not from a running event loop.
        """
        ...

    def limit_field(self, spec: TierSpec) -> str:
        """Return what the model behind a tier calls the limit on its answer."""
        ...

    async def close(self) -> None:
        """Close the running event loop's connections."""
        ...

    async def close_clients(self) -> None:
        """Close the running event loop's clients of `ask`, and nothing of the hot path."""
        ...


class Entry(NamedTuple):
    """What became of one entry of a batch.

    Attributes:
        kind: succeeded, errored, expired or canceled; only the first is paid.
        reply: of one that succeeded and can be read.
        error: the provider's type of error of one that errored.
    """

    custom_id: str
    kind: str
    reply: Reply | None = None
    error: str = ""


class Batches(Protocol):
    """A provider that takes many calls at once, answers within a day, and asks less for it.

    The calls raise as those of `Provider`.
    """

    async def submit_batch(
        self, spec: TierSpec, payloads: Mapping[str, dict[str, Any]], timeout_s: float
    ) -> str:
        """Send payloads by custom id; return the provider's name of the batch."""
        ...

    async def is_batch_over(self, spec: TierSpec, batch_id: str, timeout_s: float) -> bool:
        """Return whether the results are there."""
        ...

    async def batch_entries(self, spec: TierSpec, batch_id: str, timeout_s: float) -> list[Entry]:
        """Return the results of a batch that is over."""
        ...

    async def batches_since(self, spec: TierSpec, since: datetime, timeout_s: float) -> list[str]:
        """Return the names of batches made since a moment, oldest first."""
        ...

    async def close_clients(self) -> None:
        """Close the running event loop's clients."""
        ...


def key_of(spec: TierSpec) -> str:
    """Return the key from the environment variable that the tier names."""
    return os.environ.get(spec.key_name) or NO_KEY if spec.key_name else NO_KEY


def loaded(body: bytes) -> dict[str, Any]:
    """Return a reply's JSON object.

    Raises:
        ProviderUnreachable: when it is none, or none that can be stored.
    """
    try:
        return load(body)
    except InvalidRequest as exc:
        raise ProviderUnreachable("the provider's reply is no JSON") from exc


def count(value: Any) -> int | None:
    """Return a token count that a provider gave, None for none.

    Raises:
        ValueError: when it is no count.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_TOKENS:
        raise ValueError("not a token count")
    return value
