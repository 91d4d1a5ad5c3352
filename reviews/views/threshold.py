"""The threshold page: the curve of a study, and the way to ask for a signature."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.core import signing
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from reviews import (
    charts,
    estimation,
    judge_quality,
    listing,
    missing,
    operating,
    outcomes,
    parts,
    permissions,
)
from reviews import whatif as what_ifs
from reviews.estimation import Estimate
from reviews.models import Rater, Study
from reviews.needs import Needs
from reviews.operating import Shown
from reviews.views import exchange
from reviews.views.frame import current_project, notices, page
from reviews.views.study import chosen, study_or_404
from routing import policy
from routing.models import Policy

#: Salt of what a page showed: the sign-off form carries it back.
SEEN = "reviews.threshold.seen"
#: The value of `raters` that asks for people corrected by a judge.
WITH_JUDGE = "human_judge"


@page("see_results")
def threshold(request: HttpRequest) -> HttpResponse:
    """Show the curve of the chosen study, from one kind of rater, of all traffic or a part."""
    project = current_project(request)
    studies, study = chosen(request, project)
    context: dict[str, Any] = {
        "studies": studies,
        "study": study,
        "can_request": permissions.can(request.user, "request_signoff"),
        "can_run": permissions.can(request.user, "run_studies"),
    }
    if study is not None:
        context |= _page(request, study)
        context["export"] = exchange.panel(request, study)
        context["reason"] = request.session.pop("signoff_reason", "")
    return render(request, "reviews/threshold.html", context)


@require_GET
@page("see_results")
def what_if(request: HttpRequest, pk: int) -> JsonResponse:
    """Answer with the recorded tokens by threshold and task type, for arithmetic in the page."""
    study = study_or_404(pk)
    return JsonResponse(what_ifs.as_json(study, estimation.Moment.now(study).draw_id))


def number(text: str | None, default: float) -> float:
    """Return the threshold that an address names, or a default."""
    try:
        value = float(text or "")
    except ValueError:
        return default
    return value if 0 <= value <= estimation.ALWAYS_CHEAP else default


def _page(request: HttpRequest, study: Study) -> dict[str, Any]:
    asked = request.GET.get("raters", "")
    kind = asked if asked in Rater.Kind.values else ""
    if asked == WITH_JUDGE:
        kind = Rater.Kind.HUMAN.value
    estimate = estimation.estimate(study, kind)
    days = (request.GET.get(name, "") for name in ("from", "to"))
    part = parts.part(request.GET.get("task", ""), *days)
    shown = operating.of(study, estimate, part, with_judge=asked == WITH_JUDGE)
    live = policy.live(study.project)
    return {
        **_of_estimate(study, estimate),
        **_live(study, live),
        **_drawn(shown, live),
        "part": part,
        "shown": shown,
        "tasks": listing.tasks(study.project),
        "kinds": _kinds(estimate, asked),
        "start": number(request.GET.get("at"), shown.start(live)),
        "whole_url": _whole(study, asked),
        "is_with_judge": asked == WITH_JUDGE,
    }


def _of_estimate(study: Study, estimate: Estimate) -> dict[str, Any]:
    seen = {
        "study": study.pk,
        "kind": estimate.kind,
        "moment": str(estimate.moment),
        "sha256": estimate.inputs_sha256,
    }
    is_judge = estimate.kind == Rater.Kind.LLM_JUDGE
    return {
        "seen": signing.dumps(seen, salt=SEEN),
        "estimate": estimate,
        "judge_notes": judge_quality.notes(study) if is_judge else [],
        "deciles": missing.by_decile(study),
        "kind_label": dict(Rater.Kind.choices)[estimate.kind],
    }


def _live(study: Study, live: Policy | None) -> dict[str, Any]:
    """Return what is live, and whether this study is about it."""
    named = (live.router_id, live.identity) if live else None
    return {
        "is_live": named == (study.router_id, study.policy.identity),
        "live_threshold": live.threshold if live else 0.0,
        **notices(study.project, study.policy),
    }


def _drawn(shown: Shown, live: Policy | None) -> dict[str, Any]:
    """Return what the scripts draw and compute with."""
    view, points, tasks, floor = shown.view, shown.points(), shown.tasks(), shown.study.floor
    harm, told = operating.HARM[shown.study.loss], shown.outcomes.by_tier
    return {
        "figures": charts.figures(points, floor, shown.marks(live), view.rug, harm),
        "plan": shown.plan(),
        "points": points,
        "rows": [point for i, point in enumerate(points) if i % 5 == 0 or point is points[-1]],
        "small_curves": tasks,
        "has_certified_tasks": any(task["certified"] is not None for task in tasks),
        "harm": harm,
        "power": _power(shown.needs),
        "metrics": list(outcomes.METRICS.items()),
        "outcomes": [(row, outcomes.METRICS[row.metric]) for row in told if row.n],
        "floor_percent": f"{100 * floor:g}",
        "n_ticks": len(view.rug.worse) + len(view.rug.fine),
    }


def _power(needed: Needs | None) -> list[tuple[int, list[tuple[float, float]]]]:
    """Return by number of ratings the chance of a certificate at each true degradation."""
    rows: dict[int, list[tuple[float, float]]] = {}
    for point in needed.power if needed else []:
        rows.setdefault(point["n"], []).append((point["degradation"], point["power"]))
    return list(rows.items())


def _kinds(estimate: Estimate, asked: str) -> list[tuple[str, str, bool]]:
    """Return whose ratings can be looked at: value, words, whether it is what is shown."""
    labels = dict(Rater.Kind.choices)
    kinds = [(kind, f"{labels[kind]} ({n} pairs)") for kind, n in estimate.kinds.items()]
    if {Rater.Kind.HUMAN, Rater.Kind.LLM_JUDGE} <= set(estimate.kinds):
        kinds.append((WITH_JUDGE, "People, and people corrected by the judge"))
    now = asked if asked == WITH_JUDGE else estimate.kind
    return [(value, words, value == now) for value, words in kinds]


def _whole(study: Study, asked: str) -> str:
    """Return the address of the whole traffic."""
    return f"{reverse('threshold')}?{urlencode({'study': study.pk, 'raters': asked})}"
