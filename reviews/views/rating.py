"""The rating page: one pair at a time, blind. Only a token stands for what is shown."""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from reviews import blinding, rating
from reviews.models import Presentation, Rater, Rating, Slot, Study
from reviews.views.frame import notices, page

_KEYS = ("1", "2", "3", "4", "5", "0")


def _rater(request: HttpRequest) -> Rater:
    assert isinstance(request.user, User)
    return rating.rater_of(request.user)


def _studies() -> list[Study]:
    running = Study.objects.filter(
        Exists(Slot.objects.filter(study=OuterRef("pk"))), state=Study.State.RUNNING
    )
    rows = running.exclude(project__kind="replay").select_related("project")
    return list(rows.order_by("project__kind", "-id"))


def _study(request: HttpRequest, studies: list[Study]) -> Study | None:
    wanted = request.GET.get("study") or request.session.get("rate_study")
    chosen = next((s for s in studies if str(s.pk) == str(wanted)), None)
    chosen = chosen or next((s for s in studies if s.project.kind == "live"), None)
    chosen = chosen or (studies[0] if studies else None)
    if chosen:
        request.session["rate_study"] = chosen.pk
    return chosen


def _context(study: Study | None, rater: Rater, shown: Presentation | None) -> dict[str, Any]:
    choices = zip(_KEYS, Rating.Choice.choices, strict=True)
    return {
        "study": study,
        "pair": blinding.blind(shown) if shown else None,
        "progress": rating.progress(study, rater) if study else None,
        "choices": [(key, value, label) for key, (value, label) in choices],
        "said": rating.last_said(shown) if shown else None,
    }


@require_GET
@never_cache
@page("rate")
def rate(request: HttpRequest) -> HttpResponse:
    """Show the rater's next pair, or what there is to choose from."""
    rater, studies = _rater(request), _studies()
    study = _study(request, studies)
    shown = rating.hand_out(study, rater) if study else None
    last = rating.last_rated(study, rater) if study else None
    context = _context(study, rater, shown) | {"studies": studies, "last": last}
    context |= notices(study.project, study.policy) if study else {}
    return render(request, "reviews/rate.html", context)


@require_POST
@page("rate")
def submit(request: HttpRequest, token: UUID) -> HttpResponse:
    """Take a rating and answer with the next pair."""
    rater = _rater(request)
    try:
        said = _said(request)
        verdict = rating.submit(token, rater, **said)
    except Presentation.DoesNotExist:
        raise Http404 from None
    except ValueError as exc:
        return HttpResponse(str(exc), status=400, content_type="text/plain")
    if request.headers.get("x-requested-with") != "fetch":  # a browser without JavaScript
        return redirect("rate")
    shown = rating.hand_out(verdict.study, rater)
    context = _context(verdict.study, rater, shown) | {"saved": str(token)}
    return render(request, "reviews/_pair.html", context)


@require_GET
@never_cache
@page("rate")
def again(request: HttpRequest, token: UUID) -> HttpResponse:
    """Show a pair once more for a correction, sides as they were."""
    rater = _rater(request)
    try:
        shown = rating.shown_to(token, rater)
    except Presentation.DoesNotExist:
        raise Http404 from None
    return render(request, "reviews/_pair.html", _context(shown.slot.study, rater, shown))


def _said(request: HttpRequest) -> dict[str, Any]:
    """Read the form.

    Raises:
        ValueError: when an answer is missing or is none of the choices.
    """
    post = request.POST
    if post.get("choice") not in Rating.Choice.values:
        raise ValueError("Choose which answer is better, 1 to 5, or 0 for both bad.")
    fit = [post.get("left_adequate"), post.get("right_adequate")]
    if not set(fit) <= {"yes", "no"}:
        raise ValueError("Say for each answer whether it is good enough to send (q and p).")
    return {
        "choice": post["choice"],
        "left_adequate": fit[0] == "yes",
        "right_adequate": fit[1] == "yes",
        "comment": post.get("comment", "")[:5000],
        "seconds": _seconds(post.get("seconds", "")),
    }


def _seconds(text: str) -> float:
    """Return the time the browser counted, within a day; 0 when it is no number."""
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), 86_400.0) if math.isfinite(seconds) else 0.0
