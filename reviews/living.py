"""The living sample: what people rate after go-live, and the bet that the floor holds no more.

A rollout that is complete opens a study of its own, of about one in a hundred requests that the
signed policy sends to CHEAP. Raters get its pairs like any other; nobody can sign it, and it ends
with its sign-off. What follows when the floor is found broken is decided in `stale`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from django.conf import settings
from django.db import transaction

from reviews import (
    calibration,
    closing,
    frames,
    guidance,
    inputs,
    judging,
    missing,
    planning,
    timely,
)
from reviews.errors import Conflict
from reviews.inputs import DAY_S, THERE, Columns, Inputs, Taken
from reviews.models import GuidelineRead, JudgeRun, Rater, SignOff, Study, Verdict
from reviews.stats import watch
from reviews.stats.rows import Rows
from reviews.stats.watch import Bet, Signal
from reviews.timely import Spoken
from routing import policy
from routing.models import Policy

#: What raters see stays as it was; what helped to plan a certificate has no use here.
_KEPT = (
    "ratings_per_pair", "rater_target", "check_every", "origin_every", "masks_leaks",
    "normalises_style", "preference_question", "adequacy_question", "reasons", "loss", "floor",
    "confidence", "after_expiry",
)  # fmt: skip
_MOST_NAME = 120
_ENDED = "What it watches is over: its sign-off ended, or another policy is live."
#: Rows routed CHEAP score 0 and others 1, since task types may have thresholds of their own.
_CHEAP_BELOW = 0.5


class Look(NamedTuple):
    """What the living sample of a sign-off says.

    Attributes:
        study: where its pairs are rated.
        signal: whether the floor holds; QUIET before the first week is over, and where half of the
            ratings or more came too late or never, unless it is broken all the same.
        n_rated: rated pairs that count.
        n_missed: pairs that count as no harm, since nobody rated them in time.
        n_waiting: drawn pairs that nobody rated yet and that are still waited for; from the first
            of their days on nothing counts.
        degradation: share of all requests made worse, of what counts; None without ratings.
        at_most: the same, had every rating that is missing said so.
        is_unheard: whether half of the ratings or more are missing.
    """

    study: Study
    signal: Signal
    n_rated: int
    n_missed: int
    n_waiting: int
    degradation: float | None
    at_most: float | None
    is_unheard: bool


class _Settled(NamedTuple):
    """The inputs with what was said in time.

    Attributes:
        found: with no harm for what was missed, nan for what is not settled.
        missed: (N,) drawn pairs that nobody rated in time.
        heard: (N,) part of the raters wanted that spoke in time.
        waits: (N,) drawn pairs that are still waited for and that nobody rated yet.
    """

    found: Inputs
    missed: np.ndarray
    heard: np.ndarray
    waits: np.ndarray


def open_for(row: SignOff, plan: dict[str, Any], now: datetime) -> Study | None:
    """Open the living sample of a sign-off whose policy decides everything now.

    In the caller's transaction. A second run finds it and writes nothing; nothing is opened where
    the setting is 0 or the policy sends nothing to CHEAP.

    Args:
        row: an approved sign-off with its policy, project and study.
        plan: the one that was signed.
        now: when it begins: no request before it belongs to it.
    """
    target, rate = row.policy_after, settings.SHADOWEVAL_LIVING_RATE
    known = row.living.first()
    if known is not None or target is None or target.is_always_expensive or not rate:
        return known
    kept = {name: plan.get(name, getattr(row.study, name)) for name in _KEPT}
    study = Study.objects.create(
        project=row.project, policy=target, router=target.router, watches=row,
        name=f"{row.study.name[: _MOST_NAME - 11]}, continued", seed=f"living|{row.pk}",
        rate=min(rate / max(target.shadow_rate_expensive, rate), 1.0), tilt=1.0,
        largest_threshold=highest(target), window_days=_days(row, plan, now), early_stop=False,
        second_share=0.0, practice_pairs=0, **kept,
    )  # fmt: skip
    Study.objects.filter(pk=study.pk).update(created_at=now)
    study.created_at = now
    _brief(study, row.study)
    for judge in row.study.judges.filter(run__state=JudgeRun.State.RUNNING):
        judging.carry_on(judge, study)
    return study


def highest(target: Policy) -> float:
    """Return the score from which on the policy sends every task type to EXPENSIVE."""
    return max(target.threshold, *target.thresholds.values(), 0.0)


def _days(row: SignOff, plan: dict[str, Any], now: datetime) -> int:
    if row.expires_at is None:
        return int(plan["valid_days"])
    return max(math.ceil((row.expires_at - now).total_seconds() / DAY_S), 1)


def _brief(study: Study, before: Study) -> None:
    """Give the sample the guidelines that its raters know; whoever read them has read them."""
    told = guidance.current(before)
    own = study.guidelines.create(version=1, body=told.body, created_by=told.created_by)
    raters = told.reads.values_list("rater", flat=True)
    GuidelineRead.objects.bulk_create(GuidelineRead(guideline=own, rater_id=one) for one in raters)


def close_due(now: datetime) -> int:
    """Close living samples whose sign-off ended or whose policy decides no more; return how many.

    Runs any number of times, also at once: a closed one is not looked at again.
    """
    running = Study.objects.filter(state=Study.State.RUNNING, watches__isnull=False)
    return sum(_close(study, now) for study in running.select_related("watches", "project"))


@transaction.atomic
def _close(study: Study, now: datetime) -> bool:
    row, live = study.watches, policy.deployment(study.project)
    assert row is not None, "the query asks for it"
    is_signed = row.state == SignOff.State.APPROVED and (not row.expires_at or row.expires_at > now)
    if is_signed and live is not None and live.policy_id == study.policy_id:
        return False
    try:
        closing.close(study, by=None, basis=Study.Basis.BY_HAND, why=_ENDED)
    except Conflict:  # somebody was faster
        return False
    return True


def look(row: SignOff, now: datetime) -> Look | None:
    """Return what the living sample of a sign-off says, or None where there is none.

    Args:
        row: the sign-off.
        now: in UTC; what was not settled by then does not count yet.
    """
    study = row.living.select_related("policy", "project").first()
    if study is None:
        return None
    plan = planning.as_json(study)
    settled = _settled(study, plan["loss"], now)
    found = settled.found
    there = inputs.taken(found, plan, "arrival", is_final=False)
    rows = _rows(found, there, study.policy)
    is_drawn = np.asarray(rows.rated) & ~np.asarray(rows.known)
    n_missed = int(settled.missed[there.places].sum())
    n_rated = int(is_drawn.sum()) - n_missed
    silent = np.where(is_drawn, 1 - settled.heard[there.places], 0.0)
    signal = _signal(found, there, rows, plan)
    is_unheard = bool(is_drawn.any() and 2 * silent.sum() >= is_drawn.sum())
    if is_unheard and signal.level != watch.Level.ALARM:
        signal = Signal(None, None, watch.Level.QUIET, n_rated)
    worst = rows._replace(loss=np.asarray(rows.loss) + silent)
    made_worse = (_degradation(rows), _degradation(worst)) if n_rated else (None, None)
    n_waiting = int(settled.waits.sum())
    return Look(study, signal, n_rated, n_missed, n_waiting, *made_worse, is_unheard)


def _settled(study: Study, loss: str, now: datetime) -> _Settled:
    """Return what people, or an imported key, said in time; a judge's word is no rating.

    A rating that nobody gave in time counts as no harm, also where others spoke of the pair. That
    can only lower a row's loss, whatever is left unrated and why, so the bets stay fair while the
    floor holds.
    """
    moment = calibration.moment_of(study)
    found = calibration.arrays(study, moment)
    columns, about = found.columns, found.about
    kind = Rater.Kind.HUMAN.value if about.kind == Rater.Kind.LLM_JUDGE else about.kind
    until, heard, late = _limits(study, kind, columns)
    said = frames.said(study, kind, moment.verdict_id, columns, late=late)
    is_settled = (until <= now.timestamp()) & _is_whole(study, columns)
    is_silent = columns.selected & (columns.lost == THERE) & np.isnan(inputs.loss(said, loss))
    missed = is_silent & is_settled
    heard = np.where(missed, 0.0, heard)
    own = (np.where(is_settled, one, np.nan) for one in said)
    harm, adequate, strict = (
        np.where(missed, least, least + (one - least) * heard)
        for least, one in zip((0.0, 1.0, 0.0), own, strict=True)
    )
    columns = columns._replace(harm=harm, adequate=adequate, strict=strict)
    found = Inputs(columns, replace(about, from_queue=True))
    return _Settled(found, missed, heard, is_silent & ~is_settled)


def _is_whole(study: Study, columns: Columns) -> np.ndarray:
    """Return which rows are of days that get no more pairs, nor does a day before: (N,)."""
    day = np.floor(columns.received_at / DAY_S)
    whole: np.ndarray = day < np.floor(missing.first_open(study) / DAY_S)
    return whole


def _limits(
    study: Study, kind: str, columns: Columns
) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Return up to when what is said of each row counts: (N,).

    With it, which part of the raters spoke by then, (N,), and the verdicts that came later.
    """
    until, heard = timely.deadline(columns.received_at), np.zeros(columns.pair_id.size)
    places = {pair: place for place, pair in enumerate(columns.pair_id.tolist())}
    late: list[int] = []
    for pair, spoken in _spoken(study, kind).items():
        if pair in places:
            place, wanted = places[pair], study.ratings_per_pair
            until[place] = timely.until(spoken, wanted, until[place])
            heard[place] = timely.heard(spoken, wanted, until[place])
            late += [one.number for one in spoken if one.at >= until[place]]
    return until, heard, tuple(late)


