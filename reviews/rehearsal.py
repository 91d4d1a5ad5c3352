"""A dry run of rules: which recorded requests would change tier, and what each rule catches.

Rules are asked of the recorded texts. The score beneath them is read from the ledger where the
version decided the request by it, and made anew only where a rule no longer applies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.auth.models import User

from reviews import differences, labels
from reviews.choice import Thresholds
from reviews.errors import CannotTell
from reviews.exchange import blindness
from reviews.models import SampledPair
from routing import routers
from routing.errors import ModelsMissing
from routing.models import Project, RouterVersion
from routing.routers import rules as ruling
from routing.routers.base import Router
from routing.routers.rules import Rules
from routing.types import Tier

#: Texts that are scored anew at most: a large model takes its time.
MOST_SCORED = 300
_SHOWN = 100
_EXCERPT = 120
_PROXY = "proxy"


class Change(NamedTuple):
    """A request that would change tier; a rule is "" where the version's own score has the word."""

    request_id: UUID
    excerpt: str
    task: str
    pair_id: int | None
    old_rule: str
    new_rule: str
    was: Tier
    to: Tier


class Caught(NamedTuple):
    """What one rule has the word on.

    Attributes:
        n: requests.
        labelled: of these, those that people or a judge spoke of.
        against: of these, those whose label says the opposite of the rule.
    """

    name: str
    n: int
    labelled: int
    against: int


class Rehearsed(NamedTuple):
    """What a dry run found.

    Attributes:
        n: requests that were looked at, the newest.
        oldest: when the first of them came.
        n_changed: those that would change tier.
        n_unknown: those of which nobody can tell; see `why_unknown`.
        changes: the newest of those that would.
        caught: by rule that is on, in their order.
    """

    n: int
    oldest: datetime | None
    n_changed: int
    n_to_cheap: int
    n_unknown: int
    why_unknown: str
    changes: list[Change]
    caught: list[Caught]


class _Row(NamedTuple):
    """A recorded request, and what decided it."""

    id: UUID
    query: str
    task: str
    received_at: datetime
    pair_id: int | None
    score: float | None
    rule: str
    router_id: int | None
    confidence: float | None


def run(
    project: Project,
    base: RouterVersion,
    old: Rules,
    new: Rules,
    thresholds: Thresholds,
    user: User,
    most: int = differences.MOST,
) -> Rehearsed:
    """Return what other rules would change for the newest recorded requests; writes nothing.

    Requests that no score decides, such as forced ones, are not looked at.

    Args:
        project: whose requests.
        base: the version before which the rules stand.
        old: its rules.
        new: those that are tried.
        thresholds: for all requests, and by task type.
        user: who asks: labels of pairs that they may still be asked about are not counted.
        most: requests looked at.
    """
    beneath = _Beneath(base, old)
    changes: list[Change] = []
    caught: dict[str, list[int | None]] = {rule.name: [] for rule in new.rules if rule.is_on}
    n = n_unknown = n_changed = n_to_cheap = 0
    oldest, why = None, ""
    for row in _rows(project, most):
        n, oldest = n + 1, row.received_at
        was, will = old.score(row.query), new.score(row.query)
        if will is not None:
            caught[will.rule].append(row.pair_id)
        try:
            change = _change(row, was, will, thresholds, beneath)
        except CannotTell as exc:
            n_unknown, why = n_unknown + 1, str(exc)
            continue
        if change is not None:
            n_changed, n_to_cheap = n_changed + 1, n_to_cheap + (change.to is Tier.CHEAP)
            changes += [change] * (len(changes) < _SHOWN)
    return Rehearsed(
        n, oldest, n_changed, n_to_cheap, n_unknown, why, changes,
        _counted(project, new, caught, user),
    )  # fmt: skip


