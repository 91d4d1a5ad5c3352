"""What is counted for and against a ramp's two policies, and what is nobody's fault."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from routing import access, guards, importing, policy, recording
from routing.call import LEFT, STOPPING
from routing.guards import Outcomes
from routing.models import ShadowJob
from routing.served import Served
from routing.types import ChatRequest, DecisionValue, Reason, Tier
from tests.reviews.rows import reply

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def ramp(project):
    rest = policy.live(project)
    target = policy.with_threshold(rest, 0.6, "test")
    policy.deploy(target, by=None, reason="test", share=0.5, rest=rest)
    return target, rest


def served(decided, tier=Tier.CHEAP, reason=Reason.BELOW_THRESHOLD, **more):
    row = Served(
        uuid4(), timezone.now(), decided.project_id, None, decided.pk, "anthropic",
        ChatRequest({"messages": []}, "q", "auto"), DecisionValue(tier, reason, 0.4, 0.3),
        200, "", "simulated", reply("a"), None, 1.0, 1.0, 2.0,
    )  # fmt: skip
    return replace(row, **more)


def failed(decided, error="provider_error: 500", status=500, **more):
    return served(decided, Tier.EXPENSIVE, error=error, status=status, reply=None, **more)


def pair(decided):
    sides = {tier: importing.Side(decided.tier_spec(tier).model, "said") for tier in Tier}
    body, now = {"messages": []}, timezone.now()
    return importing.Pair("log-1", body, "q", "math", now, 0.2, Tier.CHEAP, 1.0, sides)


def counted(policies, since=None):
    return guards.outcomes(policies, since or timezone.now() - HOUR)


def test_nothing_recorded_counts_nothing(ramp):
    assert counted(ramp) == {one.pk: Outcomes() for one in ramp}
    for row in guards.compare(*ramp, timezone.now() - HOUR):
        assert (row.n_new, row.n_rest, row.p_value, row.worse) == (0, 0, None, False)


def test_errors_are_those_that_the_client_got_of_us(ramp):
    target, rest = ramp
    unwhole = served(target, error="provider_cut: reset", is_stream=True)
    recording.write([served(target), failed(target), unwhole, failed(rest, status=400)])
    nobodys = [failed(target, LEFT, 499), failed(target, STOPPING, 503)]
    recording.write(nobodys)
    got = counted(ramp)
    assert (got[target.pk].requests, got[target.pk].errors) == (5, 2)
    assert (got[rest.pk].requests, got[rest.pk].errors) == (1, 1)


def test_fallbacks_are_of_what_the_cheap_tier_was_asked(ramp):
    target, _ = ramp
    recording.write(
        [
            served(target),
            served(target, Tier.CHEAP, Reason.RULE),
            served(target, Tier.CHEAP, Reason.FORCED),
            served(target, Tier.CHEAP, Reason.BYPASSED),
            served(target, Tier.EXPENSIVE, Reason.FALLBACK),
            served(target, Tier.EXPENSIVE, Reason.UNTRANSLATABLE),
            served(target, Tier.EXPENSIVE, Reason.AT_OR_ABOVE_THRESHOLD),
        ]
    )
    got = counted(ramp)[target.pk]
    assert (got.requests, got.asked_cheap, got.fallbacks) == (7, 3, 1)


def test_shadow_calls_count_when_they_came_to_an_end(ramp):
    target, rest = ramp
    rows = [served(target) for _ in range(5)] + [served(rest)]
    recording.write(rows)
    ends = ("done", "failed", "skipped", "running", "pending", "failed")
    for row, state in zip(rows, ends, strict=True):
        ShadowJob.objects.filter(request=row.request_id).update(
            state=state, reason="x", finished_at=timezone.now()
        )
    got = counted(ramp)
    assert (got[target.pk].shadowed, got[target.pk].shadow_failed) == (2, 1)
    assert (got[rest.pk].shadowed, got[rest.pk].shadow_failed) == (1, 1)


def test_older_pinned_and_imported_requests_and_other_policies_do_not_count(ramp, project):
    target, rest = ramp
    now, third = timezone.now(), policy.with_threshold(rest, 0.2, "test")
    pinned = [ChatRequest({"messages": []}, "q", one.name) for one in ramp]
    recording.write(
        [
            served(target, received_at=now - 2 * HOUR),
            *(served(target, request=request) for request in pinned),
            served(third),
            served(target, request=ChatRequest({"messages": []}, "q", third.name)),
        ]
    )
    key = access.create_key(project, "importer")[1]
    assert importing.write(key, [pair(target)]).imported == 1
    assert counted(ramp)[target.pk].requests == 1
    assert counted(ramp, now - 3 * HOUR)[target.pk].requests == 2


def test_a_new_policy_that_fails_more_often_is_worse_and_the_other_way_round_is_not(ramp):
    target, rest = ramp
    rows = [failed(target) for _ in range(8)] + [served(target) for _ in range(12)]
    recording.write(rows + [served(rest) for _ in range(30)])
    since = timezone.now() - HOUR
    errors, fallbacks, shadow = guards.compare(target, rest, since)
    assert errors[:5] == ("errors", 20, 8, 30, 0)
    assert (errors.worse, fallbacks.worse, shadow.worse) == (True, False, False)
    assert (fallbacks.name, shadow.name) == ("fallbacks", "shadow_failed")
    assert not guards.compare(rest, target, since)[0].worse


def test_fallbacks_beside_always_expensive_have_nothing_to_be_compared_with(ramp):
    target, rest = ramp
    recording.write([served(target, Tier.EXPENSIVE, Reason.FALLBACK) for _ in range(9)])
    recording.write([served(rest, Tier.EXPENSIVE, Reason.AT_OR_ABOVE_THRESHOLD) for _ in range(9)])
    fallbacks = guards.compare(target, rest, timezone.now() - HOUR)[1]
    assert fallbacks[1:] == (9, 9, 0, 0, None, False)
