"""Everything that a certificate is computed from, as columns: what is frozen, and which rows count.

Pure: the same columns and the same plan give the same rows, wherever they are read.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from reviews.stats.rows import Rows

DAY_S = 86_400.0
#: Of a row: its pair is there, or the answer that is missing for good. UNASKED is an expensive
#: answer that nobody asked for, so that nothing is known of it.
THERE, NO_CHEAP, NO_EXPENSIVE, UNASKED = 0, 1, 2, 3
_WEEK = 7


class Columns(NamedTuple):
    """One row a request of the study: arrays of shape (N,).

    Attributes:
        pair_id: 0 where the pair is lost.
        order: the beginning of SHA-256 of "order", seed and request.
        received_at: in seconds since 1970.
        task: index into the names of `About`.
        score: nan where the router gave none.
        traffic: requests that the row stands for.
        pi: probability with which it was drawn to calibrate.
        u: the draw.
        selected: drawn to calibrate.
        lost: THERE, NO_CHEAP, NO_EXPENSIVE or UNASKED.
        harm: mean over raters in [0, 1], nan where nobody spoke; so are the next two.
        adequate: of the cheap answer.
        strict: mean of harm times inadequacy.
        judge: the judge's guess of the plan's loss, nan where there is none.
        cost_cheap: USD of a request that is routed cheap, nan where unknown.
        cost_expensive: the same of one that is not: a router that asks the cheap model before it
            decides has paid for that, too.
        cost_baseline: USD of the expensive answer alone, nan where unknown.
    """

    pair_id: np.ndarray
    order: np.ndarray
    received_at: np.ndarray
    task: np.ndarray
    score: np.ndarray
    traffic: np.ndarray
    pi: np.ndarray
    u: np.ndarray
    selected: np.ndarray
    lost: np.ndarray
    harm: np.ndarray
    adequate: np.ndarray
    strict: np.ndarray
    judge: np.ndarray
    cost_cheap: np.ndarray
    cost_expensive: np.ndarray
    cost_baseline: np.ndarray


def stored(columns: Columns) -> dict[str, np.ndarray]:
    """Return the columns as they are frozen: the baseline only where something is asked first.

    So evidence from before there were such routers is made again to the byte.
    """
    named = columns._asdict()
    if np.array_equal(columns.cost_baseline, columns.cost_expensive, equal_nan=True):
        del named["cost_baseline"]
    return named


def read(named: Mapping[str, np.ndarray]) -> Columns:
    """Return the columns out of those that were frozen; the other way round than `stored`.

    Raises:
        ValueError: when they are others.
    """
    known = {"cost_baseline": named["cost_expensive"]} if "cost_expensive" in named else {}
    if list(named) not in (list(Columns._fields), list(Columns._fields[:-1])):
        raise ValueError(f"the columns are {', '.join(named)}")
    return Columns(**(known | dict(named)))


@dataclass(frozen=True)
class About:
    """What the columns do not say.

    Attributes:
        kind: of rater.
        from_queue: whether raters took pairs by u / pi, as people do here; imported labels came in
            no such order.
        tasks: names of the task types.
        judge_problem: why the judge takes no part, in a sentence; empty when nothing hinders it.
        moment: newest draw and newest verdict that count.
        n_others: other studies of the same router and models that had ratings of this traffic by
            then.
    """

    kind: str
    from_queue: bool
    tasks: tuple[str, ...]
    judge_problem: str
    moment: str
    n_others: int = 0


@dataclass(frozen=True, eq=False)
class Inputs:
    """Columns and what is to be said of them."""

    columns: Columns
    about: About

    @property
    def sha256(self) -> str:
        """Return the hash of names, types and bytes of every column, and of what is said."""
        digest = hashlib.sha256(json.dumps(asdict(self.about), sort_keys=True).encode())
        for name, column in stored(self.columns).items():
            digest.update(f"|{name}|{column.dtype.str}|".encode())
            digest.update(np.ascontiguousarray(column).data)
        return digest.hexdigest()


class Taken(NamedTuple):
    """The rows of a certificate in the order in which they are taken.

    Attributes:
        places: (M,) where each stands among the columns.
        rows: for the tests.
        adequate: (M,) in [0, 1], read where rated.
        cut: the part of the queue that counts: pairs with u / pi below it.
        n_due: drawn pairs that count, rated or not.
        n_waiting: of them, those that nobody has rated.
        n_plan: rows that were to come.
    """

    places: NDArray[np.intp]
    rows: Rows
    adequate: np.ndarray
    cut: float
    n_due: int
    n_waiting: int
    n_plan: int


class Said(Protocol):
    """What raters of one kind said of each row, nan where nobody did: arrays of shape (N,)."""

    @property
    def harm(self) -> np.ndarray:
        """Return the share that found the expensive answer better."""

    @property
    def adequate(self) -> np.ndarray:
        """Return the share that found the cheap answer good enough."""

    @property
    def strict(self) -> np.ndarray:
        """Return the share that found both harm and inadequacy."""


def loss(said: Said, name: str) -> np.ndarray:
    """Return the plan's loss of each pair, nan where nobody said it: (N,)."""
    by_name = {"harm": said.harm, "inadequate": 1 - said.adequate, "strict_harm": said.strict}
    return by_name[name]


