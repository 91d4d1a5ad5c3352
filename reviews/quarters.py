"""Quarterly reviews: what was signed beside what the quarter showed, frozen and hashed.

Traffic is counted from the ledger: what the signed policy decided. Quality comes from ratings of
requests of the quarter, of the living sample first and of any other study of what is live, each by
itself: they were drawn in different ways, and nothing is pooled.
"""

from __future__ import annotations

import logging
import math
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.db import Error, connection, transaction
from django.utils import timezone

from reviews import (
    audit,
    chain,
    choice,
    estimation,
    expiry,
    frames,
    inputs,
    notices,
    permissions,
    signatures,
)
from reviews.choice import BETWEEN, Thresholds
from reviews.errors import Conflict
from reviews.estimation import Moment
from reviews.models import QuarterReview, SignOff, Study
from reviews.stats import byday, weighting
from reviews.stats.intervals import korn_graubard
from routing import policy
from routing.models import Deployment, Project

log = logging.getLogger(__name__)

VERSION = 1
#: Days of a review that somebody asks for: a quarter, whenever it begins.
DAYS = 91
_LEVEL = 0.95
#: Studies that are looked at, the newest first.
_MOST = 12

_LOST = {
    Study.Loss.HARM.value: "were made worse",
    Study.Loss.INADEQUATE.value: "got an answer that is not good enough",
    Study.Loss.STRICT_HARM.value: "were made worse, to what is not good enough",
}

Figure = dict[str, float | int | None]

_TRAFFIC = """
SELECT count(*), count(*) FILTER (WHERE decision.tier = 'cheap'),
    coalesce(sum(served.cost_usd + coalesce(decision.probe_usd, 0)), 0)::float8,
    count(served.cost_usd)
FROM routing_decision AS decision
JOIN routing_request AS request ON request.id = decision.request_id
LEFT JOIN routing_completion AS served
    ON served.request_id = request.id AND NOT served.is_shadow AND NOT served.is_probe
WHERE decision.policy_id = %s AND request.received_at >= %s AND request.received_at < %s
GROUP BY floor(extract(epoch FROM request.received_at) / 86400)
"""


def run_due(now: datetime | None = None) -> int:
    """Write the reviews of the calendar quarter (UTC) that ended last; return how many. Again: 0.

    Of each live project whose live policy was signed before the quarter ended.
    """
    first, last = quarter_before((now or timezone.now()).astimezone(UTC).date())
    live = Project.objects.filter(kind=Project.Kind.LIVE)
    return sum(_write_due(project, first, last) for project in live)


def _write_due(project: Project, first: date, last: date) -> bool:
    """Write a project's review unless there is one; its trouble stops no other project's."""
    row = expiry.signed(project, policy.live(project))
    if row is None or row.decided_at is None or row.decided_at >= _end(last):
        return False
    if QuarterReview.objects.filter(signoff=row, first_day=first).exists():
        return False
    try:
        write(row, first, last)
    except (Error, LookupError, ValueError, ArithmeticError):
        log.exception("the quarter of %s is not reviewed", row)
        return False
    return True


