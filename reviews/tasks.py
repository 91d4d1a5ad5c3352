"""Celery's hands for studies."""

from celery import shared_task

from reviews import reminders, sampling
from reviews.models import Study


@shared_task
def extend_samples() -> None:
    """Bring new pairs into the frames of all running studies."""
    for study in Study.objects.filter(state=Study.State.RUNNING):
        sampling.extend(study)


@shared_task
def remind_raters() -> None:
    """Write to raters whose work waits."""
    reminders.send_due()
