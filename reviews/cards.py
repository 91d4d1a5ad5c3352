"""A router's card: what is known of a trained version, measured on labels it did not learn from.

A card holds numbers and ids of requests, never a text. What cannot be estimated is None, and pages
say "not enough labels": it is never 0.
"""

from __future__ import annotations

import platform
import secrets
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from reviews.fitting import Fitted, Recipe, Size, questions
from reviews.stats import intervals, routers, tradeoff, weighting
from reviews.stats.agreement import Estimate
from reviews.stats.tradeoff import Measured
from routing.routers.base import Router
from routing.routers.kinds import Examples

FloatArray = NDArray[np.float64]

LEVEL = 0.95
#: Drawings behind the intervals of a learning curve, which has several points.
_FEWER = 200
_MOST_WRONG = 20
#: Points of the APGR curve that are kept.
_POINTS = 41
_LATENCY_QUERIES = 300
#: Half the gap closed and four fifths of it, as RouteLLM reports them.
_GOALS = (0.5, 0.8)
_PACKAGES = ("numpy", "scikit-learn", "shadoweval")


def measured(examples: Examples, fitted: Fitted, seed: int) -> dict[str, Any]:
    """Return how the scores go with the labels, and what they are worth beside coin and oracle."""
    score, needed, weight = fitted.score, examples.needs_expensive, examples.weight
    rng, cluster = np.random.default_rng(seed), questions(examples.queries)
    found = routers.quality(score, needed, weight, rng, level=LEVEL, cluster=cluster)
    return {
        "n": found.n,
        "positives": found.events,
        "prevalence": _number(found.prevalence),
        "auroc": estimated(found.auroc),
        "auprc": estimated(found.auprc),
        "brier": estimated(found.brier),
        "skill": estimated(found.skill),
        "reliability": _reliability(score, needed, weight),
        "calibration": fitted.calibration,
        **_worth(examples, score, seed),
    }


def _reliability(
    score: FloatArray, needed: FloatArray, weight: FloatArray
) -> list[dict[str, float]]:
    """Return labels beside scores, a tenth of the weight each, with Korn-Graubard intervals."""
    order, out, begin = np.argsort(score, kind="stable"), [], 0
    for part in routers.reliability(score, needed, weight):
        rows = order[begin : begin + part.n]
        mean, variance, n, n_kish = weighting.hajek(needed[rows], weight[rows])
        low, high = intervals.korn_graubard(mean, variance, n, n_kish, LEVEL)
        out.append({**part._asdict(), "low": float(low), "high": float(high)})
        begin += part.n
    return out


def _worth(examples: Examples, score: FloatArray, seed: int) -> dict[str, Any]:
    """Return APGR and CPT with intervals, and the curve they are read from."""
    sides = (examples.cheap_ok, examples.expensive_ok, examples.weight)
    rng, cluster = np.random.default_rng(seed), questions(examples.queries)
    found = tradeoff.measured(score, *sides, rng, LEVEL, goals=_GOALS, cluster=cluster)
    return {
        "apgr": estimated(found.apgr),
        **{f"cpt{100 * goal:.0f}": estimated(found.cpt[goal]) for goal in _GOALS},
        "oracle_apgr": _number(found.oracle_apgr),
        "random_apgr": estimated(found.random.apgr),
        "gap": _gap(examples),
        "curve": _curve(found, examples),
    }


def _gap(examples: Examples) -> dict[str, float]:
    """Return how well each model does: their difference is what a router can keep."""
    weight = examples.weight / examples.weight.sum()
    sides = {"cheap": examples.cheap_ok, "expensive": examples.expensive_ok}
    return {name: float(weight @ ok) for name, ok in sides.items()}


def _curve(found: Measured, examples: Examples) -> list[dict[str, float]]:
    """Return shares of the gap closed by shares of expensive calls; empty without a sure gap."""
    if not np.isfinite(found.apgr.value):
        return []
    calls = np.linspace(0, 1, _POINTS)
    sides = (examples.cheap_ok, examples.expensive_ok, examples.weight)
    lines, ends = (tradeoff.lines(at, *sides) for at in (calls, [0.0, 1.0]))
    weak, strong = float(ends.weak[0]), float(ends.random[1])
    oracle = (lines.oracle - weak) / (strong - weak)
    kept = np.interp(calls, found.curve.calls, found.curve.kept)
    return [
        {"calls": float(c), "router": float(k), "random": float(c), "oracle": float(o)}
        for c, k, o in zip(calls, kept, oracle, strict=True)
    ]


