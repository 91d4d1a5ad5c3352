"""mtRAG's passages and judged queries, and the indexes that are compared on them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.routers_data import rows_of

CORPUS, QUERIES = "rag_mtrag_corpus", "rag_mtrag_queries"


class Passages:
    """An index of bare rows: row i is document `keys[i]`."""

    def __init__(self, folder: Path, keys: Sequence[str], dimensions: int) -> None:
        from routing.retrieval import bm25, dense

        self._keys = keys
        self.bm25 = bm25.BM25.open(folder)
        self.dense = dense.Dense.open(folder)
        self.dimensions = dimensions

    def keys(self, rows) -> list[str]:
        """Return the document keys of rows."""
        return [self._keys[row] for row in rows]


def passages(
    folder: Path, keys: Sequence[str], texts: Sequence[str], vectors: np.ndarray, **options
) -> Passages:
    """Write and open an index; options are those of `bm25.build`."""
    from routing.retrieval import bm25, dense

    folder.mkdir(parents=True)
    bm25.build(texts, folder, **options)
    dense.build([vectors], folder, vectors.shape[1])
    return Passages(folder, keys, vectors.shape[1])


def judged(folder: Path):
    """Return the queries of mtRAG as the service reads them."""
    from routing.retrieval.judgements import Qrels

    return Qrels.read(folder / f"{QUERIES}.jsonl.gz")


def domain(key: str) -> str:
    """Return which of mtRAG's four sources a document is of, by the form of its key."""
    head = key.partition("-")[0]
    if head.startswith("ibmcld_"):
        return "ibmcloud"
    return "clapnq" if "_" in head else "govt" if len(head) == 16 else "fiqa"


def embedder(id: str, tokens: int):
    """Return MiniLM that reads so many word pieces; 128 is what its tokenizer's file says."""
    from routing.embedders import files, minilm

    made = minilm.MiniLM(id, files.folder())
    made._tokenizer.enable_truncation(tokens)
    return made


def embedded(
    cache: Path | None, name: str, texts: Sequence[str], embed: Callable, tick: Callable
) -> np.ndarray:
    """Return the vectors of texts, from the cache when it has them."""
    digest = hashlib.sha256("\0".join((name, *texts)).encode()).hexdigest()[:16]
    place = cache / f"{digest}.npy" if cache else None
    if place and place.exists():
        return np.load(place, allow_pickle=False)
    vectors = np.stack([_ticked(embed(text), tick) for text in texts])
    if place:
        place.parent.mkdir(parents=True, exist_ok=True)
        np.save(place, vectors)
    return vectors


def _ticked(vector: np.ndarray, tick: Callable) -> np.ndarray:
    tick()
    return vector


def corpus(folder: Path) -> list[dict]:
    return rows_of(CORPUS, folder)
