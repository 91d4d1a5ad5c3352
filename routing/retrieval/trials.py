"""Judged queries tried on an index: what each choice is worth, and what choosing would be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from routing.retrieval import choosing, metrics, searching
from routing.retrieval.choosing import CHOICES, Choice, Chooser
from routing.retrieval.judgements import Judged
from routing.retrieval.searching import Lists, Searchable

#: Halves that queries are cut into, again and again.
REPEATS = 20


class Keyed(Searchable, Protocol):
    """An index that knows whose its rows are."""

    def keys(self, rows: np.ndarray) -> list[str]:
        """Return the document keys of rows."""
        ...


@dataclass(frozen=True)
class Trials:
    """n queries, each searched in both ways once.

    Attributes:
        queries: n of them.
        vectors: of each, unit length.
        lists: what each found.
        k: ranks that count.
    """

    index: Keyed
    queries: Sequence[Judged]
    vectors: Sequence[np.ndarray]
    lists: Sequence[Lists]
    k: int

    @property
    def groups(self) -> list[str]:
        """Return each query's group."""
        return [query.group for query in self.queries]

    def measured(self, choices: Sequence[Choice]) -> dict[str, np.ndarray]:
        """Return metrics (`metrics.measured`) when query i gets choice i."""
        found = [lists.found(choice) for lists, choice in zip(self.lists, choices, strict=True)]
        runs = [metrics.once(self.index.keys(one.rows), self.k) for one in found]
        return metrics.measured(runs, [query.grades for query in self.queries], self.k)

    def worth(self) -> np.ndarray:
        """Return nDCG by query and choice, shape (n, len(CHOICES))."""
        columns = [self.measured([choice] * len(self.queries))["ndcg"] for choice in CHOICES]
        return np.stack(columns, axis=1)

    def chosen(self, chooser: Chooser) -> list[Choice]:
        """Return what a chooser picks for each query."""
        return [chooser.choose(lists.signals) for lists in self.lists]


def run(
    index: Keyed,
    embed: Callable[[str], np.ndarray],
    queries: Sequence[Judged],
    k: int = 10,
    progress: Callable[[int, int], None] | None = None,
) -> Trials:
    """Search each query in both ways.

    Args:
        index: what is searched.
        embed: query to unit vector, of the index's embedder.
        queries: judged ones.
        k: ranks that count.
        progress: called with done and total.
    """
    vectors, lists = [], []
    for done, one in enumerate(queries, start=1):
        vectors.append(embed(one.query))
        lists.append(searching.look_up(index, one.query, vectors[-1]))
        if progress:
            progress(done, len(queries))
    return Trials(index, queries, vectors, lists, k)


def cross_fitted(trials: Trials, worth: np.ndarray, seed: int = 7) -> np.ndarray:
    """Return the nDCG of each query under choosers that did not learn from its group.

    Groups are cut into halves; each half is chosen for by what was fit on the other. The mean over
    `REPEATS` cuts, shape (n,).
    """
    signals = [lists.signals for lists in trials.lists]
    total = np.zeros(len(signals))
    for half in _halves(trials.groups, seed):
        rows = np.flatnonzero(half)
        chooser = choosing.loads(choosing.fit([signals[row] for row in rows], worth[rows]))
        for row in np.flatnonzero(~half):
            total[row] += worth[row, CHOICES.index(chooser.choose(signals[row]))]
    return total / REPEATS


def _halves(groups: Sequence[str], seed: int) -> Iterator[np.ndarray]:
    names, where = np.unique(np.asarray(groups), return_inverse=True)
    rng = np.random.default_rng(seed)
    for _ in range(REPEATS):
        first = np.isin(where, rng.permutation(names.size)[: names.size // 2])
        yield first
        yield ~first
