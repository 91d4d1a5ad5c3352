"""Write pairs that were made elsewhere, as if both tiers had been asked here.

Scoring happens before the transaction, the writing in one: a batch is there or it is not.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction
from django.utils import timezone

from routing import policy, pricing, privacy, redaction, tasktypes
from routing.errors import Conflict, ServiceUnavailable
from routing.live import live
from routing.models import ApiKey, Completion, Decision, Policy, Request, ShadowJob, ShadowPair
from routing.records import clean
from routing.redaction import Keeping
from routing.types import Reason, Score, Tier, Usage

log = logging.getLogger(__name__)

WIRE = "import"
#: Makes request ids of project and client id; must never change.
_NAMESPACE = UUID("5f0a3a52-6f6b-4f0e-9f5e-2c1f3b8d7a41")


@dataclass(frozen=True)
class Side:
    """One tier's completion; None is unknown."""

    model: str
    text: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    latency_ms: float | None = None
    stop_reason: str | None = None


@dataclass(frozen=True)
class Pair:
    """One request with both completions.

    Attributes:
        client_id: the client's own; a second pair with it is left out.
        payload: `messages`, and `system` if any, in the Messages format.
        query: the text that is scored.
        score: in [0, 1], or None when the live policy's router is to say it.
        rate: probability with which this request was paired.
    """

    client_id: str
    payload: dict[str, Any]
    query: str
    task: str
    occurred_at: datetime
    score: float | None
    served: Tier
    rate: float
    sides: Mapping[Tier, Side]


@dataclass(frozen=True)
class Outcome:
    """How many pairs were new, and how many were there before."""

    imported: int
    already_there: int


@dataclass(frozen=True)
class _Import:
    """One new pair on its way to the rows."""

    id: UUID
    pair: Pair
    task: str
    score: float | None
    rule: str
    taken: dict[str, int] = field(default_factory=dict)


def request_id(project_id: int, client_id: str) -> UUID:
    """Return the request's id: the same for the same project and client id, always."""
    return uuid5(_NAMESPACE, f"{project_id}|{clean(client_id)}")


def write(key: ApiKey, pairs: Sequence[Pair]) -> Outcome:
    """Write a batch in one transaction; a second run changes nothing, also at the same time.

    Raises:
        Conflict: when a pair's models are not those of the project's live policy, or the project
            stores no texts.
        ServiceUnavailable: when nothing is live, or the router that must score is not loaded.
    """
    current = policy.live(key.project)
    if current is None:
        raise ServiceUnavailable("This project has no live policy yet; see Policies.")
    _check_kept(key)
    _check_models(current, pairs)
    by_id: dict[UUID, Pair] = {}
    for pair in pairs:
        by_id.setdefault(request_id(key.project_id, pair.client_id), pair)
    tasktypes.warm()  # nobody waits here as for an answer
    known = _known(by_id)
    new = [_import(current, id_, pair) for id_, pair in by_id.items() if id_ not in known]
    keeping = privacy.keeping(key.project)
    if keeping is not None:
        new = [_as_kept(row, keeping) for row in new]
    imported = _write_new(key, current, new)
    return Outcome(imported, len(pairs) - imported)


def _check_kept(key: ApiKey) -> None:
    keeping = privacy.keeping(key.project)
    if keeping is not None and keeping.keeps == redaction.NOTHING:
        raise Conflict("This project stores no texts, so that pairs cannot be rated.")


def _check_models(current: Policy, pairs: Sequence[Pair]) -> None:
    wanted = {tier: current.tier_spec(tier).model for tier in Tier}
    for pair in pairs:
        got = {tier: side.model for tier, side in pair.sides.items()}
        if got != wanted:
            raise Conflict(
                f"Pair {pair.client_id[:80]!r} compares {got[Tier.CHEAP]!r} (cheap) with "
                f"{got[Tier.EXPENSIVE]!r} (expensive), but this project compares "
                f"{wanted[Tier.CHEAP]!r} with {wanted[Tier.EXPENSIVE]!r}. Leave such pairs out, "
                "or import them into a project whose live policy names their models."
            )


def _known(ids: Mapping[UUID, Pair]) -> set[UUID]:
    return set(Request.objects.filter(pk__in=list(ids)).values_list("pk", flat=True))


def _import(current: Policy, id_: UUID, pair: Pair) -> _Import:
    task = clean(tasktypes.detect(pair.query, pair.task))[:40]
    if pair.score is not None:
        return _Import(id_, pair, task, pair.score, "")
    scored = _score(current, pair.query)
    if scored is None:
        return _Import(id_, pair, task, None, "")
    return _Import(id_, pair, task, scored.value, scored.rule)


