"""Delete a project with everything that belongs to it, in an order that the database allows."""

from __future__ import annotations

from django.db import transaction

from reviews.models import Evidence, SignOff, Study
from routing.models import Project


@transaction.atomic
def delete(project: Project) -> None:
    """Delete the project: keys, requests, answers, pairs, studies, ratings, sign-offs, policies."""
    SignOff.objects.filter(project=project).delete()
    Evidence.objects.filter(study__project=project).delete()
    Study.objects.filter(project=project).delete()
    project.delete()
