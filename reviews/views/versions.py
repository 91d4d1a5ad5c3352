"""Which router versions a project may use, and what has become of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from reviews.models import Study, TrainingRun
from routing import policy
from routing.models import Challenger, Deployment, Project, RouterVersion


class Line(NamedTuple):
    """A version in the list.

    Attributes:
        states: what it does: live, challenger, in a study; or was live; or never used.
        by: who made it.
        n: labels that it learnt from, None where its card says nothing.
        auroc: value, low and high; None without a measured card.
    """

    version: RouterVersion
    states: list[str]
    by: str
    n: int | None
    auroc: dict[str, float] | None


def usable(project: Project | None) -> QuerySet[RouterVersion]:
    """Return the project's own versions and the product's, the newest first."""
    return RouterVersion.objects.filter(Q(project=project) | Q(project=None)).order_by("-id")


def lines(project: Project | None) -> list[Line]:
    """Return the versions that a project may use, the newest first; in a few queries."""
    used = _used(project)
    runs = TrainingRun.objects.filter(router__in=usable(project))
    trained = dict(runs.values_list("router", "created_by__username"))
    return [_line(row, used, trained) for row in usable(project).defer("artifact")]


def _used(project: Project | None) -> dict[str, set[int]]:
    """Return the versions in each state; those that count most come first."""
    if project is None:
        return {}
    live = policy.live(project)
    running = Challenger.objects.filter(project=project, stopped_at=None)
    studies = Study.objects.filter(project=project, state=Study.State.RUNNING)
    deployed = Deployment.objects.filter(project=project)
    return {
        "live": {live.router_id} if live else set(),
        "challenger": set(running.values_list("router", flat=True)),
        "in a study": set(studies.values_list("router", flat=True)),
        "was live": set(deployed.values_list("policy__router", flat=True)),
    }


def _line(row: RouterVersion, used: dict[str, set[int]], trained: Mapping[int, str | None]) -> Line:
    states = [state for state, those in used.items() if row.pk in those]
    if "live" in states:
        states.remove("was live")
    card: dict[str, Any] = row.card
    auroc = card.get("auroc")
    by = trained.get(row.pk, card.get("by") or ("" if row.project_id else "the product"))
    is_measured = isinstance(auroc, dict)
    return Line(
        row,
        states or ["never used"],
        by or "the server",
        card.get("n"),
        auroc if is_measured else None,
    )