def _as_kept(row: _Import, keeping: Keeping) -> _Import:
    """Return the pair as it is stored; it was scored, and answered, as it was sent."""
    pair, taken, unseen = row.pair, Counter[str](), Counter[str]()
    sides = {
        tier: replace(side, text=keeping.text(side.text, unseen))
        for tier, side in pair.sides.items()
    }
    left = replace(
        pair,
        client_id=keeping.text(pair.client_id, unseen),
        payload=keeping.json(pair.payload, taken),
        query=keeping.text(pair.query, unseen),
        sides=sides,
    )
    return replace(row, pair=left, task=keeping.text(row.task, unseen), taken=dict(taken))


def _score(current: Policy, query: str) -> Score | None:
    """Return the router's score, or None when it fails on this text, as for a served request."""
    router = live.router(current.router)
    if router is None:
        raise ServiceUnavailable(
            "The live policy's router is not loaded here; send a score with each pair."
        )
    try:
        score = router.score(query)
    except Exception as exc:
        log.warning("router failed on an import: %s", type(exc).__name__)
        return None
    return score if math.isfinite(score.value) and 0.0 <= score.value <= 1.0 else None


@transaction.atomic
def _write_new(key: ApiKey, current: Policy, rows: Sequence[_Import]) -> int:
    """Write what another import did not write meanwhile; return how many that is."""
    policy.lock(key.project)  # imports of a project are written one after the other
    known = _known({row.id: row.pair for row in rows})
    rows = [row for row in rows if row.id not in known]
    Request.objects.bulk_create([_request(key, row) for row in rows], ignore_conflicts=True)
    Decision.objects.bulk_create([_decision(current, row) for row in rows], ignore_conflicts=True)
    sides = [_completion(current, row, tier) for row in rows for tier in Tier]
    Completion.objects.bulk_create(sides, ignore_conflicts=True)
    jobs = [_shadow_job(key, row) for row in rows]
    ShadowJob.objects.bulk_create(jobs, ignore_conflicts=True)
    # Rows written with ignore_conflicts do not learn their ids.
    stored = Completion.objects.filter(request_id__in=[row.id for row in rows])
    ids = {(id_, tier): pk for id_, tier, pk in stored.values_list("request_id", "tier", "pk")}
    pairs = [_pair(key, current, row, ids) for row in rows]
    ShadowPair.objects.bulk_create(pairs, ignore_conflicts=True)
    return len(rows)


def _request(key: ApiKey, row: _Import) -> Request:
    served = row.pair.sides[row.pair.served]
    return Request(
        id=row.id,
        project_id=key.project_id,
        api_key=key,
        received_at=row.pair.occurred_at,
        wire=WIRE,
        asked_model=clean(served.model)[:120],
        payload=clean(row.pair.payload),
        query=clean(row.pair.query),
        task=row.task,
        metadata={"import_id": clean(row.pair.client_id)},
        redacted={"prompt": row.taken} if row.taken else {},
        status=200,
        overhead_ms=0.0,
        latency_ms=served.latency_ms,
    )


def _decision(current: Policy, row: _Import) -> Decision:
    return Decision(
        request_id=row.id,
        policy=current,
        tier=row.pair.served.value,
        reason=Reason.IMPORTED.value,
        rule=row.rule,
        score=row.score,
        threshold=current.threshold_for(row.task),
    )


def _completion(current: Policy, row: _Import, tier: Tier) -> Completion:
    side, spec = row.pair.sides[tier], current.tier_spec(tier)
    usage = Usage(side.input_tokens, side.output_tokens)
    by_price = pricing.cost_usd(spec.price, usage)
    return Completion(
        request_id=row.id,
        tier=tier.value,
        is_shadow=tier is not row.pair.served,
        provider=spec.provider,
        model=clean(side.model)[:120],
        text=clean(side.text),
        body={},  # the gateway's own reply was never seen here
        stop_reason=clean(side.stop_reason or "")[:40],
        input_tokens=side.input_tokens,
        output_tokens=side.output_tokens,
        cost_usd=by_price if side.cost_usd is None else side.cost_usd,
        latency_ms=side.latency_ms,
    )


def _shadow_job(key: ApiKey, row: _Import) -> ShadowJob:
    now = timezone.now()
    return ShadowJob(
        request_id=row.id,
        project_id=key.project_id,
        tier=row.pair.served.other.value,
        rate=row.pair.rate,
        state=ShadowJob.State.DONE,
        not_before=now,
        finished_at=now,
    )


def _pair(
    key: ApiKey, current: Policy, row: _Import, ids: Mapping[tuple[UUID, str], int]
) -> ShadowPair:
    return ShadowPair(
        request_id=row.id,
        project_id=key.project_id,
        cheap_id=ids[row.id, Tier.CHEAP.value],
        expensive_id=ids[row.id, Tier.EXPENSIVE.value],
        score=row.score,
        task=row.task,
        router_id=current.router_id,
        rate=row.pair.rate,
    )
