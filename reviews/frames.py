"""The frame of a study and what raters said of it, as arrays: read by Postgres in columns.

Draws never change and, of one study, are committed in the order of their numbers
(`sampling.extend`): a process keeps the columns it has read and asks for the newer rows only.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from typing import Any, NamedTuple, Protocol

import numpy as np
from django.db import Error, connection
from django.db.models import Max

from reviews import memo, scoring
from reviews.models import Study

log = logging.getLogger(__name__)

_GROUP = 100_000
_STUDIES_WARMED = 3
#: Some 90 bytes each; the frame looked at last is kept, however large.
_MOST_ROWS_KEPT = 1_000_000

_DRAWS = """
SELECT string_agg(int8send(pair_id), '' ORDER BY id),
    string_agg(float8send(coalesce(score, 'NaN')), '' ORDER BY id),
    string_agg(float8send(coalesce(cheap + lookup, 'NaN')::float8), '' ORDER BY id),
    string_agg(float8send(coalesce(expensive + asking + lookup, 'NaN')::float8), '' ORDER BY id),
    string_agg(float8send(coalesce(expensive + lookup, 'NaN')::float8), '' ORDER BY id),
    string_agg(float8send(inclusion_probability), '' ORDER BY id),
    string_agg(boolsend(selected), '' ORDER BY id),
    string_agg(float8send(rate), '' ORDER BY id),
    string_agg(float8send(u), '' ORDER BY id),
    string_agg(int8send(id), '' ORDER BY id),
    string_agg(substr(sha256(convert_to('order|' || %s || '|' || request_id, 'UTF8')), 1, 8), ''
        ORDER BY id),
    string_agg(float8send(extract(epoch FROM received_at)::float8), '' ORDER BY id),
    array_agg(task ORDER BY id)
FROM (
    SELECT draw.*, {score} AS score, pair.rate, pair.task, request.id AS request_id,
        request.received_at, coalesce({asking}, cheap.cost_usd) AS cheap,
        expensive.cost_usd AS expensive, coalesce({asking}, 0) AS asking, {lookup} AS lookup
    FROM (SELECT id, pair_id, inclusion_probability, u,
              selected AND purpose = 'calibrate' AS selected FROM reviews_sampledpair
          WHERE study_id = %s AND id > %s AND id <= %s ORDER BY id LIMIT %s) AS draw
    JOIN routing_shadowpair AS pair ON pair.id = draw.pair_id
    JOIN routing_request AS request ON request.id = pair.request_id
    JOIN routing_completion AS cheap ON cheap.id = pair.cheap_id
    JOIN routing_completion AS expensive ON expensive.id = pair.expensive_id
    LEFT JOIN routing_retrieval AS found ON found.request_id = pair.request_id
    {join}
) AS rows
"""

#: What looking up cost: nothing where nothing was looked up, null where it is unknown.
_LOOKUP = "CASE WHEN found.request_id IS NULL THEN 0 ELSE found.cost_usd END"
_BY_ROUTER = """
SELECT string_agg(int8send(pair_id), '' ORDER BY pair_id),
    string_agg(float8send(coalesce(score, 'NaN')), '' ORDER BY pair_id),
    string_agg(float8send(coalesce(cheap, 'NaN')::float8), '' ORDER BY pair_id),
    string_agg(float8send(coalesce(expensive, 'NaN')::float8), '' ORDER BY pair_id)
FROM (
    SELECT draw.pair_id, pair.score,
        coalesce(pair.probe_usd, cheap.cost_usd) + {lookup} AS cheap,
        expensive.cost_usd + coalesce(pair.probe_usd, 0) + {lookup} AS expensive
    FROM reviews_sampledpair AS draw JOIN routing_shadowpair AS pair ON pair.id = draw.pair_id
    JOIN routing_completion AS cheap ON cheap.id = pair.cheap_id
    JOIN routing_completion AS expensive ON expensive.id = pair.expensive_id
    LEFT JOIN routing_retrieval AS found ON found.request_id = pair.request_id
    WHERE draw.study_id = %s AND draw.id <= %s AND pair.router_id = %s
) AS rows
""".replace("{lookup}", _LOOKUP)

_LOSSES = """
SELECT string_agg(int8send(pair_id), '' ORDER BY pair_id),
    string_agg(float8send(coalesce(harm, 'NaN')), '' ORDER BY pair_id),
    string_agg(float8send(coalesce(adequate, 'NaN')), '' ORDER BY pair_id),
    string_agg(float8send(coalesce(strict, 'NaN')), '' ORDER BY pair_id)
