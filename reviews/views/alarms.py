"""Alarms: which are open, what changed, who has seen them, and how they reach people."""

from __future__ import annotations

from datetime import time
from typing import Any
from zoneinfo import available_timezones

from django.conf import settings as django_settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from reviews import alerts, mail, permissions
from reviews.errors import BadInput
from reviews.models import Alarm, Study
from reviews.monitors import BY_NAME
from reviews.views.frame import about, current_project, page, posted_project, to_page
from reviews.views.signoff import user_of
from routing import policy
from routing.models import Request

#: Closed alarms that the page lists: the newest.
MOST = 100


@require_GET
@page("see_results")
def alarms(request: HttpRequest) -> HttpResponse:
    """List what is open, and what was."""
    project = current_project(request)
    rows = Alarm.objects.filter(project=project).select_related("acknowledged_by", "closed_by")
    shown: dict[str, Any] = {
        "open": rows.filter(closed_at=None),
        "past": rows.exclude(closed_at=None)[:MOST],
        "most": MOST,
        "has_signed": project is not None and project.signoffs.exclude(policy_after=None).exists(),
    }
    return render(request, "reviews/alarms.html", shown)


@require_GET
@page("see_results")
def alarm(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what changed, by how much, in which requests, who knows of it, and what to do."""
    row = _row(pk)
    live = policy.live(row.project)
    shown = {
        **about(row.project),
        "section": "alarms",
        "row": row,
        "watcher": BY_NAME.get(row.monitor),
        "examples": _examples(row),
        "told": row.notices.select_related("to").order_by("id"),
        "living": Study.objects.filter(watches=row.signoff_id, state=Study.State.RUNNING).first()
        if row.signoff_id
        else None,
        "is_expensive": live is not None and live.is_always_expensive,
        "previous": policy.previous(row.project),
        "can_answer": permissions.can(request.user, "answer_alarms"),
        "can_train": permissions.can(request.user, "train_routers"),
        "can_rate": permissions.can(request.user, "rate"),
        "can_roll_back": permissions.can(request.user, "roll_back"),
    }
    return render(request, "reviews/alarm.html", shown)


def _row(pk: int) -> Alarm:
    related = ("project", "signoff", "acknowledged_by", "closed_by")
    return get_object_or_404(Alarm.objects.select_related(*related), pk=pk)


def _examples(row: Alarm) -> list[Request]:
    """Return the typical requests in the alarm's order, those that were not deleted since.

    Each leads to its pair, whose page keeps answers from whoever may be asked to rate it.
    """
    rows = Request.objects.filter(project=row.project_id).select_related("decision", "pair")
    found = rows.in_bulk(row.examples)
    return [found[pk] for pk in row.examples if pk in found]


@require_POST
@page("answer_alarms")
def acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    """Write that somebody has seen it."""
    row = _row(pk)
    alerts.acknowledge(row, by=user_of(request), note=request.POST.get("note", ""))
    messages.success(request, "Acknowledged: nobody is told of it again. It stays open.")
    return redirect("alarm", pk)


@require_POST
@page("answer_alarms")
def close(request: HttpRequest, pk: int) -> HttpResponse:
    """End it by hand."""
    row = _row(pk)
    alerts.close(row, by=user_of(request), why=request.POST.get("why", ""))
    messages.success(request, "Closed.")
    return redirect("alarm", pk)


@require_POST
@page("administer")
def settings(request: HttpRequest) -> HttpResponse:
    """Say how a project's alarms reach people."""
    project, said = posted_project(request), request.POST
    alerts.choose(
        project,
        by=user_of(request),
        mails=said.get("mails") == "yes",
        posts=said.get("posts") == "yes",
        warnings=said.get("warnings") == "yes",
        quiet=_hours(said.get("quiet_from", ""), said.get("quiet_to", "")),
        zone=said.get("timezone", "").strip() or "UTC",
    )
    messages.success(request, f"{project}: this is how alarms reach people from now on.")
    return to_page("settings", project)


def _hours(start: str, end: str) -> tuple[time, time] | None:
    if not start.strip() and not end.strip():
        return None
    try:
        return time.fromisoformat(start.strip()), time.fromisoformat(end.strip())
    except ValueError:
        raise BadInput(
            "Quiet hours take a beginning and an end, such as 22:00 and 07:00."
        ) from None


def settings_context(project: Any) -> dict[str, Any]:
    """Return what the settings page shows of a project's alarms."""
    return {
        "alerting": alerts.settings_of(project) if project else None,
        "timezones": sorted(available_timezones()),
        "has_mail": mail.is_on(),
        "has_webhook": bool(django_settings.SHADOWEVAL_WEBHOOK_URL),
    }
