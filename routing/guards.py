"""What became of the requests that a ramp's two policies decided, side by side.

Both decide at the same time, by a draw: a provider's bad hour befalls both. Requests whose client
named the policy were not drawn, and imported ones not decided here: neither counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Q

from routing import proportions
from routing.call import LEFT, STOPPING
from routing.models import Decision, Policy, ShadowJob
from routing.proportions import Comparison
from routing.types import Reason, Tier

#: Errors of a request that no policy is to blame for, and none.
_NO_FAULT = ("", LEFT, STOPPING)
#: A cheap tier that the client insisted on is not replaced, so that it never falls back.
_CHOSEN_BY_CLIENT = (Reason.FORCED, Reason.BYPASSED)
_FELL_BACK = Q(reason=Reason.FALLBACK)
_ASKED_CHEAP = Q(reason__in=(Reason.FALLBACK, Reason.ESCALATED)) | (
    Q(tier=Tier.CHEAP) & ~Q(reason__in=_CHOSEN_BY_CLIENT)
)
#: Whose pairs, if they have any, no shadow call made.
_UNSHADOWED = (Reason.IMPORTED, Reason.ESCALATED)
_FAILED = Q(state=ShadowJob.State.FAILED)


class Outcomes(NamedTuple):
    """What became of one policy's requests.

    Attributes:
        requests: recorded; `errors`: of them, that got an error instead of a whole answer, from
            the provider or for want of it.
        asked_cheap: that the router sent to the cheap tier first; `fallbacks`: of them, that
            EXPENSIVE answered because the cheap tier failed.
        shadowed: whose shadow call came to an end; `shadow_failed`: of them, without an answer.
    """

    requests: int = 0
    errors: int = 0
    asked_cheap: int = 0
    fallbacks: int = 0
    shadowed: int = 0
    shadow_failed: int = 0


def outcomes(policies: Sequence[Policy], since: datetime) -> dict[int, Outcomes]:
    """Return what became of the drawn requests received since then, by policy id.

    Args:
        policies: of one project.
        since: the end is now.
    """
    served, shadowed = _served(policies, since), _shadowed(policies, since)
    ids = [one.pk for one in policies]
    return {id_: Outcomes(*served.get(id_, (0,) * 4), *shadowed.get(id_, (0,) * 2)) for id_ in ids}


def _served(policies: Sequence[Policy], since: datetime) -> Mapping[int, tuple[int, ...]]:
    rows = (
        Decision.objects.filter(
            policy__in=policies,
            request__project__in={one.project_id for one in policies},
            request__received_at__gte=since,
        )
        .exclude(reason=Reason.IMPORTED)
        .exclude(request__asked_model__in=[one.name for one in policies])
        .values_list("policy")
        .annotate(
            n=Count("pk"),
            errors=Count("pk", filter=~Q(request__error__in=_NO_FAULT)),
            asked_cheap=Count("pk", filter=_ASKED_CHEAP),
            fallbacks=Count("pk", filter=_FELL_BACK),
        )
    )
    return {policy_id: tuple(counts) for policy_id, *counts in rows}


def _shadowed(policies: Sequence[Policy], since: datetime) -> Mapping[int, tuple[int, ...]]:
    rows = (
        ShadowJob.objects.filter(
            request__decision__policy__in=policies,
            request__project__in={one.project_id for one in policies},
            request__received_at__gte=since,
            state__in=(ShadowJob.State.DONE, ShadowJob.State.FAILED),
        )
        .exclude(request__decision__reason__in=_UNSHADOWED)
        .exclude(request__asked_model__in=[one.name for one in policies])
        .values_list("request__decision__policy")
        .annotate(n=Count("pk"), failed=Count("pk", filter=_FAILED))
    )
    return {policy_id: tuple(counts) for policy_id, *counts in rows}


def compare(new: Policy, rest: Policy, since: datetime) -> list[Comparison]:
    """Compare what became of two policies' requests: errors, fallbacks, failed shadow calls.

    A policy that sends nothing to the cheap tier has no fallbacks to compare with: then there is
    no p-value, and the new policy's counts have to speak for themselves.
    """
    both = outcomes((new, rest), since)
    mine, theirs = both[new.pk], both[rest.pk]
    return [
        proportions.compare("errors", mine.errors, mine.requests, theirs.errors, theirs.requests),
        proportions.compare(
            "fallbacks", mine.fallbacks, mine.asked_cheap, theirs.fallbacks, theirs.asked_cheap
        ),
        proportions.compare(
            "shadow_failed",
            mine.shadow_failed, mine.shadowed, theirs.shadow_failed, theirs.shadowed,
        ),
    ]  # fmt: skip
