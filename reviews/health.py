"""Whether a study can be trusted: its checks, in the order in which a reader wants them.

`vitals` reads rows, `frame_checks` and `rater_checks` say what they mean; here is what others ask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Max

from reviews import frame_checks, memo, missing, rater_checks, vitals
from reviews.checkup import Check
from reviews.estimation import Moment
from reviews.memo import Memo
from reviews.models import OriginGuess, Presentation, Study
from reviews.vitals import Vitals

__all__ = ["Check", "checks", "failing", "holding_up_early_stop"]

_CHECKS: tuple[Callable[[Vitals], Check | None], ...] = (
    frame_checks.sampling,
    rater_checks.sides,
    frame_checks.balance,
    frame_checks.pairs,
    frame_checks.redacted,
    frame_checks.response,
    rater_checks.agree,
    rater_checks.position,
    rater_checks.blinding,
    rater_checks.leaks,
    rater_checks.judges,
    frame_checks.traffic,
    frame_checks.versions,
    frame_checks.ties,
    frame_checks.costs,
    frame_checks.live,
)
_known: Memo[list[Check]] = Memo()


def checks(study: Study, moment: Moment | None = None) -> list[Check]:
    """Return the study's checks, made once for what there is.

    Args:
        study: of any state.
        moment: the draws and verdicts that count; what the study was closed with, or now, if None.
    """
    moment = moment or _moment(study)
    with memo.look():
        return list(_known.get(_name(study, moment), lambda: _all(vitals.of(study, moment))))


def failing(study: Study, moment: Moment | None = None) -> list[Check]:
    """Return the checks that block the certificate."""
    return [check for check in checks(study, moment) if check.level == "fail"]


def holding_up_early_stop(study: Study, moment: Moment | None = None) -> list[Check]:
    """Return the checks that forbid stopping early: failing ones, and any sign of drift."""
    return [
        check
        for check in checks(study, moment)
        if check.level == "fail" or (check.name == "drift" and check.level == "warn")
    ]


def _all(found: Vitals) -> list[Check]:
    """Return the checks that the study has something for: no judge, no check of it."""
    return [check for judged in _CHECKS if (check := judged(found)) is not None]


def _moment(study: Study) -> Moment:
    if study.closed_draw is not None and study.closed_verdict is not None:
        return Moment(study.closed_draw, study.closed_verdict)
    return Moment.now(study)


@memo.once
def _name(study: Study, moment: Moment) -> tuple[Any, ...]:
    """Return what the checks depend on: beside the moment what came since."""
    shown = Presentation.objects.filter(slot__study=study)
    return (
        study.pk,
        study.state,
        moment,
        shown.aggregate(last=Max("id"))["last"],
        OriginGuess.objects.filter(presentation__slot__study=study).count(),
        study.plan_changes.count(),
        study.judges.count(),
        tuple(missing.by_why(study).items()),
        study.signoffs.filter(stale_at__isnull=False).count(),
    )
