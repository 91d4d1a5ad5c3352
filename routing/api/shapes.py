"""The JSON of the ledger: what one request looks like in a list, and in full."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ninja import Schema
from pydantic import Field

from routing import pricing
from routing.models import Completion, Feedback, Request, Retrieval, ShadowJob
from routing.types import Reason, Tier

#: The wire of a pair that was imported.
IMPORT = "import"


class Tokens(Schema):
    """Tokens of a completion; null where nobody said."""

    input: int | None = Field(description="Without those written to or read from a cache")
    output: int | None
    cache_write: int
    cache_read: int


class Shadow(Schema):
    """The shadow call of a request."""

    state: ShadowJob.State
    reason: str = Field(description="Why it ended, unless it is done")
    tier: Tier = Field(description="The tier it asks")


class Item(Schema):
    """One request of the ledger."""

    id: UUID
    received_at: datetime
    wire: str = Field(description="anthropic, openai, native or import")
    asked_model: str
    task: str
    session: str
    status: int
    error: str
    tier: Tier
    reason: Reason
    score: float | None = Field(description="null when the router gave none")
    threshold: float = Field(description="Of the task type, by the policy")
    policy: str = Field(description="Who decided: on a ramp one of two")
    model: str | None = Field(description="The model that answered; null without an answer")
    cost_usd: str | None = Field(
        description="Of all its calls; exact decimal; null means unknown, never free"
    )
    tokens: Tokens | None = Field(description="Of the answer")
    is_escalated: bool = Field(description="The cheap model was asked first, and then the other")
    latency_ms: float | None = Field(description="null when it is not known")
    overhead_ms: float
    is_stream: bool
    shadow: Shadow | None


class Page(Schema):
    """Requests, newest first."""

    items: list[Item]
    next_cursor: str | None = Field(description="null on the last page")


class DecisionShape(Schema):
    """Where the request went and why."""

    tier: Tier
    reason: Reason
    rule: str | None
    score: float | None
    threshold: float = Field(description="Of the task type, by the policy")
    task: str
    policy: str
    confidence: float | None = Field(description="What the cheap model said of its own answer")
    probe_usd: str | None = Field(description="What asking the cheap model first cost, if it was")
    probe_ms: float | None = Field(description="How long that took")


class SourceShape(Schema):
    """A passage that the answer could rest on."""

    n: int = Field(description="Its number in the prompt")
    document: str
    title: str
    score: float | None = Field(description="Of the retrieval that found it, or the client's own")
    text: str


class RetrievalShape(Schema):
    """What was looked up for the request, and how."""

    collection: str | None = Field(description="null where the client brought its own context")
    version: int | None = Field(description="Of the collection")
    asked: str = Field(description="Strategy as asked: auto, bm25, dense, hybrid or client")
    strategy: str
    chooser: str = Field(description="Who chose it: asked, rules, trained or client")
    query: str = Field(description="What was searched for")
    rewritten_by: str | None = Field(description="Who made the query self-contained, if it was")
    confidence: float | None = Field(description="P(the sources hold the answer)")
    ms: float = Field(description="How long looking up took, without the rewrite")
    rewrite_ms: float | None
    rewrite_usd: str | None = Field(description="null means unknown, never free")
    sources: list[SourceShape]


class Served(Schema):
    """The completion that the client got."""

    text: str
    model: str
    provider: str
    stop_reason: str
    tokens: Tokens
    cost_usd: str | None
    latency_ms: float | None
    is_partial: bool = Field(description="The stream broke off")


class FeedbackShape(Schema):
    """One thing the application said of a request."""

    id: int
    thumb: Feedback.Thumb | None
    score: float | None
    task_completed: bool | None
    comment: str | None
    created_at: datetime


class Entry(Item):
    """One request of the ledger in full."""

    query: str
    payload: dict[str, Any] = Field(description="The request body as it is stored")
    metadata: dict[str, Any]
    decision: DecisionShape
    retrieval: RetrievalShape | None = Field(description="null where nothing was looked up")
    served: Served | None
    has_pair: bool = Field(description="Whether both tiers' completions are there to compare")
    feedback: list[FeedbackShape]


def cost(value: Decimal | None) -> str | None:
    """Return the amount without an exponent or trailing zeros.

    Example:
        >>> cost(Decimal("0.000012000000"))
        '0.000012'
    """
    return None if value is None else f"{value.normalize():f}"


def item(row: Request, served: Completion | None) -> Item:
    """Return a request for a list; decision, policy and shadow job must be loaded."""
    return Item(**_item_fields(row, served))


def entry(row: Request, served: Completion | None) -> Entry:
    """Return a request in full. The shadow's text is never part of it: raters are blind."""
    return Entry(
        **_item_fields(row, served),
        query=row.query,
        payload=row.payload,
        metadata=row.metadata,
        decision=_decision(row),
        retrieval=_retrieval(getattr(row, "retrieval", None)),
        served=None if served is None else _served(row, served),
        has_pair=hasattr(row, "pair"),
        feedback=[feedback(said) for said in row.feedback.all()],
    )


