"""Delete a project with everything that belongs to it, in an order that the database allows."""

from __future__ import annotations

from django.db import OperationalError, transaction

from reviews.models import Evidence, JudgeCall, JudgeRun, SignOff, Study
from routing.models import Project, ShadowJob

_TRIES = 3
_DEADLOCK = "40P01"


def delete(project: Project) -> None:
    """Delete the project: keys, requests, answers, pairs, studies, ratings, sign-offs, policies.

    Traffic that is being recorded waits, and is then dropped with its project. Where it meets the
    deletion half way, Postgres ends one of them: recording tries again by itself, and so do we.
    """
    for _ in range(_TRIES - 1):
        try:
            return _delete(project)
        except OperationalError as exc:
            if getattr(exc.__cause__, "sqlstate", "") != _DEADLOCK:
                raise
    return _delete(project)


@transaction.atomic
def _delete(project: Project) -> None:
    # In the order in which workers and records lock them.
    jobs = ShadowJob.objects.filter(project=project, state__in=ShadowJob.OPEN).order_by("pk")
    list(jobs.select_for_update().values_list("pk", flat=True))
    calls = JudgeCall.objects.filter(spec__study__project=project, state__in=JudgeCall.OPEN)
    list(calls.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))
    runs = JudgeRun.objects.filter(spec__study__project=project).order_by("pk")
    list(runs.select_for_update(of=("self",)))
    list(project.api_keys.order_by("pk").select_for_update())
    Project.objects.select_for_update().get(pk=project.pk)
    SignOff.objects.filter(project=project).delete()
    Evidence.objects.filter(study__project=project).delete()
    Study.objects.filter(project=project).delete()
    project.delete()
