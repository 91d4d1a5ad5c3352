"""Retrieval measured on judged queries: what each strategy of a collection is worth."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from reviews import evaluating, permissions, retrievalcharts
from reviews.errors import BadInput
from reviews.models import RetrievalEvaluation
from reviews.views.collections import content_of, find, form_context, sentences
from reviews.views.frame import about, page
from reviews.views.signoff import user_of
from routing import strategies
from routing.models import Collection
from routing.retrieval.base import AUTO, STRATEGIES
from routing.retrieval.judgements import Qrels

#: A page waits for it; the command takes any number.
MOST_QUERIES, _MOST_BYTES = 1_000, 5_000_000
_SHOWN = 20
NAMES = {"bm25": "BM25", "dense": "Dense", "hybrid": "Hybrid (RRF)", AUTO: "Auto"}
_TITLES = {"ndcg": "nDCG", "recall": "Recall", "rr": "MRR"}


class Cell(NamedTuple):
    """A mean, and how much better than the baseline's it is: an interval of 95 %, or None."""

    value: float
    against: dict[str, float] | None


@require_http_methods(["GET", "POST"])
@page("see_results")
def evaluations(request: HttpRequest, pk: int) -> HttpResponse:
    """List a collection's evaluations; a POST measures on a file of judged queries."""
    if request.method != "POST":
        return _list(request, find(pk))
    permissions.check(request.user, "manage_collections")
    found = find(pk)
    try:
        made = _measure(request, found)
    except BadInput as exc:
        return _list(request, found, str(exc))
    return redirect("retrieval_evaluation", pk, made.pk)


def _list(request: HttpRequest, found: Collection, problem: str = "") -> HttpResponse:
    rows = RetrievalEvaluation.objects.filter(version__collection=found)
    trained = strategies.newest(found)
    shown = {
        **_about(request, found),
        "evaluations": rows.select_related("version", "made_by").order_by("-pk")[:_SHOWN],
        "trained": trained,
        "fewest": strategies.FEWEST,
        "most": MOST_QUERIES,
        "problem": problem,
    }
    return render(request, "reviews/collections_evaluations.html", shown)


def _about(request: HttpRequest, found: Collection) -> dict[str, Any]:
    shown = {"section": "collections", "collection": found}
    return {**about(found.project), **form_context(request), **shown}


def _measure(request: HttpRequest, found: Collection) -> RetrievalEvaluation:
    """Measure, after training what `auto` goes by if that is wanted.

    Raises:
        BadInput: with a sentence, when the file cannot be read or nothing can be measured.
    """
    file = request.FILES.get("file")
    name = (file.name or "") if file else ""
    with sentences():
        qrels = Qrels.read(content_of(file, _MOST_BYTES), most=_MOST_BYTES)
        if len(qrels.queries) > MOST_QUERIES:
            raise BadInput(
                f"The file has {len(qrels.queries):,} judged queries, and a page waits for"
                f" {MOST_QUERIES:,} at most: manage.py evaluate_retrieval takes any number."
            )
        if request.POST.get("trains") == "1":
            strategies.train(found, qrels, name)
            messages.success(request, "Auto goes by what it learnt from these queries from now on.")
        return evaluating.evaluate(found, qrels, name=name, by=user_of(request))


@require_GET
@page("see_results")
def evaluation(request: HttpRequest, pk: int, evaluation_pk: int) -> HttpResponse:
    """Show one evaluation: every strategy, by kind of query, beside the hybrid one."""
    found = find(pk)
    rows = RetrievalEvaluation.objects.filter(version__collection=found)
    row = get_object_or_404(
        rows.select_related("version", "strategy_version", "made_by"), pk=evaluation_pk
    )
    figures: dict[str, Any] = row.figures
    shown = {
        **_about(request, found),
        "evaluation": row,
        "figures": figures,
        "sentence": _sentence(figures),
        "columns": [(name, _TITLES[name]) for name in figures["metrics"]],
        "parts": [(title, part, _table(part, figures)) for title, part in _parts(figures)],
        "times": _in_order(figures["ms"]),
        "chosen": _in_order(figures["chosen"]),
        "charts": {"kinds": retrievalcharts.by_kind(_parts(figures), NAMES)},
    }
    return render(request, "reviews/collections_evaluation.html", shown)


def _in_order(by_strategy: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return what is known of each strategy; the database keeps names by their alphabet."""
    return [(said, by_strategy[name]) for name, said in NAMES.items() if name in by_strategy]


def _parts(figures: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [("all queries", figures["all"]), *figures["kinds"].items()]


def _table(part: dict[str, Any], figures: dict[str, Any]) -> list[tuple[str, list[Cell]]]:
    """Return a row for each strategy, a cell for each metric."""
    return [
        (
            NAMES[name],
            [
                Cell(part["values"][name][metric], part["against"].get(name, {}).get(metric))
                for metric in figures["metrics"]
            ],
        )
        for name in (*STRATEGIES, AUTO)
    ]


def _sentence(figures: dict[str, Any]) -> str:
    """Say what is best, and whether that is more than luck.

    Example:
        >>> part = {"values": {"hybrid": {"ndcg": 0.7}, "auto": {"ndcg": 0.75}}, "n": 90,
        ...         "against": {"auto": {"ndcg": {"value": 0.05, "low": 0.01, "high": 0.09}}}}
        >>> _sentence({"all": part, "k": 10, "baseline": "hybrid"})
        'Auto ranks best: nDCG@10 0.750, 0.050 more than Hybrid (RRF) (0.010 to 0.090).'
    """
    part, baseline = figures["all"], figures["baseline"]
    values = {name: found["ndcg"] for name, found in part["values"].items()}
    best = max(values, key=lambda name: (values[name], name == baseline))
    says = f"{NAMES[best]} ranks best: nDCG@{figures['k']} {values[best]:.3f}"
    if best == baseline:
        return f"{says}; nothing else is better."
    found = part["against"][best]["ndcg"]
    interval = f"({found['low']:.3f} to {found['high']:.3f})"
    is_sure = "" if found["low"] > 0 else "; it may be luck"
    return f"{says}, {found['value']:.3f} more than {NAMES[baseline]} {interval}{is_sure}."
