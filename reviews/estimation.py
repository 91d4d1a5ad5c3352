"""The bridge from rows to arrays: the only place that reads ratings for the statistics.

Of several verdicts by one rater on one pair the newest counts; of several raters on one pair the
mean does. People, judge and answer key are never mixed: one kind of rater at a time.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from django.db import connection
from django.db.models import Count, Max

from reviews import frames, memo, missing
from reviews.models import Rater, Study, Verdict
from reviews.stats.curve import Curve, as_points, curve, default_thresholds
from reviews.stats.inturn import best_end

#: Above every score: everything is cheap.
ALWAYS_CHEAP = 1.01


@dataclass(frozen=True)
class Moment:
    """How far the study had come when it was looked at: its newest draw and newest verdict."""

    draw_id: int
    verdict_id: int

    def __str__(self) -> str:
        return f"{self.draw_id}.{self.verdict_id}"

    @classmethod
    def parse(cls, text: str) -> Moment | None:
        """Return the moment that a page wrote, or None when it is none."""
        draw, _, verdict = text.partition(".")
        is_number = all(part.isdecimal() and len(part) < 19 for part in (draw, verdict))
        return cls(int(draw), int(verdict)) if is_number else None

    @classmethod
    def now(cls, study: Study) -> Moment:
        """Return the moment up to which everything is there now."""
        return cls(*_newest(study))


@memo.once
def _newest(study: Study) -> tuple[int, int]:
    """Return the numbers of the newest draw and of the newest verdict."""
    draw = study.sample.aggregate(last=Max("id"))["last"]
    verdict = study.verdicts.aggregate(last=Max("id"))["last"]
    return draw or 0, verdict or 0


@memo.once
def n_verdicts(study: Study, moment: Moment) -> int:
    """Count the verdicts of a moment.

    Of verdicts that are written at once, a later number may be there before an earlier one: numbers
    alone do not say what is there.
    """
    return study.verdicts.filter(id__lte=moment.verdict_id).count()


@memo.once
def is_queued(study: Study, kind: str, moment: Moment) -> bool:
    """Return whether raters of a kind took pairs from the queue; imported labels did not."""
    there = study.verdicts.filter(id__lte=moment.verdict_id, rater__kind=kind)
    return there.filter(rating__isnull=False).exists()


@dataclass(frozen=True)
class Estimate:
    """A curve with what it rests on.

    Attributes:
        points: one dict per threshold, JSON-ready; None where nothing can be estimated.
        kinds: rated pairs by kind of rater.
        n_waiting: rated pairs that do not count yet, since pairs before them in the queue are
            unrated.
        n_newer: pairs that came too late for this frame.
        moment: what was there; the same moment gives the same estimate, whatever came since.
        n_without_score: pairs whose router gave no score; they are never routed cheap.
        missing: requests of the study that have no pair, by why.
        inputs_sha256: of everything that went into the curve.
    """

    curve: Curve
    points: list[dict[str, Any]]
    kind: str
    kinds: dict[str, int]
    n_frame: int
    n_selected: int
    n_rated: int
    n_waiting: int
    n_newer: int
    moment: Moment
    n_without_score: int
    missing: dict[str, int]
    inputs_sha256: str
    level: float


#: Of this process, the one made last at the end; a page looks at one, its forms at the same.
_estimates: OrderedDict[tuple[int, str, Moment, int, int], Estimate] = OrderedDict()
_MOST_KEPT = 64


class Columns(NamedTuple):
    """The frame as arrays of shape (N,), in the order in which pairs came into it."""

    pair_id: np.ndarray
    score: np.ndarray
    cost_cheap: np.ndarray
    cost_expensive: np.ndarray
    cost_baseline: np.ndarray
    pi: np.ndarray
    selected: np.ndarray
    rate: np.ndarray
    u: np.ndarray
    draw_id: np.ndarray
    order: np.ndarray
    received_at: np.ndarray
    task: np.ndarray
    harm: np.ndarray
    adequate: np.ndarray


#: They move no figure of an estimate; what numbers a task type differs between processes, too.
_NOT_HASHED = {"order", "received_at", "task"}


def rated_by_kind(study: Study) -> dict[str, int]:
    """Return the number of pairs of the study that each kind of rater rated."""
    rows = Verdict.objects.filter(study=study).values("rater__kind")
    counted = rows.annotate(n=Count("pair", distinct=True)).order_by("-n")
    return {row["rater__kind"]: row["n"] for row in counted}


def default_kind(kinds: dict[str, int]) -> str:
    """Return people when they rated anything, else the kind with the most pairs."""
    if Rater.Kind.HUMAN in kinds or not kinds:
        return Rater.Kind.HUMAN.value
    return next(iter(kinds))


def estimate(
    study: Study, kind: str = "", moment: Moment | None = None, without: int = 0
) -> Estimate:
    """Return the study's curve at up to 101 thresholds and at always cheap, from one kind of rater.

    Thresholds end at the study's largest: above it pairs were never drawn.

    Args:
        study: whose draws and verdicts count.
        kind: of rater; people when they rated anything, else whoever rated most.
        moment: leave out what came later; None for now.
        without: id of a rater whose verdicts are left out, 0 for nobody. The frame stays the same;
            pairs that only they rated count as not drawn, see `_heard`.
    """
    kinds = rated_by_kind(study)
    kind = kind or default_kind(kinds)
    moment = moment or Moment.now(study)
    known = of_moment(study, kind, moment, without)
    return replace(known, kinds=kinds, missing=missing.by_why(study))


def of_moment(study: Study, kind: str, moment: Moment, without: int = 0) -> Estimate:
    """Return the estimate of a moment, made once: neither draws nor verdicts ever change.

    It does not say who else rated or what is missing: that is of now, and `estimate` adds it.
    """
    name = (study.pk, kind, moment, n_verdicts(study, moment), without)
    if connection.in_atomic_block:  # what is not committed yet may never be
        return _estimate(study, kind, moment, without)
    known = _estimates.get(name)
    if known is None:
        known = _estimates[name] = _estimate(study, kind, moment, without)
        while len(_estimates) > _MOST_KEPT:
            _estimates.popitem(last=False)
    return known


def rated_frame(study: Study, kind: str, moment: Moment) -> tuple[Columns, np.ndarray]:
    """Return the frame that an estimate is over, and which of its rows count as rated."""
    return rows(study, kind, moment)[:2]


class Rows(NamedTuple):
    """The rows an estimate is made from.

    Attributes:
        frame: its columns, each of shape (N,).
        rated: (N,) which rows count as rated.
        n_waiting: rated rows that do not count yet.
        n_newer: rows that came too late for this frame.
    """

    frame: Columns
    rated: np.ndarray
    n_waiting: int
    n_newer: int


def rows(study: Study, kind: str, moment: Moment, without: int = 0) -> Rows:
    """Return the frame of a moment and which of its rows count as rated by a kind of rater."""
    whole = _columns(study, kind, moment)
    frame, in_turn, n_spoken = _sampled(whole, is_queued(study, kind, moment))
    n_waiting = n_spoken - int(in_turn.sum())
    n_newer = whole.pair_id.size - frame.pair_id.size
    frame, rated = _heard(study, kind, frame, in_turn, moment, without)
    return Rows(frame, rated, n_waiting, n_newer)


def curve_of(found: Rows, thresholds: np.ndarray) -> Curve:
    """Return the curve of rows, as `rows` returns them, at thresholds (T,)."""
    frame = found.frame
    # A pair stands for the requests that its shadow rate left without one.
    traffic = 1 / frame.rate
    return curve(
        score=frame.score,
        cost_cheap=frame.cost_cheap,
        cost_expensive=frame.cost_expensive,
        cost_baseline=frame.cost_baseline,
        weight=traffic / np.where(frame.pi > 0, frame.pi, 1.0),
        rated=found.rated,
        adequate=frame.adequate,
        harm=frame.harm,
        thresholds=thresholds,
        traffic=traffic,
        drawable=frame.pi > 0,
    )


def grid(study: Study) -> np.ndarray:
    """Return the thresholds of the study's curve: (T,)."""
    candidates = np.append(default_thresholds(), ALWAYS_CHEAP)
    within: np.ndarray = candidates[candidates <= study.largest_threshold]
    return within


