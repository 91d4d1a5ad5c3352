"""Matrix factorisation over models: P(model m answers query q well) from a vector for each.

As in RouteLLM (arXiv 2406.18665, section 4.2) a query's embedding is projected to a few dimensions
and multiplied with the model's own vector. RouteLLM learns from battles and scores P(the strong one
wins); here each model's success is learnt, and the score is P(cheap fails) x P(expensive succeeds):
what every score of ours estimates. A query that both get wrong is lost money, not a win.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from routing import embedders
from routing.routers import arrays, factors, vectors
from routing.routers.factors import Factors
from routing.routers.kinds import Examples, Kind, Outcomes, chosen
from routing.routers.vector_router import VectorRouter
from routing.types import Score

NAME = "matrix-factorization"


@dataclass(frozen=True, eq=False)
class MatrixRouter(VectorRouter):
    """P(cheap fails) x P(expensive succeeds).

    Attributes:
        factors: of all models that were learnt from.
        cheap: which of them plays the cheap tier.
        expensive: which plays the other.
    """

    factors: Factors
    cheap: str
    expensive: str

    def _judge(self, vector: np.ndarray) -> Score:
        cheap_ok, expensive_ok = self.factors.success(vector, (self.cheap, self.expensive))
        return Score(float((1 - cheap_ok) * expensive_ok))


def fit(examples: Examples, embedder: str, seed: int, options: Mapping[str, Any]) -> bytes:
    """Return the artifact, learnt from several models' outcomes or, without any, from the pair's.

    Raises:
        ValueError: when there are too few labels, or an option cannot be.
    """
    said = chosen(MATRIX, options)
    rank, ridge = said["rank"], said["ridge"]
    if isinstance(rank, bool) or not isinstance(rank, int) or not 1 <= rank <= 64:
        raise ValueError("The rank is a whole number from 1 to 64.")
    if isinstance(ridge, bool) or not isinstance(ridge, (int, float)) or not 0 < ridge <= 1e6:
        raise ValueError("The ridge is a number above 0.")
    outcomes = examples.outcomes or _of_pair(examples)
    made = vectors.of(examples, embedder)
    learnt = factors.fit(made, outcomes, examples.weight, rank, float(ridge), seed)
    return dumps(learnt, outcomes.cheap, outcomes.expensive)


def _of_pair(examples: Examples) -> Outcomes:
    quality = np.column_stack([examples.cheap_ok, examples.expensive_ok])
    return Outcomes(("cheap", "expensive"), quality, "cheap", "expensive")


def add_model(
    artifact: bytes, embedder: str, model: str, examples: Examples, quality: np.ndarray
) -> bytes:
    """Return the artifact with one more model, learnt from some fifty prompts; all else stays.

    Args:
        artifact: of this kind, with whatever parts.
        embedder: the id that the artifact was fit with.
        model: a name that is new.
        examples: the queries and their weights.
        quality: shape (n,), in [0, 1]: how well the new model did.

    Raises:
        ValueError: when the name is known, or there is nothing to learn from.
    """
    router = loads(artifact, embedder)
    made = vectors.of(examples, embedder)
    grown = factors.join(router.factors, made, model, quality, examples.weight)
    return _with(artifact, dumps(grown, router.cheap, router.expensive))


def choose(artifact: bytes, embedder: str, cheap: str, expensive: str) -> bytes:
    """Return the artifact with other models in the two tiers; each must have been learnt.

    Raises:
        ValueError: when one is unknown, or both are the same.
    """
    router = loads(artifact, embedder)
    changed = _with(artifact, dumps(router.factors, cheap, expensive))
    loads(changed, embedder)
    return changed


def _with(artifact: bytes, own: bytes) -> bytes:
    """Keep the parts around a changed kind's own arrays."""
    return arrays.dumps({**arrays.loads(artifact), **arrays.loads(own)})


def dumps(learnt: Factors, cheap: str, expensive: str) -> bytes:
    """Return the artifact."""
    return arrays.dumps(
        {
            "projection": learnt.projection,
            "models": np.array(learnt.models),
            "model_vectors": learnt.vectors,
            "pair": np.array([cheap, expensive]),
        }
    )


def loads(artifact: bytes, embedder: str) -> MatrixRouter:
    """Return the router of an artifact, on the embedder with this id.

    Raises:
        KeyError: when there is no such embedder.
        ModelsMissing: when its files are not there and cannot be built.
        ValueError: when the arrays do not fit together or the embedder.
    """
    held = arrays.loads(artifact)
    if not {"projection", "models", "model_vectors", "pair"} <= held.keys():
        raise ValueError("The artifact holds no factors.")
    used, projection, made = embedders.get(embedder), held["projection"], held["model_vectors"]
    models, pair = tuple(map(str, held["models"])), tuple(map(str, held["pair"]))
    if len(pair) != 2 or pair[0] == pair[1] or not set(pair) <= set(models):
        raise ValueError(f"The pair is two of the models {', '.join(models)[:200]}.")
    fits = projection.ndim == made.ndim == 2 and projection.shape[1] == used.dimensions
    if not fits or made.shape != (len(models), len(projection) + 1):
        raise ValueError(f"The artifact does not fit {embedder}: {projection.shape}.")
    if not np.isfinite(projection).all() or not np.isfinite(made).all():
        raise ValueError("The artifact's factors are no numbers.")
    return MatrixRouter(used, Factors(projection, models, made), *pair)


MATRIX = Kind(
    NAME,
    "Matrix factorisation",
    "A vector for each model and one for the query: P(the cheap fails) x P(the other succeeds).",
    "With outcomes of several models on the same prompts; a new model joins with about fifty.",
    "One embedding and two short products; no call to a model.",
    loads,
    fit=fit,
    has_embedder=True,
    defaults={"rank": 8, "ridge": 10.0},
)
KINDS = (MATRIX,)
