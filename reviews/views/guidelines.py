"""A study's guidelines and questions: write, look at them first, publish; who read which."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from reviews import guidance, rendering, worddiff
from reviews.errors import BadInput
from reviews.models import Guideline, GuidelineRead, Study
from reviews.views.frame import page
from reviews.views.study import context


class Version(NamedTuple):
    """One version, what differs from the one before it, and who read it."""

    guideline: Guideline
    changes: worddiff.Difference | None
    readers: list[str]


@require_safe
@page("see_results")
def guidelines(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the text, its versions and the questions."""
    return _show(request, get_object_or_404(Study, pk=pk))


def _show(request: HttpRequest, study: Study, **more: Any) -> HttpResponse:
    current = guidance.current(study)
    shown = {
        **context(request, study),
        "current": current,
        "current_html": rendering.markdown(current.body),
        "body": current.body,
        "versions": _versions(study),
        "is_rated": guidance.is_rated(study),
        "preference": study.preference_question,
        "adequacy": study.adequacy_question,
        "reasons": "\n".join(study.reasons),
    }
    return render(request, "reviews/study_guidelines.html", shown | more)


def _versions(study: Study) -> list[Version]:
    """Return the versions, the newest first."""
    rows = list(study.guidelines.select_related("created_by"))
    reads = GuidelineRead.objects.filter(guideline__study=study).select_related("rater")
    readers: dict[int, list[str]] = {}
    for read in reads.order_by("rater__name"):
        readers.setdefault(read.guideline_id, []).append(read.rater.name)
    found = []
    for row, before in zip(rows, [*rows[1:], None], strict=True):
        changes = worddiff.compare(before.body, row.body) if before else None
        found.append(Version(row, changes, readers.get(row.pk, [])))
    return found


@require_POST
@page("run_studies")
def publish(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what was typed as raters would see it, or publish it as a new version."""
    study, body = get_object_or_404(Study, pk=pk), request.POST.get("body", "")
    if request.POST.get("action") == "preview":
        return _show(request, study, body=body, preview_html=rendering.markdown(body))
    assert isinstance(request.user, User)
    try:
        new = guidance.publish(study, body, request.user)
    except BadInput as exc:
        return _show(request, study, body=body, body_problem=str(exc))
    messages.success(
        request, f"Version {new.version} is out: raters read it before their next pair."
    )
    return redirect("study_guidelines", study.pk)


@require_POST
@page("run_studies")
def ask(request: HttpRequest, pk: int) -> HttpResponse:
    """Change the questions, while nobody has answered them."""
    study, form = get_object_or_404(Study, pk=pk), request.POST
    said = {name: form.get(name, "").strip() for name in ("preference", "adequacy", "reasons")}
    reasons = said["reasons"].splitlines()
    try:
        guidance.ask(
            study, preference=said["preference"], adequacy=said["adequacy"], reasons=reasons
        )
    except BadInput as exc:
        return _show(request, study, **said, question_problem=str(exc))
    messages.success(request, "The questions are changed.")
    return redirect("study_guidelines", study.pk)
