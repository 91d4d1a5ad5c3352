"""Measure every retrieval strategy of a collection on judged queries."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reviews.models import RetrievalEvaluation
from routing import strategies
from routing.models import Collection, StrategyVersion
from routing.retrieval import metrics, searching
from routing.retrieval.base import AUTO, STRATEGIES
from routing.retrieval.choosing import Choice, Chooser
from routing.retrieval.judgements import Judged, Qrels
from routing.retrieval.trials import Trials

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Others are compared with it.
BASELINE = "hybrid"
#: Queries whose search is timed, and fewer of a kind are not shown.
_TIMED, FEWEST = 200, 5
_Values = dict[str, dict[str, np.ndarray]]


def evaluate(
    collection: Collection, qrels: Qrels, *, name: str = "", k: int = 10, by: User | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RetrievalEvaluation:  # fmt: skip
    """Write one evaluation of a collection's newest version. A second run writes another.

    Its `figures`:

        k: ranks that count.
        metrics: ndcg, recall, rr: nDCG@k, recall@k, reciprocal rank (MRR is its mean).
        chooser: of auto: rules or trained.
        is_in_sample: auto was trained on these very judgements: its figures flatter it.
        without_relevant: queries that were left out.
        unknown_documents: judged documents that the collection does not hold.
        baseline: what the others are compared with.
        all: figures of all queries:
            n: queries. groups: conversations that they come from.
            values: {strategy: {metric: mean}}, of bm25, dense, hybrid, auto.
            against: {strategy: {metric: {value, low, high}}}: less the baseline's, 95 % by the
                paired bootstrap over groups; without the baseline itself.
            best: {metric: mean of the best of bm25, dense and hybrid by query}.
        kinds: {kind: figures}, of kinds with 5 queries or more; a query may be of several.
        chosen: {strategy: queries} of auto.
        ms: {strategy: {p50, p99}}: searching by the clock, without embedding the query.

    Args:
        collection: whose newest version is searched.
        qrels: judged queries.
        name: of their file.
        k: ranks that count.
        by: who asked.
        progress: called with queries done and all.

    Raises:
        ValueError: in a sentence, when there is nothing to measure.
    """
    tried = strategies.attempt(collection, qrels, k, progress)
    trained = strategies.newest(collection)
    chooser = strategies.chooser_of(trained)
    about = {
        "k": k,
        "metrics": list(metrics.NAMES),
        "chooser": chooser.name,
        "is_in_sample": _is_in_sample(trained, qrels),
        "without_relevant": qrels.left_out,
        "unknown_documents": tried.unknown,
        "baseline": BASELINE,
    }
    return RetrievalEvaluation.objects.create(
        version=tried.version,
        strategy_version=trained,
        qrels=name[:200],
        qrels_sha256=qrels.sha256,
        n_queries=len(qrels.queries),
        figures=about | figures(tried.trials, chooser),
        made_by=by,
    )


def figures(trials: Trials, chooser: Chooser) -> dict[str, Any]:
    """Return the measured part of an evaluation's figures, as `evaluate` lists them."""
    chosen = trials.chosen(chooser)
    picks = {name: [Choice(name)] * len(chosen) for name in STRATEGIES} | {AUTO: chosen}
    values = {name: trials.measured(picked) for name, picked in picks.items()}
    kinds = Counter(kind for query in trials.queries for kind in query.kinds)
    return {
        "all": _part(values, trials.queries, np.ones(len(chosen), bool)),
        "kinds": {
            kind: _part(values, trials.queries, np.array([kind in q.kinds for q in trials.queries]))
            for kind, n in sorted(kinds.items())
            if n >= FEWEST
        },
        "chosen": dict(Counter(choice.strategy for choice in chosen)),
        "ms": {name: _timed(trials, name, chooser) for name in picks},
    }


def _part(values: _Values, queries: Sequence[Judged], rows: np.ndarray) -> dict[str, Any]:
    groups = [query.group for query, is_in in zip(queries, rows, strict=True) if is_in]
    plain = [values[name] for name in STRATEGIES]
    return {
        "n": len(groups),
        "groups": len(set(groups)),
        "values": {
            name: {metric: float(found[metric][rows].mean()) for metric in metrics.NAMES}
            for name, found in values.items()
        },
        "against": {
            name: {
                metric: _against(found[metric] - values[BASELINE][metric], rows, groups)
                for metric in metrics.NAMES
            }
            for name, found in values.items()
            if name != BASELINE
        },
        "best": {
            metric: float(np.max([one[metric][rows] for one in plain], axis=0).mean())
            for metric in metrics.NAMES
        },
    }


def _against(differences: np.ndarray, rows: np.ndarray, groups: list[str]) -> dict[str, float]:
    return metrics.paired(differences[rows], groups)._asdict()


def _timed(trials: Trials, name: str, chooser: Chooser) -> dict[str, float]:
    taken = []
    for query, vector in zip(trials.queries[:_TIMED], trials.vectors, strict=False):
        start = time.perf_counter()
        searching.search(trials.index, query.query, vector, name, trials.k, chooser)
        taken.append((time.perf_counter() - start) * 1e3)
    p50, p99 = np.percentile(taken, [50, 99])
    return {"p50": float(p50), "p99": float(p99)}


def _is_in_sample(trained: StrategyVersion | None, qrels: Qrels) -> bool:
    return trained is not None and trained.card.get("qrels_sha256") == qrels.sha256
