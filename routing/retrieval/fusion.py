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
