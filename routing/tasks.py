"""Celery's hands: each task finds its rows itself, so that a lost message loses nothing."""

from celery import shared_task

from routing import shadow


@shared_task
def run_shadow_jobs() -> None:
    """Work on due shadow jobs until none is left."""
    while shadow.run():
        pass


@shared_task
def recover_shadow_jobs() -> None:
    """Give jobs of workers that died back to the queue."""
    shadow.recover()