FROM (
    SELECT pair_id,
        coalesce(sum(CASE preference WHEN 'expensive' THEN 1.0 WHEN 'split' THEN 0.5 ELSE 0.0 END)
            FILTER (WHERE said)::float8
            / nullif(count(*) FILTER (WHERE said), 0),
            max(1) FILTER (WHERE preference = 'cannot')) AS harm,
        coalesce(sum(cheap_adequate::int)::float8 / nullif(count(cheap_adequate), 0),
            max(0) FILTER (WHERE preference = 'cannot')) AS adequate,
        coalesce(sum(CASE preference WHEN 'expensive' THEN 1.0 WHEN 'split' THEN 0.5 ELSE 0.0 END
            * (1 - cheap_adequate::int)) FILTER (WHERE said)::float8
            / nullif(count(cheap_adequate) FILTER (WHERE said), 0),
            max(1) FILTER (WHERE preference = 'cannot')) AS strict
    FROM (SELECT *, preference NOT IN ('', 'cannot') AS said FROM (
        SELECT DISTINCT ON (pair_id, rater_id) pair_id, preference, cheap_adequate
        FROM reviews_verdict AS verdict
        WHERE study_id = %s AND id <= %s AND rater_id IN (
            SELECT id FROM reviews_rater WHERE kind = %s)
            AND (rater_id <> %s OR preference = 'cannot') AND id <> ALL (%s)
        ORDER BY pair_id, rater_id, id DESC
    ) AS newest) AS newest GROUP BY pair_id
) AS losses
"""


class Draws(NamedTuple):
    """The draws of a frame as arrays of shape (N,), in the order in which pairs came into it.

    Score and costs are nan where they are unknown. What a router paid to see cheap answers first is
    part of both costs, and not of `cost_baseline`, the expensive answer alone; what looking up
    sources cost is part of all three, since no routing saves it. `selected` is for
    calibration; a pair drawn for training is in the frame and never counts as rated. `order` is the
    beginning of the SHA-256 of seed and request that a certificate takes the rows in; it has
    nothing to do with the draw. `received_at` is in seconds since 1970, `task` a number: it indexes
    this process's `task_names`.
    """

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


class Said(NamedTuple):
    """What raters said of each row's pair, nan where nobody did: arrays of shape (N,).

    `strict` is the mean, over raters, of harm times inadequacy: the product of the means would
    count a pair on which one rater saw the harm and another the inadequacy.
    """

    harm: np.ndarray
    adequate: np.ndarray
    strict: np.ndarray


class ByRouter(NamedTuple):
    """What the router that decided said and paid of each row: arrays of shape (N,).

    Attributes:
        known: whether it was this router; else the others are nan.
    """

    known: np.ndarray
    score: np.ndarray
    cost_cheap: np.ndarray
    cost_expensive: np.ndarray


class OfPairs(Protocol):
    """Rows that each have a pair."""

    @property
    def pair_id(self) -> np.ndarray:
        """Return the numbers of the pairs, each once: shape (N,)."""


_TYPES = (">i8", ">f8", ">f8", ">f8", ">f8", ">f8", "?", ">f8", ">f8", ">i8", ">u8", ">f8", ">i8")
_NONE = Draws(*(np.empty(0, np.dtype(kind).newbyteorder("=")) for kind in _TYPES))

_kept: OrderedDict[int, Draws] = OrderedDict()
_lock = Lock()
#: The task types that this process has met, by number.
_tasks: dict[str, int] = {}


def draws(study: Study, last_id: int) -> Draws:
    """Return the study's draws up to a number."""
    with _lock:  # the first look takes seconds at most: others wait for it instead of repeating it
        known = _kept.get(study.pk, _NONE)
        found = _extended(known, study, last_id)
        if not connection.in_atomic_block:  # what is not committed yet may never be
            _keep(study.pk, found)
    n = int(np.searchsorted(found.draw_id, last_id, side="right"))
    return Draws(*(column[:n] for column in found))


