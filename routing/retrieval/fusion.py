"""Several lists of rows as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from routing.retrieval.base import Found


def rrf(lists: Sequence[Found], k: int, c: float = 60) -> Found:
    """Return the k best rows by reciprocal rank fusion: the sum of 1 / (c + rank) over the lists.

    Ranks count from 1; a list that does not hold a row adds nothing. Equal sums go by row.

    Args:
        lists: best first, each row once in each list.
        k: rows wanted.
        c: the higher, the less the first ranks stand out.

    Source:
        Cormack, Clarke and Büttcher, SIGIR 2009.
    """
    rows, where = np.unique(np.concatenate([f.rows for f in lists]), return_inverse=True)
    shares = np.concatenate([1 / (c + 1 + np.arange(f.rows.size)) for f in lists])
    sums = np.bincount(where, weights=shares, minlength=rows.size)
    order = np.lexsort((rows, -sums))[:k]
    return Found(rows[order].astype(np.int64), sums[order].astype(np.float32))


def blend(bm25: Found, dense: Found, share: float, most: float, k: int, depth: int) -> Found:
    """Return the k best rows by a weighted sum of both scores, each on a scale of its own.

    BM25 counts as a share of what the query's terms could bring at most, a cosine as it is. A row
    that one list does not hold has the last score of that list, or 0 where nothing was cut off.

    Args:
        bm25: best first.
        dense: best first, with cosines.
        share: of BM25, in [0, 1].
        most: highest BM25 score that any text could have (`features.ceiling`).
        k: rows wanted.
        depth: rows that were asked of each list.

    Source:
        Bruch, Gai and Ingber, TOIS 42 (2023): such a sum against rank fusion.
    """
    rows = np.union1d(bm25.rows, dense.rows)
    words = _spread(rows, bm25, depth) / most if most > 0 else np.zeros(rows.size)
    sums = share * words + (1 - share) * _spread(rows, dense, depth)
    order = np.lexsort((rows, -sums))[:k]
    return Found(rows[order].astype(np.int64), sums[order].astype(np.float32))


def _spread(rows: np.ndarray, found: Found, depth: int) -> np.ndarray:
    """Return the score of each of rows, which are sorted and hold all that was found."""
    scores = np.full(rows.size, found.scores[-1] if found.rows.size >= depth else 0, np.float64)
    scores[np.searchsorted(rows, found.rows)] = found.scores
    return scores
