"""Figures of this process that anybody may add and the metrics page shows; no Django.

Serving code registers what it alone knows, such as calls in flight or records lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple


class Gauge(NamedTuple):
    """One figure: what it means, and how to read it now. Reading must not wait.

    `is_counter`: it only grows while the process lives.
    """

    help: str
    read: Callable[[], float]
    is_counter: bool = False


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


def counted(name: str, help: str) -> Callable[[], None]:  # noqa: A002
    """Show a counter from now on, and return what adds one to it; any thread may call that.

    Args:
        name: in Prometheus' words, without `_total`.
        help: what is counted, in one sentence.
    """
    lock, so_far = threading.Lock(), [0]

    def add_one() -> None:
        with lock:
            so_far[0] += 1

    _gauges[name] = Gauge(help, lambda: so_far[0], is_counter=True)
    return add_one


def values() -> dict[str, Gauge]:
    """Return the registered figures by name."""
    return dict(_gauges)
