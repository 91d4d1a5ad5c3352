"""Make a router version of labels: what a training does between its first and its last row.

Reads labels, fits, measures, and says what is to be written; `training` writes it. Nothing here
deploys: a version decides nothing before a sign-off names it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reviews import cards, differences, fitting, labels
from reviews.choice import Thresholds
from reviews.errors import BadInput, CannotTell
from reviews.fitting import Recipe
from reviews.labels import Label
from routing import policy, routers
from routing.errors import ModelsMissing
from routing.models import Policy, Project, Request, Retrieval, RouterVersion
from routing.routers import assembled
from routing.routers.base import Router
from routing.routers.kinds import Examples, Outcomes
from routing.routers.rules import Rules

#: Below this, five folds hold too few of a class to say anything of what was learnt.
LEAST, LEAST_OF_A_CLASS = 50, 10
#: Labels learnt from unless said otherwise; the embedder remembers as many texts.
MOST_LABELS = 4000
_MOST_SHOWN = 20

#: What is being done, how much of it is, and of how much; it may stop the work by raising.
Tell = Callable[[str, int, int], None]


class Made(NamedTuple):
    """What a training comes to: a version's fields, and a label with its score for each example."""

    fields: dict[str, Any]
    labels: list[Label]
    scores: list[float]


class Amount(NamedTuple):
    """How many labels there are for a training.

    Attributes:
        n: labels.
        n_queries: different questions among them.
        n_needed: those that say that the expensive model was needed.
        by_source: labels of each source.
        problem: why they are not enough, in a sentence; "" when they are.
    """

    n: int
    n_queries: int
    n_needed: int
    by_source: dict[str, int]
    problem: str


def make(project: Project, kind: str, options: Mapping[str, Any], tell: Tell) -> Made:
    """Fit a router on a project's labels and measure it.

    Args:
        project: whose labels.
        kind: name of a kind that is trained.
        options: as a run has them.
        tell: told of progress.

    Raises:
        ValueError, BadInput: with a sentence for people, when nothing can be learnt.
    """
    tell("Collecting labels", 0, 0)
    found = wanted(project, options)
    if problem := amount(found).problem:
        raise BadInput(problem)
    live = policy.live(project)
    recipe = _recipe(kind, options, live)
    examples = examples_of(found)
    fitted, sizes = _fit(examples, recipe, tell)
    tell("Measuring", 0, 0)
    card = cards.measured(examples, fitted, recipe.seed)
    card["learning"] = cards.learning(examples, fitted, sizes, recipe.seed)
    card["wrong"] = cards.wrong(examples, fitted.score, [one.request_id for one in found])
    card |= cards.provenance(recipe, [one.source for one in found], training_sha256(found))
    card |= {"models": _models(found), "n_queries": fitting.distinct(examples.queries)}
    made = routers.load(kind, fitted.artifact, recipe.embedder)
    card |= cards.latency(made, _recorded(project))
    card["differences"] = _differences(project, live, made, tell)
    return Made(_fields(kind, fitted.artifact, recipe, card, found), found, fitted.score.tolist())


def wanted(project: Project, options: Mapping[str, Any]) -> list[Label]:
    """Return the labels that a training's options choose, in the order of pairs."""
    found = labels.collect(
        project,
        sources=tuple(options["sources"]),
        since=_moment(options.get("since")),
        until=_moment(options.get("until")),
        tasks=options.get("tasks") or (),
        most=options.get("most") or MOST_LABELS,
    )
    return sorted(found, key=lambda one: one.pair_id)


def amount(found: Sequence[Label]) -> Amount:
    """Count labels, and say whether they are enough to train on."""
    needed = sum(_needs(one) >= 0.5 for one in found)
    n_queries = fitting.distinct([one.query for one in found])
    by_source: dict[str, int] = {}
    for one in found:
        by_source[one.source] = by_source.get(one.source, 0) + 1
    return Amount(len(found), n_queries, needed, by_source, _problem(len(found), n_queries, needed))


def _needs(label: Label) -> float:
    return (1 - label.cheap_ok) * label.expensive_ok


def _problem(n: int, n_queries: int, needed: int) -> str:
    if n_queries < LEAST:
        return (
            f"There are labels of {n_queries} different questions, and a training takes {LEAST}:"
            " rate pairs that a study draws to train, admit a judge's labels or heuristics, or"
            " choose a longer time."
        )
    few, what = min((needed, "needed the expensive model"), (n - needed, "did not need it"))
    if few < LEAST_OF_A_CLASS:
        return (
            f"Of {n} labels {few} say that a request {what}, and a training takes"
            f" {LEAST_OF_A_CLASS} of each: add labels of other sources or task types."
        )
    return ""


def examples_of(found: Sequence[Label]) -> Examples:
    """Return labels as a kind learns from them, with how each model did where several answered."""
    cheap, expensive = (
        np.array([getattr(one, name) for one in found], float)
        for name in ("cheap_ok", "expensive_ok")
    )
    return Examples(
        queries=tuple(one.query for one in found),
        cheap_ok=cheap,
        expensive_ok=expensive,
        weight=np.array([one.weight for one in found], float),
        outcomes=_outcomes(found),
        confidence=_confidence(found),
    )


