"""Delete a project with everything that belongs to it, in an order that the database allows."""

from __future__ import annotations

from django.db import transaction

from reviews.models import Evidence, SignOff, Study
from routing.models import Project


@transaction.atomic
def delete(project: Project) -> None:
    """Delete the project: keys, requests, answers, pairs, studies, ratings, sign-offs, policies.

    Traffic that is being recorded waits, and is then dropped with its project.
    """
    # In the order in which records lock them.
    list(project.api_keys.select_for_update())
    Project.objects.select_for_update().get(pk=project.pk)
    SignOff.objects.filter(project=project).delete()
    Evidence.objects.filter(study__project=project).delete()
    Study.objects.filter(project=project).delete()
    project.delete()
