"""What the form of a sign-off says, read into what the service takes; nothing is decided here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.core import signing
from django.http import HttpRequest
from django.utils import timezone

from reviews import asking, calibration, covering, estimation, evidence
from reviews.errors import BadInput
from reviews.models import SignOff, Study
from reviews.views.threshold import OTHERS, SEEN
from routing import policy

#: How long a page may be looked at before its numbers are signed, seconds.
_LONGEST_LOOK_S = 3600
_TASK = "threshold_"


def read(request: HttpRequest, study: Study) -> dict[str, Any]:
    """Return the arguments of `signoff.request` and `signoff.edit` that a form holds.

    Raises:
        BadInput: when a number or the time is none, or the page was opened too long ago.
    """
    post = request.POST
    by_task = {
        name.removeprefix(_TASK): _number(str(value))
        for name, value in post.items()
        if name.startswith(_TASK) and str(value).strip()
    }
    return {
        **_by_rule(study, _number(post.get("threshold", "")), by_task, post.get("others", "")),
        "reason": post.get("reason", ""),
        "rollout": _ramp(request),
        "at": _time(post.get("at", "")) if post.get("rollout") == "at" else None,
        "if_guard_fails": post.get("if_guard_fails") or SignOff.Guard.HOLD,
        "seen": _seen(request, study),
    }


def _by_rule(
    study: Study, threshold: float, by_task: dict[str, float], others: str
) -> dict[str, Any]:
    """Return the thresholds, with the rule for other and unknown task types put into them."""
    if others and others not in OTHERS:
        raise BadInput("Say where other and unknown task types go: threshold or expensive.")
    if others == "expensive":
        found = calibration.certificate(study).as_json()
        by_task = covering.by_rule(found, threshold, by_task)
        threshold = policy.ALWAYS_EXPENSIVE
    return {"threshold": threshold, "thresholds": by_task}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput("The threshold is not a number.") from None


def _ramp(request: HttpRequest) -> list[dict[str, float]] | None:
    """Return the steps of a ramp: those of the form, or the usual ones when it names none."""
    if request.POST.get("rollout") != "ramp":
        return None
    shares = request.POST.getlist("step_percent")
    hours = request.POST.getlist("step_hours")
    try:
        steps = [
            {"share": float(share) / 100, "hours": float(hour or 0)}
            for share, hour in zip(shares, hours, strict=True)
            if share.strip()
        ]
    except ValueError:
        raise BadInput("Each step of a ramp is a percentage and a number of hours.") from None
    return steps or list(asking.RAMP)


def _time(text: str) -> datetime:
    """Return a moment of the form, in UTC unless it says otherwise."""
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput("Say when: a date and a time, in UTC.") from None
    return said if timezone.is_aware(said) else said.replace(tzinfo=UTC)


def _seen(request: HttpRequest, study: Study) -> evidence.Seen:
    """Return what the page showed, as this server wrote it; nobody picks another moment.

    Raises:
        BadInput: when the form does not carry it, or was opened too long ago.
    """
    try:
        said = signing.loads(request.POST.get("seen", ""), salt=SEEN, max_age=_LONGEST_LOOK_S)
    except signing.BadSignature:
        raise BadInput(
            "The page is too old to be signed from; look at the numbers again."
        ) from None
    if said["study"] != study.pk:
        raise BadInput("These numbers belong to another study; look at them again.")
    moment = estimation.Moment.parse(said["moment"])
    assert moment is not None, "the server signed it"
    return evidence.Seen(said["kind"], moment, said["sha256"])


def stamp(study: Study, estimate: estimation.Estimate) -> str:
    """Return what a page shows, signed, for its form to carry back."""
    said = {
        "study": study.pk,
        "kind": estimate.kind,
        "moment": str(estimate.moment),
        "sha256": estimate.inputs_sha256,
    }
    return signing.dumps(said, salt=SEEN)


def steps(row: SignOff) -> list[dict[str, float]]:
    """Return the steps that the edit form offers, in percent: the row's own or the usual ones."""
    offered = row.rollout or asking.RAMP
    return [{"percent": 100 * step["share"], "hours": step["hours"]} for step in offered]
