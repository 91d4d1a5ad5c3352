"""The vectors of labelled queries."""

from __future__ import annotations

import numpy as np

from routing import embedders
from routing.routers.kinds import Examples


def of(examples: Examples, embedder: str) -> np.ndarray:
    """Return float32 vectors, (n, dimensions): those that came with the examples, or new ones.

    Raises:
        KeyError: when there is no such embedder.
        ModelsMissing: when its files are not there and cannot be built.
        ValueError: when the vectors that came do not fit it.
    """
    used = embedders.get(embedder)
    if examples.vectors is None:
        made = [used.embed(query) for query in examples.queries]
        return np.stack(made) if made else np.empty((0, used.dimensions), np.float32)
    if examples.vectors.shape != (len(examples.queries), used.dimensions):
        raise ValueError(f"The vectors of the examples are not those of {embedder}.")
    return examples.vectors
