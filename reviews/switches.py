"""Requests that would change tier between two choices of thresholds, and what raters said of them.

Which requests these are is known of every pair of the frame; how they fare, of the rated ones. A
pair with several raters is put where their mean leans: that is for display and enters no estimate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Q

from reviews import choice, estimation, frames
from reviews.choice import Thresholds
from reviews.estimation import Estimate, Moment, Rows
from reviews.exchange import blindness
from reviews.models import Study
from reviews.stats import intervals, weighting
from routing.models import Policy

#: How a request fares after the switch, the worst first; the last one is of unrated pairs.
FARES = (
    "much worse", "slightly worse", "could not be judged", "both bad", "same",
    "slightly better", "much better", "not rated",
)  # fmt: skip
_CANNOT, _BOTH_BAD, _SAME, _UNRATED = 2, 3, 4, 7
#: What is summed up: the fares of each.
GROUPS = {"worse": (0, 1, _CANNOT), "same": (_BOTH_BAD, _SAME), "better": (5, 6)}
#: From this mean on, 2 being "much better" and 1 "slightly better", a pair counts as much.
_MUCH = 1.5
LEVEL = 0.95

_SAID = """
SELECT string_agg(int8send(pair_id), '' ORDER BY pair_id),
    string_agg(float8send(coalesce(lean, 'NaN')), '' ORDER BY pair_id),
    string_agg(float8send(bad), '' ORDER BY pair_id)
