"""What guards the next step of a rollout: its share against the rest, and the study's health."""

from __future__ import annotations

from typing import Any, NamedTuple

from scipy import stats

from reviews import health, standing
from reviews.models import Rollout, SignOff
from routing import guards, policy
from routing.proportions import WORSE_BELOW, Comparison

#: What is looked at, in words.
_LABELS = {
    "errors": "Errors",
    "fallbacks": "Cheap calls that fell back",
    "shadow_failed": "Shadow calls without an answer",
}
#: Largest share of failures while there is nothing to compare with: the first policy sends nothing
#: to the cheap tier, so that nothing of it can fall back.
_MOST_ALONE = 0.05


class Look(NamedTuple):
    """What was compared, and in a sentence each what went worse.

    Attributes:
        figures: counts of both shares and the p-value, a dictionary each, to be kept.
    """

    figures: list[dict[str, Any]]
    failed: list[str]


def look(way: Rollout) -> Look:
    """Compare the requests since the last step, and look for what broke in the study since it.

    Requests that nobody sent fail no guard; the figures show how many there were. Before the first
    step there is nothing to compare; what came up against the evidence since it was signed fails.
    """
    if not way.done:
        return Look([], standing.blocks_now(way.signoff.evidence))
    target, rest = way.signoff.policy_after, way.signoff.policy_before
    last = policy.deployment(way.project)
    assert target is not None, "the database holds it"
    assert last is not None, "a step was deployed"
    found = guards.compare(target, rest, last.created_at)
    figures = [{"label": _LABELS[one.name], **one._asdict()} for one in found]
    worse = [_sentence(one) for one in found if is_worse(one)]
    return Look(figures, worse + _broken(way.signoff))


def _broken(row: SignOff) -> list[str]:
    """Return what fails of the study's health now and did not when it was signed."""
    known = {
        check["name"]
        for check in row.evidence.content.get("health", [])
        if check["level"] == "fail"
    }
    found = health.failing(row.study)
    return [f"{check.label}: {check.text}" for check in found if check.name not in known]


def is_worse(one: Comparison) -> bool:
    """Return whether a guard fails: worse than the rest, or with no rest surely above a twentieth.

    >>> is_worse(Comparison("fallbacks", 40, 20, 0, 0, None, False))
    True
    >>> is_worse(Comparison("fallbacks", 40, 2, 0, 0, None, False))
    False
    """
    if one.worse or one.n_rest or not one.n_new:
        return one.worse
    test = stats.binomtest(one.x_new, one.n_new, _MOST_ALONE, alternative="greater")
    return bool(test.pvalue < WORSE_BELOW)


def _sentence(one: Comparison) -> str:
    against = f"{one.x_rest} of {one.n_rest} with the one before" if one.n_rest else "5 % allowed"
    return f"{_LABELS[one.name]}: {one.x_new} of {one.n_new} with the new policy, {against}."