def _spoken(study: Study, kind: str) -> dict[int, list[Spoken]]:
    """Return every verdict of raters of a kind by its pair, as they came."""
    rows = study.verdicts.filter(rater__kind=kind).order_by("id")
    by_pair: dict[int, list[Spoken]] = {}
    for pair, number, rater, at, said in rows.values_list(
        "pair", "id", "rater", "created_at", "preference"
    ):
        is_last = said == Verdict.Preference.CANNOT
        by_pair.setdefault(pair, []).append(Spoken(number, rater, at.timestamp(), is_last))
    return by_pair


def _rows(found: Inputs, there: Taken, live: Policy) -> Rows:
    """Return the rows that count, the benefit of every doubt given to the policy.

    What is lost counts as no harm: an outage breaks no floor.
    """
    columns, tasks = found.columns, found.about.tasks
    of_task = np.array([live.thresholds.get(name, live.threshold) for name in tasks])
    score = columns.score[there.places]
    at = of_task[columns.task[there.places]] if tasks else np.full(score.size, live.threshold)
    is_there = columns.lost[there.places] == THERE
    loss = np.where(is_there, np.nan_to_num(np.asarray(there.rows.loss)), 0.0)
    return there.rows._replace(score=np.where(score < at, 0.0, 1.0), loss=loss, judge=None)


