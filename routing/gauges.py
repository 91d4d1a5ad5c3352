"""Figures of this process that anybody may add and the metrics page shows; no Django.

Serving code registers what it alone knows, such as calls in flight or records lost.
"""

from __future__ import annotations

import bisect
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

log = logging.getLogger(__name__)


class Kind(StrEnum):
    """What a figure does while its process lives."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Spread(NamedTuple):
    """A histogram: how many values were at most each bound, and above the last; their sum."""

    bounds: Sequence[float]
    counts: Sequence[int]
    total: float


Value = float | Spread
#: By the values of the labels.
Samples = Mapping[tuple[str, ...], Value]


class Figure(NamedTuple):
    """One figure: what it means, and how to read it now. Reading must not wait."""

    help: str
    read: Callable[[], Samples]
    kind: Kind = Kind.GAUGE
    labels: tuple[str, ...] = ()


_figures: dict[str, Figure] = {}


def register(name: str, help: str, read: Callable[[], float]) -> None:  # noqa: A002
    """Show a figure from now on; the same name again replaces it.

    Args:
        name: in Prometheus' words and with its unit, such as `journal_bytes`.
        help: what it means, in one sentence.
        read: returns the figure.

    Example:
        >>> register("answer", "The answer.", lambda: 42.0)
        >>> values()["answer"].read()
        {(): 42.0}
    """
    _figures[name] = Figure(help, lambda: {(): read()})


def register_by(
    name: str,
    help: str,  # noqa: A002
    labels: tuple[str, ...],
    read: Callable[[], Samples],
    kind: Kind = Kind.GAUGE,
) -> None:
    """Show a figure that has one value for each combination of labels."""
    _figures[name] = Figure(help, read, kind, labels)


def counted(name: str, help: str, *labels: str) -> Callable[..., None]:  # noqa: A002
    """Show a counter from now on, and return what adds to it; any thread may call that.

    Args:
        name: in Prometheus' words, without `_total`.
        help: what is counted, in one sentence.
        labels: their names; what is returned takes their values, and `by`, which is 1 unless said.

    Example:
        >>> add = counted("fruits", "Fruits.", "kind")
        >>> add("apple"); add("apple", by=2.5)
        >>> values()["fruits"].read()
        {('apple',): 3.5}
    """
    lock = threading.Lock()
    so_far: dict[tuple[str, ...], float] = {} if labels else {(): 0}

    def add(*values: str, by: float = 1) -> None:
        with lock:
            so_far[values] = so_far.get(values, 0) + by

    _figures[name] = Figure(help, lambda: dict(so_far), Kind.COUNTER, labels)
    return add


def measured(
    name: str,
    help: str,  # noqa: A002
    bounds: Sequence[float],
    *labels: str,
) -> Callable[..., None]:
    """Show a histogram from now on, and return what takes a value; any thread may call that.

    Args:
        name: in Prometheus' words and with its unit.
        help: what is measured, in one sentence.
        bounds: upper ends of the buckets, rising; above the last there is one more.
        labels: their names; what is returned takes the value, then the labels' values.

    Example:
        >>> see = measured("wait_seconds", "Waits.", (0.1, 1))
        >>> see(0.1); see(3)
        >>> values()["wait_seconds"].read()
        {(): Spread(bounds=(0.1, 1), counts=[1, 0, 1], total=3.1)}
    """
    lock = threading.Lock()
    so_far: dict[tuple[str, ...], tuple[list[int], list[float]]] = {}

    def see(value: float, *values: str) -> None:
        with lock:
            counts, total = so_far.setdefault(values, ([0] * (len(bounds) + 1), [0.0]))
            counts[bisect.bisect_left(bounds, value)] += 1
            total[0] += value

    def read() -> Samples:
        with lock:
            return {key: Spread(bounds, [*n], total[0]) for key, (n, total) in so_far.items()}

    _figures[name] = Figure(help, read, Kind.HISTOGRAM, labels)
    return see


def values() -> dict[str, Figure]:
    """Return the registered figures by name."""
    return dict(_figures)


#: A figure as others see it: kind, help, names of the labels, and the values of each with its own.
Told = tuple[str, str, Sequence[str], Sequence[tuple[Sequence[str], Any]]]


def told(figures: Mapping[str, Figure]) -> dict[str, Told]:
    """Return figures as they are now, as JSON can hold them; what cannot be read is left out."""
    said: dict[str, Told] = {}
    for name, figure in figures.items():
        try:
            samples = [(labels, value) for labels, value in figure.read().items()]
        except Exception as exc:
            log.warning("the figure %s cannot be read: %s", name, type(exc).__name__)
        else:
            said[name] = (figure.kind.value, figure.help, figure.labels, samples)
    return said
