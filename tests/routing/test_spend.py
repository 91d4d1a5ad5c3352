"""The cap on shadow calls: never passed, whoever claims at once, and used up to one call."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from routing import outcomes, policy, shadow, spend
from routing.models import Project, ShadowJob, ShadowSpend
from routing.outcomes import Outcome
from routing.types import Price, Reply, TierSpec, Usage
from tests.routing import jobs

pytestmark = pytest.mark.django_db(transaction=True)

PRICE = Price(Decimal(1), Decimal(5))
CALL_USD = Decimal("0.000500")
REPLY = Reply(b'{"content": []}', "", "m", "end_turn", Usage(0, 100), 1.0)


@pytest.fixture
def capped(project):
    """Return a function that writes jobs of a project with a cap; each bound is the same."""

    def write(count, cap_usd, price=PRICE, **payload):
        Project.objects.filter(pk=project.pk).update(shadow_daily_usd=cap_usd)
        return jobs.write(project, count, TierSpec("anthropic", "m", price=price), **payload)

    return write


def spent():
    row = ShadowSpend.objects.get()
    return row.usd, row.reserved_usd


def states():
    return sorted(ShadowJob.objects.values_list("state", flat=True))


def test_twenty_claims_at_once_never_pass_the_cap_and_get_within_one_call(capped):
    capped(60, Decimal("0.02"))
    seen = []

    def work(place):
        try:
            for _ in range(40):
                taken = shadow.claim(2)
                seen.append(ShadowSpend.objects.values_list("usd", flat=True).first() or 0)
                outcomes.finish([(job, Outcome(REPLY)) for job in taken])
                if place == 0:  # only one: in no certain order they would lock each other out
                    ShadowJob.objects.filter(state="pending").update(not_before=timezone.now())
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(work, range(20)))
    bound = spend.upper_bound(TierSpec("a", "m", price=PRICE), jobs.PAYLOAD, 100)
    usd, reserved = spent()
    done = ShadowJob.objects.filter(state="done").count()
    assert max(seen) <= Decimal("0.02")
    assert (usd, reserved) == (done * CALL_USD, 0)
    assert Decimal("0.02") - bound - CALL_USD < usd <= Decimal("0.02")
    assert set(states()) == {"done", "skipped"}
    reason = ShadowJob.objects.filter(state="skipped").first().reason
    assert reason == "spend_cap: the day's 0.02 USD are spent"


def test_what_only_has_to_wait_for_calls_under_way_waits_without_an_attempt(capped):
    capped(2, Decimal("0.0025"))
    first = shadow.claim(10)
    waiting = ShadowJob.objects.get(state="pending")
    assert (len(first), waiting.attempts, waiting.reason.split(":")[0]) == (1, 0, "spend_cap")
    outcomes.finish([(first[0], Outcome(reason="provider_error: 400", is_free=True))])
    assert spent() == (0, 0)
    ShadowJob.objects.update(not_before=timezone.now())
    assert len(shadow.claim(10)) == 1


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"price": None}, "spend_cap: price unknown"),
        ({"tools": [{"source": {"type": "url"}}]}, "spend_cap: no bound for media"),
        ({"max_tokens": 10_000_000}, "spend_cap: the day's 1 USD are spent"),
    ],
)
def test_without_a_bound_under_the_cap_nobody_is_asked(capped, made, reason):
    capped(1, Decimal(1), **made)
    assert shadow.claim(10) == []
    job = ShadowJob.objects.get()
    assert (job.state, job.attempts, job.reason.startswith(reason)) == ("skipped", 0, True)


def test_a_dead_workers_reservation_stays_spent_and_its_late_answer_settles_nothing(capped):
    capped(1, Decimal(1))
    late = shadow.claim(1)
    held, _ = spent()
    ShadowJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert shadow.recover() == 1
    assert spent() == (held, 0)
    outcomes.finish([(late[0], Outcome(REPLY))])
    assert spent() == (held, 0)
    again = shadow.claim(1)
    assert spent() == (2 * held, held)
    outcomes.finish([(again[0], Outcome(REPLY))])
    assert spent() == (held + CALL_USD, 0)


def test_an_answer_of_unknown_cost_keeps_all_that_was_held(capped):
    capped(1, Decimal(1))
    job = shadow.claim(1)[0]
    silent = Reply(b'{"content": []}', "", "m", "end_turn", Usage(), 1.0)
    outcomes.finish([(job, Outcome(silent))])
    assert spent() == (job.hold.usd, 0)


def test_projects_without_a_cap_touch_no_spend_row(project):
    jobs.write(project, 1, TierSpec("anthropic", "m"))
    outcomes.finish([(shadow.claim(1)[0], Outcome(REPLY))])
    assert not ShadowSpend.objects.exists()


def test_a_bound_counts_every_answer_long_prompts_and_the_dearest_rate():
    dear = Price(Decimal(1), Decimal(5), cache_write_1h_usd=Decimal(2))
    longer = Price(Decimal(1), Decimal(5), long_over_tokens=500, long_factor=Decimal(3))
    asked = {"max_tokens": 10, "n": 2}
    plain = spend.upper_bound(TierSpec("a", "m", price=PRICE), asked, 1000)
    assert plain == Decimal(2000 + 2 * 10 * 5) / 1_000_000
    assert spend.upper_bound(TierSpec("a", "m", price=dear), asked, 1000) == Decimal("0.0041")
    assert spend.upper_bound(TierSpec("a", "m", price=longer), asked, 1000) == 3 * plain


@pytest.mark.parametrize("limit", [-1, -(10**6), 0, True, "many", None, "nan"])
def test_a_limit_that_is_none_does_not_lower_the_bound(limit):
    spec = TierSpec("openai", "m", price=PRICE)
    named = spend.upper_bound(spec, {"max_tokens": limit, "n": limit}, 10)
    assert named == spend.upper_bound(spec, {}, 10)


@pytest.mark.parametrize("limit", ["50000", 50_000.0, 49_999.5])
def test_a_limit_in_another_shape_counts(limit):
    spec = TierSpec("openai", "m", price=PRICE)
    named = spend.upper_bound(spec, {"max_tokens": limit}, 10)
    assert named == spend.upper_bound(spec, {"max_tokens": 50_000}, 10)


def test_a_late_second_writing_leaves_the_next_claim_alone(capped):
    capped(1, Decimal(1))
    not_asked = Outcome(reason="busy: x", retryable=True, retry_after_s=0.0, was_asked=False)
    (first,) = shadow.claim(1)
    outcomes.finish([(first, not_asked)])
    (second,) = shadow.claim(1)
    assert first.attempts == second.attempts
    outcomes.finish([(first, not_asked)])  # its writer did not hear that it was committed
    assert states() == ["running"]
    outcomes.finish([(second, Outcome(REPLY))])
    assert states() == ["done"]
    assert spent() == (CALL_USD, 0)


def test_what_cannot_be_paid_keeps_nobody_waiting(capped, project):
    capped(250, Decimal("0.0001"))
    other = Project.objects.create(slug="other", name="Other")
    theirs = policy.create(
        project=other, router=policy.live(project).router, threshold=0.4,
        cheap=TierSpec("anthropic", "m"), expensive=TierSpec("anthropic", "m"),
    )  # fmt: skip
    policy.deploy(theirs, by=None, reason="test")
    jobs.write(other, 5, TierSpec("anthropic", "m"))
    taken = shadow.claim(100)
    assert {job.project_id for job in taken} == {other.pk}
    assert states().count("skipped") == 250


def test_a_cap_that_is_set_during_the_day_counts_what_the_day_cost_already(capped):
    capped(3, None)
    outcomes.finish([(job, Outcome(REPLY)) for job in shadow.claim(3)])
    assert not ShadowSpend.objects.exists()
    capped(1, Decimal(1))
    (job,) = shadow.claim(1)
    assert spent() == (3 * CALL_USD + job.hold.usd, job.hold.usd)
