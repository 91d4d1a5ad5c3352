"""Which part of a queue that is not finished counts: up to its first gap."""

import math

import numpy as np


def best_end(order: np.ndarray, unrated: np.ndarray, spoken: np.ndarray) -> tuple[int, float]:
    """Return how many rows the best frame has, and its first gap; the longer of equals.

    Only the ends just before the first gap moves forward need a look: some ln(N) of them.
    """
    gaps = np.minimum.accumulate(np.where(unrated, order, np.inf))
    moves = np.flatnonzero(gaps < np.append(np.inf, gaps)[: gaps.size])
    best, best_n = (0, math.inf), -1
    for end in (*moves, gaps.size):
        gap = gaps[end - 1] if end else math.inf
        n = int((spoken[:end] & (order[:end] < gap)).sum())
        if n >= best_n:
            best, best_n = (int(end), float(gap)), n
    return best
