"""Which way to retrieve is best on mtRAG's judged queries, and does choosing by query pay?

nDCG@10 of documents by ir_measures, of each query's rewrite where it has one. `reference` is the
recipe that others publish: BM25 with k1 .9 and b .4 without stems, MiniLM that reads 128 word
pieces. `whole` is ours on whole passages; `service` cuts them as collections do. Trained is
cross-fitted: 20 times both halves of the conversations, chosen for by what the other half taught.
Intervals are 95 %, against RRF, by drawing conversations.
Run: .venv/bin/python -m benchmarks.retrieval [--folder ...] [--cache ...] [--recipes ...]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import retrieval_data, routers_data
from benchmarks.routers import machine

RECIPES = ("reference", "whole", "service")
#: As published for the whole set: BM25, dense, RRF, the best of the three by query.
PUBLISHED = {"bm25": 0.668, "dense": 0.703, "rrf": 0.735, "oracle": 0.804}


def index_of(recipe: str, docs: list[dict], cache: Path | None, place: Path, progress: Progress):
    """Return a recipe's index and its embedder."""
    from routing.embedders import ids

    is_reference = recipe == "reference"
    used = retrieval_data.embedder(
        ids.MINILM_FP32 if is_reference else ids.MINILM, 128 if is_reference else 256
    )
    keys, texts = pieces(recipe, docs)
    task = progress.add_task(f"embed, {recipe}", total=len(texts))
    vectors = retrieval_data.embedded(
        cache, recipe, texts, used.embed, lambda: progress.advance(task)
    )
    options = {"k1": 0.9, "b": 0.4, "stem": False} if is_reference else {}
    return retrieval_data.passages(place / recipe, keys, texts, vectors, **options), used


def pieces(recipe: str, docs: list[dict]) -> tuple[list[str], list[str]]:
    from routing import collections
    from routing.retrieval import chunking

    if recipe == "reference":
        return [d["doc_id"] for d in docs], [d["text"] for d in docs]
    if recipe == "whole":
        return [d["doc_id"] for d in docs], [f"{d['title']}\n{d['text']}" for d in docs]
    cut = [(d, p) for d in docs for p in chunking.cut(d["text"], collections.CHUNK_TOKENS)]
    return [d["doc_id"] for d, _ in cut], [f"{d['title']}\n{p.text}" for d, p in cut]


def figures_of(trials) -> dict[str, np.ndarray]:
    """Return nDCG by query, by what is done."""
    from routing.retrieval import choosing
    from routing.retrieval.choosing import CHOICES, RULES, Choice
    from routing.retrieval.trials import cross_fitted

    worth = trials.worth()
    of = {choice: worth[:, n] for n, choice in enumerate(CHOICES)}
    plain = [of[Choice(name)] for name in ("bm25", "dense", "hybrid")]
    return {
        "bm25": plain[0],
        "dense": plain[1],
        "rrf": plain[2],
        f"blend, {choosing.SHARE}": of[Choice("hybrid", choosing.SHARE)],
        "auto, rules": trials.measured(trials.chosen(RULES))["ndcg"],
        "auto, trained": cross_fitted(trials, worth),
        "oracle": np.max(plain, axis=0),
        "oracle of all choices": worth.max(axis=1),
    }


def by_bm25s(docs: list[dict], trials) -> float:
    """Return the nDCG of bm25s with its own tokenizer and search, as the reference has it."""
    import bm25s

    from routing.retrieval import metrics

    engine = bm25s.BM25(k1=0.9, b=0.4)
    engine.index(
        bm25s.tokenize([d["text"] for d in docs], stopwords="en", show_progress=False),
        show_progress=False,
    )
    asked = bm25s.tokenize([q.query for q in trials.queries], stopwords="en", show_progress=False)
    rows, _ = engine.retrieve(asked, k=trials.k, show_progress=False)
    runs = [[docs[row]["doc_id"] for row in found] for found in rows]
    judged = [query.grades for query in trials.queries]
    return float(metrics.measured(runs, judged, trials.k)["ndcg"].mean())


def table_of(recipe: str, trials, console: Console) -> None:
    from routing.retrieval import metrics

    figures = figures_of(trials)
    keyword = np.array(["keyword" in query.kinds for query in trials.queries])
    table = Table("", "nDCG@10", "keyword", "against RRF", "published",
                  title=f"{recipe}: {len(keyword)} queries, {keyword.sum()} keyword")  # fmt: skip
    for name, values in figures.items():
        found = metrics.paired(values - figures["rrf"], trials.groups)
        against = f"{found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
        published = PUBLISHED.get(name) if recipe == "reference" else None
        table.add_row(name, f"{values.mean():.4f}", f"{values[keyword].mean():.4f}", against,
                      f"{published:.3f}" if published else "")  # fmt: skip
    console.print(table)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=routers_data.FOLDER)
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--cache", type=Path, help="folder that keeps vectors for the next run")
    return parser.parse_args()


def main() -> None:
    said = arguments()
    routers_data.set_up()
    console = Console(width=120)
    console.print(machine())
    if not (said.folder / f"{retrieval_data.CORPUS}.jsonl.gz").exists():
        console.print("no judged passages here: nothing to compare")
        return
    from routing.retrieval import trials

    docs, qrels = retrieval_data.corpus(said.folder), retrieval_data.judged(said.folder)
    with tempfile.TemporaryDirectory() as place, Progress(console=console, transient=True) as bar:
        for recipe in said.recipes.split(","):
            index, used = index_of(recipe, docs, said.cache, Path(place), bar)
            tried = trials.run(index, used.embed, qrels.queries)
            table_of(recipe, tried, bar.console)
            if recipe == "reference":
                bar.console.print(f"bm25s itself: {by_bm25s(docs, tried):.4f}")


if __name__ == "__main__":
    main()
