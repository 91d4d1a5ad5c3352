"""How good a judge is: the bridge from its calls and people's ratings to the statistics.

The verdicts of a judge enter no estimate by themselves: until `Report.is_admitted` they are shown
as what they are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from django.db.models import Count, Max, OuterRef, Subquery
from django.db.models.functions import Length

from reviews import frames
from reviews.models import JudgeCall, JudgeSpec, Rater, Study
from reviews.stats import judge, lengths
from reviews.stats.judge import Admission, Flips, Quality
from reviews.stats.logistic import Effect

_ORDER = JudgeCall.Order
_CHOICE = JudgeCall.Choice
#: By order: what a choice says, -1 cheap is better, 1 expensive is, 0 neither.
_SIGNS = {
    _ORDER.CHEAP_FIRST: {_CHOICE.FIRST: -1, _CHOICE.SECOND: 1},
    _ORDER.EXPENSIVE_FIRST: {_CHOICE.FIRST: 1, _CHOICE.SECOND: -1},
}
#: A length effect of fewer pairs says nothing.
_FEWEST_LENGTHS = 30
#: Alert of a judge that prefers length, beyond what people prefer.
_LENGTH_P = 0.01


class Rows(NamedTuple):
    """Pairs that a judge answered in both orders, as arrays of shape (n,).

    Attributes:
        cheap_first: -1 cheap is better, 0 neither, 1 expensive is; with cheap shown first.
        expensive_first: the same with expensive shown first.
        people: harm as people see it, mean over raters; nan where none rated.
        weight: 1 / P(the pair is in the sample that people rate).
        log_length_ratio: ln(length expensive / length cheap).
    """

    task: np.ndarray
    cheap_first: np.ndarray
    expensive_first: np.ndarray
    people: np.ndarray
    weight: np.ndarray
    log_length_ratio: np.ndarray

    @property
    def harm(self) -> np.ndarray:
        """Harm as the judge sees it: the share of its two orders that prefer expensive."""
        both = np.stack([self.cheap_first, self.expensive_first])
        return np.asarray((both == 1).mean(axis=0))

    def where(self, mask: np.ndarray) -> Rows:
        """Return some of the rows."""
        return Rows(*(column[mask] for column in self))


@dataclass(frozen=True)
class Report:
    """What is known of a judge, over all tasks or of one.

    Attributes:
        length: effect of length on the judge beyond people's; None for too few pairs.
    """

    flips: Flips
    quality: Quality
    admission: Admission
    length: Effect | None

    @property
    def is_admitted(self) -> bool:
        """Whether its verdicts may enter an estimate, beside people's."""
        return self.admission.use != "disabled"

    @property
    def prefers_length(self) -> bool:
        """Whether length decides more with the judge than with people."""
        return self.length is not None and self.length.p_value < _LENGTH_P


def rows(spec: JudgeSpec) -> Rows:
    """Return the pairs that the judge answered in both orders."""
    calls = spec.calls.filter(state=JudgeCall.State.DONE).order_by("pair_id", "order")
    lengths_of = {
        "cheap": Length("pair__cheap__text"),
        "expensive": Length("pair__expensive__text"),
    }
    read = calls.values_list("pair_id", "order", "choice", "pair__task", *lengths_of.values())
    said: dict[int, dict[str, int]] = {}
    about: dict[int, tuple[str, float]] = {}
    for pair_id, order, choice, task, cheap, expensive in read:
        said.setdefault(pair_id, {})[order] = _SIGNS[_ORDER(order)].get(_CHOICE(choice), 0)
        about[pair_id] = (task, float(np.log(max(expensive, 1) / max(cheap, 1))))
    ids = [pair_id for pair_id, both in said.items() if len(both) == len(_ORDER.values)]
    people, weight = _people(spec.study, np.array(ids, np.int64))
    return Rows(
        task=np.array([about[pk][0] for pk in ids], dtype=object),
        cheap_first=np.array([said[pk][_ORDER.CHEAP_FIRST] for pk in ids], np.int64),
        expensive_first=np.array([said[pk][_ORDER.EXPENSIVE_FIRST] for pk in ids], np.int64),
        people=people,
        weight=weight,
        log_length_ratio=np.array([about[pk][1] for pk in ids], np.float64),
    )


