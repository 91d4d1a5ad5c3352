"""Alarms and the people who are to know: who is told, when, and who has seen it.

`monitoring` opens and closes alarms; this module writes the notices of it. Quiet hours hold mail
and webhook back to their end, except when the service itself sent everything to EXPENSIVE.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from reviews import audit, mail, notices, permissions
from reviews.errors import BadInput, Conflict
from reviews.models import Alarm, Alerting, Notice, Reading
from routing import policy
from routing.models import Project

OPENED, WORSE, CLOSED = "opened", "worse", "closed"
_WORDS = {OPENED: "", WORSE: "Worse: ", CLOSED: "Over: "}


def settings_of(project: Project) -> Alerting:
    """Return how the project's alarms reach people; what holds without a row is not written."""
    return Alerting.objects.filter(project=project).first() or Alerting(project=project)


@transaction.atomic
def choose(
    project: Project,
    *,
    by: User,
    mails: bool,
    posts: bool,
    warnings: bool,
    quiet: tuple[time, time] | None,
    zone: str,
) -> None:
    """Write how the project's alarms reach people, and that somebody said so.

    Args:
        project: whose alarms.
        by: who says so.
        mails: whether people get mails.
        posts: whether the webhook is told.
        warnings: whether warnings are told, too.
        quiet: from when to when nobody is told; None is never.
        zone: the name of the time zone that quiet hours are in.

    Raises:
        NotAllowed: when the person does not administer.
        BadInput: when there is no such time zone, or quiet hours begin when they end.
    """
    permissions.check(by, "administer")
    if zone not in available_timezones():
        raise BadInput("There is no time zone of this name; one is Europe/Berlin.")
    start, end = quiet or (None, None)
    if quiet and start == end:
        raise BadInput("Quiet hours that begin when they end are none: leave both empty.")
    said = {"mails": mails, "posts": posts, "warnings": warnings, "timezone": zone}
    hours = {"quiet_from": start, "quiet_to": end}
    defaults = said | hours | {"changed_by": by}
    Alerting.objects.update_or_create(project=project, defaults=defaults)
    shown = said | {name: one and one.isoformat("minutes") for name, one in hours.items()}
    audit.write(project, by, "alerting.changed", f"project {project.slug}", shown)


def tell(alarm: Alarm, event: str) -> None:
    """Write the notices of an alarm that opened, got worse or closed, in the caller's transaction.

    Nobody is told the same twice, however often this is called. A warning is told only where the
    project wants warnings. Once somebody acknowledged the alarm, only what the service itself did
    is told. Its end is told to whoever heard of it; what still waits for the end of quiet hours
    when it closes is taken back. A demo's alarms tell nobody.

    Args:
        alarm: as it is now, `done` included: say what the service did before calling this.
        event: "opened", "worse" (from warning to alarm) or "closed".

    Raises:
        ValueError: for any other event.
    """
    if event not in _WORDS:
        raise ValueError(f"an alarm is opened, worse or closed, not {event}")
    chosen = settings_of(alarm.project)
    if event == CLOSED:
        _take_back(alarm)
        _tell_end(alarm, chosen)
    else:
        _tell_change(alarm, event, chosen)


def _tell_change(alarm: Alarm, event: str, chosen: Alerting) -> None:
    is_urgent = fell_back(alarm)
    if is_urgent:
        _take_back(alarm)  # what waits for the end of quiet hours says less, and would come later
    is_wanted = alarm.level == Reading.Level.ALARM or chosen.warnings
    if is_urgent or (is_wanted and alarm.acknowledged_at is None):
        to = permissions.people_who_can("see_results") if chosen.mails else ()
        now = timezone.now()
        at = now if is_urgent else free_from(chosen, now)
        notices.put(_message(alarm, event), to, posts=chosen.posts, at=at)


def fell_back(alarm: Alarm) -> bool:
    """Return whether the service sent everything to EXPENSIVE because of this alarm."""
    live = policy.live(alarm.project) if alarm.done else None
    return live is not None and live.is_always_expensive


def free_from(chosen: Alerting, at: datetime) -> datetime:
    """Return when a message may leave: at once, or at the end of the quiet hours it falls into.

    Quiet hours are of the project's time zone and may pass midnight; their end is not quiet.

    Example:
        >>> from datetime import UTC, time
        >>> night = Alerting(quiet_from=time(22), quiet_to=time(7), timezone="Europe/Berlin")
        >>> free_from(night, datetime(2026, 1, 5, 23, tzinfo=UTC)).astimezone(UTC).isoformat()
        '2026-01-06T06:00:00+00:00'
    """
    start, end = chosen.quiet_from, chosen.quiet_to
    if start is None or end is None:
        return at
    local = at.astimezone(ZoneInfo(chosen.timezone))
    clock = local.time()
    is_late = start > end and clock >= start
    if not (is_late or (start <= clock < end) or (start > end and clock < end)):
        return at
    day = local.date() + timedelta(days=1 if is_late else 0)
    return datetime.combine(day, end, local.tzinfo)


