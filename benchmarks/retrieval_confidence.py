"""Fit P(the sources hold the answer) on mtRAG, and say how far it can be trusted.

Is a relevant document among the first five of the strategy, or among those that a client brings
(the first one, three or five of each strategy, with their scores and without)? Every query of mtRAG
has an answer, so that each is searched twice more where it has none. In the mix (MIX) one question
in three has none: half of these are near misses, the others of a domain that is not there. All of
it in small collections and in the whole corpus, each counting the same. Each set of signals gets a
logistic regression, those with cosines one for each embedder. Figures are of this mix and of ten
folds by conversation, beside those of a regression that learnt from MiniLM and the whole corpus
only. The demo's handbook is a check from outside: nothing is fitted on it.
Run: .venv/bin/python -m benchmarks.retrieval_confidence [--folder ...] [--cache ...] [--write]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import retrieval, retrieval_data, routers_data
from benchmarks import retrieval_calibration as calibration
from benchmarks import retrieval_examples as made_of
from benchmarks.retrieval_calibration import Told
from benchmarks.retrieval_examples import ALL, FAR, NEAR, WHOLE, Example

FOLDS, PENALTY, SEED = 10, 3.0, 7
#: How often an example counts.
MIX = {WHOLE: 1.0, NEAR: 0.25, FAR: 0.25}
CLIENT = "client"
MINILM, STATIC = "minilm", "static"
BEFORE, NOW = "MiniLM, all", "every size"
HANDBOOK = Path(__file__).parent.parent / "reviews" / "data"


class Set(NamedTuple):
    """Signals that can be known together.

    Attributes:
        whose: a strategy, or the client.
        has_cosines: whether each embedder has its own regression.
    """

    whose: str
    has_cosines: bool
    features: tuple[str, ...]


SETS = {
    "both": Set(
        "hybrid",
        True,
        ("dense_max", "dense_rise", "bm25_cover", "bm25_fall", "overlap", "unknown", "size"),
    ),
    "dense": Set("dense", True, ("dense_max", "dense_rise", "dense_fall", "unknown", "size")),
    "bm25": Set("bm25", False, ("bm25_cover", "bm25_fall", "unknown", "size")),
    "context, scored": Set(
        CLIENT,
        False,
        ("context_max", "context_mean", "context_cover", "context_union", "context_gap"),
    ),
    "context": Set(
        CLIENT, False, ("context_max", "context_mean", "context_cover", "context_union")
    ),
}


class Learnt(NamedTuple):
    """Examples as arrays; cells say what was searched."""

    numbers: np.ndarray
    held: np.ndarray
    weight: np.ndarray
    groups: np.ndarray
    cells: np.ndarray

    def only(self, rows: np.ndarray) -> Learnt:
        return Learnt(*(part[rows] for part in self))


def learnt(examples: Iterable[Example], features: Sequence[str]) -> Learnt:
    """Return the examples that have these signals; kinds count as in the mix, in every cell."""
    rows = [row for row in examples if all(name in row.signals for name in features)]
    kinds, cells = np.array([row.kind for row in rows]), np.array([row.cell for row in rows])
    weight = np.array([MIX[kind] for kind in kinds])
    for cell in np.unique(cells):
        weight[cells == cell] /= weight[cells == cell].sum()
    weight *= len({row.group for row in rows}) / np.unique(cells).size
    numbers = np.array([[row.signals[name] for name in features] for row in rows])
    held, groups = np.array([row.held for row in rows]), np.array([row.group for row in rows])
    return Learnt(numbers, held, weight, groups, cells)


class Fitted(NamedTuple):
    """A logistic regression on standardised numbers."""

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    intercept: float

    def told(self, numbers: np.ndarray) -> np.ndarray:
        z = (numbers - self.mean) / self.scale @ self.weights + self.intercept
        return 1 / (1 + np.exp(-z))


def fit(rows: Learnt) -> Fitted:
    from sklearn.linear_model import LogisticRegression

    mean, scale = rows.numbers.mean(axis=0), rows.numbers.std(axis=0) + 1e-9
    model = LogisticRegression(C=1 / PENALTY, max_iter=1000)
    model.fit((rows.numbers - mean) / scale, rows.held, sample_weight=rows.weight)
    return Fitted(mean, scale, model.coef_[0], float(model.intercept_[0]))


def held_out(taught: Learnt, asked: Learnt) -> Told:
    """Return what is told of each example by a fit on other conversations."""
    names = np.random.default_rng(SEED).permutation(np.unique(asked.groups))
    fold = {name: number % FOLDS for number, name in enumerate(names)}
    of, taught_of = (np.array([fold[name] for name in one.groups]) for one in (asked, taught))
    told = np.empty(asked.held.size)
    for number in range(FOLDS):
        told[of == number] = fit(taught.only(taught_of != number)).told(asked.numbers[of == number])
    return Told(told, asked.held, asked.weight, asked.groups)


def corpus_of(name: str, docs: list[dict], used, folder, bar) -> made_of.Corpus:
    """Return documents cut as collections cut them, and embedded."""
    keys, texts = retrieval.pieces("service", docs)
    task = bar.add_task(f"embed, {name}", total=len(texts))
    vectors = retrieval_data.embedded(folder, name, texts, used.embed, lambda: bar.advance(task))
    return made_of.Corpus(np.array(keys), texts, vectors)


def examples(name: str, used, folder: Path, cache_in, bar) -> tuple[dict, dict]:
    """Return an embedder's examples by whose they are, of mtRAG and of the handbook."""
    queries = retrieval_data.judged(folder).queries
    kept = "service" if name == MINILM else name  # as benchmarks/retrieval.py keeps its vectors
    corpus = corpus_of(kept, retrieval_data.corpus(folder), used, cache_in, bar)
    vectors = [used.embed(query.query) for query in queries]
    task = bar.add_task(f"search, {name}", total=len(queries))
    found = made_of.searched(corpus, queries, vectors, lambda: bar.advance(task))
    own, asked = handbook_of(name, used, cache_in, bar)
    strangers = queries[::3]  # about as many as the handbook's own
    outside = made_of.handbook(own, asked, strangers, used.embed)
    return by_whose(name, found, corpus), by_whose(name, outside, own)


