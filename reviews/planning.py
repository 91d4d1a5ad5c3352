"""Change a study's plan while it may change, and say what it is: the plan that is frozen.

Until somebody has rated or seen a pair unblinded, a plan is corrected without a trace. From then on
it is locked: a change needs a reason and stays as a deviation beside every result. What the draws
were written by never changes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from reviews import memo, plan, sampling
from reviews.errors import BadInput, Conflict
from reviews.models import PlanChange, Rater, Reveal, Study
from reviews.plan import Plan, PlanError
from reviews.planfields import FIXED

_MOST_REASON = 400
_FIELDS = tuple(plan.usual())
#: Whoever may move it after looking tries many tests, and keeps the one that comes out well.
_COUNTED = "rating_budget"


def locked(study: Study) -> bool:
    """Return whether a pair of the study was rated, judged or seen unblinded."""
    seen = Reveal.objects.filter(pair__draws__study=study)
    return study.verdicts.exists() or seen.exists()


def fields(study: Study) -> dict[str, Any]:
    """Return the study's plan by the names of `Plan`."""
    return {name: getattr(study, name) for name in _FIELDS}


@transaction.atomic
def change(study: Study, changes: dict[str, Any], *, by: User, reason: str) -> list[PlanChange]:
    """Write a running study's plan anew; of a locked one, a deviation for each field that changes.

    One transaction holds the study's row and its deviations. What is as it was writes nothing, so
    that a second run changes nothing.

    Args:
        study: a running one.
        changes: new values by the study's fields.
        by: who wants it.
        reason: why; needed once the plan is locked.

    Raises:
        Conflict: when the study does not run.
        BadInput: when a field never changes, or the reason is missing.
        PlanError: when the plan that comes of it cannot be, or changes which pairs count once it is
            locked.
    """
    row = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    if row.state != Study.State.RUNNING:
        raise Conflict("This study is closed: its plan is what its results rest on.")
    before = fields(row)
    wanted = {name: value for name, value in changes.items() if value != before.get(name)}
    _check_may_change(wanted)
    Plan(**(before | wanted))
    is_locked = locked(row)
    if is_locked and _COUNTED in wanted:
        raise PlanError({_COUNTED: "Which pairs count is fixed once one was rated or unblinded."})
    if wanted and is_locked and not reason.strip():
        raise PlanError({"reason": "The plan is locked: say in a sentence why it has to change."})
    Study.objects.filter(pk=row.pk).update(**wanted)
    study.refresh_from_db(fields=list(wanted))
    if not is_locked:
        return []
    return [
        deviate(row, name, before[name], value, by=by, reason=reason)
        for name, value in wanted.items()
    ]


def _check_may_change(wanted: dict[str, Any]) -> None:
    for name in wanted:
        if name in FIXED or name not in _FIELDS:
            raise BadInput(f"{name.replace('_', ' ').capitalize()} is fixed from the start.")


def deviate(
    study: Study, field: str, before: Any, after: Any, *, by: User | None, reason: str
) -> PlanChange:
    """Write one deviation from the plan."""
    return PlanChange.objects.create(
        study=study, field=field, before=before, after=after, by=by,
        reason=reason.strip()[:_MOST_REASON], n_rated=n_rated(study),
    )  # fmt: skip


def n_rated(study: Study) -> int:
    """Return how many pairs people have rated."""
    said = study.verdicts.filter(rater__kind=Rater.Kind.HUMAN)
    return said.values("pair").distinct().count()


@memo.once
def as_json(study: Study) -> dict[str, Any]:
    """Return the plan with all that a certificate rests on, as plain values, the same each time."""
    begin, end = sampling.window(study)
    return {
        **fields(study),
        "seed": study.seed,
        "router": {"name": study.router.name, "sha256": study.router.sha256},
        "models": study.policy.identity,
        "window": {
            "begin": begin.isoformat(), "end": end.isoformat(), "end_s": end.timestamp(),
        },
        "closed": {
            "at": _iso(study.closed_at),
            "basis": study.closed_basis,
            "why": study.closed_why,
        },
        "deviations": [_deviation(row) for row in study.plan_changes.select_related("by")],
    }  # fmt: skip


def _deviation(row: PlanChange) -> dict[str, Any]:
    return {
        "field": row.field,
        "before": row.before,
        "after": row.after,
        "reason": row.reason,
        "by": row.by.get_username() if row.by else "",
        "n_rated": row.n_rated,
        "at": row.created_at.isoformat(),
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
