"""Many calls at once: bounds are shared, closed lanes cost no attempt and starve no other."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone

from routing import outcomes, shadow, shifts
from routing.brakes import LONGEST_PAUSE_S
from routing.models import Completion, ShadowJob, ShadowPair
from routing.outcomes import Outcome
from routing.shared import Shared
from routing.types import Reply, TierSpec, Usage
from tests.routing import jobs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def crew():
    """A crew of its own, with what Redis knew forgotten."""
    shared = Shared()
    shared.open()
    await shared.ask(lambda redis: redis.flushdb(), None)
    yield shifts.Crew(shared)
    await shared.close()


def states():
    return sorted(ShadowJob.objects.values_list("state", flat=True))


def write(project, provider, count, model="small"):
    return jobs.write(project, count, TierSpec("anthropic", model, base_url=provider.url))


def test_two_shifts_at_once_share_the_bound_and_pair_every_job(project, provider, settings):
    settings.SHADOWEVAL_SHADOW_CONCURRENCY = 3
    write(project, provider, 10, "slow-first-byte")
    provider.first_byte_s = 0.1
    with ThreadPoolExecutor(2) as threads:
        had = sum(threads.map(lambda _: shifts.run(), range(2)))
    assert (had, states()) == (10, ["done"] * 10)
    assert (ShadowPair.objects.count(), len(provider.seen)) == (10, 10)


async def test_a_paused_lane_keeps_its_attempts_and_starves_no_other(crew, project, provider):
    url = provider.url
    await asyncio.to_thread(write, project, provider, 3)
    other = TierSpec("anthropic", "m", base_url=f"{url}/")
    await asyncio.to_thread(jobs.write, project, 2, other)
    lane = TierSpec("anthropic", "small", base_url=url).lane
    crew.brakes.lane(lane).paused_until = LONGEST_PAUSE_S + timezone.now().timestamp()
    assert await crew.shift() == 2
    told = await asyncio.to_thread(
        lambda: sorted(ShadowJob.objects.values_list("lane", "state", "attempts"))
    )
    assert told == [(lane, "pending", 0)] * 3 + [(other.lane, "done", 1)] * 2


async def test_a_crew_that_is_told_to_stop_claims_nothing(crew, project, provider):
    await asyncio.to_thread(write, project, provider, 1)
    crew.stop()
    assert await crew.shift() == 0
    assert await asyncio.to_thread(states) == ["pending"]


def test_a_job_that_nobody_asked_for_gives_its_attempt_back(project, provider):
    write(project, provider, 1)
    closed = Outcome(reason="busy: x", retryable=True, retry_after_s=1.0, was_asked=False)
    outcomes.finish([(shadow.claim(1)[0], closed)])
    job = ShadowJob.objects.get()
    assert (job.state, job.attempts, job.reason) == ("pending", 0, "busy: x")


def test_a_body_with_what_jsonb_refuses_is_stored_cleaned_beside_one_as_it_came(project, provider):
    write(project, provider, 3)
    said = [b'{"x": "a\\u0000\\ud800"}', b'{"x": "\\ud83d\\ude00"}', '{"x": "ß"}'.encode()]
    taken = shadow.claim(3)
    replies = [Reply(body, "t\0", "m", "end_turn", Usage(1, 1), 1.0) for body in said]
    group = [(job, Outcome(reply)) for job, reply in zip(taken, replies, strict=True)]
    outcomes.finish(group)
    outcomes.finish(group)
    stored = Completion.objects.filter(is_shadow=True).order_by("id")
    assert [row.body["x"] for row in stored] == ["a\ufffd\ufffd", "\U0001f600", "ß"]
    assert (states(), ShadowPair.objects.count()) == (["done"] * 3, 3)


def test_the_claim_reads_lanes_and_due_jobs_by_their_index(project, provider):
    write(project, provider, 400)
    other = TierSpec("openai", "m", base_url=provider.url)
    jobs.write(project, 5, other)
    ShadowJob.objects.filter(lane=other.lane).update(not_before=timezone.now())
    now = timezone.now()
    said = {"names": [], "rooms": [], "others": 10, "limit": 10, "overdue": "x"}
    said |= {"now": now, "deadline": now, "lease": now}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE routing_shadowjob")
        cursor.execute("SET enable_seqscan = off")  # a small table: which index is the question
        cursor.execute(f"EXPLAIN {shadow._TAKE}", said)
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert plan.count("using shadow_due_by_lane") >= 2
    assert "Seq Scan on routing_shadowjob" not in plan
