"""Celery's hands: each task finds its rows itself, so that a lost message loses nothing."""

from celery import shared_task

from routing import shadow


@shared_task
def run_shadow_jobs() -> None:
    """Work on one batch of due shadow jobs, and ask for another hand while there are more.

    One batch a task: a worker that is told to stop ends after the calls it has in hand.
    """
    if shadow.run():
        run_shadow_jobs.apply_async(retry=False, expires=30)


@shared_task
def recover_shadow_jobs() -> None:
    """Give jobs of workers that died back to the queue."""
    shadow.recover()
