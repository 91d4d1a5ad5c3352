"""How the two heads are fit to labels; serving needs none of this."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from routing import embedders
from routing.routers import features, two_heads, vectors
from routing.routers.features import Counted
from routing.routers.kinds import Examples, chosen
from routing.routers.two_heads import FloatArray, Grams, TwoHeadsRouter

_FEWEST, _FEWEST_OF_EACH = 20, 3
#: An n-gram of fewer texts is no pattern, and might tell of whom it came.
_FEWEST_TEXTS = 3
_FOLDS = 5
#: How far the reverse may count that only the cheap answer is good.
_HARMS = (0.0, 0.25, 0.5, 0.75, 1.0)
#: A gain so many standard deviations from the mean is the end of the scale.
_WIDE = 3.0
#: Parts of the mean that the three regressions have.
_DENSE, _CHARS, _WORDS = 0.4, 0.2, 0.4


class _Head(NamedTuple):
    """Hold one regression: (D,) coefficients and the intercept."""

    coef: FloatArray
    intercept: float


class _Ranking(NamedTuple):
    """Hold how gains are reckoned, and which of them score 0 and 1."""

    harm: float
    low: float
    high: float


class _Known(NamedTuple):
    """Hold the n-grams of all texts: those known, their rarity, and the (n, V) values."""

    hashes: NDArray[np.uint64]
    rarity: NDArray[np.float32]
    values: sparse.csr_array


def fit(examples: Examples, embedder: str, seed: int, options: Mapping[str, Any]) -> bytes:
    """Return the artifact of both heads; `two_heads.fit` says more."""
    # First: a library that is loaded later than the limit below would not heed it.
    import sklearn.linear_model  # noqa: F401
    from threadpoolctl import threadpool_limits

    freedom = _freedom(options)
    _check(examples)
    # On a busy machine BLAS's threads wait for each other; and their number would change the bytes.
    with threadpool_limits(limits=1):
        return _fit(examples, embedder, seed, freedom)


def _fit(examples: Examples, embedder: str, seed: int, freedom: float) -> bytes:
    looks = np.stack([features.surface(query) for query in examples.queries])
    mean, scale = looks.mean(axis=0), looks.std(axis=0) + 1e-6
    surface = two_heads.standard(looks, mean, scale)
    dense = np.hstack([surface, vectors.of(examples, embedder)])
    weight = examples.weight / examples.weight.mean()
    labels = np.stack([1 - examples.cheap_ok, examples.expensive_ok])
    chars, words = (
        _known(read(query) for query in examples.queries)
        for read in (features.char_grams, features.word_grams)
    )

    def heads(rows: Any) -> list[_Head]:
        return [_head(rows, label, weight, freedom, seed) for label in labels]

    parts = (
        heads(dense),
        *(heads(_beside(known, surface)) for known in (chars, words)),
    )
    ranking = _ranking(dense, labels, weight, freedom, seed, examples.queries)
    return two_heads.dumps(
        _joined(parts, (chars, words), (mean, scale), ranking, embedders.get(embedder))
    )


def _freedom(options: Mapping[str, Any]) -> float:
    freedom = chosen(two_heads.TWO_HEADS, options)["freedom"]
    if isinstance(freedom, bool) or not isinstance(freedom, int | float) or not 0 < freedom < 1e6:
        raise ValueError("freedom, how closely labels are followed, must be a number above 0.")
    return float(freedom)


def _check(examples: Examples) -> None:
    n, fails = len(examples.queries), 1 - examples.cheap_ok
    if n < _FEWEST:
        raise ValueError(f"{n} labelled requests are too few to learn from; {_FEWEST} are needed.")
    if fails.sum() < _FEWEST_OF_EACH:
        raise ValueError("The cheap model does well on nearly all of them: nothing to tell apart.")
    if (1 - fails).sum() < _FEWEST_OF_EACH:
        raise ValueError("The cheap model fails on nearly all of them: nothing to tell apart.")


def _known(texts: Iterable[Counted]) -> _Known:
    """Return the n-grams that enough texts have, and each text's values of them."""
    found = list(texts)
    every, spread = np.unique(np.concatenate([text.hashes for text in found]), return_counts=True)
    hashes = every[spread >= _FEWEST_TEXTS]
    texts_with = spread[spread >= _FEWEST_TEXTS]
    rarity = (np.log((1 + len(found)) / (1 + texts_with)) + 1).astype(np.float32)
    rows = [two_heads.weighed(hashes, rarity, text) for text in found]
    ends = np.append(0, np.cumsum([places.size for places, _ in rows]))
    places = np.concatenate([places for places, _ in rows])
    values = np.concatenate([values for _, values in rows]).astype(np.float64)
    return _Known(
        hashes, rarity, sparse.csr_array((values, places, ends), (len(found), hashes.size))
    )


