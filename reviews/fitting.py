"""Fit a router on labels, and score each of them by routers that did not see it.

What is measured is what would be served: a fold's router is fitted, stored and loaded as a version
is, and rules, familiarity and calibration stand around it. Nothing here reads or writes rows.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing import embedders
from routing.routers import assembled, calibration, weighing
from routing.routers.assembled import Parts
from routing.routers.base import Router
from routing.routers.calibration import Calibration
from routing.routers.familiar import Familiar
from routing.routers.kinds import Examples, Kind, Outcomes
from routing.routers.rules import Rules
from routing.routers.weighing import Weighing

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
Vectors = NDArray[np.float32]

FOLDS = 5
#: The first point of a learning curve, and how many there are at most beside the last.
FIRST, MOST_SIZES = 50, 5
#: Told after each fit and each scored part: it may stop the work by raising.
Step = Callable[[], None]


def _nothing() -> None:
    """Let the work go on."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """What is fitted and how; equal recipes on equal examples give equal bytes.

    Attributes:
        embedder: its id, or "" for a kind without vectors.
        rules: those that the live router has; None for the usual ones.
    """

    kind: Kind
    embedder: str
    seed: int
    options: Mapping[str, Any] = field(default_factory=dict)
    rules: Rules | None = None


class Fitted(NamedTuple):
    """A router, and what is known of its like from labels they did not see.

    Attributes:
        artifact: of all examples, with everything around it.
        fold: (n,) which fifth each example is in.
        score: (n,) in [0, 1], as it would have been served.
        calibration: `platt` or `isotonic`.
        bare: (n,) by the same routers, without what stands around them.
    """

    artifact: bytes
    fold: IntArray
    score: FloatArray
    calibration: str
    bare: FloatArray


class _Part(NamedTuple):
    """A fold: its rows as (n,) yes or no, and a router of the other folds."""

    own: NDArray[np.bool_]
    router: Router


class Size(NamedTuple):
    """A point of the learning curve: how many a fold's router learnt from, and its scores (n,)."""

    n: int
    score: FloatArray


def folds(queries: Sequence[str], seed: int) -> IntArray:
    """Return which fifth each query is in, by a hash: equal queries are in the same one.

    Example:
        >>> folds(["Why?", " why? ", "WHY?"], seed=7).tolist()
        [1, 1, 1]
    """
    return np.array([_draw(seed, query) % FOLDS for query in queries], np.intp)


def distinct(queries: Sequence[str]) -> int:
    """Return how many different queries there are."""
    return len({_same(query) for query in queries})


def questions(queries: Sequence[str]) -> IntArray:
    """Return a number for each query, equal ones having the same: they are drawn together.

    Example:
        >>> questions(["Why?", "How?", " why? "]).tolist()
        [1, 0, 1]
    """
    return np.unique([_same(query) for query in queries], return_inverse=True)[1].astype(np.intp)


