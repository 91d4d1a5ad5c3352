"""The threshold page: the curve of a study, and the way to ask for a signature."""

from __future__ import annotations

from typing import Any

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from reviews import charts, estimation, judge_quality, missing, permissions
from reviews.models import Rater, Study
from reviews.views import exchange
from reviews.views.frame import current_project, notices, page
from reviews.views.study import chosen
from routing import policy

#: Salt of what a page showed: the sign-off form carries it back.
SEEN = "reviews.threshold.seen"


@page("see_results")
def threshold(request: HttpRequest) -> HttpResponse:
    """Show the curve of the chosen study, from one kind of rater."""
    project = current_project(request)
    studies, study = chosen(request, project)
    context: dict[str, Any] = {
        "studies": studies,
        "study": study,
        "can_request": permissions.can(request.user, "request_signoff"),
        "can_run": permissions.can(request.user, "run_studies"),
    }
    if study is not None:
        context |= _curve(study, request.GET.get("raters", ""))
        context["export"] = exchange.panel(request, study)
        context["reason"] = request.session.pop("signoff_reason", "")
        context["start_at"] = _number(request.GET.get("at"), context["live_threshold"])
    return render(request, "reviews/threshold.html", context)


def _number(text: str | None, default: float) -> float:
    try:
        value = float(text or "")
    except ValueError:
        return default
    return value if 0 <= value <= estimation.ALWAYS_CHEAP else default


def _curve(study: Study, kind: str) -> dict[str, Any]:
    estimate = estimation.estimate(study, kind if kind in Rater.Kind.values else "")
    live = policy.live(study.project)
    live_threshold = live.threshold if live else 0.0
    labels = dict(Rater.Kind.choices)
    seen = {
        "study": study.pk,
        "kind": estimate.kind,
        "moment": str(estimate.moment),
        "sha256": estimate.inputs_sha256,
    }
    return {
        "seen": signing.dumps(seen, salt=SEEN),
        "is_live": live is not None
        and (live.router_id, live.identity) == (study.router_id, study.policy.identity),
        **notices(study.project, study.policy),
        "estimate": estimate,
        "judge_notes": judge_quality.notes(study) if estimate.kind == Rater.Kind.LLM_JUDGE else [],
        "deciles": missing.by_decile(study),
        "kind_label": labels[estimate.kind],
        "kinds": [(key, labels[key], n) for key, n in estimate.kinds.items()],
        "figures": charts.figures(estimate.points, study.floor, live_threshold),
        "live_threshold": live_threshold,
        "floor": study.floor,
    }
