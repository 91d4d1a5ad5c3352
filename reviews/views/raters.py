"""The raters of a study, for the lead: how each works, and pausing one. Raters never see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from reviews import flags, influence, pausing, quality
from reviews.models import Rater
from reviews.quality import Quality
from reviews.views.frame import page
from reviews.views.study import context, study_or_404

#: Columns to sort by: their title, and what is compared; None comes last.
_COLUMNS: dict[str, tuple[str, Callable[[Quality], Any]]] = {
    "name": ("Rater", lambda row: row.rater.name.lower()),
    "n": ("Rated", lambda row: row.n),
    "agreement": ("Agrees with others", lambda row: row.agreement.share),
    "gold": ("Gold right", lambda row: row.gold.share),
    "repeats": ("Same again", lambda row: row.repeats.share),
    "identical": ("Identical told equal", lambda row: row.identical.share),
    "left": ("Left won", lambda row: row.left.share),
    "seconds": ("Median time", lambda row: row.median_seconds),
    "unread": ("Too fast", lambda row: row.unread.share),
    "skips": ("Skips", lambda row: row.skips),
    "seen": ("Last seen", lambda row: row.last_seen),
}


@require_GET
@page("see_raters")
def table(request: HttpRequest, pk: int) -> HttpResponse:
    """Show everybody who rates in the study, in the order that is asked for."""
    study = study_or_404(pk)
    by = request.GET.get("by", "name")
    rows = _sorted(quality.raters(study), by)
    each = influence.of_each(study, [row.rater for row in rows if row.n])
    shown = [(row, flags.of(row), each.get(row.rater.pk)) for row in rows]
    known = {
        "rows": shown,
        "columns": _headings(by),
        "threshold": influence.threshold(study),
        "has_influence": bool(each),
    }
    return render(request, "reviews/raters/table.html", context(request, study) | known)


def _sorted(rows: list[Quality], by: str) -> list[Quality]:
    """Return the rows by a column, backwards after a minus; what is unknown comes last."""
    _, value = _COLUMNS.get(by.removeprefix("-"), _COLUMNS["name"])
    known = [row for row in rows if value(row) is not None]
    unknown = [row for row in rows if value(row) is None]
    return sorted(known, key=value, reverse=by.startswith("-")) + unknown


def _headings(by: str) -> list[tuple[str, str, str]]:
    """Return each column's title, where its link leads, and how it is sorted now."""
    return [(title, _link(name, by), _order(name, by)) for name, (title, _) in _COLUMNS.items()]


def _link(name: str, by: str) -> str:
    return f"-{name}" if by == name else name


def _order(name: str, by: str) -> str:
    if by.removeprefix("-") != name:
        return ""
    return "descending" if by.startswith("-") else "ascending"


@require_GET
@page("see_raters")
def detail(request: HttpRequest, pk: int, rater_pk: int) -> HttpResponse:
    """Show one rater: the figures with their intervals, and what the estimate is without them."""
    study = study_or_404(pk)
    found = next((row for row in quality.raters(study) if row.rater.pk == rater_pk), None)
    if found is None:
        raise Http404
    known = {
        "row": found,
        "flags": flags.of(found),
        "influence": influence.of(study, found.rater) if found.n else None,
    }
    return render(request, "reviews/raters/detail.html", context(request, study) | known)


@require_POST
@page("see_raters")
def pause(request: HttpRequest, pk: int, rater_pk: int) -> HttpResponse:
    """Hand a rater no more pairs."""
    rater = _rater(pk, rater_pk)
    assert isinstance(request.user, User)
    pausing.pause(rater, request.user, request.POST.get("reason", ""))
    messages.success(request, f"{rater.name} gets no more pairs; what they said stays.")
    return redirect("study_rater", pk, rater_pk)


@require_POST
@page("see_raters")
def resume(request: HttpRequest, pk: int, rater_pk: int) -> HttpResponse:
    """Hand a rater pairs again."""
    rater = _rater(pk, rater_pk)
    pausing.resume(rater)
    messages.success(request, f"{rater.name} gets pairs again.")
    return redirect("study_rater", pk, rater_pk)


def _rater(pk: int, rater_pk: int) -> Rater:
    """Return a person who was shown something in the study, or answer 404."""
    shown = Rater.objects.filter(kind=Rater.Kind.HUMAN, presentations__slot__study=pk)
    return get_object_or_404(shown.distinct(), pk=rater_pk)
