"""Shadow jobs: every one ends in a state with a reason, and no tier is asked twice for a pair."""

import asyncio
import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from routing import policy, providers, recording, shadow, shifts
from routing.models import Completion, ShadowJob, ShadowPair
from routing.served import Served
from routing.types import ChatRequest, DecisionValue, Outgoing, Reason, Reply, Tier, TierSpec, Usage
from tests.routing import standin

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:The model:DeprecationWarning"),
]


@pytest.fixture
def provider():
    """A Messages API that answers with the replies it is given, then with 200."""
    replies = []
    with standin.answering(lambda model: replies.pop(0) if replies else 200) as url:
        yield url, replies


@pytest.fixture
def recorded(project, provider):
    """A recorded reply of one tier; its shadow call goes to the stand-in."""
    url, statuses = provider
    live = policy.live(project)
    spec = TierSpec("anthropic", "m", base_url=url)
    mine = policy.create(
        project=project, router=live.router, threshold=0.4, cheap=spec, expensive=spec
    )

    def record(tier):
        reply = Reply(
            json.dumps(standin.MESSAGE).encode(), "served", "m", "end_turn", Usage(3, 2), 1.0
        )
        payload = standin_payload()
        decision = DecisionValue(tier, Reason.BELOW_THRESHOLD, 0.4, 0.3, task="math")
        row = Served(
            uuid4(), timezone.now(), project.pk, None, mine.pk, "anthropic",
            ChatRequest(payload, "q", "auto"), decision, 200, "", "anthropic",
            reply, None, 1.0, 1.0, 2.0,
        )  # fmt: skip
        recording.write([row])
        recording.write([row])  # a second run changes nothing
        return ShadowJob.objects.get(request_id=row.request_id)

    return record, statuses


@pytest.mark.parametrize("tier", list(Tier))
def test_the_pair_is_complete_in_both_directions(recorded, tier):
    record, _ = recorded
    job = record(tier)
    assert shifts.run() == 1
    pair = ShadowPair.objects.get(request_id=job.request_id)
    texts = {"cheap": pair.cheap.text, "expensive": pair.expensive.text}
    assert (texts[tier.value], texts[tier.other.value]) == ("served", "recorded")
    job.refresh_from_db()
    assert (job.state, job.attempts, Completion.objects.count()) == ("done", 1, 2)


def test_an_overloaded_provider_is_asked_again_later(recorded):
    record, statuses = recorded
    statuses.append(529)
    job = record(Tier.CHEAP)
    shifts.run()
    job.refresh_from_db()
    assert (job.state, job.reason) == ("pending", "provider_error: 529")
    assert job.not_before > timezone.now()
    ShadowJob.objects.update(not_before=timezone.now())
    shifts.run()
    job.refresh_from_db()
    assert (job.state, job.reason, job.attempts) == ("done", "", 2)


def test_a_refused_call_fails_with_its_reason(recorded):
    record, statuses = recorded
    statuses.append(400)
    job = record(Tier.EXPENSIVE)
    shifts.run()
    job.refresh_from_db()
    assert (job.state, job.reason) == ("failed", "provider_error: 400")
    assert job.finished_at is not None


def test_a_second_claim_gets_nothing_and_a_dead_workers_job_comes_back(recorded):
    record, _ = recorded
    job = record(Tier.CHEAP)
    assert [claimed.pk for claimed in shadow.claim(10)] == [job.pk]
    assert shadow.claim(10) == []
    assert shadow.recover() == 0
    ShadowJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert shadow.recover() == 1
    assert shifts.run() == 1
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("done", 2)


def test_a_job_past_its_deadline_is_skipped(recorded):
    record, _ = recorded
    job = record(Tier.CHEAP)
    ShadowJob.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert shifts.run() == 0
    job.refresh_from_db()
    assert (job.state, job.reason.split(":")[0]) == ("skipped", "deadline")


@pytest.mark.parametrize("body", standin.NO_MESSAGES.values(), ids=standin.NO_MESSAGES)
def test_a_reply_that_is_no_message_costs_its_neighbours_nothing(recorded, body):
    record, replies = recorded
    jobs = [record(Tier.CHEAP) for _ in range(3)]
    replies.append(body)
    assert shifts.run() == 3
    states = sorted(ShadowJob.objects.filter(pk__in=[j.pk for j in jobs]).values_list("state"))
    assert states == [("done",), ("done",), ("pending",)]
    again = ShadowJob.objects.get(state="pending")
    assert again.reason.startswith("provider_unreachable: the provider's reply is n")


def test_an_outcome_that_cannot_be_stored_fails_its_own_job_and_its_text_is_not_logged(
    recorded, caplog
):
    record, _ = recorded
    jobs = [record(Tier.CHEAP) for _ in range(2)]
    Completion.objects.filter(request_id=jobs[0].request_id).delete()
    assert shifts.run() == 2
    for job in jobs:
        job.refresh_from_db()
    assert [job.state for job in jobs] == ["failed", "done"]
    assert jobs[0].reason == "not_stored: DoesNotExist"
    assert "recorded" not in caplog.text


@pytest.mark.parametrize("sent", [{}, {"anthropic-version": "2030-01-01"}])
def test_served_and_shadow_ask_for_the_same_version(sent):
    seen = []
    with standin.answering(lambda model: 200, seen) as url:
        spec, provider = TierSpec("anthropic", "m", base_url=url), providers.get("anthropic")
        asyncio.run(ask_and_send_once(provider, spec, sent))
    versions = [headers["anthropic-version"] for headers in seen]
    assert versions == [sent.get("anthropic-version", "2023-06-01")] * 2


async def ask_and_send_once(provider, spec, headers):
    await provider.ask(spec, standin_payload(), headers, "", 5)
    body = json.dumps({"model": spec.model, **standin_payload()}).encode()
    await provider.send(spec, Outgoing(body, headers), 5)
    await providers.close_all()


async def test_a_shadow_call_carries_the_clients_headers():
    seen = []
    with standin.answering(lambda model: 200, seen) as url:
        spec, sent = TierSpec("anthropic", "m", base_url=url), {"anthropic-beta": "files-1, mcp-2"}
        await providers.get("anthropic").ask(spec, standin_payload(), sent, "", 5)
        await providers.close_all()
    assert seen[0]["anthropic-beta"] == "files-1, mcp-2"


def standin_payload():
    return {"messages": [{"role": "user", "content": "q"}], "max_tokens": 5}
