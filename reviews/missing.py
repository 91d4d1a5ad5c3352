"""Requests of a study that were to have a pair and have none: why, and at which scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from django.db import connection
from django.db.models import Max

from reviews import frames, memo, sampling, scoring
from reviews.models import Study
from reviews.stats import missingness
from routing import counts, shadow
from routing.models import ShadowJob
from routing.models.shadow import LOST

# The jobs first, then each one's request and decision by their keys: left alone, the planner takes
# the lost jobs for many and reads the decisions of all requests.
_OF_STUDY = """
WITH lost AS MATERIALIZED ({jobs})
SELECT {columns} FROM lost, LATERAL (
    SELECT {score} AS score, r.received_at, r.task FROM routing_request AS r
    JOIN routing_decision AS d ON d.request_id = r.id {join}
    WHERE r.id = lost.request_id AND d.policy_id = ANY (%s)
        AND r.received_at >= %s AND r.received_at < %s
    OFFSET 0) AS of_study
"""
_COUNT = "lost.tier, lost.reason, count(*)"
_BY_COUNT = "GROUP BY 1, 2 ORDER BY 3 DESC, 2"
_SCORES = "string_agg(float8send(coalesce(of_study.score, 'NaN')), '')"
_ROWS = """
    string_agg(substr(sha256(convert_to('order|' || %s || '|' || lost.request_id, 'UTF8')), 1, 8),
        '' ORDER BY lost.request_id),
    string_agg(float8send(coalesce(of_study.score, 'NaN')), '' ORDER BY lost.request_id),
    string_agg(float8send(lost.rate), '' ORDER BY lost.request_id),
    string_agg(float8send(extract(epoch FROM of_study.received_at)::float8), ''
        ORDER BY lost.request_id),
    string_agg(boolsend(lost.tier = 'cheap'), '' ORDER BY lost.request_id),
    string_agg(boolsend(lost.state = 'failed' AND NOT lost.reason ^@ ANY (%s)), ''
        ORDER BY lost.request_id),
    array_agg(of_study.task ORDER BY lost.request_id)
"""
_TYPES = (">u8", ">f8", ">f8", ">f8", "?", "?")
_DECILES = 10


class Lost(NamedTuple):
    """The requests of a study whose pair is lost, as arrays of shape (L,) like those of `frames`.

    `cheap` tells whether the cheap answer is the one that is missing, `failed` whether it was asked
    for and did not come.
    """

    order: np.ndarray
    score: np.ndarray
    rate: np.ndarray
    received_at: np.ndarray
    cheap: np.ndarray
    failed: np.ndarray
    task: np.ndarray


class _Of(NamedTuple):
    """Which requests a study is about, and how their scores are read."""

    project_id: int
    policies: tuple[int, ...]
    begin: datetime
    end: datetime
    scores: scoring.Sql


class Decile(NamedTuple):
    """Requests of one tenth of the scores that were to have a pair, and those without.

    Attributes:
        low: smallest score; None for requests whose router gave none.
        high: largest score; likewise.
        differs: whether the share differs from that of the others beyond chance, all compared.
    """

    low: float | None
    high: float | None
    total: int
    missing: int
    differs: bool

    @property
    def share(self) -> float:
        """Return the share without a pair."""
        return self.missing / self.total


@memo.once
def by_decile(study: Study) -> list[Decile]:
    """Count the study's pairs and its requests whose pair is lost, by tenths of their scores.

    Rare where answers are lost at random. Where long or hard questions fail more often, they do so
    at high scores, and what is left is not what the traffic was. Scores that many requests share
    make for fewer groups. The frame is what was drawn from so far; jobs under way are left out.
    """
    last = study.sample.aggregate(last=Max("id"))["last"] or 0
    return list(_known_deciles(study, last, _about(study)))


@lru_cache(maxsize=64)
def _known_deciles(study: Study, last: int, about: Any) -> tuple[Decile, ...]:
    """Return the groups; again only when there are other draws or other lost jobs."""
    lost = np.frombuffer(_lost_scores(*about), ">f8").astype(np.float64)
    return tuple(_deciles(frames.draws(study, last).score, lost))


def _deciles(there: np.ndarray, lost: np.ndarray) -> list[Decile]:
    """Return the groups that hold anything, by score; those without a score last."""
    everything = np.concatenate([there, lost])
    known = everything[~np.isnan(everything)]
    inner = np.arange(1, _DECILES) / _DECILES
    edges = np.unique(np.quantile(known, inner)) if known.size else np.empty(0)
    n_groups = edges.size + 2
    # Beyond every edge and one further: without a score.
    group = np.where(
        np.isnan(everything), edges.size + 1, np.searchsorted(edges, everything, "left")
    )
    total = np.bincount(group, minlength=n_groups)
    gone = np.bincount(group[there.size :], minlength=n_groups)
    low, high = np.full((2, n_groups), np.nan)
    for place in np.flatnonzero(total[:-1]):
        inside = everything[group == place]
        low[place], high[place] = inside.min(), inside.max()
    held = np.flatnonzero(total)
    differs = missingness.compare(gone[held], total[held]).differs
    rows = zip(low[held], high[held], total[held], gone[held], differs, strict=True)
    return [
        Decile(_score(a), _score(b), int(n), int(x), bool(marked)) for a, b, n, x, marked in rows
    ]


def _score(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


@memo.once
def rows(study: Study) -> Lost:
    """Return the requests that were to have a pair and have none for good, by their ids.

    Of a closed study, those lost by the time it was closed.
    """
    return _known_rows(study.seed, study.closed_at, _about(study))


@lru_cache(maxsize=16)
def _known_rows(seed: str, until: Any, about: tuple[Any, ...]) -> Lost:
    """Return the rows; again only when the project has other lost jobs."""
    lost = ShadowJob.objects.filter(LOST)
    if until is not None:
        lost = lost.filter(finished_at__lte=until)
    also = [seed, list(shadow.OURS)]
    ((*packed, tasks),) = _asked(_ROWS, "", lost, about[0], also)
    columns = (
        np.frombuffer(sent or b"", kind).astype(np.dtype(kind).newbyteorder("="))
        for sent, kind in zip(packed, _TYPES, strict=True)
    )
    return Lost._make((*columns, frames.task_numbers(tasks or ())))


@memo.once
def n_open(study: Study) -> int:
    """Count the study's requests whose other answer is still to be asked for, or whose score is."""
    return _open(_about(study)[0]) + sampling.waiting(study).count()