def _beside(known: _Known, surface: FloatArray) -> sparse.csr_array:
    """Return n-grams with the shape of the text beside them: (n, V + 12)."""
    return sparse.csr_array(
        sparse.hstack([known.values, sparse.csr_array(surface[:, : features.SHAPE])])
    )


def _head(rows: Any, label: FloatArray, weight: FloatArray, c: float, seed: int) -> _Head:
    """Fit one regression; a label of .3 is .3 of a one and .7 of a zero.

    A label that never varies makes a head that says so, with a reserve of one request.
    """
    from sklearn.linear_model import LogisticRegression

    ones, zeros = weight * label, weight * (1 - label)
    if min(np.count_nonzero(ones), np.count_nonzero(zeros)) == 0:
        odds = (ones.sum() + 0.5) / (zeros.sum() + 0.5)
        return _Head(np.zeros(rows.shape[1]), float(np.log(odds)))
    up, down = np.flatnonzero(ones), np.flatnonzero(zeros)
    model = LogisticRegression(C=c, max_iter=300, tol=1e-3, random_state=seed)
    model.fit(
        rows[np.append(up, down)],
        np.repeat([1, 0], [up.size, down.size]),
        sample_weight=np.append(ones[up], zeros[down]),
    )
    return _Head(model.coef_[0].astype(np.float64), float(model.intercept_[0]))


def _ranking(
    dense: FloatArray,
    labels: FloatArray,
    weight: FloatArray,
    c: float,
    seed: int,
    queries: tuple[str, ...],
) -> _Ranking:
    """Return how much harm counts: what ranks best where the regression on `dense` was not fit.

    The scale is that of the gains there, whatever the harm: a threshold means as much after the
    next training, though another harm be chosen.

    The other two regressions are left out of this: they take ten times as long and choose alike.
    """
    fold, logits = _folds(queries, seed), np.zeros(labels.shape)
    for one in range(_FOLDS):
        own = fold == one
        if own.all():
            return _Ranking(0.0, 0.0, 1.0)
        for head, label in enumerate(labels):
            made = _head(dense[~own], label[~own], weight[~own], c, seed)
            logits[head, own] = dense[own] @ made.coef + made.intercept
    gain = weight * (labels[1] - (1 - labels[0]))
    # Rounded: what ranks alike differs by the last digits of sums, and then the least harm counts.
    harm = max(_HARMS, key=lambda one: round(_area(two_heads.gained(logits, one), gain, weight), 9))
    return _scaled(harm, two_heads.gained(logits, harm), weight)


def _scaled(harm: float, gains: FloatArray, weight: FloatArray) -> _Ranking:
    mean = float(np.average(gains, weights=weight))
    wide = _WIDE * max(float(np.average((gains - mean) ** 2, weights=weight)) ** 0.5, 1e-3)
    return _Ranking(harm, mean - wide, mean + wide)


def _folds(queries: tuple[str, ...], seed: int) -> NDArray[np.int64]:
    """Return a fold for each query; one that comes twice is in one fold only."""
    names = (f"{seed}:{query}".encode("utf-8", "surrogatepass") for query in queries)
    digests = (hashlib.blake2b(name, digest_size=8).digest() for name in names)
    return np.array([int.from_bytes(digest) % _FOLDS for digest in digests])


def _area(score: FloatArray, gain: FloatArray, weight: FloatArray) -> float:
    """Return the area under what is gained by share of calls, the highest scores first."""
    order = np.argsort(-score, kind="stable")
    won, calls = np.cumsum(gain[order]), np.cumsum(weight[order]) / weight.sum()
    return float(np.trapezoid(np.append(0.0, won), np.append(0.0, calls)))


def _joined(
    parts: tuple[list[_Head], ...],
    known: tuple[_Known, _Known],
    standard: tuple[FloatArray, FloatArray],
    ranking: _Ranking,
    embedder: Any,
) -> TwoHeadsRouter:
    """Return the three regressions as one: coefficients times their part of the mean."""
    dense, *sparse_ones = (
        part * np.stack([head.coef for head in heads])
        for part, heads in zip((_DENSE, _CHARS, _WORDS), parts, strict=True)
    )
    for coef, one in zip(sparse_ones, known, strict=True):
        dense[:, : features.SHAPE] += coef[:, one.hashes.size :]
    chars, words = (
        Grams(one.hashes, one.rarity, coef[:, : one.hashes.size].astype(np.float32))
        for coef, one in zip(sparse_ones, known, strict=True)
    )
    intercept = sum(
        part * np.array([head.intercept for head in heads])
        for part, heads in zip((_DENSE, _CHARS, _WORDS), parts, strict=True)
    )
    mean, scale = standard
    return TwoHeadsRouter(
        embedder, mean, scale, dense, np.asarray(intercept), chars, words, *ranking
    )
