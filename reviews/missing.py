"""Requests of a study that were to have a pair and have none, and why."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.db import connection

from reviews import sampling
from reviews.models import Study
from routing import counts
from routing.models import ShadowJob
from routing.models.shadow import LOST

# The jobs first, then each one's request and decision by their keys: left alone, the planner takes
# the lost jobs for many and reads the decisions of all requests.
_COUNT = """
WITH lost AS MATERIALIZED ({jobs})
SELECT lost.tier, lost.reason, count(*) FROM lost, LATERAL (
    SELECT FROM routing_request AS r JOIN routing_decision AS d ON d.request_id = r.id
    WHERE r.id = lost.request_id AND d.policy_id = ANY (%s)
        AND r.received_at >= %s AND r.received_at < %s
    OFFSET 0) AS of_study
GROUP BY 1, 2 ORDER BY 3 DESC, 2
"""


def by_why(study: Study) -> dict[str, int]:
    """Count the study's requests that were to have a pair and have none, by tier and why."""
    ends = (ShadowJob.State.FAILED, ShadowJob.State.SKIPPED)
    ended = [row for row in counts.jobs(study.project) if row.state in ends]
    policies = tuple(sampling.policies(study))
    begin, end = sampling.window(study)
    missing = dict(_lost(study.project_id, policies, begin, end, tuple(ended)))
    still_open = _open(study.project_id, policies, begin, end)
    return missing | ({"not asked yet": still_open} if still_open else {})


@lru_cache(maxsize=64)
def _lost(
    project_id: int, policies: tuple[int, ...], begin: Any, end: Any, ended: tuple[Any, ...]
) -> tuple[tuple[str, int], ...]:
    """Count the jobs that ended without a pair; again only when the project has others."""
    rows = _counted(ShadowJob.objects.filter(LOST), project_id, policies, begin, end)
    return tuple((f"{tier}: {reason}", n) for tier, reason, n in rows)


def _open(project_id: int, policies: tuple[int, ...], begin: Any, end: Any) -> int:
    """Count the jobs that are still to be asked; each state has an index of its own."""
    return sum(
        n
        for state in ShadowJob.OPEN
        for *_, n in _counted(
            ShadowJob.objects.filter(state=state), project_id, policies, begin, end
        )
    )


def _counted(
    jobs: Any, project_id: int, policies: tuple[int, ...], begin: Any, end: Any
) -> list[Any]:
    # No job is older than its request: this bound lets an index find them.
    jobs = jobs.filter(project_id=project_id, created_at__gte=begin)
    query, values = jobs.values("tier", "reason", "request_id").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT.format(jobs=query), [*values, list(policies), begin, end])
        return cursor.fetchall()
