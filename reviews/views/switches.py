"""Which requests switch between the live thresholds and the proposed ones, down to the pairs."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from reviews import estimation, scoring
from reviews import switches as switching
from reviews.choice import Thresholds
from reviews.models import Study
from reviews.switches import FARES
from reviews.views.frame import about, current_project, notices, page
from reviews.views.study import chosen
from reviews.views.threshold import number
from routing import policy
from routing.models import ShadowPair

SIZE = 25
_PREFIX = "threshold_"


@require_GET
@page("see_results")
def switches(request: HttpRequest) -> HttpResponse:
    """Show the requests that change tier, by task type and how they fare, each with its pair."""
    studies, study = chosen(request, current_project(request))
    context: dict[str, Any] = {"study": study, "section": "threshold"}
    if study is not None:
        context |= {**about(study.project), **notices(study.project, study.policy)}
        context |= _of_study(request, study)
    return render(request, "reviews/threshold/switches.html", context)


def proposed(request: HttpRequest, default: float) -> Thresholds:
    """Return the thresholds that an address names: `at`, and `threshold_<task>` by task type."""
    by_task = {
        name.removeprefix(_PREFIX): number(request.GET.get(name), -1.0)
        for name in request.GET
        if name.startswith(_PREFIX)
    }
    named = {task: value for task, value in by_task.items() if value >= 0}
    return Thresholds(number(request.GET.get("at"), default), named)


def _of_study(request: HttpRequest, study: Study) -> dict[str, Any]:
    live = policy.live(study.project)
    before = Thresholds(live.threshold, live.thresholds) if live else Thresholds(0.0)
    at = before.threshold if scoring.is_live(study, live) else 0.0
    after = proposed(request, at)
    estimate = estimation.estimate(study)
    found = switching.find(study, estimate, before, after, live)
    assert isinstance(request.user, User)
    task, fare = request.GET.get("task", ""), request.GET.get("fare", "")
    ids, fares, n_hidden = switching.pairs(found, study, request.user, task, fare)
    paged = Paginator(range(len(ids)), SIZE).get_page(request.GET.get("page"))
    lines = switching.lines(found)
    return {
        "before": before,
        "live_router": live.router if live and not scoring.is_live(study, live) else None,
        "n_unknown": found.n_unknown,
        "after": after,
        "lines": lines,
        "tasks": sorted({line.task for line in lines if line.task}),
        "task": task,
        "fare": fare,
        "fares": FARES,
        "rows": _rows(study, [(int(ids[i]), int(fares[i])) for i in paged]),
        "paged": paged,
        "n_hidden": n_hidden,
        "estimate": estimate,
        "same_address": _address(request),
    }


def _rows(study: Study, shown: list[tuple[int, int]]) -> list[tuple[ShadowPair, str, float | None]]:
    """Return the pairs with what the list shows, in its order, and the study's score of each."""
    ids = [pk for pk, _ in shown]
    found = ShadowPair.objects.select_related("request").in_bulk(ids)
    scores = scoring.by_pair(study, ids)
    return [
        (found[pk], FARES[fare], scores.get(pk, {"score": found[pk].score})["score"])
        for pk, fare in shown
        if pk in found
    ]


def _address(request: HttpRequest) -> str:
    """Return the query of this page without the page's number."""
    return urlencode([(k, v) for k, v in request.GET.items() if k != "page"])