def handbook_of(name: str, used, cache_in, bar):
    """Return the demo's handbook and its judged queries."""
    from routing.retrieval.judgements import Qrels

    lines = (HANDBOOK / "handbook.jsonl").read_text().splitlines()
    docs = [{**row, "doc_id": row["id"]} for row in map(json.loads, lines)]
    corpus = corpus_of(f"handbook, {name}", docs, used, cache_in, bar)
    return corpus, Qrels.read(HANDBOOK / "handbook_qrels.jsonl").queries


def by_whose(name: str, found: Iterable[tuple], corpus) -> dict[str, list[Example]]:
    """Return examples by strategy; of MiniLM's lists also what a client would bring."""
    from routing import embedders
    from routing.embedders import ids

    found = list(found)
    made = made_of.of_searches(found, corpus)
    if name == MINILM:
        # The service judges what a client brings by this one.
        embed = cache(embedders.get(ids.STATIC).embed)
        few = (row for row in found if row[4] in (*made_of.CHOSEN_FROM, "handbook"))
        made[CLIENT] = made_of.of_clients(few, corpus, embed)
    return made


def constants(made: dict[str, tuple], embedders: dict, console: Console) -> list[dict]:
    """Return the fits, and print how well they do on conversations they did not see."""
    fits = []
    for name, one in SETS.items():
        # One size alone says nothing of sizes.
        sizeless = [feature for feature in one.features if feature != "size"]
        before = learnt(made[MINILM][0][one.whose], sizeless)
        before = before.only(before.cells == ALL)
        for used in made if one.has_cosines else (MINILM,):
            title = f"{name}, {used}" if one.has_cosines else name
            parts = [part[one.whose] for part in made[used]]
            rows, outside = (learnt(part, one.features) for part in parts)
            asked = (learnt(part, sizeless).numbers for part in parts)
            told = Both(held_out(before, rows._replace(numbers=next(asked))), held_out(rows, rows))
            apart = Both(
                Told(fit(before).told(next(asked)), *outside[1:4]),
                Told(fit(rows).told(outside.numbers), *outside[1:4]),
            )
            compared(title, told, apart, rows.cells, console)
            of = embedders[used] if one.has_cosines else []
            fits.append(constant(name, one.features, of, fit(rows)))
    return fits