def _signal(found: Inputs, there: Taken, rows: Rows, plan: dict[str, Any]) -> Signal:
    n = int(np.asarray(rows.rated).sum())
    if not n or not inputs.has_week(found.columns):
        return Signal(None, None, watch.Level.QUIET, n)
    days = np.floor(found.columns.received_at / DAY_S)
    own = days[there.places]
    planned = max(math.ceil(plan["window"]["end_s"] / DAY_S - days.min()), 1)
    begun = np.arange(days.min(), own.max(initial=days.min()) + 1, watch.LIVING_EVERY)
    edges = np.unique(np.append(np.flatnonzero(np.diff(own, prepend=-1)), [0, own.size]))
    bet = Bet(
        floor=plan["floor"],
        n_plan=max(round(there.n_plan * watch.LIVING_EVERY / planned), 1),
        most_starts=math.ceil(planned / watch.LIVING_EVERY) + 1,
        edges=edges,
        starts=np.unique(np.searchsorted(own, begun)).tolist(),
    )
    return watch.living(rows, _CHEAP_BELOW, bet)


def _degradation(rows: Rows) -> float | None:
    """Return the share of all requests made worse (Horvitz and Thompson 1952)."""
    traffic, rated = np.asarray(rows.traffic), np.asarray(rows.rated)
    if not rated.any():
        return None
    harmed = np.where(rated & (np.asarray(rows.score) < _CHEAP_BELOW), rows.loss, 0.0)
    return float((traffic * harmed / np.asarray(rows.pi).clip(1e-9)).sum() / traffic.sum())
