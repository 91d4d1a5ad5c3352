"""What a sign-off asks for: thresholds, a reason, and how they become live. Checked, not stored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from reviews.errors import BadInput, NothingToSign
from reviews.models import SignOff, Study
from routing.policy import MOST_TASK_LETTERS

#: The largest threshold: everything is cheap.
ALWAYS_CHEAP = 1.01
#: A tenth for a day, a half for a day, then all.
RAMP: tuple[dict[str, float], ...] = (
    {"share": 0.1, "hours": 24},
    {"share": 0.5, "hours": 24},
    {"share": 1, "hours": 0},
)
_LONGEST_STEP_H = 24 * 30
#: With fewer requests there is nothing to look at before the next step.
_LEAST_SHARE = 0.001
#: Of a reason or a remark: each is printed in reports.
MOST_LETTERS = 5_000
_MOST_STEPS = 10
#: Two thresholds that are no farther apart are one, however they were computed.
_NO_STEP = 1e-9


@dataclass(frozen=True)
class Asked:
    """What one revision of a sign-off asks for; the names are those of its columns.

    Attributes:
        thresholds: by task type; tasks not named go by `threshold`.
        rollout: steps of a ramp, each a share of requests and hours; empty is all at once.
        deploy_at: not before; None is with the last approval.
    """

    threshold: float
    thresholds: dict[str, float]
    reason: str
    rollout: list[dict[str, float]]
    deploy_at: datetime | None
    if_guard_fails: str


def read(
    study: Study,
    *,
    threshold: float,
    thresholds: dict[str, float] | None = None,
    reason: str,
    rollout: list[dict[str, float]] | None = None,
    at: datetime | None = None,
    if_guard_fails: str = SignOff.Guard.HOLD,
) -> Asked:
    """Check what somebody asks for.

    Raises:
        NothingToSign: when a threshold is out of range or no reason is given.
        BadInput: when a task type, the ramp or the time cannot be, or the reason is too long.
    """
    by_task = {task: float(value) for task, value in (thresholds or {}).items()}
    for value in (threshold, *by_task.values()):
        _check_threshold(value)
    _check_tasks(by_task)
    if not reason.strip():
        raise NothingToSign("Say in a sentence why this threshold should go live.")
    if if_guard_fails not in SignOff.Guard.values:
        raise BadInput("Say what happens when a guard fails: hold or back.")
    steps = ramp(rollout)
    _check_time(study, at, steps)
    return Asked(threshold, by_task, words(reason), steps, at, if_guard_fails)


def words(text: str) -> str:
    """Return what somebody wrote, without the space around it.

    Raises:
        BadInput: when it is too long to be read by those who sign.
    """
    if len(text.strip()) > MOST_LETTERS:
        raise BadInput(f"Use {MOST_LETTERS:,} characters at most.")
    return text.strip()


def _check_tasks(thresholds: dict[str, float]) -> None:
    """Refuse what no request can be of, and what no page would show, before somebody signs it."""
    for task, value in thresholds.items():
        if not 0 < len(task) <= MOST_TASK_LETTERS or "\0" in task:
            raise BadInput(f"“{task[:80]}” is no task type: it has 1 to 40 characters.")
        if abs(round(value, 2) - value) > _NO_STEP:  # pages show two digits of what is signed
            raise NothingToSign(f"Thresholds go in steps of 0.01; {value:g} is between two.")


def _check_threshold(value: float) -> None:
    if not 0 <= value <= ALWAYS_CHEAP:
        raise NothingToSign(
            "A threshold lies between 0 (always expensive) and 1.01 (always cheap)."
        )


def _check_time(study: Study, at: datetime | None, steps: list[dict[str, float]]) -> None:
    """Refuse a time that is over, and a way that ends when the sign-off would have expired."""
    now = timezone.now()
    end = now + timedelta(days=study.valid_days)
    if at is not None and not now <= at < end:
        raise BadInput(f"The time must lie ahead, within {study.valid_days} days.")
    if (at or now) + timedelta(hours=sum(step["hours"] for step in steps)) >= end:
        raise BadInput(f"The ramp must be through within {study.valid_days} days.")


def ramp(steps: list[dict[str, Any]] | None) -> list[dict[str, float]]:
    """Return the steps of a ramp as they are stored; none are everything at once.

    Raises:
        BadInput: when shares do not rise to all requests, or a step takes no time that can be.

    >>> ramp([{"share": 0.2, "hours": 6}, {"share": 1}])
    [{'share': 0.2, 'hours': 6.0}, {'share': 1.0, 'hours': 0.0}]
    """
    try:
        read = [(float(step["share"]), float(step.get("hours", 0))) for step in steps or ()]
    except (KeyError, TypeError, ValueError):
        raise BadInput("Each step of a ramp is a share and a number of hours.") from None
    shares, hours = [share for share, _ in read], [hours for _, hours in read]
    rises = all(low < high for low, high in zip([0.0, *shares], shares, strict=False))
    if read and not (rises and shares[-1] == 1 and len(read) <= _MOST_STEPS):
        raise BadInput(f"The shares of a ramp rise to 100 %, in {_MOST_STEPS} steps at most.")
    if read and shares[0] < _LEAST_SHARE:
        raise BadInput(f"The first step of a ramp is at least {100 * _LEAST_SHARE:g} %.")
    if not all(math.isfinite(value) and 0 <= value <= _LONGEST_STEP_H for value in hours):
        raise BadInput(f"A step takes from 0 to {_LONGEST_STEP_H} hours.")
    return [{"share": share, "hours": hours} for share, hours in read]
