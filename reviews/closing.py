"""End a study: freeze which draws and verdicts count, and on what its certificate rests.

A closed study is never opened again. Its ratings stay; who holds a pair at that moment cannot hand
it in any more.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from reviews import (
    calibration,
    certificate,
    health,
    inputs,
    looks,
    missing,
    planning,
    sampling,
)
from reviews.errors import BadInput, Conflict
from reviews.estimation import Moment
from reviews.models import Study

_BASIS = Study.Basis
_WEEK = timedelta(days=7)
_MOST_WHY = 200


def is_over(study: Study, now: datetime | None = None) -> bool:
    """Return whether no more requests belong to the study."""
    return (now or timezone.now()) >= sampling.window(study)[1]


def n_unrated(study: Study) -> int:
    """Return how many of the pairs that are to be rated nobody has rated."""
    plan = planning.as_json(study)
    found = calibration.arrays(study)
    place = inputs.place(found.columns)
    is_due = place < inputs.budgeted(found.columns, study.rating_budget)
    said = inputs.loss(found.columns, plan["loss"])
    return int((is_due & (said != said)).sum())


@transaction.atomic
def close(study: Study, *, by: User | None, basis: str, why: str = "") -> Study:
    """Close a running study.

    One transaction brings in the last pairs, freezes the newest draw and verdict that count and
    the basis, and writes a deviation when it is closed by hand before its window is over. How many
    requests still wait for their second answer, and are left out, is said with why. A second run
    is refused.

    Args:
        study: a running one.
        by: who closes it; None for the clock.
        basis: of `Study.Basis`.
        why: in a sentence; needed by hand before the window is over.

    Raises:
        Conflict: when it does not run, or is not what the basis says.
        BadInput: when it is to be closed by hand without a word why.
    """
    sampling.extend(study)
    row = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    if row.state != Study.State.RUNNING:
        raise Conflict("This study is closed already.")
    _check(row, basis, why)
    _wait_for_verdicts()
    moment = Moment.now(row)
    left_out = _left_out(missing.n_open(row))
    if basis == _BASIS.BY_HAND:
        _deviate(row, by, f"{why.strip()} {left_out}".strip())
    row.state, row.closed_at, row.closed_by = Study.State.CLOSED, timezone.now(), by
    row.closed_basis, row.closed_why = basis, _cut(why, left_out)
    row.closed_draw, row.closed_verdict = moment.draw_id, moment.verdict_id
    row.save()
    study.refresh_from_db()
    return row


def _check(study: Study, basis: str, why: str) -> None:
    if basis == _BASIS.WINDOW and not is_over(study):
        raise Conflict("The window is not over yet.")
    if basis == _BASIS.WINDOW and (n := missing.n_open(study)):
        raise Conflict(f"{n} requests still wait for their second answer; close it when they have.")
    if basis == _BASIS.EARLY and not can_stop_early(study):
        raise Conflict("Nothing is certified for an early stop; look again.")
    if basis == _BASIS.FUTILE and not is_futile(study):
        raise Conflict("A useful threshold can still be certified; look again.")
    if basis == _BASIS.BY_HAND and not why.strip():
        raise BadInput("Say in a sentence why the study ends before its window.")


def _left_out(n: int) -> str:
    """Say how many of a study's requests have no pair yet; nothing of none.

    Example:
        >>> _left_out(1)
        '1 request still waited for a second answer and is left out.'
    """
    if n == 1:
        return "1 request still waited for a second answer and is left out."
    return f"{n} requests still waited for a second answer and are left out." if n else ""


def _cut(why: str, left_out: str) -> str:
    """Return both as one text that has room on the row."""
    room = _MOST_WHY - len(left_out) - 1 if left_out else _MOST_WHY
    return f"{why.strip()[:room]} {left_out}".strip()


def _wait_for_verdicts() -> None:
    """Let what is being written become visible first, and what comes later get a later number."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE reviews_verdict IN SHARE MODE")


def _deviate(study: Study, by: User | None, why: str) -> None:
    end = sampling.window(study)[1]
    planning.deviate(
        study, "window", {"ends": end.isoformat()}, {"ends": timezone.now().isoformat()},
        by=by, reason=why,
    )  # fmt: skip


def close_due(now: datetime | None = None) -> list[Study]:
    """Close every study whose window is over and whose pairs are rated; return them.

    Runs any number of times, also at once: a closed study is not looked at again.
    """
    closed = []
    for study in Study.objects.filter(state=Study.State.RUNNING):
        if not is_ready(study, now):
            continue
        try:
            closed.append(close(study, by=None, basis=_BASIS.WINDOW))
        except Conflict:  # somebody was faster
            continue
    return closed


def is_ready(study: Study, now: datetime | None = None) -> bool:
    """Return whether a running study has all that it was to have."""
    if not is_over(study, now) or missing.n_open(study):
        return False
    sampling.extend(study)
    return n_unrated(study) == 0


def can_stop_early(study: Study, now: datetime | None = None) -> str | None:
    """Return why the study may stop before its window is over, or None when it may not.

    Finished days certify a threshold with the error kept for such looks, a week has gone by, so
    that every weekday counted, and nothing blocks the certificate.
    """
    found = _looked_at(study, now)
    threshold = certificate.early(found, planning.as_json(study)) if found else None
    if threshold is None or health.holding_up_early_stop(study):
        return None
    return (
        f"{threshold:g} is certified already, on ratings of whole days in the order in which they "
        "came. Stopping now saves the rest of the window's second answers; a larger threshold "
        "might still come."
    )


def is_futile(study: Study, now: datetime | None = None) -> bool:
    """Return whether more ratings would certify no useful threshold."""
    found = _looked_at(study, now)
    return found is not None and certificate.futile(found, planning.as_json(study))


def _looked_at(study: Study, now: datetime | None) -> inputs.Inputs | None:
    """Return what a look before the end sees, or None where there is to be none.

    With a budget that is used up, its part of the queue moves with every new pair, and the looks
    would be at different samples.
    """
    now = now or timezone.now()
    if study.state != Study.State.RUNNING or not study.early_stop or is_over(study, now):
        return None
    found = calibration.arrays(study)
    begun = found.columns.received_at.min(initial=now.timestamp())
    has_week = now.timestamp() - begun >= _WEEK.total_seconds()
    is_whole = inputs.budgeted(found.columns, study.rating_budget) == 1
    return found if has_week and is_whole else None


def consequence(study: Study) -> str:
    """Say what closing a running study now would certify, and that it cannot be undone."""
    basis = _BASIS.WINDOW if is_over(study) else _BASIS.BY_HAND
    found = calibration.if_closed(study, basis)
    what = (
        f"{found.threshold:g} would be certified"
        if found.threshold is not None
        else "no threshold would be certified"
    )
    unrated = f" {found.n_waiting} unrated pairs count as worse." if found.n_waiting else ""
    n = missing.n_open(study)
    left_out = f" {n} requests that wait for a second answer are left out." if n else ""
    early = left_out if basis == _BASIS.WINDOW else left_out + _before_the_window(study)
    return (
        f"Closed now, {what}, on {found.n_rated} rated pairs.{unrated}{early} Ratings stay; raters "
        "get no more pairs; a closed study is never opened again."
    )


def _before_the_window(study: Study) -> str:
    """Return what holds for an end by hand, as sentences that others precede."""
    why = looks.too_early(calibration.arrays(study), planning.as_json(study)) or (
        "Before the window is over only finished days count, in the order in which they came."
    )
    return f" {why} An end by hand is noted as a deviation from the plan."
