"""Whether evidence still stands: what changed since it was frozen, a sentence each."""

from __future__ import annotations

from typing import Any

from reviews import calibration, chain, choice, covering, estimation, moving, planning
from reviews.evidence import EARLIER, asked_of, looked_after
from reviews.models import Evidence, Study
from routing import policy

#: Fields that plans frozen earlier do not name, and what they meant.
_ADDED = {"after_alarm": Study.AfterAlarm.FLOOR.value}


def staleness(row: Evidence) -> list[str]:
    """Return why evidence can no longer be approved, a sentence each; empty while it can.

    Ratings that came since count only when they move what is certified. Of evidence that is not
    certified they count, too, when they move a figure out of the interval that was signed. When
    nothing was drawn or said since, no curve is computed.
    """
    study, content = row.study, row.content
    if row.inputs is None:
        return [EARLIER]
    found = [*_other_policy(study, content), *changed_plan(study, content)]
    moved = _certificate_moved(study, content["certificate"])
    if not moved and not content["is_certified"]:
        moved = _figures_moved(study, content)
    return [*found, *moved, *blocks_now(row)]


def blocks_now(row: Evidence) -> list[str]:
    """Return what stands against going live on this evidence since it was frozen, a sentence each.

    A check of the study's health that fails, a guardrail that is breached. One that the evidence
    shows was signed with it. Nothing stands against always expensive.
    """
    if row.inputs is None:
        return [EARLIER]
    content, asked = row.content, asked_of(row.content)
    if covering.is_always_expensive(asked.threshold, content["thresholds"]):
        return []
    return covering.new_blocks(looked_after(row.study, asked), content)


def _certificate_moved(study: Study, frozen: dict[str, Any]) -> list[str]:
    is_as_it_was = str(calibration.moment_of(study)) == frozen["moment"]
    if is_as_it_was and bool(study.closed_at) == frozen["is_final"]:
        return []
    return moving.certificate(frozen, calibration.certificate(study).as_json())


def _figures_moved(study: Study, content: dict[str, Any]) -> list[str]:
    """Return the figures of now that lie outside the intervals that were frozen."""
    moment = estimation.Moment.now(study)
    if str(moment) == content["moment"]:
        return []
    found = estimation.rows(study, content["raters"], moment)
    return moving.figures(content["point"], choice.point(found, asked_of(content)))


def _other_policy(study: Study, content: dict[str, Any]) -> list[str]:
    live = policy.live(study.project)
    if live is None or live.pk != content["policy"]["id"]:
        return ["Another policy went live since this was requested."]
    return []


def changed_plan(study: Study, content: dict[str, Any]) -> list[str]:
    """Return that the study's plan is no longer the one that was frozen, or nothing."""
    if _plan_of(planning.as_json(study)) != _plan_of(content["plan"]):
        return ["The plan was changed since."]
    return []


def _plan_of(plan: dict[str, Any]) -> bytes:
    """Return what of a plan may not change; that the study was closed since is no change.

    Nor is a field that plans got since, at the value that stands for what they did before.
    """
    kept = {name: value for name, value in plan.items() if name != "closed"}
    return chain.canonical(_ADDED | kept)
