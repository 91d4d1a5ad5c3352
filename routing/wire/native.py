"""The native API: `{query or messages, system?, context?, task?, metadata?}` and problem details.

Errors follow RFC 9457 (application/problem+json).
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from routing.errors import RequestError
from routing.types import AUTO, ChatRequest, DecisionValue, Reply
from routing.wire import anthropic
from routing.wire.body import last_user_text, load, require

NAME = "native"
_FIELDS = {"query", "messages", "system", "context", "task", "metadata", "model", "max_tokens"}
_DEFAULT_MAX_TOKENS = 1024


def parse(raw: bytes, headers: dict[str, str]) -> ChatRequest:
    """Return the request of a `POST /api/v1/route` body.

    Raises:
        InvalidRequest: when fields are unknown, missing or of the wrong type.
    """
    body = load(raw)
    _check(body)
    messages = body.get("messages") or [{"role": "user", "content": body["query"]}]
    payload: dict[str, Any] = {
        "messages": _with_context(messages, body.get("context", [])),
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
    _check_context(body.get("context", []))
    anthropic.check_max_tokens(body.get("max_tokens", _DEFAULT_MAX_TOKENS))


def _check_context(context: Any) -> None:
    is_texts = isinstance(context, list) and all(isinstance(text, str) for text in context)
    require(is_texts, "context must be a list of texts.")


def _with_context(messages: list[dict[str, Any]], context: list[str]) -> list[dict[str, Any]]:
    """Put the sources before the conversation, numbered, as data in a user turn of their own."""
    if not context:
        return messages
    sources = "\n\n".join(f"[{n}] {text}" for n, text in enumerate(context, start=1))
    return [{"role": "user", "content": f"Sources:\n\n{sources}"}, *messages]


def reply_body(
    request_id: str,
    reply: Reply,
    decision: DecisionValue,
    policy: str,
    cost_usd: Decimal | None,
    simulated: bool,
) -> bytes:
    """Return the answer, its decision, usage and cost as JSON.

    The usage is the answer's, the cost that of the whole request.
    """
    content = {
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
    return json.dumps(content, ensure_ascii=False).encode()


def decide_body(
    request_id: str, decision: DecisionValue, policy: str, model: str, simulated: bool
) -> bytes:
    """Return a decision that nobody acted on yet as JSON."""
    content = {
        "request_id": request_id,
        "decision": decision_json(decision, policy),
        "model": model,
        "simulated": simulated,
    }
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
