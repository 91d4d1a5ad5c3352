"""Watch what is live: a reading of each monitor a day, and alarms that open and close by them.

Only a policy that a sign-off made live is watched: always expensive can break nothing. A budget is
read whatever is live. Alarms stay quiet for a day's exception: how many readings it takes is in
`stats.watch`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.db import Error, transaction
from django.db.models import Q
from django.db.models.fields.json import KT
from django.utils import timezone

from reviews import alerts, expiry, monitors, stale
from reviews.errors import ReviewError
from reviews.models import Alarm, Reading, SignOff
from reviews.monitors import Monitor, Seen, Spending, Watched
from reviews.stats import watch
from routing import policy
from routing.errors import RoutingError
from routing.models import Project
from routing.models.usage import Budget

log = logging.getLogger(__name__)

_MOST = 400
#: What is read: whose, up to when, and of which sign-off if of one.
Subject = Watched | Spending


def run_due(now: datetime | None = None) -> int:
    """Read what is not read yet of the days up to the last midnight (UTC); return how many.

    Again on the same day: nothing. One monitor's trouble stops no other.
    """
    now = now or timezone.now()
    signed = sum(look(watched, one) for watched in _live(now) for one in monitors.ALL)
    return signed + sum(look(one, monitors.BUDGET) for one in monitors.spending(now))


def _live(now: datetime) -> Iterator[Watched]:
    for project in Project.objects.all():
        signed = expiry.signed(project, policy.live(project))
        watched = monitors.of(signed, now) if signed else None
        if watched is not None:
            yield watched


def look(watched: Subject, monitor: Monitor) -> bool:
    """Let a monitor read a day, unless it has; return whether it was this call.

    The reading, what it does to the alarm, to the sign-off and to the policy, and the notices are
    one transaction; what is read for it is read before.
    """
    if _is_read(watched, monitor):
        return False
    try:
        seen = monitor.read(watched)
        with transaction.atomic():
            policy.lock(watched.project)
            if _is_read(watched, monitor):
                return False  # another worker was faster
            _keep(watched, monitor, seen)
    except (Error, ReviewError, RoutingError, OSError, ValueError, LookupError, ArithmeticError):
        log.exception("the monitor %s of %s says nothing", monitor.name, watched.project)
        return False
    return True


def _is_read(watched: Subject, monitor: Monitor) -> bool:
    rows = Reading.objects.filter(project=watched.project, monitor=monitor.name)
    return rows.filter(at__gte=watched.end).exists()


def _keep(watched: Subject, monitor: Monitor, seen: Seen) -> None:
    signal, signed = seen.signal, watched.signed
    Reading.objects.create(
        project=watched.project, signoff=signed, monitor=monitor.name, at=watched.end,
        level=signal.level.value, value=signal.value, limit=signal.limit, n=signal.n,
        detail=seen.as_json(),
    )  # fmt: skip
    if signed is not None:
        if not expiry.decides(signed):
            return  # it went away meanwhile, perhaps by the alarm of another monitor
        alerts.leave(watched.project, "Another sign-off is live since.")
    event = watch.last_event(_levels(watched, monitor), watch.rule_of(monitor.name))
    alarm = Alarm.objects.filter(project=watched.project, monitor=monitor.name, closed_at=None)
    _act(watched, monitor, seen, event, alarm.select_related("project").first())


def _levels(watched: Subject, monitor: Monitor) -> list[str]:
    """Return the levels of a sign-off's readings since its last alarm was closed, in order."""
    of = {"project": watched.project, "signoff": watched.signed, "monitor": monitor.name}
    rows, closed = Reading.objects.filter(**of), Alarm.objects.filter(**of, closed_at__isnull=False)
    last = closed.order_by("-closed_at").values_list("closed_at", flat=True).first()
    rows = rows.filter(at__gt=last) if last else rows
    return list(rows.order_by("at").values_list("level", flat=True))


