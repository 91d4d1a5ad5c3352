"""A static table distilled from a sentence encoder: one vector a token, a text is their mean.

The recipe of model2vec (Tulkens and van Dongen, 2024), in our own lines because its `distill`
extra wants an older transformers: every token goes through the encoder alone, the principal
components are kept, and frequent tokens weigh less (SIF; Arora et al., 2017) by a Zipf law over
their rank, since the vocabulary is sorted by frequency.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

DIMENSIONS = 256
#: a / (a + p) with p the token's share of all text.
SIF_A = 1e-4
_BATCH = 256
#: Never found in a text: markers and places kept free.
_NO_WORD = re.compile(r"\[(PAD|UNK|CLS|SEP|MASK|unused\d+)\]")


def table(vocabulary: list[str], embed: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the table, float16, shape (len(vocabulary), DIMENSIONS).

    Args:
        vocabulary: tokens by id.
        embed: token ids of shape (n, 3) to vectors of shape (n, any); called in batches.
    """
    is_word = np.array([not _NO_WORD.fullmatch(token) for token in vocabulary])
    ids = np.flatnonzero(is_word)
    first, last = vocabulary.index("[CLS]"), vocabulary.index("[SEP]")
    rows = np.stack([np.full_like(ids, first), ids, np.full_like(ids, last)], axis=1)
    batches = range(0, len(rows), _BATCH)
    vectors = np.concatenate([embed(rows[start : start + _BATCH]) for start in batches])
    whole = np.zeros((len(vocabulary), DIMENSIONS), dtype=np.float16)
    whole[ids] = _principal(vectors, DIMENSIONS) * _weights(len(ids))[:, None]
    return whole


def _principal(vectors: np.ndarray, dimensions: int) -> np.ndarray:
    """Return the coordinates along the first principal components.

    A component's sign is free; here its largest loading is positive, so that two builds agree.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)  # by growing variance
    axes = axes[:, ::-1][:, :dimensions]
    largest = np.abs(axes).argmax(axis=0)
    signs = np.sign(axes[largest, np.arange(dimensions)])
    projected: np.ndarray = centred @ (axes * signs)
    return projected


def _weights(n: int) -> np.ndarray:
    """Return the weights of n tokens, the most frequent first."""
    shares = 1.0 / np.arange(2, n + 2)
    shares /= shares.sum()
    weights: np.ndarray = SIF_A / (SIF_A + shares)
    return weights
