"""Notices by mail and webhook: written with what they tell, sent later by a worker.

A signature never waits for a mail server: what is to be told is a row of the same transaction. The
texts name people, thresholds and addresses, never a prompt or an answer. `tell` is for sign-offs;
what is told of an alarm, and when, stands in `alerts`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Exists, F, Max, Q, QuerySet
from django.utils import timezone

from reviews import mail, webhook
from reviews.errors import NotSent
from reviews.models import Alarm, Notice, SignOff
from routing.models import Project

log = logging.getLogger(__name__)

#: Tries of one notice; with doubling pauses from a minute the last is about two hours later.
ATTEMPTS = 8
_FIRST_PAUSE = timedelta(minutes=1)
#: How long a worker may take to send one; after that another tries.
_CLAIM = timedelta(minutes=2)


class Message(NamedTuple):
    """What one event tells.

    Attributes:
        about: the sign-off or the alarm that receivers are led to.
        event: a short name, for whoever reads the webhook.
        text: one sentence.
        subject: of a mail.
        key: names the event among all that is ever told.
        fields: returns what the webhook gets beside the text; asked only where there is one.
    """

    about: SignOff | Alarm
    event: str
    text: str
    subject: str
    key: str
    fields: Callable[[], dict[str, Any]]


def tell(
    row: SignOff, event: str, text: str, to: Iterable[User], *, key: str, by: User | None = None
) -> None:
    """Write the notices of one event, in the caller's transaction; the same key again: nothing.

    Args:
        row: the sign-off that it is about. The demo's tell nobody.
        event: a short name, for whoever reads the webhook.
        text: one sentence.
        to: who gets a mail, where mail is on and they have an address; not who did it.
        key: names the event among all of this sign-off.
        by: who did it.
    """
    put(
        Message(
            about=row,
            event=event,
            text=text,
            subject=f"{row.project}: {row}",
            key=f"{row.pk}:{key}",
            fields=lambda: _fields(row, event, by),
        ),
        [user for user in to if user != by],
    )


def put(
    message: Message, to: Iterable[User], *, posts: bool = True, at: datetime | None = None
) -> None:
    """Write what one event tells, in the caller's transaction; the same key again: nothing.

    Args:
        message: what is told. A demo's tells nobody.
        to: who gets a mail, where mail is on and they have an address.
        posts: whether the webhook is told, where there is one.
        at: not to be sent before; now if None.
    """
    row = message.about
    if row.project.kind == Project.Kind.DEMO:
        return
    common = {
        "project": row.project, "event": message.event, "text": message.text,
        "subject": " ".join(message.subject.split())[:200], "next_at": at or timezone.now(),
        ("signoff" if isinstance(row, SignOff) else "alarm"): row,
    }  # fmt: skip
    rows = [
        Notice(key=f"{message.key}:mail:{pk}", channel=Notice.Channel.MAIL, to=user, **common)
        for pk, user in {user.pk: user for user in to}.items()
        if mail.is_on() and user.email and user.is_active
    ]
    if posts and settings.SHADOWEVAL_WEBHOOK_URL:
        kind, said = Notice.Channel.WEBHOOK, message.fields()
        rows.append(Notice(key=f"{message.key}:webhook", channel=kind, fields=said, **common))
    Notice.objects.bulk_create(rows, ignore_conflicts=True)


def _fields(row: SignOff, event: str, by: User | None) -> dict[str, Any]:
    return {
        "event": event,
        "project": row.project.slug,
        "signoff": row.pk,
        "revision": row.revision,
        "state": row.state,
        "threshold": row.threshold,
        "thresholds": row.thresholds,
        "by": by.username if by else None,
        "url": mail.link("signoff", str(row.pk)),
    }


def send_due(now: datetime | None = None) -> int:
    """Send what waits; return how many left. Two workers at once send each notice once.

    One receiver hears of one alarm or sign-off in order: what is tried again holds back what came
    after it, until it left or was given up.

    Args:
        now: what is due is due by this moment; each one is claimed and sent by the clock.
    """
    due = Notice.objects.filter(state=Notice.State.WAITING, next_at__lte=now or timezone.now())
    return sum(_send(row) for row in due.order_by("pk")[:200])


def _send(row: Notice) -> bool:
    """Claim one notice, hand it over outside any transaction, and write how that went."""
    now = timezone.now()  # not the batch's: it may take longer than a claim holds
    claim = Notice.objects.filter(pk=row.pk, state=Notice.State.WAITING, attempts=row.attempts)
    claim = claim.exclude(Exists(_before(row)))
    if not claim.update(attempts=F("attempts") + 1, next_at=now + _CLAIM):
        _wait(row)  # for an earlier one that is not told yet, unless another worker was faster
        return False
    mine = Notice.objects.filter(pk=row.pk, attempts=row.attempts + 1)
    try:
        _hand_over(row)
    except NotSent as exc:
        mine.update(**_after_failure(row.attempts + 1, now), problem=str(exc)[:200])
        return False
    mine.update(state=Notice.State.SENT, sent_at=now, problem="")
    return True


def _wait(row: Notice) -> None:
    """Let a notice come back with what holds it back: what is due for ever fills every batch."""
    at = _before(row).aggregate(last=Max("next_at"))["last"]
    if at is not None:
        mine = Notice.objects.filter(pk=row.pk, state=Notice.State.WAITING, attempts=row.attempts)
        mine.filter(next_at__lt=at).update(next_at=at)


def _before(row: Notice) -> QuerySet[Notice]:
    """Return what the same receiver is to hear of the same thing before this."""
    about = {"alarm": row.alarm_id, "signoff": row.signoff_id}
    is_first = Q(attempts__gt=0) | Q(next_at__lte=row.next_at)
    return Notice.objects.filter(
        is_first, state=Notice.State.WAITING, channel=row.channel, to=row.to_id, pk__lt=row.pk,
        **about,
    )  # fmt: skip


def _hand_over(row: Notice) -> None:
    if row.channel == Notice.Channel.WEBHOOK:
        return webhook.send({"id": row.key, "text": f"{row.subject}: {row.text}", **row.fields})
    assert row.to is not None, "the database holds it"
    is_alarm = row.alarm_id is not None
    name, pk = ("alarm", row.alarm_id) if is_alarm else ("signoff", row.signoff_id)
    link = mail.link(name, str(pk))
    return mail.send(row.to.email, row.subject, f"{row.text}\n\n{link}\n")


def _after_failure(attempts: int, now: datetime) -> dict[str, Any]:
    """Return when to try again, or that this was the last try."""
    if attempts >= ATTEMPTS:
        log.warning("a notice was given up after %d attempts", attempts)
        return {"state": Notice.State.FAILED}
    return {"next_at": now + _FIRST_PAUSE * 2 ** (attempts - 1)}
