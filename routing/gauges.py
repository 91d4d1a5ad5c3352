"""Figures of this process that anybody may add and the metrics page shows; no Django.

Serving code registers what it alone knows, such as calls in flight or records lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Gauge(NamedTuple):
    """One figure: what it means, and how to read it now. Reading must not wait."""

    help: str
    read: Callable[[], float]


_gauges: dict[str, Gauge] = {}


def register(name: str, help: str, read: Callable[[], float]) -> None:  # noqa: A002
    """Show a figure from now on; the same name again replaces it.

    Args:
        name: in Prometheus' words and with its unit, such as `journal_bytes`.
        help: what it means, in one sentence.
        read: returns the figure.

    Example:
        >>> register("answer", "The answer.", lambda: 42.0)
        >>> values()["answer"].read()
        42.0
    """
    _gauges[name] = Gauge(help, read)


def values() -> dict[str, Gauge]:
    """Return the registered figures by name."""
    return dict(_gauges)
