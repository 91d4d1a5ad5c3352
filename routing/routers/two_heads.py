"""The default learned router: one head says whether the cheap model fails, one if the other does.

Each head is the mean of three logistic regressions: on embedding and surface, on runs of
characters, on words. Served they are one: a mean of linear functions is linear. What the two heads
say becomes one score, by how much harm of the expensive model counts; that is chosen by
cross-validation among the labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from routing import embedders
from routing.embedders.memory import Remembering
from routing.routers import arrays, features
from routing.routers.features import Counted
from routing.routers.kinds import Examples, Kind
from routing.types import Score

FloatArray = NDArray[np.float64]

KIND = "two-heads"
#: Standardised surface features beyond so many deviations say no more.
_FAR = 4.0


@dataclass(frozen=True, eq=False)
class Grams:
    """One kind of n-grams that both heads know, and what each says of them.

    Attributes:
        hashes: (V,) uint64, rising.
        rarity: (V,) weight of each by how few texts have it.
        coef: (2, V) of the heads.
    """

    hashes: NDArray[np.uint64]
    rarity: NDArray[np.float32]
    coef: NDArray[np.float32]

    def logits(self, found: Counted) -> FloatArray:
        """Return what these n-grams add to each head, (2,); a text's own ones have unit length."""
        places, values = weighed(self.hashes, self.rarity, found)
        return np.asarray(self.coef.take(places, axis=1) @ values, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class TwoHeadsRouter:
    """P(cheap fails) and P(expensive does not), combined.

    Attributes:
        mean: (33,) of the surface features.
        scale: (33,) what each is divided by.
        dense: (2, 33 + dimensions) coefficients on surface and embedding.
        intercept: (2,).
        chars: runs of characters.
        words: words and pairs of them.
        harm: what the reverse counts, that only the cheap answer is good; in [0, 1].
        low: the gain of which the score is 0.
        high: the gain of which it is 1.
    """

    embedder: Remembering
    mean: FloatArray
    scale: FloatArray
    dense: FloatArray
    intercept: FloatArray
    chars: Grams
    words: Grams
    harm: float
    low: float
    high: float

    @property
    def is_instant(self) -> bool:
        """Whether the embedder is; the rest takes a fraction of a millisecond at any length."""
        return self.embedder.is_instant

    def score(self, query: str) -> Score:
        """Return the score of a query, of which the first 4,096 characters are read."""
        return self._judge(query, self.embedder.embed(query))

    def recall(self, query: str) -> Score | None:
        """Return the score when the vector is remembered, without embedding."""
        vector = self.embedder.recall(query)
        return None if vector is None else self._judge(query, vector)

    def _judge(self, query: str, vector: np.ndarray) -> Score:
        surface = standard(features.surface(query), self.mean, self.scale)
        logits = self.intercept + self.dense @ np.concatenate([surface, vector])
        logits = logits + self.chars.logits(features.char_grams(query))
        logits = logits + self.words.logits(features.word_grams(query))
        gain = float(gained(logits, self.harm))
        return Score(min(max((gain - self.low) / (self.high - self.low), 0.0), 1.0))


def standard(surface: FloatArray, mean: FloatArray, scale: FloatArray) -> FloatArray:
    """Return surface features, (33,) or (n, 33), as the heads see them."""
    return np.asarray(np.clip((surface - mean) / scale, -_FAR, _FAR) * 0.3)


def weighed(
    hashes: NDArray[np.uint64], rarity: NDArray[np.float32], found: Counted
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return which known n-grams a text has and their values, of unit length together."""
    if not hashes.size or not found.hashes.size:
        return np.empty(0, np.intp), np.empty(0, np.float32)
    places = np.minimum(hashes.searchsorted(found.hashes), hashes.size - 1)
    known = np.flatnonzero(hashes[places] == found.hashes)
    places = places[known]
    values = (1 + np.log(found.counts[known])) * rarity[places]
    length = math.sqrt(float(values @ values))
    return places, (values / (length or 1.0)).astype(np.float32)


def gained(logits: FloatArray, harm: float) -> FloatArray:
    """Return what the expensive call is worth by both heads' logits, (2,) or (2, n): -harm to 1.

    The product of both probabilities at no harm, their difference at 1: the two are ends of one
    scale.
    """
    fails, holds = 1 / (1 + np.exp(-logits.clip(-30, 30)))
    return np.asarray(fails * holds - harm * (1 - fails) * (1 - holds))


def dumps(router: TwoHeadsRouter) -> bytes:
    """Return the artifact: numbers only, n-grams as hashes."""
    held = {name: getattr(router, name) for name in ("mean", "scale", "dense", "intercept")}
    for name in ("chars", "words"):
        grams: Grams = getattr(router, name)
        held |= {f"{name}_{part}": getattr(grams, part) for part in ("hashes", "rarity", "coef")}
    numbers = {name: np.float64(getattr(router, name)) for name in ("harm", "low", "high")}
    return arrays.dumps({**held, **numbers})


def loads(artifact: bytes, embedder: str) -> TwoHeadsRouter:
    """Return the router of an artifact, on the embedder with this id.

    Raises:
        KeyError: when there is no such embedder.
        ModelsMissing: when its files are not there and cannot be built.
        ValueError: when the arrays are none of these heads, or not of the embedder's dimensions.
    """
    held, used = arrays.loads(artifact), embedders.get(embedder)
    try:
        router = TwoHeadsRouter(
            used,
            mean=held["mean"],
            scale=held["scale"],
            dense=held["dense"],
            intercept=held["intercept"],
            chars=_grams(held, "chars"),
            words=_grams(held, "words"),
            harm=float(held["harm"]),
            # Artifacts of before have no range of their own: their thresholds belong to this one.
            low=float(held.get("low", -held["harm"])),
            high=float(held.get("high", 1.0)),
        )
    except KeyError as exc:
        raise ValueError(f"The artifact lacks {exc.args[0]}.") from exc
    _check(router)
    return router


def _grams(held: Mapping[str, np.ndarray], name: str) -> Grams:
    hashes, rarity, coef = (held[f"{name}_{part}"] for part in ("hashes", "rarity", "coef"))
    m = hashes.size
    if hashes.dtype != np.uint64 or rarity.shape != (m,) or coef.shape != (2, m):
        raise ValueError(f"The artifact's {name} do not fit one another.")
    if not (
        np.isfinite(rarity).all() and np.isfinite(coef).all() and (hashes[1:] > hashes[:-1]).all()
    ):
        raise ValueError(f"The artifact's {name} are not what heads know.")
    return Grams(hashes, rarity.astype(np.float32), coef.astype(np.float32))


def _check(router: TwoHeadsRouter) -> None:
    n = len(features.NAMES)
    shapes = (router.mean.shape, router.scale.shape, router.dense.shape, router.intercept.shape)
    if shapes != ((n,), (n,), (2, n + router.embedder.dimensions), (2,)):
        raise ValueError(f"The artifact does not fit {router.embedder.id}.")
    numbers = (router.mean, router.scale, router.dense, router.intercept)
    if not all(np.isfinite(value).all() for value in numbers) or not (router.scale > 0).all():
        raise ValueError("The artifact's numbers are not finite.")
    if not 0 <= router.harm <= 1:
        raise ValueError(f"The artifact's harm is {router.harm}, outside [0, 1].")
    if not -math.inf < router.low < router.high < math.inf:
        raise ValueError(f"The artifact's scores range from {router.low} to {router.high}.")


def fit(examples: Examples, embedder: str, seed: int, options: Mapping[str, Any]) -> bytes:
    """Return the artifact of both heads fit to labelled queries.

    Raises:
        KeyError: when there is no such embedder, or an option is unknown.
        ModelsMissing: when its files are not there and cannot be built.
        ValueError: when there are too few labels, or the cheap model does as well on all.
    """
    # Imported here: serving needs neither scikit-learn nor what fits with it.
    from routing.routers import two_heads_fit

    return two_heads_fit.fit(examples, embedder, seed, options)


TWO_HEADS = Kind(
    KIND,
    "Two heads",
    "Two estimates from the query's words, characters, shape and embedding: whether the cheap model"
    " fails, and whether the expensive one does not.",
    "The default for training on your own labels, from some hundred on.",
    "One embedding, and about as much again to read the text. No call to a model.",
    loads,
    fit=fit,
    has_embedder=True,
    defaults={"freedom": 1.0},
)
KINDS = (TWO_HEADS,)