@transaction.atomic
def acknowledge(alarm: Alarm, *, by: User, note: str = "") -> None:
    """Write that somebody has seen an alarm and what they say: what still waits is not sent.

    Raises:
        NotAllowed: when the person answers no alarms.
        BadInput: for a note that is too long.
        Conflict: when it is closed or acknowledged already.
    """
    permissions.check(by, "answer_alarms")
    row = _open(alarm)
    if row.acknowledged_at is not None:
        raise Conflict(f"{row.acknowledged_by} has acknowledged this alarm already.")
    row.acknowledged_at, row.acknowledged_by, row.note = timezone.now(), by, _text(note)
    row.save(update_fields=["acknowledged_at", "acknowledged_by", "note"])
    _take_back(row)
    audit.write(row.project, by, "alarm.acknowledged", f"alarm {row.pk}", {"note": row.note})


@transaction.atomic
def close(alarm: Alarm, *, by: User, why: str) -> None:
    """End an alarm by hand; its monitor opens another when it is above its limit again.

    Raises:
        NotAllowed: when the person answers no alarms.
        BadInput: without a reason, or one that is too long.
        Conflict: when it is closed already.
    """
    permissions.check(by, "answer_alarms")
    if not why.strip():
        raise BadInput("Say in a sentence why this alarm is over.")
    _end(_open(alarm), by, _text(why))


def leave(project: Project, why: str, *, by: User | None = None, but: Alarm | None = None) -> None:
    """End the alarms about sign-offs that are not live any more; nobody would read them again.

    In the caller's transaction, which holds the project's lock and changed what is live. Running it
    twice ends nothing more.

    Args:
        project: whose alarms.
        why: in a sentence.
        by: who changed what is live; None is the service.
        but: the alarm that did it, which people still have to see.
    """
    rows = Alarm.objects.filter(project=project, closed_at=None, signoff__isnull=False)
    rows = rows.exclude(signoff__policy_after=policy.live(project))
    for row in rows.exclude(pk=but.pk) if but else rows:
        _end(row, by, why[:400])


def _end(row: Alarm, by: User | None, why: str) -> None:
    row.closed_at, row.closed_by, row.closed_why = timezone.now(), by, why
    row.save(update_fields=["closed_at", "closed_by", "closed_why"])
    tell(row, CLOSED)
    audit.write(row.project, by, "alarm.closed", f"alarm {row.pk}", {"why": why})


def _open(alarm: Alarm) -> Alarm:
    policy.lock(alarm.project)  # first, as who opens and closes alarms by readings does
    row = Alarm.objects.select_for_update(of=("self",)).select_related("project").get(pk=alarm.pk)
    if row.closed_at is not None:
        raise Conflict("This alarm is closed already.")
    return row


def _text(sent: str) -> str:
    if len(sent.strip()) > 400:
        raise BadInput("At most 400 characters.")
    return sent.strip()


def _take_back(alarm: Alarm) -> None:
    """Delete what no worker has begun to send."""
    alarm.notices.filter(state=Notice.State.WAITING, attempts=0).delete()


def _tell_end(alarm: Alarm, chosen: Alerting) -> None:
    """Tell whoever heard of it and may still hear; people not when one of them acknowledged it."""
    heard: Sequence[Notice] = list(alarm.notices.exclude(event=f"alarm.{CLOSED}"))
    posts = chosen.posts and any(one.channel == Notice.Channel.WEBHOOK for one in heard)
    is_mailed = chosen.mails and alarm.acknowledged_at is None
    told = {one.to_id for one in heard if one.to_id is not None}
    to = permissions.people_who_can("see_results").filter(pk__in=told) if is_mailed else ()
    at = free_from(chosen, timezone.now())
    notices.put(_message(alarm, CLOSED), to, posts=posts, at=at)


def _message(alarm: Alarm, event: str) -> notices.Message:
    what = "Alarm" if alarm.level == Reading.Level.ALARM else "Warning"
    done = f" {alarm.done}" if alarm.done and event != CLOSED else ""
    return notices.Message(
        about=alarm,
        event=f"alarm.{event}",
        text=f"{_WORDS[event]}{alarm.sentence}{done}",
        subject=f"{alarm.project}: {_WORDS[event]}{what}: {alarm.sentence}",
        key=f"alarm:{alarm.pk}:{event}",
        fields=lambda: _fields(alarm, event),
    )


def _fields(alarm: Alarm, event: str) -> dict[str, Any]:
    return {
        "event": f"alarm.{event}",
        "project": alarm.project.slug,
        "alarm": alarm.pk,
        "monitor": alarm.monitor,
        "level": alarm.level,
        "value": alarm.figures.get("value"),
        "limit": alarm.figures.get("limit"),
        "signoff": alarm.signoff_id,
        "opened_at": alarm.opened_at.isoformat(),
        "done": alarm.done,
        "url": mail.link("alarm", str(alarm.pk)),
    }
