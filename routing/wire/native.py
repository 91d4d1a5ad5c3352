"""The native API: `{query or messages, system?, collection or context?, …}` and problem details.

Errors follow RFC 9457 (application/problem+json).
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from routing.errors import RequestError
from routing.types import AUTO, ChatRequest, DecisionValue, Reply, RetrievalValue
from routing.wire import anthropic, lookup, sources
from routing.wire.body import last_user_text, load, require

NAME = "native"
_FIELDS = {
    "query", "messages", "system", "context", "task", "metadata", "model", "max_tokens",
    *lookup.NAMES,
}  # fmt: skip
_DEFAULT_MAX_TOKENS = 1024


def parse(raw: bytes, headers: dict[str, str]) -> ChatRequest:
    """Return the request of a `POST /api/v1/route` body.

    Raises:
        InvalidRequest: when fields are unknown, missing or of the wrong type.
    """
    body = load(raw)
    _check(body)
    asked = lookup.read({name: body[name] for name in lookup.NAMES if name in body})
    context = lookup.context(body.get("context", []))
    _check_lookup(body, asked, bool(context))
    messages = body.get("messages") or [{"role": "user", "content": body["query"]}]
    payload: dict[str, Any] = {
        "messages": messages,
        "max_tokens": body.get("max_tokens", _DEFAULT_MAX_TOKENS),
    }
    if body.get("system"):
        payload["system"] = body["system"]
    return ChatRequest(
        payload=payload,
        query=last_user_text(messages),
        model=body.get("model", AUTO),
        task=body.get("task", "")[:40],
        metadata=body.get("metadata", {}),
        length=len(raw),
        context=context,
        **asked,
    )


def _check(body: dict[str, Any]) -> None:
    unknown = sorted(set(body) - _FIELDS)
    require(not unknown, f"Unknown fields: {', '.join(unknown)[:200]}.")
    has_query = isinstance(body.get("query"), str) and bool(body["query"].strip())
    require(
        has_query != bool(body.get("messages")),
        "Send either query (a text that is not empty) or messages (a list that is not empty).",
    )
    if not has_query:
        anthropic.check_messages(body["messages"])
    for name, kind in (("system", str), ("task", str), ("metadata", dict), ("model", str)):
        require(isinstance(body.get(name, kind()), kind), f"{name} must be a {kind.__name__}.")
    anthropic.check_max_tokens(body.get("max_tokens", _DEFAULT_MAX_TOKENS))


def _check_lookup(body: dict[str, Any], asked: dict[str, Any], has_context: bool) -> None:
    both = has_context and bool(asked["collection"])
    require(
        not both, "Send either collection (look there) or context (your own sources), not both."
    )
    for name in ("strategy", "k"):
        lone = name in body and not asked["collection"]
        require(not lone, f"{name} says how to look in a collection: send collection too.")


def reply_body(
    request_id: str,
    reply: Reply,
    decision: DecisionValue,
    policy: str,
    cost_usd: Decimal | None,
    simulated: bool,
    retrieval: RetrievalValue | None = None,
) -> bytes:
    """Return the answer, its decision, usage and cost as JSON, and what it rests on.

    The usage is the answer's, the cost that of the whole request. `used` are the sources that the
    answer cites.
    """
    content: dict[str, Any] = {
        "request_id": request_id,
        "answer": reply.text,
        "model": reply.model,
        "stop_reason": reply.stop_reason,
        "decision": decision_json(decision, policy),
        "usage": {
            "input_tokens": reply.usage.input_tokens,
            "output_tokens": reply.usage.output_tokens,
        },
        "cost_usd": None if cost_usd is None else str(cost_usd),
        "simulated": simulated,
    }
    if retrieval is not None:
        content |= retrieval_json(retrieval)
        content["used"] = sources.used(reply.text, len(retrieval.sources))
    return json.dumps(content, ensure_ascii=False).encode()


def decide_body(
    request_id: str,
    decision: DecisionValue,
    policy: str,
    model: str,
    simulated: bool,
    retrieval: RetrievalValue | None = None,
) -> bytes:
    """Return a decision that nobody acted on yet as JSON."""
    content = {
        "request_id": request_id,
        "decision": decision_json(decision, policy),
        "model": model,
        "simulated": simulated,
    }
    if retrieval is not None:
        content |= retrieval_json(retrieval)
    return json.dumps(content, ensure_ascii=False).encode()


def decision_json(decision: DecisionValue, policy: str) -> dict[str, Any]:
    """Return the decision as JSON."""
    return {
        "tier": decision.tier.value,
        "reason": decision.reason.value,
        "rule": decision.rule or None,
        "score": decision.score,
        "threshold": decision.threshold,
        "task": decision.task,
        "policy": policy,
        "confidence": decision.confidence,
        "probe_usd": None if decision.probe_usd is None else f"{decision.probe_usd:f}",
        "probe_ms": decision.probe_ms,
    }


def retrieval_json(made: RetrievalValue) -> dict[str, Any]:
    """Return what was looked up as JSON: how, and the sources in order."""
    how = {
        "collection": made.collection or None,
        "version": made.version,
        "asked": made.asked,
        "strategy": made.strategy,
        "chooser": made.chooser,
        "confidence": made.confidence,
        "query": made.query,
        "rewritten_by": made.rewritten_by or None,
        "ms": round(made.ms, 3),
    }
    found = [
        {"n": one.n, "document": one.document, "title": one.title, "score": one.score,
         "text": one.text}
        for one in made.sources
    ]  # fmt: skip
    return {"retrieval": how, "sources": found}


def error_body(error: RequestError, request_id: str) -> bytes:
    """Return the error as problem details."""
    problem = {
        "type": "about:blank",
        "title": error.kind.replace("_", " "),
        "status": error.status,
        "detail": error.message,
        "request_id": request_id,
    }
    return json.dumps(problem).encode()
