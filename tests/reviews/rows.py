"""Whole pairs with the scores and costs that a test wants, without a provider."""

import json
from decimal import Decimal
from uuid import uuid4

from django.utils import timezone

from routing import policy, recording, records
from routing.models import Completion, RepeatPair, Retrieval, RetrievalPair, ShadowJob, ShadowPair
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

    The task and the query may be functions of the place in that order.
    """
    live = policy.live(project)
    rows = [
        _served(
            live, score, _at(query, place), expensive, expensive_usd, shadow_rate,
            _at(task, place), reason, payload,
        )
        for place, score in enumerate(scores)
    ]  # fmt: skip
    recording.write(rows)
    fields = records.completion_fields(reply(cheap), "simulated", Decimal(cheap_usd))
    return shadowed(rows, live.router, fields)


def _at(value, place):
    return value(place) if callable(value) else value


def shadowed(rows, router, cheap):
    """Write the shadows of recorded requests and their pairs at once, not as jobs do one by one.

    Args:
        rows: what was served.
        router: that decided.
        cheap: fields of each answer of CHEAP.
    """
    ids = [row.request_id for row in rows]
    cheaps = Completion.objects.bulk_create(
        Completion(request_id=pk, tier=Tier.CHEAP.value, is_shadow=True, **cheap) for pk in ids
    )
    answers = Completion.objects.filter(request__in=ids, tier=Tier.EXPENSIVE.value)
    expensive = {each.request_id: each for each in answers}
    ShadowJob.objects.filter(request__in=ids).update(state="done", finished_at=timezone.now())
    return ShadowPair.objects.bulk_create(
        ShadowPair(
            request_id=row.request_id, project_id=row.project_id, cheap=low,
            expensive=expensive[row.request_id], score=row.decision.score,
            task=row.decision.task, router=router, rate=row.shadow_rate,
        )
        for row, low in zip(rows, cheaps, strict=True)
    )  # fmt: skip


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
