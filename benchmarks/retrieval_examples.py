"""mtRAG's queries as examples of a search, and of whether what it found holds the answer.

Each query is searched three times: in the whole corpus, and twice where nothing answers it: without
its relevant documents (near), and without any document of its domain (far).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from benchmarks import retrieval_data

WHOLE, NEAR, FAR = "whole", "near", "far"
SOURCES = 5
#: Share of the documents in a small collection, rows of each list that it is taken from.
SMALL, DEEP, SEED = 0.03, 2000, 7
#: How many passages a client brings.
BROUGHT = (1, 3, 5)
STRATEGIES = ("hybrid", "bm25", "dense")


class Example(NamedTuple):
    """One list of passages.

    Attributes:
        signals: the numbers of `features` and of `confidence.of_texts`.
        held: 1 when a relevant document is among the passages.
        kind: WHOLE, NEAR or FAR.
        group: the conversation.
    """

    signals: dict[str, float]
    held: int
    kind: str
    group: str


class Without:
    """An index as if some rows were not there.

    Frequencies are of what is left; the weights inside BM25's scores stay those of the whole.
    """

    def __init__(self, index, rows: np.ndarray, texts: Sequence[str]) -> None:
        self.bm25, self.dense = _Words(index.bm25, rows, texts), _Rest(index.dense, rows)


class _Rest:
    def __init__(self, whole, rows: np.ndarray) -> None:
        self.whole, self.rows = whole, rows

    def search(self, asked, k: int):
        from routing.retrieval.base import Found

        found = self.whole.search(asked, k + self.rows.size)
        left = ~np.isin(found.rows, self.rows)
        return Found(found.rows[left][:k], found.scores[left][:k])


class _Words(_Rest):
    def __init__(self, whole, rows: np.ndarray, texts: Sequence[str]) -> None:
        super().__init__(whole, rows)
        self.size = whole.size - rows.size
        self.terms = whole.terms
        self._held = Counter(term for row in rows for term in set(whole.terms(texts[row])))

    def frequency(self, term: str) -> int:
        return self.whole.frequency(term) - self._held[term]


def searched(
    index, keys: Sequence[str], texts, vectors, queries, depth: int = 100
) -> Iterator[tuple]:
    """Yield query, lists and kind: three times for each query."""
    from routing.retrieval import searching

    documents, domains = np.array(keys), np.array([retrieval_data.domain(key) for key in keys])
    without = {
        name: Without(index, np.flatnonzero(domains == name), texts) for name in np.unique(domains)
    }
    for query, vector in zip(queries, vectors, strict=True):
        relevant = [key for key, grade in query.grades.items() if grade > 0]
        near = Without(index, np.flatnonzero(np.isin(documents, relevant)), texts)
        far = without[retrieval_data.domain(relevant[0])]
        for kind, one in ((WHOLE, index), (NEAR, near), (FAR, far)):
            yield query, searching.look_up(one, query.query, vector, depth=depth), kind


def small(found: Iterable[tuple], keys: Sequence[str]) -> Iterator[tuple]:
    """Yield what `searched` does, of a few documents drawn for each, and the relevant ones."""
    names, of = np.unique(np.array(keys), return_inverse=True)
    rng = np.random.default_rng(SEED)
    for query, lists, kind in found:
        relevant = [key for key, grade in query.grades.items() if grade > 0]
        kept = ((rng.random(names.size) < SMALL) | np.isin(names, relevant))[of]
        bm25, dense = _only(lists.bm25, kept), _only(lists.dense, kept)
        yield query, replace(lists, bm25=bm25, dense=dense), kind


def _only(found, kept: np.ndarray):
    rows = kept[found.rows]
    return found._replace(rows=found.rows[rows], scores=found.scores[rows])


def of_searches(found: Sequence[tuple], keys: Sequence[str]) -> dict[str, list[Example]]:
    """Return by strategy what the lists say of the first different documents."""
    from routing.retrieval import metrics
    from routing.retrieval.choosing import Choice

    made: dict[str, list[Example]] = {name: [] for name in STRATEGIES}
    for query, lists, kind in found:
        for name, examples in made.items():
            rows = lists.found(Choice(name)).rows
            first = metrics.once([keys[row] for row in rows[:SOURCES]], SOURCES)
            if first:
                examples.append(Example(lists.signals, _held(query, first), kind, query.group))
    return made


def of_clients(
    found: Iterable[tuple], keys: Sequence[str], texts: Sequence[str], embed: Callable
) -> list[Example]:
    """Return what passages that a client brings say, with its scores: the first of each strategy.

    Args:
        found: of `searched` or `small`.
        keys: of each row its document.
        texts: of each row, without the title: titles of a client are not looked at.
        embed: of the service for what clients bring.
    """
    from routing.retrieval import confidence
    from routing.retrieval.choosing import Choice

    made = []
    for query, lists, kind in found:
        for one in (lists.found(Choice(name)) for name in STRATEGIES):
            for n in sorted({min(n, one.rows.size) for n in BROUGHT} - {0}):
                rows, scores = one.rows[:n], one.scores[:n]
                signals = confidence.of_texts(query.query, [texts[row] for row in rows], embed)
                signals |= confidence.of_shape(scores) if n > 1 else {}
                held = _held(query, [keys[row] for row in rows])
                made.append(Example(signals, held, kind, query.group))
    return made


def _held(query, keys: Sequence[str]) -> int:
    return int(any(query.grades.get(key, 0) > 0 for key in keys))
