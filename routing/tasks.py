"""Celery's hands: each task finds its rows itself, so that a lost message loses nothing."""

from typing import Any

from celery import shared_task, signals

from routing import challenging, erasing, indexing, retention, shadow, shifts, upkeep, usage

#: A worker that is told to stop waits this long for calls that no running task waits for.
_DRAIN_S = 45.0


@shared_task
def run_shadow_jobs() -> None:
    """Work a shift of shadow jobs, and ask for the next while there are more."""
    if shifts.run():
        run_shadow_jobs.apply_async(retry=False, expires=30)


@shared_task
def recover_shadow_jobs() -> None:
    """Give jobs of workers that died back to the queue."""
    shadow.recover()


@shared_task
def delete_old_requests() -> None:
    """Delete what is old enough, and what came late of people who were forgotten."""
    erasing.again()
    if retention.run():
        delete_old_requests.apply_async(retry=False, expires=600)


@shared_task
def roll_usage_up() -> None:
    """Sum up by the hour what was served and asked since the last time."""
    usage.roll()


@shared_task
def run_challengers() -> None:
    """Let challengers score what was served, and ask for another hand while there is more."""
    if challenging.run():
        run_challengers.apply_async(retry=False, expires=30)


@shared_task
def run_uploads() -> None:
    """Work on the upload that waits longest, and ask for another hand while there are more."""
    if indexing.run_due():
        run_uploads.apply_async(retry=False, expires=30)


@shared_task
def build_indexes() -> None:
    """Build the files of what was removed from, and of what a worker that died left without."""
    upkeep.run()


@signals.worker_shutting_down.connect
def _stop_claiming(**_: Any) -> None:
    """Calls under way are paid for: they end, and no other begins; uploads wait for the next."""
    shifts.stop()
    indexing.stop()


@signals.worker_shutdown.connect
@signals.worker_process_shutdown.connect
def _finish_calls(**_: Any) -> None:
    """Wait for what is still in hand."""
    shifts.drain(_DRAIN_S)
