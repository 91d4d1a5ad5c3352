"""Whole pairs with the scores and costs that a test wants, without a provider."""

import json
from decimal import Decimal
from uuid import uuid4

from django.utils import timezone

from routing import policy, recording, records, shadow
from routing.models import Completion, RepeatPair, Retrieval, RetrievalPair, ShadowJob
from routing.served import Served
from routing.types import ChatRequest, DecisionValue, Reason, Reply, Tier, Usage


def reply(text):
    body = json.dumps({"content": [{"type": "text", "text": text}]}).encode()
    return Reply(body, text, "m", "end_turn", Usage(3, 2), 1.0)


def add_pair(project, score, **more):
    """Write one pair, as `add_pairs` does many."""
    return add_pairs(project, [score], **more)[0]


def add_pairs(
    project, scores, *, query="q", cheap_usd="0.01", expensive_usd="0.05", shadow_rate=1.0,
    cheap="from cheap", expensive="from expensive", task="math", reason=None, payload=None,
):  # fmt: skip
    """Write requests served by EXPENSIVE, their cheap shadows, and the pairs, in their order.

    The task may be a function of the place in that order.
    """
    live = policy.live(project)
    tasks = [task(place) if callable(task) else task for place in range(len(scores))]
    rows = [
        _served(live, score, query, expensive, expensive_usd, shadow_rate, name, reason, payload)
        for score, name in zip(scores, tasks, strict=True)
    ]
    recording.write(rows)
    fields = records.completion_fields(reply(cheap), "simulated", Decimal(cheap_usd))
    cheaps = Completion.objects.bulk_create(
        Completion(request_id=row.request_id, tier=Tier.CHEAP.value, is_shadow=True, **fields)
        for row in rows
    )
    ids = [row.request_id for row in rows]
    ShadowJob.objects.filter(request__in=ids).update(state="done", finished_at=timezone.now())
    jobs = ShadowJob.objects.filter(request__in=ids).select_related("request__decision__policy")
    job_of = {job.request_id: job for job in jobs}
    of_expensive = Completion.objects.filter(request__in=ids, tier=Tier.EXPENSIVE.value)
    served = {each.request_id: each for each in of_expensive}
    return [shadow.pair(job_of[c.request_id], served[c.request_id], c) for c in cheaps]


def _served(live, score, query, expensive, expensive_usd, shadow_rate, task, reason, payload):
    reason = reason or (Reason.ROUTER_ERROR if score is None else Reason.AT_OR_ABOVE_THRESHOLD)
    decision = DecisionValue(Tier.EXPENSIVE, reason, live.threshold, score, task=task)
    payload = payload or {"messages": [{"role": "user", "content": query}], "max_tokens": 5}
    return Served(
        uuid4(), timezone.now(), live.project_id, None, live.pk, "anthropic",
        ChatRequest(payload, query, "auto"), decision, 200, "", "simulated",
        reply(expensive), Decimal(expensive_usd), shadow_rate, 1.0, 2.0,
    )  # fmt: skip


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


def found(texts, **more):
    """Return sources as a retrieval stores them."""
    return [
        {"n": n, "document": f"d{n}", "title": f"Title {n}", "text": text, "score": 1.0,
         "chunk": n, "start": 0, **more}
        for n, text in enumerate(texts, 1)
    ]  # fmt: skip


def add_retrieval(pair, texts=("one", "two"), **columns):
    """Write what was looked up for the request of a pair."""
    usual = {"asked": "auto", "strategy": "hybrid", "chooser": "rules", "query": "q", "ms": 8.0}
    usual |= {"confidence": 0.8, "cost_usd": Decimal(0), "sources": found(texts)}
    return Retrieval.objects.create(request_id=pair.request_id, **(usual | columns))


def add_alternative(pair, text="from expensive elsewhere", texts=("three",), strategy="bm25"):
    """Write the answer of EXPENSIVE on another retrieval."""
    fields = records.completion_fields(reply(text), "simulated", Decimal("0.05"))
    other = Completion.objects.create(
        request_id=pair.request_id, tier=Tier.EXPENSIVE.value, ordinal=Completion.ELSEWHERE,
        is_shadow=True, **fields,
    )  # fmt: skip
    return RetrievalPair.objects.create(
        request_id=pair.request_id, pair=pair, other=other, strategy=strategy,
        sources=found(texts), ms=5.0,
    )  # fmt: skip
