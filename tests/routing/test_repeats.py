"""Repeats: EXPENSIVE is asked once more for a drawn share, in the background, and counted."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from routing import bootstrap, counts, policy, recording, repeats, retention, shadow, shifts, spend
from routing.models import Completion, RepeatPair, Request, ShadowJob, ShadowPair
from routing.outcomes import Outcome, finish
from routing.records import is_drawn
from routing.served import Served
from routing.types import ChatRequest, DecisionValue, Price, Reason, Reply, Tier, TierSpec, Usage
from tests.routing import standin

pytestmark = pytest.mark.django_db(transaction=True)
PRICE = Price(Decimal(1), Decimal(5))
REPEAT = ShadowJob.Purpose.REPEAT


@pytest.fixture
def provider():
    """A Messages API that answers with the replies it is given, then 200; and who was asked."""
    replies, asked = [], []

    def answer(model):
        asked.append(model)
        return replies.pop(0) if replies else 200

    with standin.answering(answer) as url:
        yield url, replies, asked


@pytest.fixture
def record(project, provider):
    """Record a reply under a policy with this repeat rate; its calls go to the stand-in."""
    url, *_ = provider

    def write(tier=Tier.CHEAP, rate=1.0, request_id=None, **changes):
        live = policy.live(project)
        small, large = (
            TierSpec("anthropic", name, base_url=url, price=PRICE) for name in ("small", "large")
        )
        mine = policy.create(
            project=project, router=live.router, threshold=0.4, cheap=small, expensive=large,
            repeat_rate=rate,
        )  # fmt: skip
        reply = Reply(
            json.dumps(standin.MESSAGE).encode(), "served", "m", "end_turn", Usage(3, 2), 1
        )
        payload = {"messages": [{"role": "user", "content": "q"}], "max_tokens": 5}
        row = Served(
            request_id or uuid4(), timezone.now(), project.pk, None, mine.pk, "anthropic",
            ChatRequest(payload, "q", "auto"),
            DecisionValue(tier, Reason.BELOW_THRESHOLD, 0.4, 0.3),
            200, "", "anthropic", reply, None, 1.0, 1.0, 2.0,
        )  # fmt: skip
        recording.write([replace(row, **changes)])
        return row.request_id

    return write


def work():
    """Run shifts until nothing is due."""
    while shifts.run():
        pass


def job_of(request_id):
    return ShadowJob.objects.get(request_id=request_id, purpose=REPEAT)


@pytest.mark.parametrize("tier", list(Tier))
def test_the_expensive_tier_is_asked_once_more_whoever_served(record, provider, tier):
    *_, asked = provider
    request_id = record(tier)
    work()
    pair, job = ShadowPair.objects.get(request_id=request_id), job_of(request_id)
    repeat = RepeatPair.objects.get(request_id=request_id)
    assert (repeat.pair, repeat.second.tier, repeat.second.ordinal) == (pair, "expensive", 2)
    assert repeat.second.is_shadow
    assert repeat.second_id != pair.expensive_id
    assert (job.state, job.tier, job.attempts) == ("done", "expensive", 1)
    assert sorted(asked) == sorted(["large", "small" if tier is Tier.EXPENSIVE else "large"])


def test_one_pair_and_one_job_of_it_stay_one(record, project):
    request_id = record()
    work()
    request = Request.objects.get(pk=request_id)
    assert (request.shadow_job.purpose, request.shadow_job.tier) == ("pair", "expensive")
    assert (counts.pairs(project), ShadowPair.objects.count()) == (1, 1)
    served = request.completions.filter(is_shadow=False)
    assert served.count() == 1


def test_a_policy_without_repeats_asks_once(record, provider):
    *_, asked = provider
    record(rate=0.0)
    work()
    assert (len(asked), ShadowJob.objects.count(), RepeatPair.objects.count()) == (1, 1, 0)


def test_the_draw_is_the_same_each_time_and_no_other_draws():
    ids = [str(UUID(int=n)) for n in range(4000)]
    drawn = {one for one in ids if is_drawn(one, 0.1, "repeat")}
    assert drawn == {one for one in ids if is_drawn(one, 0.1, "repeat")}
    assert 320 < len(drawn) < 480
    both = drawn & {one for one in ids if is_drawn(one, 0.5)}
    assert 0.4 < len(both) / len(drawn) < 0.6


def test_only_drawn_pairs_are_asked_again(record):
    ids = [UUID(int=n) for n in range(20)]
    for request_id in ids:
        record(rate=0.5, request_id=request_id)
    work()
    expected = {one for one in ids if is_drawn(str(one), 0.5, "repeat")}
    assert {row.request_id for row in RepeatPair.objects.all()} == expected
    assert 0 < len(expected) < 20


def test_without_a_first_answer_there_is_no_second_call(record, provider):
    _, replies, asked = provider
    replies.append(400)
    request_id = record()
    work()
    assert len(asked) == 1
    assert list(ShadowJob.objects.values_list("request_id", "state")) == [(request_id, "failed")]


def test_while_shadow_work_is_shed_repeats_are_and_say_so(record, provider):
    *_, asked = provider
    kept = next(one for one in (UUID(int=n) for n in range(999)) if is_drawn(str(one), 0.1))
    record(request_id=kept, kept_share=0.1)
    work()
    job = job_of(kept)
    assert (job.state, job.reason.split(":")[0]) == ("skipped", "overload")
    assert (len(asked), ShadowPair.objects.count(), RepeatPair.objects.count()) == (1, 1, 0)


def test_a_refused_second_call_fails_with_its_reason_and_leaves_the_pair(record, provider):
    _, replies, _ = provider
    replies += [200, 400]
    request_id = record()
    work()
    job = job_of(request_id)
    assert (job.state, job.reason) == ("failed", "provider_error: 400")
    assert (ShadowPair.objects.count(), RepeatPair.objects.count()) == (1, 0)


def test_a_killed_workers_repeat_is_written_once(record):
    request_id = record()
    (first,) = shadow.claim(10)
    reply = Reply(json.dumps(standin.MESSAGE).encode(), "again", "m", "end_turn", Usage(3, 2), 1.0)
    finish([(first, Outcome(reply))])
    finish([(first, Outcome(reply))])  # a second run changes nothing
    (late,) = shadow.claim(10)
    assert late.ordinal == Completion.SECOND
    ShadowJob.objects.filter(pk=late.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert shadow.recover() == 1
    (again,) = shadow.claim(10)
    finish([(again, Outcome(reply))])
    finish([(late, Outcome(replace(reply, text="late")))])
    assert RepeatPair.objects.get(request_id=request_id).second.text == "again"
    assert Completion.objects.filter(request_id=request_id).count() == 3
    repeats.write([again])
    assert RepeatPair.objects.count() == 1


def test_the_days_cap_counts_repeats(record, project):
    project.shadow_daily_usd = Decimal(1)
    project.save()
    record()
    work()
    shadow_cost = sum(row.cost_usd for row in Completion.objects.filter(is_shadow=True))
    assert Completion.objects.filter(is_shadow=True).count() == 2
    assert spend.today(project) == shadow_cost > 0


def test_a_day_that_has_no_row_yet_counts_repeats(record, project):
    record()
    work()  # without a cap nothing is counted
    project.shadow_daily_usd = Decimal(1)
    project.save()
    before = sum(row.cost_usd for row in Completion.objects.filter(is_shadow=True))
    record(rate=0.0)
    work()
    assert spend.today(project) == before * 3 / 2


def test_without_money_a_repeat_ends_with_the_reason(record, project):
    request_id = record()
    shifts.run()
    ShadowJob.objects.filter(purpose=REPEAT).delete()
    project.shadow_daily_usd = Decimal("0.000001")
    project.save()
    ShadowJob.objects.create(
        request_id=request_id, project=project, purpose=REPEAT, tier="expensive", rate=1.0,
        lane=policy.terms(Request.objects.get(pk=request_id).decision.policy_id).expensive.lane,
        not_before=timezone.now(),
    )  # fmt: skip
    work()
    job = job_of(request_id)
    assert (job.state, job.reason.split(":")[0], job.attempts) == ("skipped", "spend_cap", 0)


def test_retention_takes_repeats_with_their_request(record):
    request_id = record()
    work()
    assert RepeatPair.objects.count() == 1
    retention.run(now=timezone.now() + timedelta(days=400))
    assert not Request.objects.filter(pk=request_id).exists()
    assert (RepeatPair.objects.count(), Completion.objects.count()) == (0, 0)


@pytest.mark.parametrize(("kind", "rate"), [("live", 0.25), ("replay", 0.0), ("demo", 0.0)])
def test_only_a_live_projects_first_policy_repeats_by_the_setting(starter, settings, kind, rate):
    settings.SHADOWEVAL_REPEAT_RATE = 0.25
    made = bootstrap.ensure_project("other", "Other", starter, kind)
    first = policy.live(made)
    assert first.repeat_rate == rate
    assert policy.with_threshold(first, 0.3, "note").repeat_rate == rate
    assert policy.terms(first.pk).repeat_rate == rate
