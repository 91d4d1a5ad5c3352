"""Fit P(the sources hold the answer) on mtRAG, and say how far it can be trusted.

Is a relevant document among the first five of the strategy, or among those that a client brings
(the first one, three or five of each strategy, with their scores and without, from the whole corpus
and from 3 % of its documents, as nobody knows how many a client chose from)? Every query of mtRAG
has an answer, so that each is searched twice more where it has none. In the mix (MIX) one question
in three has none: half of these are near misses, the others of a domain that is not there. Each set
of signals gets a logistic regression. Brier and ECE (10 bins of equal size) are of this mix and of
ten folds by conversation, beside the Brier of always saying the base rate and what a regression
does that learnt from the whole corpus only.
Run: .venv/bin/python -m benchmarks.retrieval_confidence [--folder ...] [--cache ...] [--write]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import retrieval, retrieval_data, retrieval_examples, routers_data
from benchmarks.retrieval_examples import FAR, NEAR, WHOLE, Example

FOLDS, PENALTY = 10, 3.0
#: How often an example counts.
MIX = {WHOLE: 1.0, NEAR: 0.25, FAR: 0.25}
CLIENT = "client"
#: By set of signals: whose examples, and the signals.
SETS = {
    "both": ("hybrid", ("dense_max", "dense_rise", "bm25_cover", "bm25_fall", "overlap")),
    "dense": ("dense", ("dense_max", "dense_rise", "dense_fall")),
    "bm25": ("bm25", ("bm25_cover", "bm25_fall", "unknown")),
    "context, scored": (
        CLIENT,
        ("context_max", "context_mean", "context_cover", "context_union", "context_gap"),
    ),
    "context": (
        CLIENT,
        ("context_max", "context_mean", "context_cover", "context_union"),
    ),
}


def examples(recipe: str, docs: list[dict], queries, folder, place, bar) -> dict[str, list]:
    """Return examples by whose they are: a strategy's, or the client's."""
    from routing import embedders
    from routing.embedders import ids

    index, used = retrieval.index_of(recipe, docs, folder, place, bar)
    keys, texts = retrieval.pieces(recipe, docs)
    vectors = [used.embed(query.query) for query in queries]
    found = list(retrieval_examples.searched(index, keys, texts, vectors, queries))
    bare = [text.partition("\n")[2] for text in texts]
    embed = cache(embedders.get(ids.STATIC).embed)  # what the service judges a client's texts by
    deep = retrieval_examples.searched(
        index, keys, texts, vectors, queries, retrieval_examples.DEEP
    )
    lists = chain(found, retrieval_examples.small(deep, keys))
    brought = retrieval_examples.of_clients(lists, keys, bare, embed)
    return retrieval_examples.of_searches(found, keys) | {CLIENT: brought}


def fit(numbers: np.ndarray, labels: np.ndarray, weight: np.ndarray):
    """Return mean, scale, weights and intercept."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = numbers.mean(axis=0), numbers.std(axis=0) + 1e-9
    model = LogisticRegression(C=1 / PENALTY, max_iter=1000)
    model.fit((numbers - mean) / scale, labels, sample_weight=weight)
    return mean, scale, model.coef_[0], float(model.intercept_[0])


def said(fitted, numbers: np.ndarray) -> np.ndarray:
    mean, scale, weights, intercept = fitted
    return 1 / (1 + np.exp(-((numbers - mean) / scale @ weights + intercept)))


def held_out(numbers, labels, groups, weight, learnt) -> np.ndarray:
    """Return what is said of each example by a fit on others; `learnt` tells who is learnt from."""
    from sklearn.model_selection import GroupKFold

    found = np.empty(len(labels))
    for train, test in GroupKFold(FOLDS).split(numbers, labels, groups):
        train = train[learnt[train]]
        found[test] = said(fit(numbers[train], labels[train], weight[train]), numbers[test])
    return found


def brier(told, labels: np.ndarray, weight: np.ndarray) -> float:
    return float(np.average((told - labels) ** 2, weights=weight))


