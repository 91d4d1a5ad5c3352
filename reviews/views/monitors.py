"""Monitors: what each sees of the live policy's traffic, and how it came to that."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from reviews import monitorcharts, monitoring, stale
from reviews.models import SignOff
from reviews.monitoring import Shown
from reviews.monitors import BY_NAME
from reviews.stats import watch
from reviews.views.frame import current_project, page

#: Readings in the small line of the list.
_SPARK = 30


@require_GET
@page("see_results")
def monitors(request: HttpRequest) -> HttpResponse:
    """Show every monitor with its last reading and its limit."""
    project = current_project(request)
    signed = monitoring.watched_signoff(project) if project else None
    found = monitoring.shown(project, signed) if project else []
    rows = [(one, _spark(one)) for one in found]
    shown: dict[str, Any] = {**_of(signed), "rows": rows, "is_read": any(x.last for x in found)}
    return render(request, "reviews/monitors.html", shown)


def _of(signed: SignOff | None) -> dict[str, Any]:
    rule = stale.rule_of(signed) if signed else ""
    return {"signed": signed, "rule": stale.words(rule) if rule else ""}


def _spark(one: Shown) -> dict[str, Any] | None:
    if len(one.readings) < 2 or one.last is None:
        return None
    values = [row.value for row in one.readings[-_SPARK:]]
    return monitorcharts.spark(values, one.last.limit)


@require_GET
@page("see_results")
def monitor(request: HttpRequest, name: str) -> HttpResponse:
    """Show one monitor: its history with its limit, and what it compares."""
    if name not in BY_NAME:
        raise Http404("There is no such monitor.")
    project = current_project(request)
    signed = monitoring.watched_signoff(project) if project else None
    found = monitoring.shown(project, signed) if project else []
    one = next((one for one in found if one.monitor.name == name), None)
    rule = watch.rule_of(name)
    shown = {
        "section": "monitors", **_of(signed), "monitor": BY_NAME[name], "one": one,
        "opens_after": rule.opens_after, "closes_after": rule.closes_after,
        "readings": one.readings[::-1] if one else [], "figures": _figures(one) if one else {},
    }  # fmt: skip
    return render(request, "reviews/monitor.html", shown)


def _figures(one: Shown) -> dict[str, Any]:
    """Return the figures that there are numbers for, by the id of their place in the page."""
    if one.last is None:
        return {}
    known = [row for row in one.readings if row.value is not None]
    detail, figures = one.last.detail, {}
    if known:
        values = [row.value for row in known]
        figures["history"] = monitorcharts.history([r.at for r in known], values, known[-1].limit)
    if detail.get("rows"):
        told = (detail["rows"], detail["unit"], detail["is_by_day"])
        figures["picture"] = monitorcharts.picture(*told)
    return figures