def worst(lost: np.ndarray, name: str) -> np.ndarray:
    """Return the largest loss, by its name in the plan, that rows without a pair allow: (N,).

    Where the expensive model was asked and failed, nothing was better than the cheap answer; that
    this one is good enough nobody has said.
    """
    kinds = (NO_CHEAP, UNASKED, NO_EXPENSIVE) if name == "inadequate" else (NO_CHEAP, UNASKED)
    return np.where(np.isin(lost, kinds), 1.0, 0.0)


def place(columns: Columns) -> np.ndarray:
    """Return each drawn pair's place in the queue, u / pi; infinite for others: (N,)."""
    pi = np.where(columns.pi > 0, columns.pi, 1.0)
    return np.where(columns.selected, columns.u / pi, np.inf)


def budgeted(columns: Columns, budget: int) -> float:
    """Return up to which place the queue is rated: that of the first pair beyond the budget."""
    drawn = columns.selected.sum()
    if not budget or drawn <= budget:
        return 1.0
    return float(np.partition(place(columns), budget)[budget])


def taken(inputs: Inputs, plan: dict[str, Any], order: str, *, is_final: bool) -> Taken:
    """Return the rows that count, in hash order or in order of arrival.

    The first pairs of the queue, as many as the plan wants, count as drawn with probabilities
    c pi; the rest as not drawn. Before the end, c stops at the first pair that nobody has rated:
    "if it ended now". At the end an unrated pair counts as loss 1. In order of arrival a day with
    such a pair waits, and all later ones, so that slow ratings bend nothing.
    """
    columns, about = inputs.columns, inputs.about
    said = np.where(
        columns.lost == THERE,
        loss(columns, plan["loss"]),
        worst(columns.lost, plan["loss"]),
    )
    where = place(columns)
    cut = budgeted(columns, plan["rating_budget"])
    is_unrated = columns.selected & np.isnan(said)
    if order == "hash" and not is_final and about.from_queue:
        cut = min(cut, float(where[is_unrated].min(initial=math.inf)))
    is_due = where < cut
    if order == "arrival":
        places = _arrived(columns, is_due & is_unrated & about.from_queue, is_final)
    else:
        places = np.argsort(columns.order, kind="stable")
    return _rows(columns, said, places, is_due, cut, _planned(columns, plan, order))


def _rows(
    columns: Columns,
    said: np.ndarray,
    places: np.ndarray,
    is_due: np.ndarray,
    cut: float,
    n_plan: int,
) -> Taken:
    """Return the rows at these places; what is lost is known without being drawn."""
    lost = columns.lost != THERE
    rows = Rows(
        score=columns.score[places],
        pi=np.where(lost, 1.0, cut * columns.pi)[places],
        rated=(is_due | lost)[places],
        loss=said[places],
        judge=columns.judge[places],
        traffic=columns.traffic[places],
        known=lost[places],
    )
    here = is_due[places]
    return Taken(
        places=places,
        rows=rows,
        adequate=np.where(lost, 0.0, columns.adequate)[places],
        cut=cut,
        n_due=int(here.sum()),
        n_waiting=int((here & np.isnan(said)[places]).sum()),
        n_plan=n_plan,
    )


def _arrived(columns: Columns, waits: np.ndarray, is_final: bool) -> NDArray[np.intp]:
    """Return the places of the rows of finished days, the oldest first.

    A day is over when a later one has begun.
    """
    day = np.floor(columns.received_at / DAY_S)
    last = math.inf if is_final else float(day.max(initial=-math.inf))
    last = min(last, float(day[waits].min(initial=math.inf)))
    places = np.lexsort((columns.order, columns.received_at))
    return places[day[places] < last]


def has_week(columns: Columns) -> bool:
    """Return whether the first week of the requests is over: a later day has begun."""
    day = np.floor(columns.received_at / DAY_S)
    return bool(day.size and day.max() - day.min() >= _WEEK)


def _planned(columns: Columns, plan: dict[str, Any], order: str) -> int:
    """Return how many rows were to come, from counts alone.

    A stream is looked at every day, and every look has to plan the same: it goes by its first week.
    """
    n = max(columns.score.size, 1)
    if order == "hash" or not columns.score.size:
        return n
    if not has_week(columns):
        return n
    day = np.floor(columns.received_at / DAY_S)
    begun = day.min()
    first_week = int((day < begun + _WEEK).sum())
    days = max(plan["window"]["end_s"] / DAY_S - begun, _WEEK)
    return max(round(first_week * days / _WEEK), 1)
