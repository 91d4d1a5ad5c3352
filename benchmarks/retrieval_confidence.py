"""Fit P(the sources hold the answer) on mtRAG, and say how far it can be trusted.

A query's label: is a relevant document among the first five of the strategy? Each set of signals
gets a logistic regression. Brier and ECE (10 bins of equal size) are of ten folds by conversation,
beside the Brier of always saying the base rate. Passages that a client brings are played by the
first five of each strategy, with their scores and without.
Run: .venv/bin/python -m benchmarks.retrieval_confidence [--folder ...] [--cache ...] [--write]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import retrieval, retrieval_data, routers_data

SOURCES, FOLDS, PENALTY = 5, 10, 3.0
#: By set of signals: the strategies that its examples come from, and the signals.
SETS = {
    "both": (("hybrid",), ("dense_max", "dense_rise", "bm25_cover", "bm25_fall", "overlap")),
    "dense": (("dense",), ("dense_max", "dense_rise", "dense_fall")),
    "bm25": (("bm25",), ("bm25_cover", "bm25_fall", "unknown")),
    "context, scored": (
        ("hybrid", "bm25", "dense"),
        ("context_max", "context_mean", "context_cover", "context_union", "context_gap"),
    ),
    "context": (
        ("hybrid", "bm25", "dense"),
        ("context_max", "context_mean", "context_cover", "context_union"),
    ),
}


def examples(index, vectors, texts, trials) -> dict[str, list[tuple[dict, int, str]]]:
    """Return by strategy: signals, whether the first sources hold the answer, and the group."""
    from routing.retrieval import confidence, metrics
    from routing.retrieval.choosing import Choice

    known = dict(zip(texts, vectors, strict=True))
    known |= dict(zip((q.query for q in trials.queries), trials.vectors, strict=True))
    made: dict[str, list] = {name: [] for name in ("hybrid", "bm25", "dense")}
    for query, lists in zip(trials.queries, trials.lists, strict=True):
        for name, rows in made.items():
            found = lists.found(Choice(name))
            top = metrics.once(index.keys(found.rows[:SOURCES]), SOURCES)
            brought = [texts[row] for row in found.rows[:SOURCES]]
            if not brought:
                continue
            signals = dict(lists.signals) | confidence.of_texts(
                query.query, brought, known.__getitem__
            )
            signals |= confidence.of_shape(found.scores[: len(brought)]) if len(brought) > 1 else {}
            rows.append((signals, int(any(query.grades.get(key) for key in top)), query.group))
    return made


def fit(numbers: np.ndarray, labels: np.ndarray):
    """Return mean, scale, weights and intercept."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = numbers.mean(axis=0), numbers.std(axis=0) + 1e-9
    model = LogisticRegression(C=1 / PENALTY, max_iter=1000)
    model.fit((numbers - mean) / scale, labels)
    return mean, scale, model.coef_[0], float(model.intercept_[0])


def said(fitted, numbers: np.ndarray) -> np.ndarray:
    mean, scale, weights, intercept = fitted
    return 1 / (1 + np.exp(-((numbers - mean) / scale @ weights + intercept)))


def held_out(numbers, labels, groups) -> np.ndarray:
    from sklearn.model_selection import GroupKFold

    found = np.empty(len(labels))
    for train, test in GroupKFold(FOLDS).split(numbers, labels, groups):
        found[test] = said(fit(numbers[train], labels[train]), numbers[test])
    return found


def ece(told: np.ndarray, labels: np.ndarray) -> float:
    parts = np.array_split(np.argsort(told, kind="stable"), 10)
    gaps = [len(p) * abs(told[p].mean() - labels[p].mean()) for p in parts if len(p)]
    return float(sum(gaps) / len(labels))


def constants(made: dict, console: Console) -> list[dict]:
    """Return the fits, and print how well they do on conversations they did not see."""
    from sklearn.metrics import roc_auc_score

    from routing.retrieval.confidence import HIGH, LOW

    table = Table("signals", "n", "base rate", "AUROC", "Brier", "of base rate", "ECE",
                  f"right below {LOW}", f"right from {HIGH}")  # fmt: skip
    fits = []
    for name, (strategies, features) in SETS.items():
        rows = [row for strategy in strategies for row in made[strategy]]
        rows = [row for row in rows if all(feature in row[0] for feature in features)]
        numbers = np.array([[row[0][feature] for feature in features] for row in rows])
        labels, groups = np.array([row[1] for row in rows]), [row[2] for row in rows]
        told, base = held_out(numbers, labels, groups), labels.mean()
        bands = [
            f"{labels[rows].mean():.2f} of {rows.sum()}" if rows.any() else "none"
            for rows in (told < LOW, told >= HIGH)
        ]
        table.add_row(
            name, str(len(labels)), f"{base:.3f}", f"{roc_auc_score(labels, told):.3f}",
            f"{np.mean((told - labels) ** 2):.4f}", f"{base * (1 - base):.4f}",
            f"{ece(told, labels):.3f}", *bands,
        )  # fmt: skip
        mean, scale, weights, intercept = fit(numbers, labels)
        fits.append(
            {"name": name, "features": features, "intercept": round(intercept, 6)}
            | {part: [round(float(one), 6) for one in values] for part, values in
               (("weights", weights), ("means", mean), ("scales", scale))}
        )  # fmt: skip
    console.print(table)
    return fits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=routers_data.FOLDER)
    parser.add_argument("--cache", type=Path, help="folder that keeps vectors for the next run")
    parser.add_argument("--recipe", default="service", choices=("whole", "service"))
    parser.add_argument("--write", action="store_true", help="replace the service's constants")
    asked = parser.parse_args()
    routers_data.set_up()
    console = Console(width=120)
    if not (asked.folder / f"{retrieval_data.CORPUS}.jsonl.gz").exists():
        console.print("no judged passages here: nothing to fit on")
        return
    from routing.retrieval import confidence, trials

    docs, qrels = retrieval_data.corpus(asked.folder), retrieval_data.judged(asked.folder)
    with tempfile.TemporaryDirectory() as place, Progress(console=console, transient=True) as bar:
        index, used = retrieval.index_of(asked.recipe, docs, asked.cache, Path(place), bar)
        _, texts = retrieval.pieces(asked.recipe, docs)
        vectors = retrieval_data.embedded(
            asked.cache, asked.recipe, texts, used.embed, lambda: None
        )
        tried = trials.run(index, used.embed, qrels.queries)
        made = examples(index, vectors, texts, tried)
    fits = constants(made, console)
    if asked.write:
        source = f"benchmarks/retrieval_confidence.py --recipe {asked.recipe}: mtRAG, 277 queries"
        confidence.CONSTANTS.write_text(json.dumps({"source": source, "fits": fits}, indent=1))
        console.print(f"written: {confidence.CONSTANTS}")


if __name__ == "__main__":
    main()