def _estimate(study: Study, kind: str, moment: Moment, without: int) -> Estimate:
    found = rows(study, kind, moment, without)
    frame, result = found.frame, curve_of(found, grid(study))
    return Estimate(
        curve=result,
        points=as_points(result),
        kind=kind,
        kinds={},
        n_frame=frame.pair_id.size,
        n_selected=int(frame.selected.sum()),
        n_rated=int(found.rated.sum()),
        n_waiting=found.n_waiting,
        n_newer=found.n_newer,
        moment=moment,
        n_without_score=int(np.isnan(frame.score).sum()),
        missing={},
        inputs_sha256=_sha256(frame, found.rated),
        level=result.level,
    )


def _columns(study: Study, kind: str, moment: Moment) -> Columns:
    """Return the frame in the order in which pairs came into it."""
    draws = frames.draws(study, moment.draw_id)
    harm, adequate = frames.losses(study, kind, moment.verdict_id, draws)
    return Columns(*draws, harm, adequate)


def _sampled(whole: Columns, from_queue: bool) -> tuple[Columns, np.ndarray, int]:
    """Return the frame to estimate over, which of its rows count as rated, and how many were rated.

    Raters take pairs by u / pi. Of a queue that is not finished, the part up to the first gap is a
    sample with probabilities c pi; what was rated beyond it would count old traffic too much, once
    the frame grows. The common factor c cancels out of every weighted mean. New pairs make gaps of
    their own, so the frame ends where most rated rows count: that choice looks at who was rated,
    never at what was said. Imported labels came in no such order, and all count.
    """
    spoken = whole.selected & ~(np.isnan(whole.harm) & np.isnan(whole.adequate))
    if not from_queue:
        return whole, spoken, int(spoken.sum())
    order = np.where(whole.pi > 0, whole.u / np.where(whole.pi > 0, whole.pi, 1.0), np.inf)
    end, gap = best_end(order, whole.selected & ~spoken, spoken)
    frame = Columns(*(column[:end] for column in whole))
    return frame, spoken[:end] & (order[:end] < gap), int(spoken.sum())