@memo.once
def first_open(study: Study) -> float:
    """Return when the oldest request came whose other answer is still to be asked for.

    In seconds since 1970; infinite where there is none. A job that waits too long ends, so it does
    not stay for ever.
    """
    about, oldest = _about(study)[0], "extract(epoch FROM min(of_study.received_at))::float8"
    of_states = (ShadowJob.objects.filter(state=state) for state in ShadowJob.OPEN)
    found = [at for jobs in of_states for (at,) in _asked(oldest, "", jobs, about)]
    return min((at for at in found if at is not None), default=math.inf)


@memo.once
def by_why(study: Study) -> dict[str, int]:
    """Count the study's requests that were to have a pair and have none, by tier and why."""
    missing = dict(_lost(*_about(study)))
    still_open = n_open(study)
    return missing | ({"not asked yet": still_open} if still_open else {})


@memo.once
def _about(study: Study) -> tuple[_Of, tuple[Any, ...]]:
    """Return what the lost jobs of a study depend on; it changes when the project has others."""
    ends = (ShadowJob.State.FAILED, ShadowJob.State.SKIPPED)
    ended = tuple(row for row in counts.jobs(study.project) if row.state in ends)
    scores, policies = scoring.of_decisions(study), tuple(sampling.policies(study))
    about = _Of(study.project_id, policies, *sampling.window(study), scores)
    return about, (*ended, scoring.newest(study))


@lru_cache(maxsize=64)
def _lost(about: _Of, ended: tuple[Any, ...]) -> tuple[tuple[str, int], ...]:
    """Count the jobs that ended without a pair; again only when the project has others."""
    rows = _counted(ShadowJob.objects.filter(LOST), about)
    return tuple((f"{tier}: {reason}", n) for tier, reason, n in rows)


@lru_cache(maxsize=16)
def _lost_scores(about: _Of, ended: tuple[Any, ...]) -> bytes:
    """Return the scores of the requests whose pair is lost, as packed by Postgres."""
    lost = ShadowJob.objects.filter(LOST)
    (row,) = _asked(_SCORES, "", lost, about)
    return bytes(row[0] or b"")


def _open(about: _Of) -> int:
    """Count the jobs that are still to be asked; each state has an index of its own."""
    return sum(
        n
        for state in ShadowJob.OPEN
        for *_, n in _counted(ShadowJob.objects.filter(state=state), about)
    )


def _counted(jobs: Any, about: _Of) -> list[Any]:
    return _asked(_COUNT, _BY_COUNT, jobs, about)


def _asked(
    columns: str, grouping: str, jobs: Any, about: _Of, also: Sequence[Any] = ()
) -> list[Any]:
    """Return columns of the jobs whose requests belong to the study; `also` are their values."""
    pair = ShadowJob.Purpose.PAIR
    # No job is older than its request: this bound lets an index find them.
    jobs = jobs.filter(project_id=about.project_id, created_at__gte=about.begin, purpose=pair)
    query, values = jobs.values(
        "tier", "reason", "request_id", "rate", "state"
    ).query.sql_with_params()
    with connection.cursor() as cursor:
        read = about.scores._asdict()
        wanted = _OF_STUDY.format(jobs=query, columns=columns, **read) + grouping
        cursor.execute(wanted, [*values, *also, list(about.policies), about.begin, about.end])
        return cursor.fetchall()
