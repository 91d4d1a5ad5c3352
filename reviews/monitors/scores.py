"""Whether the router's scores lie as they did in the study's window."""

from __future__ import annotations

from uuid import UUID

import numpy as np

from reviews.monitors.base import MOST_TYPICAL, YOUNG, Monitor, Row, Seen, nothing, said
from reviews.monitors.watched import Watched
from reviews.stats import watch

_BINS = 10


def read(watched: Watched) -> Seen:
    """Compare the scores of the last seven days with those of the study's window."""
    if watched.reference is None:
        return nothing("The evidence of this sign-off kept no scores.")
    if not watched.has_week:
        return nothing(YOUNG)
    before, now = _before(watched), _now(watched)
    signal = watch.scores(before, now)
    edges = _edges(before)
    shares = [_shares(edges, values) for values in (before, now)]
    names = _names(edges)
    rows = [Row(*one) for one in zip(names, *shares, strict=True)] if now.size else []
    return Seen(signal, _sentence(signal), rows, "share")


def typical(watched: Watched) -> list[UUID]:
    """Return the newest requests whose score lies where the most came to."""
    edges = _edges(_before(watched))
    now, before = (_shares(edges, values) for values in (_now(watched), _before(watched)))
    grown = int(np.argmax(np.subtract(now, before)))
    low, high = [-np.inf, *edges, np.inf][grown : grown + 2]
    rows = watched.decided(watched.week).filter(score__isnull=False)
    rows = rows.filter(score__gt=low) if np.isfinite(low) else rows
    rows = rows.filter(score__lte=high) if np.isfinite(high) else rows
    found = rows.order_by("-request__received_at").values_list("request_id", flat=True)
    return list(found[:MOST_TYPICAL])


def _before(watched: Watched) -> np.ndarray:
    assert watched.reference is not None, "it was read"
    score = watched.reference.score
    return np.asarray(score[np.isfinite(score)])


def _now(watched: Watched) -> np.ndarray:
    found = watched.decided(watched.week).filter(score__isnull=False)
    return np.array(list(found.values_list("score", flat=True)), np.float64)


def _edges(before: np.ndarray) -> list[float]:
    """Return the scores between tenths of the study's requests; equal ones are one."""
    if not before.size:
        return []
    return [float(x) for x in np.unique(np.quantile(before, np.arange(1, _BINS) / _BINS))]


def _shares(edges: list[float], values: np.ndarray) -> list[float]:
    counts = np.bincount(np.searchsorted(edges, values, "left"), minlength=len(edges) + 1)
    return [float(share) for share in counts / max(values.size, 1)]


def _names(edges: list[float]) -> list[str]:
    if not edges:
        return ["all"]
    pairs = zip(edges, edges[1:], strict=False)
    between = [f"{low:.2f} to {high:.2f}" for low, high in pairs]
    return [f"up to {edges[0]:.2f}", *between, f"above {edges[-1]:.2f}"]


def _sentence(signal: watch.Signal) -> str:
    n = f"{signal.n:,} requests of the last seven days"
    figures = f"PSI {signal.value or 0:.2f}, limit {signal.limit or 0:.2f}"
    return said(
        signal,
        f"{n} have a score: too few to compare.",
        f"Scores of {n} are not spread as in the study ({figures}).",
        f"Scores of {n} are spread as in the study ({figures}).",
    )


MONITOR = Monitor(
    "scores", "Scores",
    "The router’s scores of the last seven days against those of the study’s window.",
    "PSI: how far the shares of ten score ranges moved; 0 is not at all.",
    read, typical,
)  # fmt: skip