def quarter_before(day: date) -> tuple[date, date]:
    """Return the first and the last day of the calendar quarter before a day's.

    Example:
        >>> [one.isoformat() for one in quarter_before(date(2026, 2, 3))]
        ['2025-10-01', '2025-12-31']
    """
    last = date(day.year, 3 * ((day.month - 1) // 3) + 1, 1) - timedelta(days=1)
    return date(last.year, last.month - 2, 1), last


def ask(project: Project, *, by: User, today: date | None = None) -> QuarterReview:
    """Write a review of the 91 days before today, by a person's wish.

    Raises:
        NotAllowed: when the person runs no studies.
        Conflict: when what is live was not signed, or there is one of these days.
    """
    permissions.check(by, "run_studies")
    row = expiry.signed(project, policy.live(project))
    if row is None:
        raise Conflict("What is live was never signed: there is nothing to compare with.")
    last = (today or timezone.now().astimezone(UTC).date()) - timedelta(days=1)
    first = last - timedelta(days=DAYS - 1)
    if QuarterReview.objects.filter(signoff=row, first_day=first).exists():
        raise Conflict("There is a review of these days already.")
    return write(row, first, last, by=by)


def write(row: SignOff, first: date, last: date, *, by: User | None = None) -> QuarterReview:
    """Freeze the review of some days, as `keep` does."""
    begin, end = _begin(row, first), _end(last)
    traffic = _traffic(row, begin, end)
    loss, share = signatures.plan(row)["loss"], traffic["cheap_share"]["value"]
    content = beside(row, (first, last), begin, traffic, _ratings(row, loss, begin, end, share))
    return keep(row, content, by=by)


@transaction.atomic
def keep(row: SignOff, content: dict[str, Any], *, by: User | None = None) -> QuarterReview:
    """Freeze a review. One transaction holds it, its entry and its notices.

    Args:
        row: the sign-off.
        content: as `beside` returns it.
        by: who asked for it; None is the service.
    """
    first, last = (date.fromisoformat(content[name]) for name in ("first_day", "last_day"))
    sha256 = chain.sha256(content)
    made = QuarterReview.objects.create(
        project=row.project, signoff=row, first_day=first, last_day=last, content=content,
        sha256=sha256,
    )  # fmt: skip
    detail = {"signoff": row.pk, "sha256": sha256, "first_day": first.isoformat()}
    audit.write(row.project, by, "quarter.reviewed", f"review {made.pk}", detail)
    to = [row.requester, *permissions.people_who_can("request_signoff")]
    notices.tell(
        row, "quarter.reviewed", f"{made}: {sentence(content)}", to, key=f"quarter:{first}", by=by
    )
    return made


def is_whole(row: QuarterReview) -> bool:
    """Return whether a review says what was hashed."""
    return chain.sha256(row.content) == row.sha256


def sentence(content: dict[str, Any]) -> str:
    """Return what a review comes to, in words."""
    floor = f"the floor of {_percent(content['floor'])}"
    known = [one for one in content["ratings"] if one["degradation"]["value"] is not None]
    if not known:
        return f"Nothing was rated in these days: whether {floor} holds is not known."
    found = known[0]["degradation"]
    said = (
        f"{_percent(found['value'])} of requests {_LOST[content['loss']]} "
        f"({_percent(found['low'])} to {_percent(found['high'])}, n = {found['n']})"
    )
    if found["low"] > content["floor"]:
        return f"{said}: {floor} is broken."
    holds = found["high"] <= content["floor"]
    return f"{said}: {floor} {'holds' if holds else 'is neither shown to hold nor to be broken'}."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def beside(
    row: SignOff,
    days: tuple[date, date],
    begin: datetime,
    traffic: dict[str, Any],
    ratings: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return what is frozen: what was signed, beside traffic and ratings of some days.

    Args:
        row: the sign-off.
        days: the first and the last.
        begin: from when on requests count.
        traffic: `days` that had requests, and as figures `cheap_share` and `cost_usd`.
        ratings: of each study what was made worse and what is adequate.
    """
    plan, (first, last) = signatures.plan(row), days
    return {
        "version": VERSION,
        "signoff": row.pk, "revision": row.revision,
        "first_day": first.isoformat(), "last_day": last.isoformat(),
        "from": begin.isoformat(),
        "threshold": row.threshold, "thresholds": row.thresholds,
        "floor": plan["floor"], "loss": plan["loss"], "level": _LEVEL,
        "signed": _signed(row.evidence.content),
        "traffic": traffic,
        "ratings": ratings,
    }  # fmt: skip


def _begin(row: SignOff, first: date) -> datetime:
    """Return from when on requests count: what came before go-live was not its doing."""
    begin = datetime.combine(first, time(), UTC)
    live = Deployment.objects.filter(policy=row.policy_after_id).order_by("id").first()
    return max(begin, live.created_at) if live else begin


def _end(last: date) -> datetime:
    return datetime.combine(last + timedelta(days=1), time(), UTC)


def _signed(content: dict[str, Any]) -> dict[str, Figure]:
    """Return the figures of the evidence; shares and costs of a frame have no interval."""
    point = content["point"]
    exact = {
        name: {"value": point[name], "low": None, "high": None, "n": content.get("n_frame")}
        for name in ("cheap_share", "cost_usd")
    }
    rated = {
        name: {
            "value": point[name], "low": point[f"{name}_low"], "high": point[f"{name}_high"],
            "n": point[n],
        }
        for name, n in (("degradation", "n_harm"), ("adequacy", "n_adequacy"))
    }  # fmt: skip
    return rated | exact


def _traffic(row: SignOff, begin: datetime, end: datetime) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(_TRAFFIC, [row.policy_after_id, begin, end])
        days = np.array(cursor.fetchall(), np.float64).reshape(-1, 4)
    n, cheap, paid, priced = days.T
    return {
        "days": len(days),
        "cheap_share": figure(*byday.ratio(cheap, n, _LEVEL), int(n.sum())),
        "cost_usd": figure(*byday.ratio(paid, priced, _LEVEL), int(priced.sum())),
    }


def figure(value: float, low: float, high: float, n: int) -> Figure:
    """Return a value with its interval and n; what is not a number is None."""
    known = (None if math.isnan(one) else float(one) for one in (value, low, high))
    return dict(zip(("value", "low", "high", "n"), (*known, n), strict=True))


def _ratings(
    row: SignOff, loss: str, begin: datetime, end: datetime, share: float | None
) -> list[dict[str, Any]]:
    studies = list(Study.objects.filter(project=row.project_id).order_by("-id")[:_MOST])
    studies.sort(key=lambda one: one.watches_id != row.pk)
    found = (_of_study(study, row, loss, begin, end, share) for study in studies)
    return [one for one in found if one is not None]


def _of_study(
    study: Study, row: SignOff, loss: str, begin: datetime, end: datetime, share: float | None
) -> dict[str, Any] | None:
    """Return what a study's ratings say of the quarter's requests; None where it has none.

    What goes to CHEAP is made worse at the rate of the rated ones; how much goes there is known
    of all requests, shadowed or not.
    """
    kind = estimation.default_kind(estimation.rated_by_kind(study))
    moment = Moment.now(study)
    found = estimation.rows(study, kind, moment)
    said = frames.said(study, kind, moment.verdict_id, found.frame)
    assert row.policy_after is not None, "the database holds it"
    rows, known = choice.decided_by(study, found, row.policy_after)
    cheap = choice.sided(rows, Thresholds(row.threshold, row.thresholds)).frame.score < BETWEEN
    at = found.frame.received_at
    here = known & found.rated & cheap & (at >= begin.timestamp()) & (at < end.timestamp())
    if not here.any():
        return None
    weight = 1 / (found.frame.rate * np.where(found.frame.pi > 0, found.frame.pi, 1.0))
    harm = _mean(inputs.loss(said, loss)[here], weight[here])
    return {
        "study": study.pk, "name": study.name, "is_living": study.watches_id == row.pk,
        "raters": kind,
        "degradation": times(harm, share),
        "adequacy": _mean(said.adequate[here], weight[here]),
    }  # fmt: skip


def _mean(values: np.ndarray, weight: np.ndarray) -> Figure:
    spoken = ~np.isnan(values)
    mean = weighting.hajek(values[spoken], weight[spoken])
    if not mean.n:
        return figure(math.nan, math.nan, math.nan, 0)
    low, high = korn_graubard(*mean, _LEVEL)
    return figure(mean.mean, float(low), float(high), mean.n)


def times(rate: Figure, share: float | None) -> Figure:
    """Return a rate among cheap-routed requests as one of all of them."""
    if share is None:
        return figure(math.nan, math.nan, math.nan, 0)
    scaled = {name: None if value is None else value * share for name, value in rate.items()}
    return scaled | {"n": rate["n"]}