def by_router(study: Study, router_id: int, rows: OfPairs, last_id: int) -> ByRouter:
    """Return what a router said of each row when it decided them, and what both tiers cost then."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_ROUTER, [study.pk, last_id, router_id])
        pair_id, *said = (_array(b, t) for b, t in zip(cursor.fetchone(), _TYPES[:4], strict=True))
    at, is_there = places(rows.pair_id, pair_id)
    known = np.zeros(rows.pair_id.size, bool)
    known[at[is_there]] = True
    columns = np.full((3, known.size), np.nan)
    for column, values in zip(columns, said, strict=True):
        column[at[is_there]] = values[is_there]
    return ByRouter(known, *columns)


def warm() -> None:
    """Read the frames of the newest studies, so that the first look at a curve need not."""
    try:
        for study in Study.objects.order_by("-pk")[:_STUDIES_WARMED]:
            last = study.sample.aggregate(last=Max("id"))["last"]
            if last is not None:
                draws(study, last)
    except Error as exc:
        log.warning("frames could not be read ahead: %s", type(exc).__name__)
    finally:
        connection.close()


def losses(
    study: Study, kind: str, last_id: int, rows: OfPairs, without: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return harm and adequacy of each row's pair, as in `said`: two of shape (N,)."""
    return said(study, kind, last_id, rows, without)[:2]


def said(
    study: Study,
    kind: str,
    last_id: int,
    rows: OfPairs,
    without: int = 0,
    late: tuple[int, ...] = (),
) -> Said:
    """Return what raters said of each row's pair, nan where nobody spoke.

    They are means over the newest verdict of each rater of the kind, up to a verdict's number. A
    pair that nobody could judge counts as harm: it was drawn, and leaving it out would flatter. A
    judge whose orders differ on it counts half a harm.

    Args:
        study: whose verdicts count.
        kind: of rater.
        last_id: the last verdict that counts.
        rows: the frame.
        without: id of a rater who is left out, 0 for nobody. That a pair could not be judged is
            said of it by several, and stays.
        late: numbers of verdicts that do not count.
    """
    pair_id, *spoken = _read_losses(study.pk, kind, last_id, without, late)
    at, is_there = places(rows.pair_id, pair_id)
    columns = np.full((3, rows.pair_id.size), np.nan)
    for column, values in zip(columns, spoken, strict=True):
        column[at[is_there]] = values[is_there]
    return Said(*columns)


@memo.once
def _read_losses(
    study_id: int, kind: str, last_id: int, without: int, late: tuple[int, ...]
) -> list[np.ndarray]:
    """Return the pairs that were spoken of, and harm, adequacy and strict harm of each."""
    with connection.cursor() as cursor:
        cursor.execute(_LOSSES, [study_id, last_id, kind, without, list(late)])
        return [_array(b, t) for b, t in zip(cursor.fetchone(), _TYPES[:4], strict=True)]


def places(rows: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each wanted number stands among rows without repeats, and whether it does."""
    if not rows.size:
        return np.zeros(wanted.size, np.int64), np.zeros(wanted.size, bool)
    by_number = np.argsort(rows, kind="stable")
    at = np.searchsorted(rows, wanted, sorter=by_number)
    places = by_number[np.minimum(at, rows.size - 1)]
    return places, rows[places] == wanted


def _extended(known: Draws, study: Study, last_id: int) -> Draws:
    """Return what is known with the rows that came since."""
    groups = [known]
    while True:
        after = int(groups[-1].draw_id[-1]) if groups[-1].draw_id.size else 0
        if after >= last_id or not (group := _read(study, after, last_id)).draw_id.size:
            break
        groups.append(group)
    if len(groups) == 1:
        return known
    return Draws(*(np.concatenate(columns) for columns in zip(*groups, strict=True)))


def _read(study: Study, after: int, last_id: int) -> Draws:
    with connection.cursor() as cursor:
        wanted = _DRAWS.format(lookup=_LOOKUP, **scoring.of_pairs(study)._asdict())
        cursor.execute(wanted, [study.seed, study.pk, after, last_id, _GROUP])
        *packed, tasks = cursor.fetchone()
    columns = (_array(b, kind) for b, kind in zip(packed, _TYPES[:-1], strict=True))
    return Draws._make((*columns, task_numbers(tasks or ())))


def task_numbers(names: Iterable[str]) -> np.ndarray:
    """Return the numbers of task types, new ones included."""
    return np.array([_tasks.setdefault(name, len(_tasks)) for name in names], np.int64)


def task_names() -> list[str]:
    """Return the task types of this process in the order of their numbers."""
    return list(_tasks)


def _array(sent: Any, kind: str) -> np.ndarray:
    """Return a column that Postgres packed, in this machine's byte order."""
    return np.frombuffer(sent or b"", kind).astype(np.dtype(kind).newbyteorder("="))


def _keep(study_id: int, rows: Draws) -> None:
    """Keep the rows, and forget the frames looked at longest ago when there are too many."""
    _kept[study_id] = rows
    _kept.move_to_end(study_id)
    while len(_kept) > 1 and sum(one.u.size for one in _kept.values()) > _MOST_ROWS_KEPT:
        _kept.popitem(last=False)