def learning(
    examples: Examples, fitted: Fitted, sizes: Sequence[Size], seed: int
) -> list[dict[str, Any]]:
    """Return how ranking grows with the labels learnt from; the last point is of all of them.

    `n` is what a fold's router learnt from, a fifth less than there are. All points are of bare
    scores: rules and what is unfamiliar are not what more labels bring.
    """
    whole = round(fitted.fold.size - np.bincount(fitted.fold).mean())
    return [_point(examples, size, seed) for size in (*sizes, Size(whole, fitted.bare))]


def _point(examples: Examples, size: Size, seed: int) -> dict[str, Any]:
    rng, needed, weight = np.random.default_rng(seed), examples.needs_expensive, examples.weight
    sides = (examples.cheap_ok, examples.expensive_ok, weight)
    few: dict[str, Any] = {"resamples": _FEWER, "cluster": questions(examples.queries)}
    worth = tradeoff.measured(size.score, *sides, rng, LEVEL, goals=_GOALS, **few)
    ranks = routers.quality(size.score, needed, weight, rng, level=LEVEL, **few)
    kept = estimated(worth.apgr) or dict.fromkeys(("value", "low", "high"))
    return {
        "n": size.n,
        "apgr": kept["value"],
        "low": kept["low"],
        "high": kept["high"],
        "auroc": estimated(ranks.auroc),
    }


def wrong(examples: Examples, score: FloatArray, request_ids: Sequence[UUID]) -> list[dict]:
    """Return the requests whose score is farthest from their label, the farthest first."""
    label = examples.needs_expensive
    order = np.argsort(-np.abs(score - label), kind="stable")[:_MOST_WRONG]
    return [
        {"request_id": str(request_ids[at]), "score": float(score[at]), "label": float(label[at])}
        for at in order
    ]


def latency(router: Router, queries: Sequence[str]) -> dict[str, Any]:
    """Return how long scoring takes, in ms, on recorded queries one after the other.

    Each text is led by blanks that it never had: the embedder would else answer from memory.
    """
    took = []
    for query in queries[:_LATENCY_QUERIES]:
        text = "".join(secrets.choice(" \t") for _ in range(24)) + query
        begun = time.perf_counter()
        router.score(text)
        took.append(1000 * (time.perf_counter() - begun))
    if not took:
        return {"p50_ms": None, "p99_ms": None, "n_timed": 0}
    p50, p99 = np.percentile(took, [50, 99])
    return {"p50_ms": float(p50), "p99_ms": float(p99), "n_timed": len(took)}


def provenance(recipe: Recipe, sources: Sequence[str], training_sha256: str) -> dict[str, Any]:
    """Return from what, by which recipe and with which versions a router was made."""
    return {
        "labels": dict(Counter(sources)),
        "seed": recipe.seed,
        "embedder": recipe.embedder,
        "options": dict(recipe.options),
        "training_sha256": training_sha256,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of what the figures depend on."""
    return {"python": platform.python_version()} | {
        name: metadata.version(name) for name in _PACKAGES if _is_there(name)
    }


def _is_there(name: str) -> bool:
    return bool(list(metadata.distributions(name=name)))


def estimated(found: Estimate) -> dict[str, float] | None:
    """Return an estimate with its interval; None where there is none.

    Example:
        >>> from reviews.stats.intervals import Interval
        >>> estimated(Estimate(0.7, Interval(0.6, 0.8)))
        {'value': 0.7, 'low': 0.6, 'high': 0.8}
        >>> estimated(Estimate(float("nan"), Interval(0.6, 0.8))) is None
        True
    """
    numbers = {"value": found.value, "low": found.interval[0], "high": found.interval[1]}
    known = {name: _number(value) for name, value in numbers.items()}
    return known if None not in known.values() else None  # type: ignore[return-value]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def sentence(card: Mapping[str, Any]) -> str:
    """Return the one sentence on top of a card.

    Example:
        >>> sentence({"n": 412, "auroc": {"value": 0.712, "low": 0.66, "high": 0.75}})
        'Ranks better than chance: AUROC .71 (.66–.75) on 412 labels.'
        >>> sentence({"n": 60, "auroc": {"value": 0.55, "low": 0.42, "high": 0.68}})
        'Not known to rank better than chance: AUROC .55 (.42–.68) on 60 labels.'
    """
    found, n = card.get("auroc"), card.get("n", 0)
    if not isinstance(found, Mapping):
        return "Nothing was measured: this version has no card with figures."
    value, low, high = (_short(found[name]) for name in ("value", "low", "high"))
    figures = f"AUROC {value} ({low}–{high}) on {n:,} labels"
    if found["low"] > 0.5:
        return f"Ranks better than chance: {figures}."
    if found["high"] < 0.5:
        return f"Ranks worse than chance: {figures}."
    return f"Not known to rank better than chance: {figures}."


def _short(share: float) -> str:
    return f"{share:.2f}".removeprefix("0")
