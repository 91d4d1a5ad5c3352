"""BM25 over the texts of an index, in files that are mapped and never executed.

bm25s computes every term's share in every text when it is built; a search adds up columns.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from routing.retrieval import terms
from routing.retrieval.base import Found

if TYPE_CHECKING:
    import bm25s

#: Characters of a query that are read; what follows is cut.
MAX_QUERY = 4000
_OPTIONS = "options.json"
_NOTHING = Found(np.empty(0, np.int64), np.empty(0, np.float32))


def build(
    texts: Sequence[str], folder: Path, *, k1: float = 1.5, b: float = 0.75, stem: bool = True
) -> None:
    """Write the index of these texts; row i is `texts[i]`.

    Args:
        texts: what is searched, such as title and text of each chunk.
        folder: made when it is not there.
        k1: how much a repeated term counts.
        b: how much a long text is marked down, in [0, 1].
        stem: whether English words are cut to their stems; kept for searching.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary: dict[str, int] = {}
    rows = [_numbered(terms.of(text, stem), vocabulary) for text in texts]
    options = {"size": len(rows), "stem": stem, "k1": k1, "b": b, "terms": len(vocabulary)}
    (folder / _OPTIONS).write_text(json.dumps(options))
    if vocabulary:
        engine = _bm25s().BM25(k1=k1, b=b, csc_backend="scipy")
        engine.index((rows, vocabulary), create_empty_token=False, show_progress=False)
        engine.save(folder, show_progress=False)


def _bm25s() -> ModuleType:
    """Return the library, which brings scipy: only processes that have a collection need it."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    return bm25s


def _numbered(words: Sequence[str], vocabulary: dict[str, int]) -> list[int]:
    return [vocabulary.setdefault(word, len(vocabulary)) for word in words]


class BM25:
    """An opened index. Searching changes nothing in it: threads may share it.

    Attributes:
        size: texts in it.
        stem: whether its terms are stems.
    """

    def __init__(self, size: int, stem: bool, engine: bm25s.BM25 | None) -> None:
        self.size = size
        self.stem = stem
        self._vocabulary: dict[str, int] = engine.vocab_dict if engine else {}
        self._gone = np.empty(0, np.int64)
        scores = engine.scores if engine else {}
        # Views: slices of a memmap itself cost ten times as much.
        self._shares = np.asarray(scores.get("data", np.empty(0, np.float32)))
        self._rows = np.asarray(scores.get("indices", np.empty(0, np.int32)))
        self._starts = np.array(scores.get("indptr", [0]))

    @classmethod
    def open(cls, folder: Path) -> BM25:
        """Map the files that `build` wrote.

        Raises:
            OSError: when they are not there.
            ValueError: when they are something else.
        """
        options = json.loads((folder / _OPTIONS).read_text())
        if not options["terms"]:
            return cls(options["size"], options["stem"], None)
        return cls(options["size"], options["stem"], _bm25s().BM25.load(folder, mmap=True))

    def without(self, rows: np.ndarray) -> BM25:
        """Return the same index, of which these rows are never found; they still count for rarity.

        Args:
            rows: shape (n,).
        """
        twin = copy.copy(self)
        twin._gone = rows
        return twin

    def terms(self, query: str) -> list[str]:
        """Return the query's terms in order, known or not, as this index counts them."""
        return terms.of(query[:MAX_QUERY], self.stem)

    def frequency(self, term: str) -> int:
        """Return how many texts hold the term."""
        column = self._vocabulary.get(term)
        return 0 if column is None else int(self._starts[column + 1] - self._starts[column])

    def search(self, query: str, k: int) -> Found:
        """Return the best k texts that share a term with the query; a term twice counts twice."""
        scores = np.zeros(self.size, np.float32)
        for term in self.terms(query):
            column = self._vocabulary.get(term)
            if column is not None:
                span = slice(self._starts[column], self._starts[column + 1])
                scores[self._rows[span]] += self._shares[span]
        scores[self._gone] = 0
        return best(scores, k)


def best(scores: np.ndarray, k: int) -> Found:
    """Return the k highest of scores (n,) above 0; equal ones by row, at the edge too."""
    if k < 1 or not scores.size:
        return _NOTHING
    edge = np.partition(scores, -k)[-k] if k < scores.size else 0
    rows = np.flatnonzero((scores >= edge) & (scores > 0))
    rows = rows[np.lexsort((rows, -scores[rows]))][:k]
    return Found(rows.astype(np.int64), scores[rows].astype(np.float32))
