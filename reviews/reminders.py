"""Mails to raters whose work waits: who is due, and one mail at most in so many days.

A mail names no study, prompt, answer or model: raters are blind, and mail is read anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from reviews import mail, permissions, rating
from reviews.errors import BadInput, Conflict, NotSent, ReviewError
from reviews.models import Rating, Reminder, ReminderStop, Study
from routing.models import Project


def pause() -> timedelta:
    """Return how long a rater may rest before a mail, and between two."""
    return timedelta(days=settings.SHADOWEVAL_REMIND_AFTER_DAYS)


def send_due() -> int:
    """Remind everybody who is due; return how many mails left."""
    sent = 0
    for user, study in due() if mail.is_on() else ():
        try:
            send(user, study)
        except ReviewError:  # another worker was faster, or the mail server is away: next hour
            continue
        sent += 1
    return sent


def due() -> Iterator[tuple[User, Study]]:
    """Yield each rater who rests with a study that waits for them, the oldest one."""
    since = timezone.now() - pause()
    running = Study.objects.filter(
        state=Study.State.RUNNING, project__kind=Project.Kind.LIVE, created_at__lte=since
    )
    studies = list(running.order_by("id"))
    for user in _resting(since) if studies else ():
        rater = rating.rater_of(user)
        study = next((one for one in studies if rating.waiting(one, rater)), None)
        if study is not None:
            yield user, study


def _resting(since: datetime) -> list[User]:
    lately = Rating.objects.filter(created_at__gt=since, presentation__rater__user__isnull=False)
    reminded = Reminder.objects.filter(created_at__gt=since)
    people = permissions.people_who_can("rate").filter(
        ~Q(email=""), reminder_stop=None, date_joined__lte=since
    )
    people = people.exclude(pk__in=lately.values("presentation__rater__user"))
    return list(people.exclude(pk__in=reminded.values("user")))


def send(user: User, study: Study) -> Reminder:
    """Remind one person of one study, by a person's wish or because they are due.

    The row is written first, so that two workers never send two mails, and taken back when the
    mail server does not take the mail.

    Raises:
        BadInput: when the person has no address, wants no mails, or has nothing to rate there.
        Conflict: when they were reminded within `pause()`.
        NotSent: when mail is off or did not leave.
    """
    waiting = _waiting(user, study)
    reminder = _claim(user, study)
    try:
        mail.send(user.email, "Pairs wait for your rating", _text(waiting, study))
    except NotSent:
        reminder.delete()
        raise
    return reminder


def _waiting(user: User, study: Study) -> int:
    """Return how many pairs wait for the person; raises BadInput when no mail should be sent."""
    if not user.email:
        raise BadInput(f"{user.username} has no e-mail address.")
    if is_stopped(user):
        raise BadInput(f"{user.username} wants no reminders.")
    is_running = study.state == Study.State.RUNNING and user.is_active
    waiting = rating.waiting(study, rating.rater_of(user)) if is_running else 0
    if not waiting or not permissions.can(user, "rate"):
        raise BadInput(f"Nothing of this study waits for {user.username}.")
    return waiting


@transaction.atomic
def _claim(user: User, study: Study) -> Reminder:
    User.objects.select_for_update(of=("self",)).get(pk=user.pk)
    if Reminder.objects.filter(user=user, created_at__gt=timezone.now() - pause()).exists():
        days = f"{settings.SHADOWEVAL_REMIND_AFTER_DAYS:g}"
        raise Conflict(f"{user.username} was reminded within the last {days} days.")
    return Reminder.objects.create(user=user, study=study)


def _text(waiting: int, study: Study) -> str:
    pairs = "One pair waits" if waiting == 1 else f"{waiting} pairs wait"
    return (
        f"{pairs} for a rating by you:\n\n"
        f"{mail.link('rate')}?study={study.pk}\n\n"
        f"No more reminders: {mail.link('reminders')}\n"
    )


def is_stopped(user: User) -> bool:
    """Return whether the person wants no reminders."""
    return ReminderStop.objects.filter(user=user).exists()


def stop(user: User) -> None:
    """Send the person no reminders from now on."""
    ReminderStop.objects.get_or_create(user=user)


def resume(user: User) -> None:
    """Send the person reminders again."""
    ReminderStop.objects.filter(user=user).delete()
