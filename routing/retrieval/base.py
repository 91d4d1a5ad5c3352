"""What searching and fusing speak of: rows of an index, best first."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

#: What a request may name; `auto` leaves the choice to the query.
STRATEGIES = ("bm25", "dense", "hybrid")
AUTO = "auto"
#: The client brought its context: nothing was searched.
CLIENT = "client"


class Found(NamedTuple):
    """Rows of an index, best first; equal scores by row.

    Attributes:
        rows: shape (n,), int64, n at most what was asked for.
        scores: shape (n,), float32; of bm25 only what is above 0 is found.
    """

    rows: np.ndarray
    scores: np.ndarray
