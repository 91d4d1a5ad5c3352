"""Recorded replies of the expensive tier, with shadow jobs to the cheap one."""

import json
from uuid import uuid4

from django.utils import timezone

from routing import policy, recording
from routing.served import Served
from routing.types import ChatRequest, DecisionValue, Reason, Reply, Tier, Usage
from tests.routing import standin

PAYLOAD = {"messages": [{"role": "user", "content": "q"}], "max_tokens": 100}


def write(project, count, spec, **payload):
    """Write `count` pending jobs whose shadow tier is `spec`; return their request ids."""
    router = policy.live(project).router
    mine = policy.create(project=project, router=router, threshold=0.4, cheap=spec, expensive=spec)
    reply = Reply(json.dumps(standin.MESSAGE).encode(), "served", "m", "end_turn", Usage(3, 2), 1.0)
    decision = DecisionValue(Tier.EXPENSIVE, Reason.AT_OR_ABOVE_THRESHOLD, 0.4, 0.5, task="math")
    rows = [
        Served(
            uuid4(), timezone.now(), project.pk, None, mine.pk, "anthropic",
            ChatRequest(PAYLOAD | payload, "q", "auto"), decision, 200, "", "anthropic",
            reply, None, 1.0, 1.0, 2.0, shadow_lane=spec.lane,
        )
        for _ in range(count)
    ]  # fmt: skip
    recording.write(rows)
    return [row.request_id for row in rows]
