"""mtRAG's queries as examples of a search, and of whether what it found holds the answer.

Each query is searched in collections of its own, of about 30 and 300 passages, and in all. With its
relevant documents (WHOLE), without them among others of its domain (NEAR), and in a collection of
another domain (FAR). The others are drawn from the domain (SPREAD), or are those closest to what
answers (CLOSE), as a handbook speaks of one thing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from benchmarks import retrieval_data

WHOLE, NEAR, FAR = "whole", "near", "far"
SPREAD, CLOSE, ALL = "spread", "close", "all"
SOURCES, SEED = 5, 7
SIZES = (30, 300)
#: How many passages a client brings, and the collections that they are taken from.
BROUGHT = (1, 3, 5)
CHOSEN_FROM = ("all", "close 30")
STRATEGIES = ("hybrid", "bm25", "dense")
#: BM25's, as `bm25.build` has them.
K1, B = 1.5, 0.75


class Example(NamedTuple):
    """One list of passages.

    Attributes:
        signals: the numbers of `features` and of `confidence.of_texts`.
        held: 1 when a relevant document is among the passages.
        kind: WHOLE, NEAR or FAR.
        group: the conversation.
        cell: what was searched, such as "close 30".
    """

    signals: dict[str, float]
    held: int
    kind: str
    group: str
    cell: str


@dataclass
class Corpus:
    """Passages that collections are made of: row i is of document `keys[i]`.

    Attributes:
        texts: with their titles.
        vectors: shape (n, d), unit length.
    """

    keys: np.ndarray
    texts: Sequence[str]
    vectors: np.ndarray

    def __post_init__(self) -> None:
        from routing.retrieval import terms

        self.documents, self.of = np.unique(self.keys, return_inverse=True)
        self.passages = np.bincount(self.of)
        self.domains = np.array([retrieval_data.domain(key) for key in self.documents])
        counts = [Counter(terms.of(text)) for text in self.texts]
        self.lengths = np.array([count.total() for count in counts], np.float64)
        held = defaultdict(list)
        for row, count in enumerate(counts):
            for term, times in count.items():
                held[term].append((row, times))
        self.held = {term: np.array(pairs).T for term, pairs in held.items()}

    def centres(self) -> np.ndarray:
        """Return the mean vector of each document."""
        total = np.zeros((self.documents.size, self.vectors.shape[1]))
        np.add.at(total, self.of, self.vectors)
        return total / self.passages[:, None]

    def relevant(self, query) -> np.ndarray:
        """Return the numbers of the documents that answer."""
        keys = [key for key, grade in query.grades.items() if grade > 0]
        return np.flatnonzero(np.isin(self.documents, keys))


class Part:
    """Some rows of a corpus as a collection of their own; a row is its place among them."""

    def __init__(self, corpus: Corpus, rows: np.ndarray) -> None:
        self.bm25, self.dense = _Words(corpus, rows), _Vectors(corpus, rows)


class _Vectors:
    def __init__(self, corpus: Corpus, rows: np.ndarray) -> None:
        self.vectors, self.rows = corpus.vectors, rows

    def search(self, vector, k: int):
        from routing.retrieval.base import Found

        cosines = self.vectors[self.rows] @ vector
        first = np.argsort(-cosines, kind="stable")[:k]
        return Found(first, cosines[first])


class _Words:
    """BM25 whose weights are those of the part; on all rows it scores what the service does."""

    def __init__(self, corpus: Corpus, rows: np.ndarray) -> None:
        self.size = rows.size
        self._held = corpus.held
        self._place = np.full(len(corpus.texts), -1)
        self._place[rows] = np.arange(rows.size)
        lengths = corpus.lengths[rows]
        self._marked = K1 * (1 - B + B * lengths / max(lengths.mean(), 1.0))

    def terms(self, query: str) -> list[str]:
        from routing.retrieval import terms

        return terms.of(query)

    def frequency(self, term: str) -> int:
        return self._in(term)[0].size

    def search(self, query: str, k: int):
        from routing.retrieval import bm25

        scores = np.zeros(self.size)
        for term, times in Counter(self.terms(query)).items():
            rows, counts = self._in(term)
            weight = np.log1p((self.size - rows.size + 0.5) / (rows.size + 0.5))
            scores[rows] += times * weight * counts / (counts + self._marked[rows])
        return bm25.best(scores.astype(np.float32), k)

    def _in(self, term: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that hold a term, and how often."""
        rows, counts = self._held.get(term, np.empty((2, 0), int))
        rows = self._place[rows]
        return rows[rows >= 0], counts[rows >= 0]


