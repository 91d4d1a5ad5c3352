"""What monitors look at: the study's window as it was frozen, and what came since go-live.

Both hold the requests that a score decided; what a client or a conversation chose says nothing of
traffic. Days are whole and in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import numpy as np
from django.db.models import QuerySet

from reviews import evidence
from reviews.inputs import DAY_S, Columns
from reviews.models import SignOff
from reviews.stats.watch import WINDOW_DAYS, Days
from routing import retention
from routing.models import Decision, Deployment, Policy, Project
from routing.types import Reason

DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: No longer: a chart over more days says no more.
_MOST_DAYS = 90
#: What no score decided.
_CHOSEN = (Reason.FORCED, Reason.BYPASSED, Reason.STICKY, Reason.IMPORTED)


@dataclass(frozen=True)
class Reference:
    """The study's window, one row a request: arrays of shape (N,).

    Attributes:
        pair_id: 0 where the pair is lost.
        day: days since 1970.
        task: names of task types.
        score: nan where the router gave none.
        is_cheap: whether the signed thresholds send it to CHEAP.
        is_asked: whether the router asked the cheap model before it decided.
        cost: USD as the signed thresholds route it, nan where unknown.
    """

    pair_id: np.ndarray
    day: np.ndarray
    task: np.ndarray
    score: np.ndarray
    is_cheap: np.ndarray
    is_asked: np.ndarray
    cost: np.ndarray

    def days(self, total: np.ndarray, rows: np.ndarray) -> Days:
        """Return sums of a column by day, of some rows.

        Args:
            total: (N,).
            rows: (N,) which count.
        """
        first = int(self.day.min()) if self.day.size else 0
        at, n = self.day[rows] - first, int(np.ptp(self.day)) + 1 if self.day.size else 0
        weights = total[rows].astype(np.float64)
        return Days(np.bincount(at, weights, n), np.bincount(at, minlength=n))


@dataclass(frozen=True)
class Watched:
    """A live sign-off and its traffic.

    Attributes:
        signed: with its study, project, evidence and policy.
        begin: the first whole day since go-live whose requests are all there.
        end: of the last whole day.
    """

    signed: SignOff
    begin: datetime
    end: datetime

    @property
    def project(self) -> Project:
        """Return whose traffic it is."""
        return self.signed.project

    @property
    def policy(self) -> Policy:
        """Return what decides."""
        assert self.signed.policy_after is not None, "the database holds it"
        return self.signed.policy_after

    @property
    def week(self) -> datetime:
        """Return when the last seven days begin, go-live at the earliest."""
        return max(self.begin, self.end - WINDOW_DAYS * DAY)

    @property
    def has_week(self) -> bool:
        """Return whether the last seven days are all there: a weekend alone is no change."""
        return self.end - self.begin >= WINDOW_DAYS * DAY

    @cached_property
    def reference(self) -> Reference | None:
        """Return the study's window; None where the evidence kept no columns."""
        row = self.signed.evidence
        if row.inputs is None:
            return None
        found = evidence.inputs_of(bytes(row.inputs), row.content)
        return _reference(found.columns, np.array(found.about.tasks, dtype=object), self.policy)

    def decided(self, since: datetime) -> QuerySet[Decision]:
        """Return the decisions by score under the signed policy from a moment to the end."""
        return Decision.objects.filter(
            policy=self.policy,
            request__project=self.signed.project_id,
            request__received_at__gte=since,
            request__received_at__lt=self.end,
        ).exclude(reason__in=_CHOSEN)

    def dates(self) -> list[date]:
        """Return the days since go-live, the last ninety at most."""
        n = min((self.end - self.begin).days, _MOST_DAYS)
        return [(self.end - (n - place) * DAY).date() for place in range(n)]

    @property
    def first(self) -> datetime:
        """Return when the first of `dates` begins."""
        return max(self.begin, self.end - _MOST_DAYS * DAY)

    def days(self, rows: Iterable[tuple[date, float | None, int]]) -> Days:
        """Return sums and counts of the days since go-live; days without a row have none.

        Args:
            rows: day, total and count.
        """
        known = {day: (float(total or 0), count) for day, total, count in rows}
        both = [known.get(day, (0.0, 0)) for day in self.dates()]
        return Days([total for total, _ in both], [count for _, count in both])


def of(signed: SignOff, now: datetime) -> Watched | None:
    """Return a sign-off's traffic up to the last midnight; None before its first whole day."""
    live = Deployment.objects.filter(policy=signed.policy_after).order_by("id").first()
    if live is None:
        return None
    begin, end = midnight(live.created_at + DAY), midnight(now)
    if begin >= end:
        return None
    return Watched(signed, max(begin, _whole_since(signed.project, end)), end)


def _whole_since(project: Project, end: datetime) -> datetime:
    """Return from when on no day lost requests to retention.

    What is left of the days before are the requests that were drawn: no sample of their day.
    """
    before = retention.cutoff(project, end)
    return _EPOCH if before is None else min(before + DAY, end - DAY)


def midnight(at: datetime) -> datetime:
    """Return when a moment's day began (UTC)."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _reference(columns: Columns, names: np.ndarray, live: Policy) -> Reference:
    """Return rows that stand for equally many requests each, routed as the policy does."""
    rows = _thinned(columns)
    task = names[columns.task[rows]] if names.size else np.empty(0, object)
    at = np.array([live.threshold_for(name) for name in task])
    score = columns.score[rows]
    is_cheap = score < at
    return Reference(
        pair_id=columns.pair_id[rows],
        day=(columns.received_at[rows] // DAY_S).astype(np.int64),
        task=task,
        score=score,
        is_cheap=is_cheap,
        is_asked=(columns.cost_expensive > columns.cost_baseline)[rows] & (at > 0),
        cost=np.where(is_cheap, columns.cost_cheap[rows], columns.cost_expensive[rows]),
    )


def _thinned(columns: Columns) -> np.ndarray:
    """Return which rows are kept: a row that stands for fewer requests than others may fall out.

    By the hash that orders the rows, which has nothing to do with what they are.
    """
    most = columns.traffic.max() if columns.traffic.size else 1.0
    return (columns.order >> np.uint64(11)) * 2.0**-53 < columns.traffic / most
