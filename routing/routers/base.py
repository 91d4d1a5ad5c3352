"""What the gateway asks of a router."""

from typing import Protocol

from routing.types import Score

#: The rule of a score that only says: this is far from all that the router was trained on.
UNFAMILIAR = "unfamiliar"


class Router(Protocol):
    """Scores a query: the estimated probability that the expensive tier is needed.

    Attributes:
        is_instant: scoring takes about a millisecond at most, whatever the query: the gateway
            then scores on the event loop instead of in a thread. Not believed of plug-ins.
    """

    @property
    def is_instant(self) -> bool: ...  # noqa: D102

    def score(self, query: str) -> Score:
        """Return a score in [0, 1].

        Raises:
            Exception: anything; the gateway then sends the request to EXPENSIVE.
        """
        ...

    def recall(self, query: str) -> Score | None:
        """Return the score if it takes no work, by a rule or a remembered vector; else None."""
        ...
