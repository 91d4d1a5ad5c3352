"""The threshold page: the curve of a study, and the way to ask for a signature."""

from __future__ import annotations

import csv
from typing import Any
from urllib.parse import urlencode

from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_safe

from reviews import (
    charts,
    estimation,
    judge_quality,
    listing,
    lookups,
    memo,
    operating,
    outcomes,
    parts,
    permissions,
    previews,
    scoring,
)
from reviews import whatif as what_ifs
from reviews.estimation import Estimate
from reviews.models import Rater, Study
from reviews.needs import Needs
from reviews.operating import Shown
from reviews.parts import Part
from reviews.previews import Asked, Preview
from reviews.stats.selection import FEWEST_PER_TASK
from reviews.views import exchange
from reviews.views.frame import current_project, notices, page
from reviews.views.study import chosen, study_or_404
from routing import policy
from routing.models import Policy

#: Salt of what a page showed: the sign-off form carries it back.
SEEN = "reviews.threshold.seen"
#: Where task types go that have no threshold of their own, as the sign-off form says it.
OTHERS = {"threshold": "go by the threshold above", "expensive": "always go to the expensive model"}
#: The value of `raters` that asks for people corrected by a judge.
WITH_JUDGE = "human_judge"


@require_safe
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
        "can_export": permissions.can(request.user, "export"),
    }
    if study is not None:
        with memo.look():
            context |= _page(request, study)
        context["export"] = exchange.panel(request, study)
        context["reason"] = request.session.pop("signoff_reason", "")
    return render(request, "reviews/threshold.html", context)


@require_GET
@page("export")
def curve_csv(request: HttpRequest) -> HttpResponse:
    """Hand out the points of the curve that the page of the same address draws."""
    study = chosen(request, current_project(request))[1]
    if study is None:
        raise Http404
    shown = asked_for(request, study)[0].shown
    name = f"curve-{study.pk}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    response = HttpResponse(content_type="text/csv; charset=utf-8", headers=headers)
    points = shown.points()
    names = [column for column in points[0] if column != "sentence"]
    lines = csv.DictWriter(response, names, extrasaction="ignore")
    lines.writeheader()
    lines.writerows(points)
    return response


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
    preview, part = asked_for(request, study)
    estimate, shown = preview.estimate, preview.shown
    live = policy.live(study.project)
    comparable = live if scoring.is_live(study, live) else None
    start = number(request.GET.get("at"), shown.start(comparable))
    drawn = _drawn(shown, comparable)
    return {
        **_of_estimate(study, estimate),
        **_age(study, preview),
        "deciles": preview.deciles,
        **_live(study, live),
        **drawn,
        "part": part,
        "shown": shown,
        "tasks": listing.tasks(study.project),
        "bands": [*lookups.BANDS, lookups.NONE],
        "kinds": _kinds(estimate, asked),
        "start": start,
        "place": _nearest(drawn["points"], start),
        "whole_url": _whole(study, asked),
        "curve_url": _curve_url(request, study),
        "is_with_judge": asked == WITH_JUDGE,
    }


def asked_for(request: HttpRequest, study: Study) -> tuple[Preview, Part]:
    """Return what an address asks for: whose ratings, and which part of the traffic."""
    asked = request.GET.get("raters", "")
    kind = asked if asked in Rater.Kind.values else ""
    if asked == WITH_JUDGE:
        kind = Rater.Kind.HUMAN.value
    names = ("task", "from", "to", "strategy", "confidence")
    part = parts.part(*(request.GET.get(name, "") for name in names))
    return previews.of(study, Asked(kind, part, with_judge=asked == WITH_JUDGE)), part


def _nearest(points: list[dict[str, Any]], threshold: float) -> int:
    """Return the place of the point that is nearest to a threshold."""
    off = [abs(point["threshold"] - threshold) for point in points]
    return off.index(min(off))


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
        "kind_label": dict(Rater.Kind.choices)[estimate.kind],
    }


def _age(study: Study, preview: Preview) -> dict[str, Any]:
    """Return from when the figures are, and how much was said since; nothing where they are new."""
    if not preview.is_kept:
        return {}
    last = preview.estimate.moment.verdict_id
    return {"as_of": preview.at, "n_since": study.verdicts.filter(id__gt=last).count()}


def _live(study: Study, live: Policy | None) -> dict[str, Any]:
    """Return what is live, and whether this study is about it."""
    return {
        "is_live": scoring.fits(study, live),
        "live_threshold": live.threshold if live else 0.0,
        "decides": scoring.is_live(study, live),
        **notices(study.project, study.policy),
    }


def _drawn(shown: Shown, live: Policy | None) -> dict[str, Any]:
    """Return what the scripts draw and compute with."""
    view, points, floor = shown.view, shown.points(), shown.study.floor
    harm, told = operating.HARM[shown.study.loss], shown.outcomes.by_tier
    return {
        "figures": charts.figures(points, floor, shown.marks(live), view.rug, harm),
        "plan": shown.plan(),
        "points": points,
        "rows": [point for i, point in enumerate(points) if i % 5 == 0 or point is points[-1]],
        "small_curves": shown.tasks(),
        "own": _own(shown),
        "fewest": FEWEST_PER_TASK,
        "others": OTHERS,
        "has_certified_tasks": any(at is not None for at in shown.own().values()),
        "by_task": shown.by_task(),
        "difference": shown.difference(),
        "harm": harm,
        "power": _power(shown.needs),
        "metrics": list(outcomes.METRICS.items()),
        "outcomes": [(row, outcomes.METRICS[row.metric]) for row in told if row.n],
        "error": shown.certificate.delta if shown.certificate else 1 - shown.study.confidence,
        "floor_percent": f"{100 * floor:g}",
        "n_ticks": len(view.rug.worse) + len(view.rug.fine),
    }


def _own(shown: Shown) -> list[tuple[str, float | None, int | None]]:
    """Return by task type the certified threshold and the ratings that its certificate has."""
    found = shown.certificate.by_task if shown.certificate else {}
    return [(task, at, found.get(task, {}).get("n_rated")) for task, at in shown.own().items()]


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


def _curve_url(request: HttpRequest, study: Study) -> str:
    """Return the address of the points that the page draws."""
    asked = request.GET.dict() | {"project": study.project.slug, "study": str(study.pk)}
    return f"{reverse('curve_csv')}?{urlencode(asked)}"