def _item_fields(row: Request, served: Completion | None) -> dict[str, Any]:
    made = row.decision
    copied = ("id", "received_at", "wire", "asked_model", "task", "session", "status", "error")
    decided = {name: getattr(made, name) for name in ("tier", "reason", "score", "threshold")}
    return {name: getattr(row, name) for name in (*copied, "overhead_ms", "is_stream")} | {
        **decided,
        "policy": made.policy.name,
        "model": None if served is None else served.model,
        "cost_usd": None if served is None else cost(_total_usd(row, served)),
        "tokens": None if served is None else _tokens(served),
        "is_escalated": made.reason == Reason.ESCALATED,
        "latency_ms": row.latency_ms,
        "shadow": _shadow(row.shadow_job),
    }


def _total_usd(row: Request, served: Completion) -> Decimal | None:
    return pricing.total_usd(row.decision, served.cost_usd, row.rewrite_usd)


def _tokens(served: Completion) -> Tokens:
    return Tokens(
        input=served.input_tokens,
        output=served.output_tokens,
        cache_write=served.cache_write_tokens + served.cache_write_1h_tokens,
        cache_read=served.cache_read_tokens,
    )


def _shadow(job: ShadowJob | None) -> Shadow | None:
    if job is None:
        return None
    return Shadow(state=ShadowJob.State(job.state), reason=job.reason, tier=Tier(job.tier))


def _decision(row: Request) -> DecisionShape:
    made = row.decision
    return DecisionShape(
        tier=Tier(made.tier),
        reason=Reason(made.reason),
        rule=made.rule or None,
        score=made.score,
        threshold=made.threshold,
        task=row.task,
        policy=made.policy.name,
        confidence=made.confidence,
        probe_usd=cost(made.probe_usd),
        probe_ms=made.probe_ms,
    )


def _retrieval(found: Retrieval | None) -> RetrievalShape | None:
    if found is None:
        return None
    copied = (
        "version", "asked", "strategy", "chooser", "query", "confidence", "ms", "rewrite_ms",
    )  # fmt: skip
    return RetrievalShape(
        **{name: getattr(found, name) for name in copied},
        collection=found.collection.name if found.collection else None,
        rewritten_by=found.rewritten_by or None,
        rewrite_usd=cost(found.cost_usd),
        sources=[SourceShape(**_source(one)) for one in found.sources],
    )


def _source(one: dict[str, Any]) -> dict[str, Any]:
    return {name: one[name] for name in SourceShape.model_fields}


def _served(row: Request, served: Completion) -> Served:
    copied = ("text", "model", "provider", "stop_reason", "is_partial")
    return Served(
        **{name: getattr(served, name) for name in copied},
        tokens=_tokens(served),
        cost_usd=cost(served.cost_usd),
        latency_ms=served.latency_ms,
    )


def feedback(row: Feedback) -> FeedbackShape:
    """Return one row of feedback; what was not said is null."""
    return FeedbackShape(
        id=row.pk,
        thumb=Feedback.Thumb(row.thumb) if row.thumb else None,
        score=row.score,
        task_completed=row.task_completed,
        comment=row.comment or None,
        created_at=row.created_at,
    )