def ece(told: np.ndarray, labels: np.ndarray, weight: np.ndarray) -> float:
    parts = np.array_split(np.argsort(told, kind="stable"), 10)
    gaps = [abs(float(weight[p] @ (told[p] - labels[p]))) for p in parts]
    return sum(gaps) / float(weight.sum())


def share(labels: np.ndarray, weight: np.ndarray, rows: np.ndarray) -> str:
    if not rows.any():
        return "none"
    part = weight[rows].sum() / weight.sum()
    return f"{np.average(labels[rows], weights=weight[rows]):.2f} of {part:.0%}"


def constants(made: dict[str, list[Example]], console: Console) -> list[dict]:
    """Return the fits, and print how well they do on conversations they did not see."""
    from routing.retrieval.confidence import HIGH, LOW

    table = Table("signals", "n", "base rate", "Brier of it", "learnt from", "AUROC", "Brier",
                  "ECE", f"right below {LOW}", f"right from {HIGH}", "AUROC, near")  # fmt: skip
    fits = []
    for name, (whose, features) in SETS.items():
        rows = [row for row in made[whose] if all(one in row.signals for one in features)]
        numbers = np.array([[row.signals[one] for one in features] for row in rows])
        labels, kinds = np.array([row.held for row in rows]), np.array([row.kind for row in rows])
        weight, groups = np.array([MIX[kind] for kind in kinds]), [row.group for row in rows]
        base = np.average(labels, weights=weight)
        for taught, learnt in (("whole corpus", kinds == WHOLE), ("mix", kinds != "")):
            told = held_out(numbers, labels, groups, weight, learnt)
            figures = *measured(told, labels, weight, LOW, HIGH), near(told, labels, kinds)
            always = f"{base:.3f}", f"{base * (1 - base):.4f}"
            table.add_row(name, str(len(labels)), *always, taught, *figures)
        mean, scale, weights, intercept = fit(numbers, labels, weight)
        fits.append(
            {"name": name, "features": features, "intercept": round(intercept, 6)}
            | {part: [round(float(one), 6) for one in values] for part, values in
               (("weights", weights), ("means", mean), ("scales", scale))}
        )  # fmt: skip
    console.print(table)
    return fits


def measured(told, labels: np.ndarray, weight: np.ndarray, low: float, high: float) -> list[str]:
    from sklearn.metrics import roc_auc_score

    return [
        f"{roc_auc_score(labels, told, sample_weight=weight):.3f}",
        f"{brier(told, labels, weight):.4f}",
        f"{ece(told, labels, weight):.3f}",
        share(labels, weight, told < low),
        share(labels, weight, told >= high),
    ]


def near(told, labels: np.ndarray, kinds: np.ndarray) -> str:
    """Return the AUROC between what was found in the whole corpus and near misses."""
    from sklearn.metrics import roc_auc_score

    rows = kinds != FAR
    return f"{roc_auc_score(labels[rows], told[rows]):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=routers_data.FOLDER)
    parser.add_argument("--cache", type=Path, help="folder that keeps vectors for the next run")
    parser.add_argument("--recipe", default="service", choices=("whole", "service"))
    parser.add_argument("--write", action="store_true", help="replace the service's constants")
    asked = parser.parse_args()
    routers_data.set_up()
    console = Console(width=140)
    if not (asked.folder / f"{retrieval_data.CORPUS}.jsonl.gz").exists():
        console.print("no judged passages here: nothing to fit on")
        return
    from routing.retrieval import confidence

    docs, queries = retrieval_data.corpus(asked.folder), retrieval_data.judged(asked.folder).queries
    with tempfile.TemporaryDirectory() as place, Progress(console=console, transient=True) as bar:
        made = examples(asked.recipe, docs, queries, asked.cache, Path(place), bar)
    fits = constants(made, console)
    if asked.write:
        source = (
            f"benchmarks/retrieval_confidence.py --recipe {asked.recipe}: mtRAG, {len(queries)} "
            f"queries that have an answer, {MIX[NEAR]} near misses and {MIX[FAR]} far ones for each"
        )
        confidence.CONSTANTS.write_text(json.dumps({"source": source, "fits": fits}, indent=1))
        console.print(f"written: {confidence.CONSTANTS}")


if __name__ == "__main__":
    main()
