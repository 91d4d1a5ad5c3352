"""What looking up adds to a request at 100,000 chunks, and how many chunks a second are indexed.

Run: python -m benchmarks.retrieval_latency --corpus FILE --queries FILE [--embedder minilm|static]
    [--chunks N] [--embed N]
Both are JSON lines (.gz): `text` and `title`, and `rewrite` or `query`. Chunks are windows of the
corpus that overlap until there are enough. So many as `--embed` says are embedded; vectors of the
others are mixed of two of these, so that they lie as texts do. Each step is given as it came by the
clock, and as CPU time: what it lasts where nobody else computes.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

os.environ.setdefault("SHADOWEVAL_MODELS", str(Path(__file__).parents[1] / ".models"))

from routing import embedding
from routing.embedders import NAMES, get
from routing.retrieval import chunking, index, searching
from routing.retrieval.choosing import RULES
from routing.retrieval.index import Entry, Index

_WORDS, _DEPTH, _SEED = 75, 100, 7


def rows(path: Path) -> list[dict]:
    """Return the lines of a file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def windows(corpus: list[dict], n: int) -> list[tuple[str, str]]:
    """Return n titles and texts of about a hundred tokens."""
    words = [(row.get("title", ""), row["text"].split()) for row in corpus]
    step = max(1, sum(max(1, len(text) - _WORDS) for _, text in words) // n)
    made = [
        (title, " ".join(text[start : start + _WORDS]))
        for title, text in words
        for start in range(0, max(1, len(text) - _WORDS), step)
    ]
    return [made[place % len(made)] for place in range(n)]


def mixed(real: np.ndarray, n: int) -> np.ndarray:
    """Return n unit vectors: the real ones, then mixtures of two."""
    drawn = np.random.default_rng(_SEED)
    one, two = drawn.integers(0, len(real), (2, n))
    made = real[one] + 0.35 * real[two] + 0.02 * drawn.standard_normal((n, real.shape[1]))
    made[: len(real)] = real
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def timed(calls: list[Callable[[], object]]) -> str:
    """Return percentiles of the clock and of CPU time, in ms."""
    clock, cpu = [], []
    for call in calls:
        start, used = time.perf_counter(), time.process_time()
        call()
        clock.append(1e3 * (time.perf_counter() - start))
        cpu.append(1e3 * (time.process_time() - used))
    shown = [f"{np.percentile(values, p):6.1f}" for values in (clock, cpu) for p in (50, 99)]
    return f"clock p50 {shown[0]} p99 {shown[1]}   CPU p50 {shown[2]} p99 {shown[3]}"


def indexing_rate(corpus: list[dict], embedder: str, tokens: int, n: int = 300) -> str:
    """Return what cutting and embedding real documents yields."""
    start, used = time.perf_counter(), time.process_time()
    pieces: list[str] = []
    for row in corpus:
        pieces += [piece.text for piece in chunking.cut(row["text"], tokens)]
        if len(pieces) >= n:
            break
    with embedding.pool(embedder) as embed:
        embed(pieces[:n])
    clock, cpu = time.perf_counter() - start, time.process_time() - used
    cores = os.cpu_count() or 1
    return (
        f"{n / clock:.0f} chunks/s by the clock, {cores * n / cpu:.0f} by {cores} cores' CPU time"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--embed", type=int, default=1000)
    parser.add_argument("--embedder", default="minilm", choices=sorted(NAMES))
    options = parser.parse_args()
    corpus = rows(options.corpus)
    asked = [row.get("rewrite") or row["query"] for row in rows(options.queries)]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores,", end=" ")
    print(f"load {os.getloadavg()[0]:.1f}, {options.chunks:,} chunks")
    embedder = NAMES[options.embedder]
    for tokens in (100, 128, 200):
        print(f"indexing, {tokens} tokens:", indexing_rate(corpus, embedder, tokens))
    texts = windows(corpus, options.chunks)
    some = [texts[place] for place in np.linspace(0, len(texts) - 1, options.embed, dtype=int)]
    with embedding.pool(embedder) as embed:
        real = np.stack(embed([text for _, text in some]))
    vectors = mixed(real, options.chunks)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        index.build(
            Path(folder) / "1",
            (
                Entry(row, str(row // 3), title, text, 0, vectors[row])
                for row, (title, text) in enumerate(texts)
            ),
        )
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        print(f"files built in {time.perf_counter() - start:.0f} s, {size / 1e6:.0f} MB")
        opened = Index.open(Path(folder) / "1")
        measure(opened, asked, embedder)


def measure(opened: Index, asked: list[str], id: str) -> None:
    """Print each step, and the whole, over all queries."""
    embedder = get(id)._embedder  # without its memory of earlier texts
    vectors = [embedder.embed(query) for query in asked]
    pairs = list(zip(asked, vectors, strict=True))
    for query, vector in pairs[:20]:  # pages that nobody read yet
        searching.search(opened, query, vector, "hybrid", 5, RULES)
    steps: dict[str, list[Callable[[], object]]] = {
        "embed query": [lambda q=q: embedder.embed(q) for q in asked],
        "bm25": [lambda q=q: opened.bm25.search(q, _DEPTH) for q in asked],
        "dense": [lambda v=v: opened.dense.search(v, _DEPTH) for v in vectors],
        "auto, given the vector": [
            lambda q=q, v=v: searching.search(opened, q, v, "auto", 5, RULES) for q, v in pairs
        ],
        "whole: embed, search, sources": [lambda q=q: whole(opened, embedder, q) for q in asked],
    }
    for name, calls in steps.items():
        print(f"{name:30}", timed(calls))


def whole(opened: Index, embedder, query: str) -> list:
    """Look a query up as a request does."""
    found = searching.search(opened, query, embedder.embed(query), "auto", 5, RULES).found
    return [opened.source(int(row)) for row in found.rows]


if __name__ == "__main__":
    main()