def _people(study: Study, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return people's harm and the weight of some pairs, nan where people were not asked."""
    draw = study.sample.aggregate(last=Max("id"))["last"] or 0
    verdict = study.verdicts.aggregate(last=Max("id"))["last"] or 0
    frame = frames.draws(study, draw)
    harm, _ = frames.losses(study, Rater.Kind.HUMAN, verdict, frame)
    is_asked = frame.selected & (frame.pi > 0)
    weight = np.where(is_asked, 1 / np.where(is_asked, frame.pi * frame.rate, 1.0), np.nan)
    places, is_there = frames.places(frame.pair_id, wanted)
    found = np.full((2, wanted.size), np.nan)
    found[0, is_there] = np.where(is_asked, harm, np.nan)[places[is_there]]
    found[1, is_there] = weight[places[is_there]]
    return found[0], found[1]


def report(spec: JudgeSpec, some: Rows) -> Report:
    """Return what the statistics say of some rows of a judge, the same each time."""
    rated = some.where(~np.isnan(some.people))
    flips = judge.flips(some.cheap_first, some.expensive_first)
    rng = np.random.default_rng(int(spec.sha256[:12], 16))
    quality = judge.quality(rated.harm, rated.people, rated.weight, rng)
    return Report(flips, quality, judge.admission(flips, quality), _length(rated))


def flips(spec: JudgeSpec) -> Flips:
    """Return how often the judge's verdict moves with the order, counted by Postgres."""
    done = {"spec": spec, "state": JudgeCall.State.DONE}
    other = JudgeCall.objects.filter(
        **done, pair=OuterRef("pair"), order=_ORDER.EXPENSIVE_FIRST
    ).values("choice")
    calls = JudgeCall.objects.filter(**done, order=_ORDER.CHEAP_FIRST).annotate(
        other=Subquery(other)
    )
    counted = calls.exclude(other=None).values_list("choice", "other").annotate(n=Count("pk"))
    rows = [(first, second, n) for first, second, n in counted.order_by("choice", "other")]
    times = np.array([n for *_, n in rows], np.int64)
    before = [_SIGNS[_ORDER.CHEAP_FIRST].get(_CHOICE(choice), 0) for choice, *_ in rows]
    after = [_SIGNS[_ORDER.EXPENSIVE_FIRST].get(_CHOICE(choice), 0) for _, choice, _ in rows]
    return judge.flips(
        np.repeat(np.array(before, np.int64), times), np.repeat(np.array(after, np.int64), times)
    )


def by_task(spec: JudgeSpec, some: Rows) -> list[tuple[str, Report]]:
    """Return a report of each task type."""
    tasks = sorted(set(some.task.tolist()))
    return [(task, report(spec, some.where(some.task == task))) for task in tasks]


def _length(rated: Rows) -> Effect | None:
    """Return the effect of length on pairs where the judge's orders agree on harm."""
    decided = rated.where(rated.harm != 0.5)
    if decided.harm.size < _FEWEST_LENGTHS:
        return None
    return lengths.judge_length_effect(
        decided.harm == 1, decided.people, decided.log_length_ratio, decided.weight
    )


def notes(study: Study) -> list[str]:
    """Return what must stand beside an estimate that comes from judges alone."""
    found = []
    for spec in study.judges.all():
        about = report(spec, rows(spec))
        said = "admitted beside people, never alone" if about.is_admitted else "not admitted"
        reasons = "; ".join(about.admission.reasons)
        found.append(f"{spec.name}: {said}{f' ({reasons})' if reasons else ''}.")
    return found or ["Imported judge, not admitted: it was not asked in both orders here."]


def progress(spec: JudgeSpec) -> dict[str, Any]:
    """Return how many calls are where, by reason, and how many answers were suspicious."""
    counts = spec.calls.values_list("state", "reason").annotate(n=Count("pk")).order_by()
    counted: Counter[str] = Counter()
    for state, _, n in counts:
        counted[state] += n
    reasons = sorted((state, reason, n) for state, reason, n in counts if reason)
    suspected = spec.calls.filter(injection_suspected=True).values("pair").distinct().count()
    return {"states": dict(counted), "reasons": reasons, "suspected": suspected}