FROM (
    SELECT pair_id, avg(CASE preference WHEN 'expensive' THEN 1 WHEN 'cheap' THEN -1 ELSE 0 END
            * CASE WHEN choice IN ('a_much', 'b_much') THEN 2.0 ELSE 1.0 END)
            FILTER (WHERE preference <> 'cannot')::float8 AS lean,
        avg((preference = 'both_bad')::int)::float8 AS bad
    FROM (
        SELECT DISTINCT ON (verdict.pair_id, verdict.rater_id)
            verdict.pair_id, preference, rating.choice
        FROM reviews_verdict AS verdict
        LEFT JOIN reviews_rating AS rating ON rating.id = verdict.rating_id
        WHERE verdict.study_id = %s AND verdict.id <= %s AND preference <> ''
            AND verdict.rater_id IN (SELECT id FROM reviews_rater WHERE kind = %s)
        ORDER BY verdict.pair_id, verdict.rater_id, verdict.id DESC
    ) AS newest GROUP BY pair_id
) AS said
"""


class Share(NamedTuple):
    """A share of switching requests that fare so: rated pairs, estimate, interval."""

    n: int
    share: float | None
    low: float
    high: float


class Line(NamedTuple):
    """Requests of one task type that switch in one direction.

    Attributes:
        task: its name; empty for all together.
        to_cheap: whether they go to CHEAP from now on.
        n_pairs: pairs of the frame that switch.
        share: of all traffic; exact for the frame.
        n_rated: rated ones among them that count.
        groups: worse, same, better.
        fares: rated pairs by fare, as FARES names them, without the unrated.
    """

    task: str
    to_cheap: bool
    n_pairs: int
    share: float
    n_rated: int
    groups: dict[str, Share]
    fares: dict[str, int]


class Switching(NamedTuple):
    """Which rows of a frame switch, and how they fare.

    Attributes:
        rows: of the frame.
        is_switching: (N,) whether the tier changes.
        to_cheap: (N,) whether it is CHEAP afterwards.
        fare: (N,) place in FARES, seen from the tier after the switch.
        n_unknown: rows of which nobody knows where they went, since another router than the live
            one decided.
    """

    rows: Rows
    is_switching: np.ndarray
    to_cheap: np.ndarray
    fare: np.ndarray
    n_unknown: int = 0


def find(
    study: Study,
    estimate: Estimate,
    before: Thresholds,
    after: Thresholds,
    live: Policy | None = None,
) -> Switching:
    """Return what switches between two choices of thresholds, at the moment of an estimate.

    Args:
        study: whose scores `after` is compared with.
        estimate: whose ratings count, and up to when.
        before: compared with the scores of the live policy's router.
        after: what is proposed.
        live: the live policy; None takes the study's scores for both.
    """
    rows = estimation.rows(study, estimate.kind, estimate.moment)
    frame, own, known = rows.frame, rows, np.ones(rows.rated.size, bool)
    if live is not None:
        own, known = choice.decided_by(study, rows, live)
    will = frame.score < after.of(frame.task)
    was = np.where(known, own.frame.score < before.of(frame.task), will)
    lean, bad = _said(study, estimate.kind, estimate.moment, frame.pair_id)
    toward = np.where(will, lean, -lean)
    fares = _fares(toward, bad, rows.rated)
    return Switching(rows, was != will, will, fares, int((~known).sum()))


def _said(
    study: Study, kind: str, moment: Moment, pair_id: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far raters lean to EXPENSIVE, in [-2, 2], and how many call both bad: (N,) each.

    The lean is nan where nobody could judge.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SAID, [study.pk, moment.verdict_id, kind])
        numbers, *columns = cursor.fetchone()
    at, is_there = frames.places(pair_id, np.frombuffer(numbers or b"", ">i8").astype(np.int64))
    found = np.full((2, pair_id.size), np.nan)
    for column, sent in zip(found, columns, strict=True):
        column[at[is_there]] = np.frombuffer(sent or b"", ">f8")[is_there]
    return found[0], found[1]


def _fares(worse: np.ndarray, bad: np.ndarray, rated: np.ndarray) -> np.ndarray:
    """Return how each row fares, from how far raters prefer the answer it loses: (N,)."""
    conditions = [
        ~rated | np.isnan(bad), np.isnan(worse), worse >= _MUCH, worse > 0,
        worse <= -_MUCH, worse < 0, bad > 0.5,
    ]  # fmt: skip
    return np.select(conditions, [_UNRATED, _CANNOT, 0, 1, 6, 5, _BOTH_BAD], _SAME)


def lines(found: Switching) -> list[Line]:
    """Return the switching requests by direction, all together first, then by task type."""
    codes = np.unique(found.rows.frame.task[found.is_switching])
    names = frames.task_names()
    tasks = sorted((names[code], found.rows.frame.task == code) for code in codes.tolist())
    everything = np.ones(found.is_switching.size, dtype=bool)
    every = [
        _line(name, to_cheap, found, mask & found.is_switching & (found.to_cheap == to_cheap))
        for to_cheap in (True, False)
        for name, mask in [("", everything), *tasks]
    ]
    return [line for line in every if line.n_pairs]


def _line(task: str, to_cheap: bool, found: Switching, mask: np.ndarray) -> Line:
    frame = found.rows.frame
    traffic = 1 / frame.rate
    is_said = mask & (found.fare != _UNRATED)
    counts = np.bincount(found.fare[is_said], minlength=len(FARES))
    weight = traffic[is_said] / frame.pi[is_said]
    return Line(
        task=task,
        to_cheap=to_cheap,
        n_pairs=int(mask.sum()),
        share=float(traffic[mask].sum() / traffic.sum()) if traffic.size else 0.0,
        n_rated=int(is_said.sum()),
        groups={name: _share(found.fare[is_said], weight, of) for name, of in GROUPS.items()},
        fares={name: int(n) for name, n in zip(FARES[:_UNRATED], counts, strict=False)},
    )


def _share(fare: np.ndarray, weight: np.ndarray, of: tuple[int, ...]) -> Share:
    """Return the weighted share of the rated rows that fare so, with a Korn-Graubard interval."""
    is_so = np.isin(fare, of)
    if not fare.size:
        return Share(0, None, 0.0, 1.0)
    mean, variance, n, n_kish = weighting.hajek(is_so.astype(float), weight)
    low, high = intervals.korn_graubard(mean, variance, n, n_kish, LEVEL)
    return Share(int(is_so.sum()), mean, low, high)


def pairs(
    found: Switching, study: Study, user: User, task: str = "", fare: str = ""
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the switching pairs that fare so, the worst first, and how many are left out.

    Left out are rated pairs that the person may still be asked about: where a pair stands in this
    list tells what others said of it.

    Returns:
        Numbers of the pairs, their places in FARES, and the number of those left out.
    """
    frame = found.rows.frame
    mask = found.is_switching.copy()
    if task:
        names = frames.task_names()
        mask &= frame.task == (names.index(task) if task in names else -1)
    if fare in FARES:
        mask &= found.fare == FARES.index(fare)
    open_ones = np.array(list(_still_open(study, user)), np.int64)
    is_hidden = mask & (found.fare != _UNRATED) & np.isin(frame.pair_id, open_ones)
    place = np.flatnonzero(mask & ~is_hidden)
    place = place[np.lexsort((-frame.pair_id[place], found.fare[place]))]
    return frame.pair_id[place], found.fare[place], int(is_hidden.sum())


def _still_open(study: Study, user: User) -> list[int]:
    """Return the study's pairs with verdicts that the person may still be asked about."""
    said = Q(pk__in=study.verdicts.values("pair_id"))
    hidden = blindness.hidden_from(user, texts=False).filter(said)
    return list(hidden.values_list("pk", flat=True))
