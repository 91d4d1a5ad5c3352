"""Does a router tell better with the retrieval's confidence when the cheap answer will not do?

mtRAG's turns that people judged, each with the passages both models had. The starter router's score
of the last turn alone, beside the confidence in these passages (`confidence.of_context`), by the
weighing that every router starts with and by a logistic regression of both, cross-fitted over
conversations; then the same without the turns that had no passages. Intervals are 95 %, by drawing
conversations.
Run: .venv/bin/python -m benchmarks.retrieval_routing [--folder ...]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import routers_data

SET, FOLDS, RESAMPLES, SEED = "mtrag_human_eval", 5, 2000, 7
TARGETS = {
    "the cheap answer is inadequate": lambda row: row["cheap_adequate"] == 0,
    "only the large one is adequate": lambda row: row["needs_large"] == 1,
}


def starter():
    """Return the starter router of the static embedder."""
    from routing import embedders, training
    from routing.embedders import ids
    from routing.routers import embedding

    rows, used = training.starter_rows(), embedders.get(ids.STATIC)
    vectors = np.stack([used.embed(row["query"]) for row in rows])
    parts = embedding.fit(vectors, [row["needs_expensive"] for row in rows], SEED)
    return embedding.loads(embedding.dumps(*parts), ids.STATIC)


def confidences(rows: list[dict]) -> np.ndarray:
    from routing import embedders
    from routing.embedders import ids
    from routing.retrieval import confidence
    from routing.types import Source

    embed = embedders.get(ids.STATIC).embed  # as the service judges what a client brings
    found = []
    for row in track(rows, "confidence", transient=True):
        passages = [one["text"] for one in row["extra"]["contexts"]]
        sources = [Source(n, text) for n, text in enumerate(passages, start=1)]
        found.append(confidence.of_context(row["query"], sources, embed)[0])
    return np.array(found)


def weighed(scores: np.ndarray, sure: np.ndarray) -> np.ndarray:
    from routing.routers.weighing import Weighing

    usual = Weighing()
    return np.array([usual.of(*pair) for pair in zip(scores, sure, strict=True)])


def cross_fitted(scores, sure, labels, groups) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    numbers = np.stack([np.log(scores / (1 - scores)), sure], axis=1)
    numbers = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0)
    told = np.empty(len(labels))
    for train, test in GroupKFold(FOLDS).split(numbers, labels, groups):
        model = LogisticRegression(C=1.0).fit(numbers[train], labels[train])
        told[test] = model.predict_proba(numbers[test])[:, 1]
    return told


def drawn(groups: list[str]):
    """Yield rows of conversations drawn with replacement."""
    names, where = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(where == n) for n in range(names.size)]
    rng = np.random.default_rng(SEED)
    for _ in range(RESAMPLES):
        yield np.concatenate([members[n] for n in rng.integers(names.size, size=names.size)])


def auroc(labels: np.ndarray, told: np.ndarray) -> float:
    """Return the chance that a one is above a zero; equal ones count half."""
    from scipy.stats import rankdata

    ones = labels.sum()
    return (rankdata(told)[labels == 1].sum() - ones * (ones + 1) / 2) / (
        ones * (len(labels) - ones)
    )


def table_of(title: str, told: dict[str, np.ndarray], labels: np.ndarray, groups) -> Table:
    draws = [rows for rows in drawn(groups) if 0 < labels[rows].sum() < len(rows)]
    of = {n: np.array([auroc(labels[r], v[r]) for r in draws]) for n, v in told.items()}
    table = Table("", "AUROC", "against the router alone",
                  title=f"{title}: {labels.sum()} of {len(labels)}")  # fmt: skip
    value = {name: auroc(labels, values) for name, values in told.items()}
    first = next(iter(told))
    for name, draw in of.items():
        low, high = np.percentile(draw, [2.5, 97.5])
        less = np.percentile(draw - of[first], [2.5, 97.5])
        against = f"{value[name] - value[first]:+.3f} ({less[0]:+.3f} to {less[1]:+.3f})"
        table.add_row(name, f"{value[name]:.3f} ({low:.3f} to {high:.3f})", against)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=routers_data.FOLDER)
    asked = parser.parse_args()
    routers_data.set_up()
    console = Console(width=120)
    if not (asked.folder / f"{SET}.jsonl.gz").exists():
        console.print("no judged answers here: nothing to compare")
        return
    rows, router = routers_data.rows_of(SET, asked.folder), starter()
    scores = np.array([router.score(row["query"]).value for row in rows])
    sure, groups = confidences(rows), [row["id"].partition("<::>")[0] for row in rows]
    console.print(f"{len(rows)} turns of {len(set(groups))} conversations")
    brought = np.array([bool(row["extra"]["contexts"]) for row in rows])
    for title, of in TARGETS.items():
        labels = np.array([int(of(row)) for row in rows])
        for name, kept in ((title, np.ones(len(rows), bool)), (f"{title}, passages only", brought)):
            console.print(table_of(name, *part(scores, sure, labels, np.array(groups), kept)))


def part(scores, sure, labels, groups, kept) -> tuple[dict[str, np.ndarray], np.ndarray, list[str]]:
    """Return what is told of some turns, by whom, with labels and groups."""
    scores, sure, labels, groups = scores[kept], sure[kept], labels[kept], groups[kept]
    told = {
        "router alone": scores,
        "confidence alone": 1 - sure,
        "router and confidence, as weighed from the start": weighed(scores, sure),
        "router and confidence, cross-fitted": cross_fitted(scores, sure, labels, groups),
    }
    return told, labels, groups


if __name__ == "__main__":
    main()
