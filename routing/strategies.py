"""Train what chooses a retrieval strategy in one collection, on judged queries."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from routing import collections, embedders, indexes
from routing.models import Collection, CollectionVersion, StrategyVersion
from routing.retrieval import choosing, metrics, trials
from routing.retrieval.choosing import CHOICES, RULES, Chooser
from routing.retrieval.index import Index
from routing.retrieval.judgements import Qrels
from routing.retrieval.trials import Trials

#: Fewer queries, or groups of them, teach nothing that would hold.
FEWEST = 60
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Tried:
    """Judged queries, searched in the newest version of a collection.

    Attributes:
        unknown: judged documents that the version does not hold; whoever finds the others is
            measured as if these could be found.
    """

    version: CollectionVersion
    trials: Trials
    unknown: int


def attempt(
    collection: Collection, qrels: Qrels, k: int = 10, progress: Progress | None = None
) -> Tried:
    """Search every judged query in both ways. Nothing is written but missing index files.

    Raises:
        ValueError: in a sentence, when the collection is empty or holds no judged document.
    """
    version = collections.newest(collection)
    if version is None or not version.chunks:
        raise ValueError(f"“{collection.name}” holds nothing yet.")
    index = Index.open(indexes.ensure(version))
    unknown = _unknown(index, qrels)
    embed = embedders.get(collection.embedder).embed
    return Tried(version, trials.run(index, embed, qrels.queries, k, progress), unknown)


def _unknown(index: Index, qrels: Qrels) -> int:
    held = set(index.keys(range(index.size)))
    judged = {key for query in qrels.queries for key, grade in query.grades.items() if grade}
    if not judged & held:
        some = ", ".join(repr(key) for key in sorted(judged)[:3])
        raise ValueError(f"None of the judged documents is in the collection: {some}, ….")
    return len(judged - held)


def newest(collection: Collection) -> StrategyVersion | None:
    """Return what `auto` goes by; None for the rules."""
    return collection.strategies.order_by("pk").last()


def chooser_of(version: StrategyVersion | None) -> Chooser:
    """Return a version's chooser, or the rules."""
    return RULES if version is None else choosing.loads(bytes(version.artifact))


def train(
    collection: Collection, qrels: Qrels, name: str, *, k: int = 10,
    progress: Progress | None = None,
) -> StrategyVersion:  # fmt: skip
    """Write a strategy version, which `auto` goes by from then on. A second run writes another.

    Args:
        collection: its newest version is searched.
        qrels: judged queries.
        name: of their file, for the card.
        k: ranks that count.
        progress: called with queries done and all.

    Raises:
        ValueError: in a sentence, when there are too few, or the collection does not hold them.
    """
    groups = len({query.group for query in qrels.queries})
    if groups < FEWEST:
        raise ValueError(
            f"{len(qrels.queries)} judged queries of {groups} conversations are too few to learn"
            f" from: it takes {FEWEST}. Until then auto goes by rules."
        )
    tried = attempt(collection, qrels, k, progress)
    worth = tried.trials.worth()
    artifact = choosing.fit([lists.signals for lists in tried.trials.lists], worth)
    return StrategyVersion.objects.create(
        collection=collection,
        version=tried.version,
        artifact=artifact,
        sha256=hashlib.sha256(artifact).hexdigest(),
        card=card(tried, worth, qrels, name),
    )


def card(tried: Tried, worth: np.ndarray, qrels: Qrels, name: str) -> dict[str, object]:
    """Return what is known of a trained strategy.

    Returns:
        n, groups, k, qrels, qrels_sha256, unknown_documents. `trained`, `rules`, `hybrid`, `best`:
        nDCG; trained cross-fitted, hybrid by reciprocal ranks, best of bm25, dense and hybrid by
        query. `gain` over hybrid and `gain_over_rules`: value, low, high.
    """
    mine = trials.cross_fitted(tried.trials, worth)
    rules = tried.trials.measured(tried.trials.chosen(RULES))["ndcg"]
    plain = {c.strategy: worth[:, n] for n, c in enumerate(CHOICES) if c.share is None}
    groups = tried.trials.groups
    return {
        "n": len(mine), "groups": len(set(groups)), "k": tried.trials.k,
        "qrels": name, "qrels_sha256": qrels.sha256, "unknown_documents": tried.unknown,
        "trained": float(mine.mean()), "rules": float(rules.mean()),
        "hybrid": float(plain["hybrid"].mean()),
        "best": float(np.max(list(plain.values()), axis=0).mean()),
        "gain": metrics.paired(mine - plain["hybrid"], groups)._asdict(),
        "gain_over_rules": metrics.paired(mine - rules, groups)._asdict(),
    }  # fmt: skip
