"""Quarterly reviews: which there are, one of them, and one more by hand."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from reviews import expiry, permissions, quarters
from reviews.models import QuarterReview
from reviews.operating import HARM
from reviews.views.frame import about, current_project, page, posted_project
from reviews.views.signoff import user_of
from routing import policy


@require_http_methods(["GET", "HEAD", "POST"])
@page("see_results")
def reviews(request: HttpRequest) -> HttpResponse:
    """List the reviews; a POST asks for one of the last 91 days."""
    if request.method == "POST":
        permissions.check(request.user, "run_studies")
        made = quarters.ask(posted_project(request), by=user_of(request))
        messages.success(request, "Written: it never changes from now on.")
        return redirect("quarter", made.pk)
    project = current_project(request)
    rows = QuarterReview.objects.filter(project=project).select_related("signoff")
    shown = {
        "section": "signoffs",
        "rows": [(row, quarters.sentence(row.content)) for row in rows],
        "days": quarters.DAYS,
        "is_signed": bool(project and expiry.signed(project, policy.live(project))),
        "can_run": permissions.can(request.user, "run_studies"),
    }
    return render(request, "reviews/quarters.html", shown)


@require_safe
@page("see_results")
def review(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what was signed beside what the quarter showed, as it was frozen."""
    related = ("project", "signoff")
    row = get_object_or_404(QuarterReview.objects.select_related(*related), pk=pk)
    shown = {
        **about(row.project),
        "section": "signoffs",
        "row": row,
        "said": row.content,
        "sentence": quarters.sentence(row.content),
        "harm": HARM[row.content["loss"]],
        "is_whole": quarters.is_whole(row),
    }
    return render(request, "reviews/quarter.html", shown)