def _act(
    watched: Subject, monitor: Monitor, seen: Seen, event: watch.Event | None, alarm: Alarm | None
) -> None:
    """Open, worsen or close the alarm as the readings say; keep an open one's figures."""
    if alarm is None:
        if event is not None and event.kind == "opened":
            _open(watched, monitor, seen, event.level)
        return
    if event is not None and event.kind == "closed":
        _close(alarm, watched.end, "Its monitor is within its limit again.")
        return
    if seen.signal.level in (watch.Level.WARN, watch.Level.ALARM):
        _say(alarm, seen, watched.end)
    if event is not None and event.kind == "worse":
        alarm.level = event.level.value
        alarm.save(update_fields=["level"])
        _tell(alarm, alerts.WORSE)


def _open(watched: Subject, monitor: Monitor, seen: Seen, level: watch.Level) -> None:
    alarm = Alarm.objects.create(
        project=watched.project, signoff=watched.signed, monitor=monitor.name, level=level.value,
        sentence=seen.sentence[:_MOST], figures=figures(seen),
        examples=monitor.typical(watched), opened_at=watched.end, last_at=watched.end,
    )  # fmt: skip
    _tell(alarm, alerts.OPENED)


def _say(alarm: Alarm, seen: Seen, at: datetime) -> None:
    alarm.sentence, alarm.figures, alarm.last_at = seen.sentence[:_MOST], figures(seen), at
    alarm.save(update_fields=["sentence", "figures", "last_at"])


def _tell(alarm: Alarm, event: str) -> None:
    """Let the sign-off bear it first: who is told is told what was done."""
    stale.mark(alarm)
    alerts.tell(alarm, event)


def _close(alarm: Alarm, at: datetime, why: str) -> None:
    alarm.closed_at, alarm.closed_why = at, why
    alarm.save(update_fields=["closed_at", "closed_why"])
    alerts.tell(alarm, alerts.CLOSED)


def figures(seen: Seen) -> dict[str, Any]:
    """Return the numbers that an alarm keeps of what its monitor saw."""
    signal = seen.signal
    return {"value": signal.value, "limit": signal.limit, "level": signal.level, "n": signal.n}


class Shown(NamedTuple):
    """A monitor as pages and the API show it.

    Attributes:
        readings: of the newest watched sign-off, oldest first.
        alarm: the open one.
    """

    monitor: Monitor
    readings: list[Reading]
    alarm: Alarm | None

    @property
    def last(self) -> Reading | None:
        """Return the newest reading."""
        return self.readings[-1] if self.readings else None


def watched_signoff(project: Project) -> SignOff | None:
    """Return the live sign-off, else the one that was watched last; None before any."""
    signed = expiry.signed(project, policy.live(project))
    if signed is not None:
        return signed
    last = Reading.objects.filter(project=project, signoff__isnull=False).order_by("-at")
    found = last.select_related("signoff__project", "signoff__policy_after").first()
    return found.signoff if found else None


def shown(project: Project, signed: SignOff | None) -> list[Shown]:
    """Return every monitor with its readings of a sign-off and its open alarm.

    Readings of no sign-off are a demo's, or of the budget, which is left out where there is none.
    """
    is_shown = Q(signoff=signed) | Q(monitor=monitors.BUDGET.name)
    rows = Reading.objects.filter(is_shown, project=project).order_by("at")
    # Only the newest one's picture is looked at, and a year of them is megabytes.
    told = rows.annotate(sentence=KT("detail__sentence")).defer("detail")
    readings: dict[str, list[Reading]] = {}
    for row in told:
        readings.setdefault(row.monitor, []).append(row)
    alarms = {one.monitor: one for one in Alarm.objects.filter(project=project, closed_at=None)}
    has_budget = monitors.BUDGET.name in readings or Budget.objects.filter(project=project).exists()
    listed = (*monitors.ALL, monitors.BUDGET) if has_budget else monitors.ALL
    return [Shown(one, readings.get(one.name, []), alarms.get(one.name)) for one in listed]