def searched(corpus: Corpus, queries, vectors, tick: Callable = lambda: None) -> Iterator[tuple]:
    """Yield query, rows, lists, kind and cell: three kinds of each cell for each query."""
    from routing.retrieval import searching

    rng, centres = np.random.default_rng(SEED), corpus.centres()
    for query, vector in zip(queries, vectors, strict=True):
        for cell, kind, documents in drawn(corpus, centres, corpus.relevant(query), rng):
            rows = np.flatnonzero(np.isin(corpus.of, documents))
            lists = searching.look_up(Part(corpus, rows), query.query, vector)
            yield query, rows, lists, kind, cell
        tick()


def drawn(corpus: Corpus, centres, relevant, rng) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield cell, kind and the documents of each collection of one query."""
    mine = corpus.domains[relevant[0]]
    elsewhere = rng.choice(np.setdiff1d(corpus.domains, mine))
    others = np.setdiff1d(np.flatnonzero(corpus.domains == mine), relevant)
    far = np.flatnonzero(corpus.domains == elsewhere)
    for way in (SPREAD, CLOSE):
        for size in SIZES:
            to = centres[relevant].mean(axis=0), centres[rng.choice(far)]
            near, other = (
                _order(centres, pool, one, way, rng)
                for pool, one in zip((others, far), to, strict=True)
            )
            cell = f"{way} {size}"
            yield cell, WHOLE, _until(corpus, np.concatenate([relevant, near]), size)
            yield cell, NEAR, _until(corpus, near, size)
            yield cell, FAR, _until(corpus, other, size)
    every = np.arange(corpus.documents.size)
    yield ALL, WHOLE, every
    yield ALL, NEAR, np.setdiff1d(every, relevant)
    yield ALL, FAR, np.flatnonzero(corpus.domains != mine)


def _order(centres, pool: np.ndarray, to: np.ndarray, way: str, rng) -> np.ndarray:
    return rng.permutation(pool) if way == SPREAD else pool[np.argsort(-(centres[pool] @ to))]


def _until(corpus: Corpus, documents: np.ndarray, size: int) -> np.ndarray:
    """Return as many of the first documents as have this many passages."""
    return documents[: np.searchsorted(np.cumsum(corpus.passages[documents]), size) + 1]


def of_searches(found: Iterable[tuple], corpus: Corpus) -> dict[str, list[Example]]:
    """Return by strategy what the lists say of the first different documents."""
    from routing.retrieval import metrics
    from routing.retrieval.choosing import Choice

    made: dict[str, list[Example]] = {name: [] for name in STRATEGIES}
    for query, rows, lists, kind, cell in found:
        for name, examples in made.items():
            first = rows[lists.found(Choice(name)).rows[:SOURCES]]
            first = metrics.once(list(corpus.keys[first]), SOURCES)
            if first:
                held = _held(query, first)
                examples.append(Example(lists.signals, held, kind, query.group, cell))
    return made


def of_clients(found: Iterable[tuple], corpus: Corpus, embed: Callable) -> list[Example]:
    """Return what passages that a client brings say, with its scores: the first of each strategy.

    Args:
        found: of `searched`.
        corpus: of which; titles are not looked at, as a client's are not.
        embed: of the service for what clients bring.
    """
    from routing.retrieval import confidence
    from routing.retrieval.choosing import Choice

    made = []
    for query, whose, lists, kind, cell in found:
        for one in (lists.found(Choice(name)) for name in STRATEGIES):
            for n in sorted({min(n, one.rows.size) for n in BROUGHT} - {0}):
                rows, scores = whose[one.rows[:n]], one.scores[:n]
                texts = [corpus.texts[row].partition("\n")[2] for row in rows]
                signals = confidence.of_texts(query.query, texts, embed)
                signals |= confidence.of_shape(scores) if n > 1 else {}
                held = _held(query, corpus.keys[rows])
                made.append(Example(signals, held, kind, query.group, cell))
    return made


def handbook(corpus: Corpus, queries, strangers, embed: Callable) -> Iterator[tuple]:
    """Yield what `searched` does, of a collection that nothing was fitted on.

    Args:
        corpus: the collection.
        queries: judged on it; searched with and without their relevant documents.
        strangers: queries that nothing of it answers.
        embed: query to unit vector.
    """
    from routing.retrieval import searching

    every = np.arange(corpus.keys.size)
    for query in (*queries, *strangers):
        vector, relevant = embed(query.query), corpus.relevant(query)
        left = every[~np.isin(corpus.of, relevant)]
        kinds = {WHOLE: every, NEAR: left} if relevant.size else {FAR: every}
        for kind, rows in kinds.items():
            lists = searching.look_up(Part(corpus, rows), query.query, vector)
            yield query, rows, lists, kind, "handbook"


def _held(query, keys: Iterable[str]) -> int:
    return int(any(query.grades.get(key, 0) > 0 for key in keys))