def constant(name: str, features: Sequence[str], embedders: list[str], fitted: Fitted) -> dict:
    parts = {"weights": fitted.weights, "means": fitted.mean, "scales": fitted.scale}
    return {
        "name": name,
        "embedders": embedders,
        "features": list(features),
        "intercept": round(fitted.intercept, 6),
    } | {part: [round(float(one), 6) for one in values] for part, values in parts.items()}


class Both(NamedTuple):
    """What a fit of MiniLM and the whole corpus tells, and what the one of every size does."""

    before: Told
    now: Told


def compared(title: str, told: Both, apart: Both, cells: np.ndarray, console: Console) -> None:
    """Print figures by what was searched; `apart` is of the handbook."""
    parts = {cell: Both(*(one.only(cells == cell) for one in told)) for cell in sorted(set(cells))}
    parts |= {"every size": told, "handbook": apart}
    console.print(figures(title, parts))
    console.print(reliability(title, parts))
    for cell in ("every size", "handbook"):
        less = calibration.errors(parts[cell].now) - calibration.errors(parts[cell].before)
        console.print(f"{title}, {cell}: Brier {calibration.mean(parts[cell].now, less)}")


def figures(title: str, parts: dict[str, Both]) -> Table:
    table = Table(title, "learnt from", "held", "told less held", "AUROC", "Brier", "ECE")
    for cell, both in parts.items():
        for taught, one in zip((BEFORE, NOW), both, strict=True):
            table.add_row(cell, taught, *calibration.figures(one))
    return table


def reliability(title: str, parts: dict[str, Both]) -> Table:
    edges = (f"told from {edge}" for edge in calibration.EDGES[:-1])
    table = Table(f"{title}: how often it held", *edges)
    for cell, both in parts.items():
        table.add_row(cell, *calibration.reliability(both.now))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=routers_data.FOLDER)
    parser.add_argument("--cache", type=Path, help="folder that keeps vectors for the next run")
    parser.add_argument("--write", action="store_true", help="replace the service's constants")
    asked = parser.parse_args()
    routers_data.set_up()
    console = Console(width=150)
    if not (asked.folder / f"{retrieval_data.CORPUS}.jsonl.gz").exists():
        console.print("no judged passages here: nothing to fit on")
        return
    from routing import embedders
    from routing.embedders import ids

    used = {MINILM: retrieval_data.embedder(ids.MINILM, 256), STATIC: embedders.get(ids.STATIC)}
    with Progress(console=console, transient=True) as bar:
        made = {
            name: examples(name, one, asked.folder, asked.cache, bar) for name, one in used.items()
        }
    of = {MINILM: [ids.MINILM, ids.MINILM_FP32], STATIC: [ids.STATIC]}
    fits = constants(made, of, console)
    if asked.write:
        write(fits)


def write(fits: list[dict]) -> None:
    from routing.retrieval import confidence

    sizes = ", ".join(map(str, made_of.SIZES))
    source = (
        f"benchmarks/retrieval_confidence.py: mtRAG, collections of about {sizes} and all passages,"
        f" {MIX[NEAR]} near misses and {MIX[FAR]} far ones for each query that has an answer"
    )
    confidence.CONSTANTS.write_text(json.dumps({"source": source, "fits": fits}, indent=1))


if __name__ == "__main__":
    main()
