"""How far a study is and when it would be done: for the lead."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from reviews import mail, pace, reminders
from reviews.views.frame import page
from reviews.views.study import context, study_or_404


@require_GET
@page("see_raters")
def progress(request: HttpRequest, pk: int) -> HttpResponse:
    """Show who rates how fast, what is done by stratum, and what could not be judged."""
    study = study_or_404(pk)
    known = {"pace": pace.of(study), "has_mail": mail.is_on()}
    return render(request, "reviews/raters/progress.html", context(request, study) | known)


@require_POST
@page("see_raters")
def remind(request: HttpRequest, pk: int, user_pk: int) -> HttpResponse:
    """Write to somebody whose pairs wait."""
    user = get_object_or_404(User, pk=user_pk)
    reminders.send(user, study_or_404(pk))
    messages.success(request, f"{user.username} was reminded by mail.")
    return redirect("study_progress", pk)
