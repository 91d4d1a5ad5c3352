"""What the gateway asks of a router."""

from typing import Protocol

from routing.types import Score


class Router(Protocol):
    """Scores a query: the estimated probability that the expensive tier is needed."""

    def score(self, query: str) -> Score:
        """Return a score in [0, 1].

        Raises:
            Exception: anything; the gateway then sends the request to EXPENSIVE.
        """
        ...
