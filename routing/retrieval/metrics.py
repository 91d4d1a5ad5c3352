"""Rankings against judgements of relevance, by ir_measures; one value a query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import ir_measures
import numpy as np

#: What is measured, in the order it is shown.
NAMES = ("ndcg", "recall", "rr")


def measured(
    runs: Sequence[Sequence[str]], judged: Sequence[Mapping[str, int]], k: int = 10
) -> dict[str, np.ndarray]:
    """Return what each of n rankings is worth.

    Args:
        runs: of each query, document keys, best first, each once.
        judged: of each query, grades by document key; above 0 is relevant.
        k: ranks that count.

    Returns:
        ndcg, recall and rr (reciprocal rank) at k, each of shape (n,).
    """
    measures = {
        "ndcg": ir_measures.nDCG @ k,
        "recall": ir_measures.R @ k,
        "rr": ir_measures.RR @ k,
    }
    qrels = [
        ir_measures.Qrel(str(n), key, grade)
        for n, grades in enumerate(judged)
        for key, grade in grades.items()
    ]
    ranked = [
        ir_measures.ScoredDoc(str(n), key, -float(rank))
        for n, keys in enumerate(runs)
        for rank, key in enumerate(keys)
    ]
    found = {name: np.zeros(len(runs)) for name in NAMES}
    names = {measure: name for name, measure in measures.items()}
    for value in ir_measures.iter_calc(list(names), qrels, ranked):
        found[names[value.measure]][int(value.query_id)] = value.value
    return found


def once(keys: Iterable[str], k: int) -> list[str]:
    """Return the first k different keys: a document counts by its best chunk."""
    return list(dict.fromkeys(keys))[:k]


class Difference(NamedTuple):
    """A mean and its 95 % interval."""

    value: float
    low: float
    high: float


def paired(
    differences: np.ndarray, groups: Sequence[str], *, resamples: int = 2000, seed: int = 7
) -> Difference:
    """Return the mean difference of two rankings of the same queries, by the paired bootstrap.

    Groups, such as conversations, are drawn whole: their queries are alike.

    Args:
        differences: shape (n,), n at least 1.
        groups: of each query.
        resamples: B; the interval is that between the percentiles 2.5 and 97.5.
        seed: the same one draws the same groups.

    Raises:
        ValueError: when there is no query.

    Source:
        Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    if not len(differences):
        raise ValueError("Nothing was measured: there is no query.")
    _, where = np.unique(np.asarray(groups), return_inverse=True)
    sums, sizes = np.bincount(where, weights=differences), np.bincount(where)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(sums.size, np.full(sums.size, 1 / sums.size), resamples)
    means = (times @ sums) / (times @ sizes)
    low, high = np.percentile(means, [2.5, 97.5])
    return Difference(float(np.mean(differences)), float(low), float(high))
