"""Celery's hands for studies."""

from typing import Any

from celery import shared_task, signals
from django.utils import timezone

from reviews import (
    closing,
    expiry,
    hopeless,
    judge_batches,
    judge_calls,
    judging,
    living,
    monitoring,
    notices,
    quarters,
    reminders,
    rollout,
    sampling,
    training,
)
from reviews.models import Study


@shared_task
def extend_samples() -> None:
    """Bring new pairs into the frames of all running studies."""
    for study in Study.objects.filter(state=Study.State.RUNNING):
        sampling.extend(study)
        hopeless.sweep(study)


@shared_task
def close_studies() -> None:
    """Close the studies whose window is over and whose pairs are rated, or whose sign-off ended."""
    living.close_due(timezone.now())
    closing.close_due()


@shared_task
def remind_raters() -> None:
    """Write to raters whose work waits."""
    reminders.send_due()


@shared_task
def extend_judges() -> None:
    """Bring new pairs into the queues of all running judges."""
    judging.extend_all()


@shared_task
def run_judge_calls() -> None:
    """Ask judges about due pairs, and ask for another hand while there are more."""
    if judging.run():
        run_judge_calls.apply_async(retry=False, expires=30)


@shared_task
def run_judge_batches() -> None:
    """Send what is due by batch, and collect what is over."""
    judge_batches.run()


@shared_task
def recover_judge_calls() -> None:
    """Give calls of workers that died back to the queue."""
    judge_calls.recover()


@shared_task
def run_rollouts() -> None:
    """Take the steps of rollouts that are due."""
    rollout.run_due()


@shared_task
def expire_signoffs() -> None:
    """Remind of sign-offs that end soon, and end those that are over."""
    expiry.run_due()


@shared_task
def run_monitors() -> None:
    """Read what is due of the traffic of live sign-offs."""
    monitoring.run_due()


@shared_task
def review_quarters() -> None:
    """Write the reviews of the quarter that ended last."""
    quarters.run_due()


@shared_task
def send_notices() -> None:
    """Send what people and the webhook are to be told."""
    notices.send_due()


@shared_task
def run_trainings() -> None:
    """Work on the training that waits longest, and ask for another hand while there are more."""
    if training.run_due():
        run_trainings.apply_async(retry=False, expires=30)


@signals.worker_shutting_down.connect
def _give_trainings_back(**_: Any) -> None:
    """A training takes minutes: the next process begins it anew instead."""
    training.stop()