def _same(query: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", query).casefold().split())


def _draw(seed: int, query: str) -> int:
    digest = hashlib.sha256(f"{seed}|{_same(query)}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")


def take(examples: Examples, rows: IntArray) -> Examples:
    """Return some of the examples."""
    outcomes = examples.outcomes
    if outcomes is not None:
        quality = outcomes.quality[rows]
        outcomes = Outcomes(outcomes.models, quality, outcomes.cheap, outcomes.expensive)
    return Examples(
        queries=tuple(examples.queries[row] for row in rows),
        cheap_ok=examples.cheap_ok[rows],
        expensive_ok=examples.expensive_ok[rows],
        weight=examples.weight[rows],
        outcomes=outcomes,
        confidence=None if examples.confidence is None else examples.confidence[rows],
    )


def fit(examples: Examples, recipe: Recipe, step: Step = _nothing) -> Fitted:
    """Fit on all examples, and score each by a router of the other folds; 2 `FOLDS` + 1 steps.

    Raises:
        ValueError: with a sentence for people, when these examples cannot be learnt from.
    """
    fold = folds(examples.queries, recipe.seed)
    vectors = _vectors(examples.queries, recipe.embedder)
    parts = _parts(examples, fold, recipe, step)
    raw = _raw(examples, parts)
    score = _served(examples, parts, raw, vectors, recipe, step)
    whole = np.ones(raw.size, bool)
    held = _around(examples, raw, vectors, recipe, whole)
    artifact = assembled.dumps(_artifact(examples, recipe), **held._asdict())
    step()
    return Fitted(artifact, fold, score, calibration.method(examples.needs_expensive), raw)


def unseen(
    examples: Examples, fold: IntArray, recipe: Recipe, step: Step = _nothing, most: int = 0
) -> FloatArray:
    """Return each example's bare score by a router of the other folds: (n,).

    Args:
        examples: n labelled queries.
        fold: (n,) of `folds`.
        recipe: what to fit.
        step: told after each fold.
        most: a router learns from so many examples only, the first by a hash; 0 is all. Who is
            among the first 50 is among the first 100 too.
    """
    return _raw(examples, _parts(examples, fold, recipe, step, most))


def _parts(
    examples: Examples, fold: IntArray, recipe: Recipe, step: Step, most: int = 0
) -> list[_Part]:
    """Return a router for each fold, fitted on the others."""
    order, out = _order(examples.queries, recipe.seed), []
    for one in np.unique(fold):
        others = order[fold[order] != one]
        learnt = np.sort(others[:most] if most else others)
        out.append(_Part(fold == one, _router(take(examples, learnt), recipe)))
        step()
    return out


def _raw(examples: Examples, parts: list[_Part]) -> FloatArray:
    out = np.full(len(examples.queries), np.nan)
    for part in parts:
        for row in np.flatnonzero(part.own):
            out[row] = part.router.score(examples.queries[row]).value
    if not ((out >= 0) & (out <= 1)).all():
        raise ValueError("Routers of this kind gave scores outside [0, 1]: none was made.")
    return out


def learning(
    examples: Examples, fold: IntArray, recipe: Recipe, step: Step = _nothing
) -> list[Size]:
    """Return scores by routers that learnt from fewer examples, from `FIRST` on, doubling or more.

    A size at which nothing can be learnt, as with one class only, is left out.
    """
    out = []
    for n in sizes(fold):
        try:
            out.append(Size(n, unseen(examples, fold, recipe, step, most=n)))
        except ValueError:
            continue
    return out


def sizes(fold: IntArray) -> list[int]:
    """Return the sizes of a learning curve below what every fold's router learns from.

    Example:
        >>> sizes(np.arange(500) % 5), sizes(np.arange(50_000) % 5)
        ([50, 100, 200], [50, 190, 724, 2759, 10506])
    """
    least = fold.size - int(np.bincount(fold).max())
    if least <= FIRST:
        return []
    doublings = int(np.log2(least / FIRST - 1e-9))
    if doublings < MOST_SIZES:
        return [FIRST * 2**power for power in range(doublings + 1)]
    ratio = (least / FIRST) ** (1 / MOST_SIZES)
    return [int(FIRST * ratio**power) for power in range(MOST_SIZES)]


def _order(queries: Sequence[str], seed: int) -> IntArray:
    """Return the examples in an order that nobody chose, the same for the same queries."""
    drawn = [(_draw(seed + 1, query), place) for place, query in enumerate(queries)]
    return np.array([place for _, place in sorted(drawn)], np.intp)


def _artifact(examples: Examples, recipe: Recipe) -> bytes:
    assert recipe.kind.fit is not None
    return recipe.kind.fit(examples, recipe.embedder, recipe.seed, recipe.options)


def _router(examples: Examples, recipe: Recipe) -> Router:
    """Return a router as it would be loaded to serve, without what stands around it."""
    return recipe.kind.loads(_artifact(examples, recipe), recipe.embedder)


def _served(
    examples: Examples,
    parts: list[_Part],
    raw: FloatArray,
    vectors: Vectors | None,
    recipe: Recipe,
    step: Step,
) -> FloatArray:
    """Return what would have been served: rules, then familiarity, then calibrated scores, weighed.

    Each stage was fitted without the labels of the fold that it scores.
    """
    embedder = embedders.get(recipe.embedder) if recipe.embedder else None
    out = np.empty(raw.size)
    for part in parts:
        held = _around(examples, raw, vectors, recipe, ~part.own)
        router = assembled.assemble(part.router, held, embedder)
        for row in np.flatnonzero(part.own):
            score = router.score(examples.queries[row])
            out[row] = router.weigh(score, _sure(examples, int(row))).value
        step()
    return out


def _sure(examples: Examples, row: int) -> float | None:
    known = examples.confidence
    return None if known is None or np.isnan(known[row]) else float(known[row])


def _around(
    examples: Examples,
    raw: FloatArray,
    vectors: Vectors | None,
    recipe: Recipe,
    rows: NDArray[np.bool_],
) -> Parts:
    """Return what stands around a router, fitted on some of the rows."""
    needed, weight = examples.needs_expensive[rows], examples.weight[rows]
    familiar = None if vectors is None else Familiar.fit(vectors[rows], seed=recipe.seed)
    told = calibration.fit(raw[rows], needed, weight)
    return Parts(recipe.rules, familiar, told, _weighing(examples, raw, told, rows))


def _weighing(
    examples: Examples, raw: FloatArray, told: Calibration, rows: NDArray[np.bool_]
) -> Weighing | None:
    """Return what a retrieval's confidence does to scores; None where no example has one."""
    if examples.confidence is None:
        return None
    score = np.array([told.of(value) for value in raw[rows]])
    needed, weight = examples.needs_expensive[rows], examples.weight[rows]
    return weighing.fit(score, examples.confidence[rows], needed, weight)


def _vectors(queries: Sequence[str], embedder: str) -> Vectors | None:
    if not embedder:
        return None
    used = embedders.get(embedder)
    return np.stack([used.embed(query) for query in queries]).astype(np.float32)
