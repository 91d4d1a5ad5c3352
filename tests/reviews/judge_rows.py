"""Pairs whose answers a test chooses."""

import json
from decimal import Decimal
from uuid import uuid4

from django.utils import timezone

from routing import policy, recording, records, shadow
from routing.models import Completion, ShadowJob
from routing.served import Served
from routing.types import ChatRequest, DecisionValue, Reason, Reply, Tier, Usage


def _reply(text):
    body = json.dumps({"content": [{"type": "text", "text": text}]}).encode()
    return Reply(body, text, "m", "end_turn", Usage(3, 2), 1.0)


def add_answers(project, cheap, expensive, content="q", task="math", score=0.5):
    """Write one request served by EXPENSIVE with its cheap shadow; return the pair."""
    live, request_id = policy.live(project), uuid4()
    decision = DecisionValue(
        Tier.EXPENSIVE, Reason.AT_OR_ABOVE_THRESHOLD, live.threshold, score, task=task
    )
    payload = {"messages": [{"role": "user", "content": content}], "max_tokens": 5}
    served = Served(
        request_id, timezone.now(), project.pk, None, live.pk, "anthropic",
        ChatRequest(payload, "q", "auto", task), decision, 200, "", "simulated",
        _reply(expensive), Decimal("0.05"), 1.0, 1.0, 2.0,
    )  # fmt: skip
    recording.write([served])
    fields = records.completion_fields(_reply(cheap), "simulated", Decimal("0.01"))
    shadowed = Completion.objects.create(
        request_id=request_id, tier=Tier.CHEAP.value, is_shadow=True, **fields
    )
    job = ShadowJob.objects.get(request_id=request_id)
    ShadowJob.objects.filter(pk=job.pk).update(state="done", finished_at=timezone.now())
    expensive_row = Completion.objects.get(request_id=request_id, tier=Tier.EXPENSIVE.value)
    return shadow.pair(job, expensive_row, shadowed)