def _rows(project: Project, most: int) -> Iterator[_Row]:
    rows = differences.newest(project).values_list(
        "id", "query", "task", "received_at", "pair__pk", "decision__score", "decision__rule",
        "decision__policy__router", "retrieval__confidence",
    )  # fmt: skip
    return (_Row(*row) for row in rows[:most].iterator(chunk_size=500))


def _change(
    row: _Row, was: Any, will: Any, thresholds: Thresholds, beneath: _Beneath
) -> Change | None:
    """Return how a request changes; None when it does not.

    Raises:
        CannotTell: when the score beneath the rules is not known.
    """
    threshold = thresholds.by_task.get(row.task, thresholds.threshold)
    values = [one.value if one else None for one in (was, will)]
    if values[0] == values[1] or threshold <= 0:
        return None
    tiers = [
        differences.tier(beneath.score(row) if value is None else value, threshold)
        for value in values
    ]
    if tiers[0] is tiers[1]:
        return None
    names = [one.rule if one else "" for one in (was, will)]
    excerpt = row.query[:_EXCERPT]
    return Change(row.id, excerpt, row.task, row.pair_id, names[0], names[1], tiers[0], tiers[1])


class _Beneath:
    """What a version says where no rule has the word."""

    def __init__(self, base: RouterVersion, old: Rules) -> None:
        self._base = base
        self._names = {rule.name for rule in old.rules}
        self._made: dict[tuple[str, float | None], float | None] = {}
        kind = routers.kinds().get(base.kind)
        self._asks = kind is not None and kind.asks

    def score(self, row: _Row) -> float | None:
        """Return the score of a request; None when the router fails on it.

        Raises:
            CannotTell: when it cannot be known here.
        """
        if self._asks:
            raise CannotTell("This router looks at the cheap answer first.")
        is_own = row.router_id == self._base.pk and row.rule not in self._names
        if is_own and row.score is not None:
            return row.score
        text = (row.query, row.confidence)
        if text not in self._made:
            if len(self._made) >= MOST_SCORED:
                raise CannotTell(f"At most {MOST_SCORED} texts are scored anew.")
            if self._router is None:
                raise CannotTell("This router cannot be loaded here.")
            self._made[text] = differences.scored(self._router, *text)
        return self._made[text]

    @cached_property
    def _router(self) -> Router | None:
        base = self._base
        try:
            loaded = routers.load(base.kind, bytes(base.artifact), base.embedder)
        except (KeyError, ValueError, ModelsMissing):
            return None
        return replace(loaded, rules=ruling.NONE)


def _counted(
    project: Project, rules: Rules, caught: dict[str, list[int | None]], user: User
) -> list[Caught]:
    """Return what each rule catches, beside the labels of these requests; in a few queries."""
    pairs = [pair_id for those in caught.values() for pair_id in those if pair_id is not None]
    needs = _needs(project, pairs, user)
    found = []
    for rule in rules.rules:
        if rule.is_on:
            said = [needs[pair_id] for pair_id in caught[rule.name] if pair_id in needs]
            against = sum((need >= 0.5) != (rule.value == 1.0) for need in said)
            found.append(Caught(rule.name, len(caught[rule.name]), len(said), against))
    return found


def _needs(project: Project, pairs: Sequence[int], user: User) -> dict[int, float]:
    """Return whether each pair needed EXPENSIVE, as people or a judge say.

    Left out are pairs that were drawn to calibrate: rules that were fitted on these would make the
    evidence look better than it is.
    """
    drawn = SampledPair.objects.filter(
        pair__in=pairs, selected=True, purpose=SampledPair.Purpose.CALIBRATE
    )
    gone = set(drawn.values_list("pair", flat=True))
    hidden = blindness.hidden_from(user, texts=False).filter(pk__in=pairs)
    gone |= set(hidden.values_list("pk", flat=True))
    said = labels.of_pairs(project, [pair_id for pair_id in pairs if pair_id not in gone])
    return {
        one.pair_id: (1 - one.cheap_ok) * one.expensive_ok for one in said if one.source != _PROXY
    }