def _confidence(found: Sequence[Label]) -> NDArray[np.float64] | None:
    """Return of each label what its retrieval said, (n,), nan without one; None where none has."""
    known = dict(
        Retrieval.objects.filter(pk__in=[one.request_id for one in found])
        .exclude(confidence=None)
        .values_list("pk", "confidence")
    )
    if not known:
        return None
    return np.array([known.get(one.request_id, np.nan) for one in found], float)


def _outcomes(found: Sequence[Label]) -> Outcomes | None:
    """Return each model's quality on each query, nan where it was not asked: (n, M).

    None where one name plays both tiers: what it did cannot be told apart.
    """
    pairs = _models(found)
    models = tuple(sorted({model for names in pairs for model in names.split(" -> ")}))
    cheap, expensive = max(pairs, key=lambda names: pairs[names]).split(" -> ")
    if cheap == expensive:
        return None
    quality = np.full((len(found), len(models)), np.nan)
    place = {model: at for at, model in enumerate(models)}
    for row, one in enumerate(found):
        quality[row, place[one.expensive_model]] = one.expensive_ok
        quality[row, place[one.cheap_model]] = one.cheap_ok
    return Outcomes(models, quality, cheap, expensive)


def _models(found: Sequence[Label]) -> dict[str, int]:
    """Return how many labels compare which two models."""
    out: dict[str, int] = {}
    for one in found:
        names = f"{one.cheap_model} -> {one.expensive_model}"
        out[names] = out.get(names, 0) + 1
    return out


def _recipe(kind: str, options: Mapping[str, Any], live: Policy | None) -> Recipe:
    known = routers.kinds()[kind]
    chosen = {**known.defaults, **options.get("kind_options", {})}
    return Recipe(known, options["embedder"], options["seed"], chosen, _rules(live))


def _rules(live: Policy | None) -> Rules | None:
    """Return the rules of the live router: what was agreed on before a training stays."""
    return assembled.parts(bytes(live.router.artifact)).rules if live else None


def _fit(
    examples: Examples, recipe: Recipe, tell: Tell
) -> tuple[fitting.Fitted, list[fitting.Size]]:
    fold = fitting.folds(examples.queries, recipe.seed)
    n_folds = np.unique(fold).size
    n_sizes = len(fitting.sizes(fold))
    first = _Steps("Fitting, in five parts", 2 * n_folds + 1, tell)
    fitted = fitting.fit(examples, recipe, first)
    second = _Steps("Fitting on fewer labels", n_sizes * n_folds, tell)
    return fitted, fitting.learning(examples, fold, recipe, second)


class _Steps:
    """Counts the steps of one stage."""

    def __init__(self, stage: str, total: int, tell: Tell) -> None:
        self._stage, self._total, self._tell, self._done = stage, total, tell, 0
        tell(stage, 0, total)

    def __call__(self) -> None:
        self._done = min(self._done + 1, self._total)
        self._tell(self._stage, self._done, self._total)


def _recorded(project: Project) -> list[str]:
    """Return the texts of the newest requests, whoever decided them."""
    rows = Request.objects.filter(project=project).order_by("-received_at")
    return list(rows.values_list("query", flat=True)[:300])


def _differences(
    project: Project, live: Policy | None, made: Router, tell: Tell
) -> dict[str, Any] | None:
    """Return how many recorded requests would switch from the live router; None without one."""
    if live is None:
        return None
    stage = "Comparing with the live router"
    thresholds = Thresholds(live.threshold, live.thresholds)
    against = {"against": live.router.name, "policy": live.name, "threshold": live.threshold}
    try:
        old = _loaded(live.router)
        found = differences.between(
            project, old, made, thresholds, progress=lambda done, n: tell(stage, done, n)
        )
    except (CannotTell, ModelsMissing, KeyError, ValueError) as exc:
        return {**against, "n": 0, "switched": None, "why": str(exc)}
    return {
        **against,
        "n": found.n,
        "at_medians": found.at_medians,
        "switched": len(found.switched),
        "to_cheap": sum(one.to == "cheap" for one in found.switched),
        "examples": [
            {"request_id": str(one.request_id), "old": one.old_score, "new": one.new_score}
            for one in found.switched[:_MOST_SHOWN]
        ],
    }


def _loaded(version: RouterVersion) -> Router:
    return routers.load(version.kind, bytes(version.artifact), version.embedder)


def training_sha256(found: Sequence[Label]) -> str:
    """Return the hash of what was learnt from: texts, labels and weights in the order of pairs."""
    told = hashlib.sha256()
    for one in found:
        row = [
            str(one.request_id), one.query, one.source,
            one.cheap_ok, one.expensive_ok, one.weight,
        ]  # fmt: skip
        told.update(json.dumps(row).encode() + b"\n")
    return told.hexdigest()


def _fields(
    kind: str, artifact: bytes, recipe: Recipe, card: dict[str, Any], found: Sequence[Label]
) -> dict[str, Any]:
    return {
        "kind": kind,
        "embedder": recipe.embedder,
        "artifact": artifact,
        "sha256": hashlib.sha256(artifact).hexdigest(),
        "trained_until": max(one.received_at for one in found),
        "card": card,
    }


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
