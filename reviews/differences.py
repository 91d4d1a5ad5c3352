"""Which recorded requests would change tier if another router decided them.

Both routers score the same recorded texts, so that nothing but the router differs. What a request
did is not read: it may have been decided by a third one.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from reviews.choice import Thresholds
from reviews.errors import CannotTell
from routing.models import Project, Request
from routing.routers import weighing
from routing.routers.base import Router
from routing.types import Reason, Tier

#: Newest requests that are looked at.
MOST = 5000
#: Requests that no score decides, whatever the router.
_UNSCORED = (
    Reason.BYPASSED, Reason.FORCED, Reason.STICKY, Reason.UNTRANSLATABLE, Reason.TOOLS,
    Reason.CONTEXT_LENGTH, Reason.UNPRICED,
)  # fmt: skip
_CHUNK = 500

Progress = Callable[[int, int], None]


class Switch(NamedTuple):
    """A request that would go to another tier; a score is None where its router failed."""

    request_id: UUID
    task: str
    old_score: float | None
    new_score: float | None
    to: Tier


class Differences(NamedTuple):
    """What would change: `n` requests were looked at, newest first, and these would switch.

    Attributes:
        at_medians: whether each router was taken at its own median score.
    """

    n: int
    switched: list[Switch]
    at_medians: bool = False


class _Scored(NamedTuple):
    request_id: UUID
    task: str
    old: float | None
    new: float | None


def between(
    project: Project,
    old: Router,
    new: Router,
    thresholds: Thresholds,
    most: int = MOST,
    progress: Progress | None = None,
) -> Differences:
    """Return which of the newest recorded requests would switch, at the same thresholds.

    Requests that no score decides, such as forced ones, are not looked at. A router that fails
    sends to EXPENSIVE, as it does live. Where no threshold lets anything be cheap, no router could
    change that: each is taken at its own median score then, so that both send the same share.

    Args:
        project: whose requests.
        old: who decides now.
        new: who would decide.
        thresholds: for all requests, and by task type.
        most: requests looked at.
        progress: told how many are done, of how many; it may stop the work by raising.

    Raises:
        CannotTell: when a router needs to see the cheap answer.
    """
    rows = newest(project).values_list("id", "query", "task", "retrieval__confidence")
    total = min(rows.count(), most)
    found: list[_Scored] = []
    for request_id, query, task, sure in rows[:most].iterator(chunk_size=_CHUNK):
        found.append(_Scored(request_id, task, scored(old, query, sure), scored(new, query, sure)))
        if progress is not None:
            progress(len(found), max(total, len(found)))
    if not any((thresholds.threshold, *thresholds.by_task.values())):
        at = _median([one.old for one in found]), _median([one.new for one in found])
        return Differences(len(found), list(_switched(found, lambda task: at)), True)
    by_task, other = thresholds.by_task, thresholds.threshold
    return Differences(
        len(found), list(_switched(found, lambda task: (by_task.get(task, other),) * 2))
    )


def _switched(
    found: Iterable[_Scored], thresholds: Callable[[str], tuple[float, float]]
) -> Iterator[Switch]:
    """Give the requests that go elsewhere, by the old and the new router's threshold of a task."""
    for one in found:
        before, after = thresholds(one.task)
        was, will = tier(one.old, before), tier(one.new, after)
        if was is not will:
            yield Switch(*one, will)


def _median(scores: Iterable[float | None]) -> float:
    """Return the median of the scores that are known; 0 without any."""
    known = [score for score in scores if score is not None]
    return statistics.median(known) if known else 0.0


def scored(router: Router, query: str, confidence: float | None = None) -> float | None:
    """Return what a router says of a text; None when it fails or says what is no score.

    Args:
        router: who says it.
        query: the text.
        confidence: of what was looked up for it, None where nothing was.

    Raises:
        CannotTell: when it needs to see the cheap answer.
    """
    try:
        said = weighing.weighed(router, router.score(query), confidence)
    except Exception:
        return None
    if said.needs_answer:
        raise CannotTell("This router looks at the cheap answer first: it would have to be asked.")
    return said.value if 0 <= said.value <= 1 else None


def tier(score: float | None, threshold: float) -> Tier:
    """Return where a score sends a request.

    Example:
        >>> [tier(score, 0.5).value for score in (0.4, 0.5, None)]
        ['cheap', 'expensive', 'expensive']
    """
    return Tier.CHEAP if score is not None and score < threshold else Tier.EXPENSIVE


def newest(project: Project) -> QuerySet[Request]:
    """Return the requests that a score may decide, the newest first."""
    rows = Request.objects.filter(project=project).exclude(decision__reason__in=_UNSCORED)
    return rows.order_by("-received_at")