def _heard(
    study: Study, kind: str, frame: Columns, in_turn: np.ndarray, moment: Moment, without: int
) -> tuple[Columns, np.ndarray]:
    """Return the frame with the losses that remain without a rater, and which rows still count.

    A pair that only this rater rated is no gap in the queue: the part of the queue that counts is
    found with everybody, and such a pair is then taken for not drawn. Who takes which pair is
    decided by whose turn it is, not by what is in it, so that dropping one rater thins the sample
    at random and the common factor cancels out of the means. Where they rated at one time only and
    the traffic changed since, the rest leans towards the traffic that others rated.
    """
    if not without:
        return frame, in_turn
    harm, adequate = frames.losses(study, kind, moment.verdict_id, frame, without)
    alone = in_turn & np.isnan(harm) & np.isnan(adequate)
    left = frame._replace(harm=harm, adequate=adequate, selected=frame.selected & ~alone)
    return left, in_turn & ~alone


def _sha256(frame: Columns, rated: np.ndarray) -> str:
    digest = hashlib.sha256()
    hashed = [column for name, column in frame._asdict().items() if name not in _NOT_HASHED]
    for column in (*hashed, rated):
        digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()


def point_at(result: Estimate, threshold: float) -> dict[str, Any]:
    """Return the point of the grid nearest to a threshold."""
    return min(result.points, key=lambda point: abs(point["threshold"] - threshold))
