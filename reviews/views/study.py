"""What the pages of one study share: the study, its tabs by what one may do, its notices."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from reviews import permissions
from reviews.models import Study
from reviews.views.frame import about, notices
from routing.models import Project


def study_or_404(pk: int | str) -> Study:
    """Return the study that an address or a form names, with what its pages need, or answer 404."""
    rows = Study.objects.select_related("project", "policy", "router")
    is_named = isinstance(pk, int) or is_id(pk)
    return get_object_or_404(rows, pk=pk if is_named else 0)


def is_id(text: str) -> bool:
    """Return whether a text from an address can name a row."""
    return text.isdecimal() and len(text) < 19


def chosen(request: HttpRequest, project: Project | None) -> tuple[QuerySet[Study], Study | None]:
    """Return a project's studies, and the one that the address names or else the newest.

    A living sample has to be named.
    """
    rows = Study.objects.select_related("project", "policy", "router")
    studies = rows.filter(project=project)
    wanted = request.GET.get("study", "")
    if is_id(wanted):
        return studies, studies.filter(pk=wanted).first()
    return studies, studies.filter(watches=None).first()


def context(request: HttpRequest, study: Study) -> dict[str, Any]:
    """Return what every page of one study needs: itself, its project's frame, what one may do."""
    return {
        **about(study.project),
        **notices(study.project, study.policy),
        "section": "studies",
        "study": study,
        "can_run": permissions.can(request.user, "run_studies"),
        "can_adjudicate": permissions.can(request.user, "adjudicate"),
        "can_see_raters": permissions.can(request.user, "see_raters"),
    }
