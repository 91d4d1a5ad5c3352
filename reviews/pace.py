"""How far a study is, who does it, how fast, and when it would be done: for leads.

What a rater sees of their own progress is in `progress`.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db.models import Count, Q
from django.utils import timezone

from reviews import checks, permissions, votes
from reviews.models import Gold, Rater, Skip, Slot, Study
from reviews.votes import Vote

_KINDS, _STATES = Slot.Kind, Slot.State
_PACE_DAYS = 7
_SHOWN_DAYS = 14
#: Fewer ratings, or all on one day, are no pace.
_FEWEST_RATINGS, _FEWEST_DAYS = 5, 2


@dataclass(frozen=True)
class Worker:
    """One person who rates or may rate.

    Attributes:
        user: whom a mail would reach; None when the account is gone.
        done: pairs of the sample rated.
        lately: of them, in the last seven days.
        median_seconds: active time; None where none was counted.
        practice: practice pairs answered as agreed, and how many were answered.
        last_at: of their newest rating.
    """

    name: str
    user: User | None
    rater: Rater | None
    done: int
    lately: int
    median_seconds: float | None
    last_at: datetime | None
    practice: tuple[int, int]
    target: int

    @property
    def share_of_target(self) -> float | None:
        """Return how much of what each rater is asked for is done, at most all."""
        return min(self.done / self.target, 1.0) if self.target else None


class Stratum(NamedTuple):
    """One stratum of the sample: places for ratings, and those that are closed."""

    name: str
    done: int
    total: int

    @property
    def share(self) -> float:
        """Return the share that is closed."""
        return self.done / self.total


class Day(NamedTuple):
    """How many pairs were rated on one day."""

    day: date
    n: int


@dataclass(frozen=True)
class Pace:
    """How far a study is.

    Attributes:
        done: places for ratings that are rated.
        given_up: places that were given up.
        total: places there are.
        days: the last two weeks, today last.
        forecast: when it would be done, in words.
        skips: by reason in words, the commonest first.
        given_up_pairs: pairs that nobody could judge.
    """

    workers: list[Worker]
    strata: list[Stratum]
    done: int
    given_up: int
    total: int
    days: list[Day]
    forecast: str
    skips: list[tuple[str, int]]
    given_up_pairs: int


def of(study: Study, now: datetime | None = None) -> Pace:
    """Return how far the study is; a handful of queries, however many raters there are."""
    now = now or timezone.now()
    said = votes.of(study, (_KINDS.SAMPLE,))
    strata, done, given_up = _strata(study)
    total = sum(row.total for row in strata)
    lost = study.slots.filter(kind=_KINDS.SAMPLE, state=_STATES.GIVEN_UP)
    return Pace(
        workers=_workers(study, said, now),
        strata=strata,
        done=done,
        given_up=given_up,
        total=total,
        days=_days(said, now),
        forecast=forecast([vote.at for vote in said], total - done - given_up, now),
        skips=_skips(study),
        given_up_pairs=lost.values("pair").distinct().count(),
    )


def _strata(study: Study) -> tuple[list[Stratum], int, int]:
    """Return the strata, and how many places are rated and given up."""
    places = study.slots.filter(kind=_KINDS.SAMPLE).values("sampled_pair__stratum")
    rows = places.annotate(
        done=Count("pk", filter=Q(state=_STATES.DONE)),
        given_up=Count("pk", filter=Q(state=_STATES.GIVEN_UP)),
        total=Count("pk"),
    ).order_by("sampled_pair__stratum")
    strata = [
        Stratum(row["sampled_pair__stratum"], row["done"] + row["given_up"], row["total"])
        for row in rows
    ]
    return strata, sum(row["done"] for row in rows), sum(row["given_up"] for row in rows)


def _workers(study: Study, said: Sequence[Vote], now: datetime) -> list[Worker]:
    """Return who rated or may rate, by name."""
    by_rater: dict[int, list[Vote]] = defaultdict(list)
    for vote in said:
        by_rater[vote.rater_id].append(vote)
    practice = _practice(study)
    begun = set(by_rater) | set(practice)
    raters = Rater.objects.filter(pk__in=begun).select_related("user")
    idle = permissions.people_who_can("rate").exclude(rater__in=begun).select_related("rater")
    who: list[tuple[str, User | None, Rater | None]] = [(r.name, r.user, r) for r in raters]
    who += [(user.get_username(), user, getattr(user, "rater", None)) for user in idle]
    rows = []
    for name, user, rater in who:
        known = by_rater[rater.pk] if rater else []
        passed = practice.get(rater.pk, (0, 0)) if rater else (0, 0)
        worked = _worked(known, now - timedelta(days=_PACE_DAYS))
        rows.append(Worker(name, user, rater, *worked, practice=passed, target=study.rater_target))
    return sorted(rows, key=lambda row: row.name)


def _worked(
    said: Sequence[Vote], since: datetime
) -> tuple[int, int, float | None, datetime | None]:
    """Return how many votes there are, how many since, their median time, and the newest."""
    timed = [vote.seconds for vote in said if vote.seconds > 0]
    return (
        len(said),
        sum(vote.at >= since for vote in said),
        statistics.median(timed) if timed else None,
        max((vote.at for vote in said), default=None),
    )


def _practice(study: Study) -> dict[int, tuple[int, int]]:
    """Return by rater how many practice pairs were answered as agreed, and how many at all."""
    golds: dict[int, Gold] = {gold.pair_id: gold for gold in study.golds.all()}
    answered: dict[int, tuple[int, int]] = {}
    for vote in votes.of(study, (_KINDS.PRACTICE,)):
        right, n = answered.get(vote.rater_id, (0, 0))
        gold = golds.get(vote.pair_id)
        is_right = gold is not None and checks.outcome(gold, vote.rating).is_right
        answered[vote.rater_id] = right + is_right, n + 1
    return answered


def _days(said: Iterable[Vote], now: datetime) -> list[Day]:
    counts = Counter(timezone.localtime(vote.at).date() for vote in said)
    today = timezone.localtime(now).date()
    last = [today - timedelta(days=back) for back in range(_SHOWN_DAYS - 1, -1, -1)]
    return [Day(day, counts[day]) for day in last]


def _skips(study: Study) -> list[tuple[str, int]]:
    rows = Skip.objects.filter(
        presentation__slot__study=study, presentation__slot__kind=_KINDS.SAMPLE
    )
    counted = rows.values_list("reason").annotate(n=Count("pk")).order_by("-n", "reason")
    return [(str(Skip.Reason(reason).label), n) for reason, n in counted]


def forecast(times: Sequence[datetime], left: int, now: datetime) -> str:
    """Say when the rest would be rated at the pace of the last seven days.

    Args:
        times: when each rating was given.
        left: places still to be rated.
        now: the moment asked about.
    """
    lately = [at for at in times if now - timedelta(days=_PACE_DAYS) <= at <= now]
    if not left:
        return "Everything that was drawn is rated." if times else "Nothing is drawn yet."
    if times and not lately:
        return f"Nobody rated anything in the last {_PACE_DAYS} days: at this pace it never ends."
    days = {timezone.localtime(at).date() for at in lately}
    if len(lately) < _FEWEST_RATINGS or len(days) < _FEWEST_DAYS:
        return "Too early to say when it is done: it takes ratings on at least two days."
    begun = max(min(times), now - timedelta(days=_PACE_DAYS))
    a_day = len(lately) / max((now - begun) / timedelta(days=1), 1.0)
    more = math.ceil(left / a_day)
    end = timezone.localtime(now + timedelta(days=more)).date()
    return (
        f"At the pace of the last {_PACE_DAYS} days, {a_day:.1f} a day, the {left} left take about "
        f"{more} day{'s' if more > 1 else ''}: until {end:%-d %B %Y}. "
        "Pairs that are drawn later come on top."
    )
