"""Counts are what is stored: through writes, moves, deletions, and many writers at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from reviews import projects
from routing import bootstrap, counts, policy, recording, shifts
from routing.models import Decision, Project, ShadowJob, ShadowPair, StoredCount
from routing.served import Served
from routing.types import ChatRequest, DecisionValue, Reason, Tier
from tests.reviews.rows import add_pair, reply

STATES = ShadowJob.State


def served(project, tier=Tier.CHEAP, reason=Reason.BELOW_THRESHOLD, skip=""):
    decision = DecisionValue(tier, reason, 0.4, 0.3, task="math")
    return Served(
        uuid4(), timezone.now(), project.pk, None, policy.live(project).pk, "anthropic",
        ChatRequest({"messages": []}, "q", "auto"), decision, 200, "", "simulated",
        reply("a"), None, 1.0, 1.0, 2.0, skip=skip,
    )  # fmt: skip


def stored():
    """Return what is counted by counting."""
    return (
        Decision.objects.count(),
        Decision.objects.filter(tier="cheap").count(),
        ShadowJob.objects.filter(state__in=ShadowJob.OPEN).count(),
        ShadowJob.objects.count(),
        ShadowPair.objects.count(),
    )


def counted(project=None):
    """Return the same from the counts."""
    return (
        counts.requests(project),
        counts.by_tier(project).get("cheap", 0),
        counts.backlog(project),
        sum(row.n for row in counts.jobs(project)),
        counts.pairs(project),
    )


@pytest.mark.django_db
def test_nothing_stored_counts_nothing(project):
    assert counted() == counted(project) == (0, 0, 0, 0, 0)
    assert (counts.by_tier(project), counts.jobs(project)) == ({}, [])
    assert counts.lag_s(project) is None


@pytest.mark.django_db
def test_requests_are_counted_by_tier_and_reason_and_once_when_written_twice(project):
    group = [served(project), served(project), served(project, Tier.EXPENSIVE, Reason.FALLBACK)]
    recording.write(group)
    recording.write(group)
    assert counts.by_reason(project) == [
        ("cheap", "below_threshold", 2),
        ("expensive", "fallback", 1),
    ]
    assert counts.by_tier(project) == {"cheap": 2, "expensive": 1}


@pytest.mark.django_db(transaction=True)
def test_jobs_are_counted_by_state_and_the_reason_before_its_colon(project):
    recording.write([served(project), served(project, skip="media: too much of it")])
    assert counts.jobs(project) == [("pending", "", 1), ("skipped", "media", 1)]
    shifts.run()
    assert counts.jobs(project) == [("done", "", 1), ("skipped", "media", 1)]
    assert (counts.pairs(project), counts.backlog(project)) == (1, 0)
    ShadowJob.objects.filter(state=STATES.DONE).update(state=STATES.FAILED, reason="error: 1")
    assert counts.jobs(project) == [("failed", "error", 1), ("skipped", "media", 1)]


@pytest.mark.django_db
def test_a_group_written_with_its_requests_in_one_statement_is_counted(project):
    row, live = uuid4(), policy.live(project)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH request AS (
                INSERT INTO routing_request (id, project_id, received_at, wire, asked_model,
                    payload, query, task, metadata, headers, url_query, session, is_stream, status,
                    error, overhead_ms)
                VALUES (%(id)s, %(project)s, now(), 'native', 'auto', '{}', 'q', '', '{}', '{}',
                    '', '', false, 200, '', 1) RETURNING id
            ), decision AS (
                INSERT INTO routing_decision (request_id, policy_id, tier, reason, rule, threshold)
                SELECT id, %(policy)s, 'cheap', 'sticky', '', 0 FROM request
            )
            INSERT INTO routing_shadowjob (request_id, project_id, tier, rate, state, reason,
                attempts, not_before, created_at)
            SELECT id, %(project)s, 'expensive', 1, 'pending', '', 0, now(), now() FROM request
            """,
            {"id": row, "project": project.pk, "policy": live.pk},
        )
    assert counts.by_reason(project) == [("cheap", "sticky", 1)]
    assert counts.jobs(project) == [("pending", "", 1)]


@pytest.mark.django_db
def test_projects_are_counted_apart_and_a_deleted_one_leaves_nothing(project, starter):
    other = bootstrap.ensure_project("other", "Other", starter)
    add_pair(project, 0.2)
    for _ in range(3):
        add_pair(other, 0.2)
    assert (counted(project)[0], counted(other)[0], counted()) == (1, 3, stored())
    projects.delete(other)
    assert (counted(other), counted()) == ((0, 0, 0, 0, 0), stored())
    assert not StoredCount.objects.exclude(project_id=project.pk).exists()
    assert Project.objects.get() == project


@pytest.mark.django_db
def test_what_is_rolled_back_was_never_counted(project):
    with transaction.atomic():
        recording.write([served(project)])
        assert counts.requests(project) == 1
        transaction.set_rollback(True)
    assert counts.requests(project) == 0


@pytest.mark.django_db
def test_the_lag_is_the_age_of_the_oldest_job_that_is_due(project):
    now = timezone.now()
    recording.write([served(project) for _ in range(3)])
    for job, age_s in zip(ShadowJob.objects.all(), (-60, 3, 7), strict=True):
        ShadowJob.objects.filter(pk=job.pk).update(not_before=now - timedelta(seconds=age_s))
    assert counts.lag_s(project, now) == pytest.approx(7)
    assert counts.lag_s(None, now) == pytest.approx(7)
    assert counts.lag_s(project, now - timedelta(minutes=1)) is None


@pytest.mark.django_db(transaction=True)
def test_writers_that_run_at_once_leave_exact_counts_and_never_wait_for_each_other(project):
    def work(n):
        try:
            for turn in range(6):
                group = [served(project) for _ in range(5)]
                with transaction.atomic():
                    # In another order each time: a common row would end in a deadlock.
                    if (n + turn) % 2:
                        recording.write(group)
                    ShadowJob.objects.filter(request_id__in=[r.request_id for r in group]).update(
                        state=STATES.FAILED, reason="error: x", finished_at=timezone.now()
                    )
                    if not (n + turn) % 2:
                        recording.write(group)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, n) for n in range(6)]:
            done.result()
    assert counted(project) == stored()
    assert counted(project)[0] == 6 * 6 * 5


@pytest.mark.django_db(transaction=True)
def test_an_open_transaction_holds_nobody_up(project):
    def write():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '5s'")
                recording.write([served(project)])
        finally:
            connection.close()

    with transaction.atomic():
        recording.write([served(project)])
        with ThreadPoolExecutor(1) as pool:
            pool.submit(write).result()
        assert counts.requests(project) == 2
    assert counted(project) == stored()
