"""The demo's costs: two weeks between its studies in which a trial served questions cheap.

Half of them were shadowed, so that the page can say what that saved. The policy of the trial never
went live, and its requests are in no study.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from django.utils import timezone

from reviews import sampling
from routing import policy, pricing, recording, records, usage
from routing.models import Completion, Policy, Project, ShadowJob
from routing.served import Served
from routing.types import ChatRequest, DecisionValue, Reason, Reply, Tier

_NAMESPACE = UUID("3e0d0c0b-8f39-4c53-a1b5-5f4b8f5f0d11")
_THRESHOLD, _RATE = 0.3, 0.5
#: Before the windows of the studies that end now, after that of the one to train on.
_FIRST, _DAYS = 29, 14


def write(
    project: Project, content: Sequence[dict[str, Any]], reply: Callable[[str, str, str], Reply]
) -> None:
    """Write requests that CHEAP served, and sum up what all of the demo cost.

    Args:
        project: the demo, in the caller's transaction.
        content: queries with both answers.
        reply: makes one of text, model and query.
    """
    live = policy.live(project)
    assert live is not None
    trial = policy.with_threshold(live, _THRESHOLD, "Demo: a trial of two weeks")
    step = timedelta(days=_DAYS) / len(content)
    start = timezone.now() - timedelta(days=_FIRST)
    recording.write(
        [
            _served(trial, row, reply(row["cheap"], "demo-small", row["query"]), start + n * step)
            for n, row in enumerate(content)
        ]
    )
    for row in content:
        _shadow(trial, _name(row), reply(row["expensive"], "demo-large", row["query"]))
    usage.roll()


def _name(row: dict[str, Any]) -> UUID:
    return uuid5(_NAMESPACE, row["id"])


def _served(trial: Policy, row: dict[str, Any], reply: Reply, at: datetime) -> Served:
    body = {"messages": [{"role": "user", "content": row["query"]}], "max_tokens": 1024}
    score = _THRESHOLD * sampling.uniform("score", row["id"])
    return Served(
        request_id=_name(row), received_at=at, project_id=trial.project_id, api_key_id=None,
        policy_id=trial.pk, wire="native",
        request=ChatRequest(body, row["query"], "auto", row["task"]),
        decision=DecisionValue(
            Tier.CHEAP, Reason.BELOW_THRESHOLD, _THRESHOLD, score, "", row["task"]
        ),
        status=200, error="", provider="demo", reply=reply,
        cost_usd=_cost(trial, Tier.CHEAP, reply), shadow_rate=_RATE, overhead_ms=4.0,
        latency_ms=404.0,
    )  # fmt: skip


def _cost(trial: Policy, tier: Tier, reply: Reply) -> Decimal | None:
    price = trial.tier_spec(tier).price
    return None if price is None else pricing.cost_usd(price, reply.usage)


def _shadow(trial: Policy, request_id: UUID, reply: Reply) -> None:
    """Write the expensive answer of a request that was drawn for one."""
    job = ShadowJob.objects.filter(request=request_id, state=ShadowJob.State.PENDING)
    if not job.update(state=ShadowJob.State.DONE, finished_at=timezone.now(), attempts=1):
        return
    fields = records.completion_fields(reply, "demo", _cost(trial, Tier.EXPENSIVE, reply))
    Completion.objects.create(
        request_id=request_id, tier=Tier.EXPENSIVE.value, is_shadow=True, **fields
    )
