"""Whole pairs with the scores and costs that a test wants, without a provider."""

import json
from decimal import Decimal
from uuid import uuid4

from django.utils import timezone

from routing import policy, recording, records, shadow
from routing.models import Completion, RepeatPair, ShadowJob
from routing.types import ChatRequest, DecisionValue, Reason, Reply, Served, Tier, Usage


def reply(text):
    body = json.dumps({"content": [{"type": "text", "text": text}]}).encode()
    return Reply(body, text, "m", "end_turn", Usage(3, 2), 1.0)


def add_pair(
    project, score, cheap_usd="0.01", expensive_usd="0.05", shadow_rate=1.0, query="q",
    cheap="from cheap", expensive="from expensive", task="math", reason=None,
):  # fmt: skip
    """Write one request served by EXPENSIVE, its cheap shadow, and the pair."""
    live, request_id = policy.live(project), uuid4()
    reason = reason or (Reason.ROUTER_ERROR if score is None else Reason.AT_OR_ABOVE_THRESHOLD)
    decision = DecisionValue(Tier.EXPENSIVE, reason, live.threshold, score, task=task)
    payload = {"messages": [{"role": "user", "content": query}], "max_tokens": 5}
    served = Served(
        request_id, timezone.now(), project.pk, None, live.pk, "anthropic",
        ChatRequest(payload, query, "auto"), decision, 200, "", "simulated",
        reply(expensive), Decimal(expensive_usd), shadow_rate, 1.0, 2.0,
    )  # fmt: skip
    recording.write([served])
    fields = records.completion_fields(reply(cheap), "simulated", Decimal(cheap_usd))
    cheap = Completion.objects.create(
        request_id=request_id, tier=Tier.CHEAP.value, is_shadow=True, **fields
    )
    expensive = Completion.objects.get(request_id=request_id, tier=Tier.EXPENSIVE.value)
    job = ShadowJob.objects.get(request_id=request_id)
    ShadowJob.objects.filter(pk=job.pk).update(state="done", finished_at=timezone.now())
    return shadow.pair(job, expensive, cheap)


def add_request(project, score, tier, *, threshold, task="math", reason=None):
    """Write one request that a tier served under the live policy; return its id."""
    live, request_id = policy.live(project), uuid4()
    is_cheap = tier == Tier.CHEAP
    reason = reason or (Reason.BELOW_THRESHOLD if is_cheap else Reason.AT_OR_ABOVE_THRESHOLD)
    payload = {"messages": [{"role": "user", "content": "q"}], "max_tokens": 5}
    served = Served(
        request_id, timezone.now(), project.pk, None, live.pk, "anthropic",
        ChatRequest(payload, "q", "auto"),
        DecisionValue(Tier(tier), reason, threshold, score, task=task), 200, "", "simulated",
        reply("served"), None, 0.0, 1.0, 2.0,
    )  # fmt: skip
    recording.write([served])
    return request_id


def add_repeat(pair, text="from expensive again"):
    """Write a second answer of EXPENSIVE to the question of a pair."""
    fields = records.completion_fields(reply(text), "simulated", Decimal("0.05"))
    second = Completion.objects.create(
        request_id=pair.request_id, tier=Tier.EXPENSIVE.value, ordinal=Completion.SECOND,
        is_shadow=True, **fields,
    )  # fmt: skip
    return RepeatPair.objects.create(request_id=pair.request_id, pair=pair, second=second)
