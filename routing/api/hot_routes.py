"""The hot routes as OpenAPI data. They run outside Django, so that nothing can read them off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from routing.api.hot_shapes import STRING, Json, ref, structure

Problems = Callable[..., Json]

_ANTHROPIC = "Anthropic Messages API"
_OPENAI = "OpenAI Chat Completions API"
TAGS = [
    {"name": "Routing", "description": "Ask and be routed, or only learn where it would go."},
    {"name": _ANTHROPIC, "description": "As Anthropic's SDKs speak it; change the base URL."},
    {"name": _OPENAI, "description": "As OpenAI's SDKs speak it; change the base URL."},
    {"name": "Ledger", "description": "What was asked, decided and answered."},
    {"name": "Feedback", "description": "What became of an answer."},
    {"name": "Import", "description": "Pairs made by other gateways."},
    {"name": "Collections", "description": "Documents that requests may be answered from."},
    {"name": "Studies", "description": "What was rated."},
]


def _text(description: str, **more: Any) -> Json:
    return {"description": description, "schema": {"type": "string", **more}}


RESPONSE_HEADERS: Json = {
    "x-shadoweval-request-id": _text("Id of the request in the ledger", format="uuid"),
    "x-shadoweval-tier": _text("The tier that answered", enum=["cheap", "expensive"]),
    "x-shadoweval-model": _text("The model that answered"),
    "x-shadoweval-score": _text("P(the expensive tier is needed), empty without one"),
    "x-shadoweval-threshold": _text("Of the task type; scores below it go to the cheap tier"),
    "x-shadoweval-policy": _text("The policy that decided"),
    "x-shadoweval-reason": _text("Why the request went there"),
    "x-shadoweval-task": _text("Task type, as sent or detected"),
    "x-shadoweval-cost-usd": _text("Of all its calls; exact decimal, or unknown"),
    "x-shadoweval-escalated": _text("true when the cheap model was asked first; else not sent"),
    "x-shadoweval-confidence": _text("What the cheap model said of its answer, if it was asked"),
    "x-shadoweval-overhead-ms": _text("Time spent here, without the provider's"),
    "x-shadoweval-shadow": _text("The tier a shadow call will ask, or none"),
    "x-shadoweval-collection": _text("Where sources were looked up; empty for the client's own"),
    "x-shadoweval-retrieval-strategy": _text(
        "How they were found; sent when there was a retrieval",
        enum=["bm25", "dense", "hybrid", "client"],
    ),
    "x-shadoweval-retrieval-confidence": _text("P(the sources hold the answer), or empty"),
    "x-shadoweval-sources": _text("How many sources the prompt has"),
    "x-shadoweval-simulated": _text("true when no real model was asked, else not sent"),
    "x-shadoweval-replayed": _text("true when this repeats a reply under its idempotency key"),
}

_REQUEST_HEADERS: Json = {
    "x-shadoweval-task": ("Task type; default: detected from the text", {"maxLength": 40}),
    "x-shadoweval-tier": ("Insist on a tier", {"enum": ["cheap", "expensive"]}),
    "x-shadoweval-session": ("Your name for the conversation", {"maxLength": 120}),
    "x-shadoweval-shadow": ("off: no shadow call for this request", {"enum": ["on", "off"]}),
    "idempotency-key": ("The same key again gives the first reply", {"maxLength": 255}),
}

PARAMETERS: Json = {
    name: {
        "in": "header",
        "name": name,
        "required": False,
        "description": description,
        "schema": {"type": "string", **more},
    }
    for name, (description, more) in _REQUEST_HEADERS.items()
}


_WIRE_ERRORS = {
    "Anthropic": ("AnthropicError", "An error of this service, in the API's own shape."),
    "Foreign": ("ForeignError", "An error of this service, in the API's own shape."),
}
RESPONSES: Json = {
    f"{name}Error": {
        "description": description,
        "content": {"application/json": {"schema": ref("schemas", schema)}},
    }
    for name, (schema, description) in _WIRE_ERRORS.items()
} | {
    "Provider": {
        "description": "Any other status of the model provider passes through with its own body.",
        "content": {"application/json": {}, "application/problem+json": {}, "text/plain": {}},
    },
}

#: One server-sent event; `data` is JSON in the API's own format, or [DONE].
_EVENT = structure(("data",), {"event": STRING, "data": STRING})
_STATUSES = (400, 401, 403, 404, 405, 408, 409, 413, 429, 502, 503)
_ROUTED = {name: ref("headers", name) for name in RESPONSE_HEADERS}


def _reply(schema: Json, *, streams: bool = False, routed: bool = True) -> Json:
    content: Json = {"application/json": {"schema": schema}}
    if streams:
        content["text/event-stream"] = {"schema": _EVENT}
    reply: Json = {"description": "The answer", "content": content}
    return {**reply, "headers": _ROUTED} if routed else reply


def _operation(name: str, tag: str, summary: str, description: str, responses: Json) -> Json:
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "description": description,
        "responses": {str(status): response for status, response in responses.items()},
    }


def _asks(operation: Json, schema: str, *, answers: bool = True) -> Json:
    """Add the body and the headers that steer routing; only answers are kept under a key."""
    names = [name for name in PARAMETERS if answers or name != "idempotency-key"]
    body = {"application/json": {"schema": ref("schemas", schema)}}
    return {
        **operation,
        "parameters": [ref("parameters", name) for name in names],
        "requestBody": {"required": True, "content": body},
    }


def _wire(error: str, ok: Json) -> Json:
    """Return the responses of a route that speaks another vendor's API."""
    refused = {status: ref("responses", f"{error}Error") for status in _STATUSES}
    return {200: ok, **refused, "default": ref("responses", "Provider")}


def paths(problems: Problems) -> Json:
    """Return the hot routes.

    Args:
        problems: gives the problem responses of some statuses.
    """
    return _native(problems) | _anthropic() | _openai() | _models()


def _native(problems: Problems) -> Json:
    passing = {**problems(*_STATUSES), "default": ref("responses", "Provider")}
    route = _operation(
        "route", "Routing", "Ask and be routed",
        "The router decides which tier answers; the reply says why. Scope: `route`.",
        {200: _reply(ref("schemas", "RouteOut")), **passing},
    )  # fmt: skip
    decide = _operation(
        "decide", "Routing", "Learn where a request would go",
        "The decision alone, for gateways that call the model themselves. Scope: `route`.",
        {200: _reply(ref("schemas", "DecideOut"), routed=False), **passing},
    )  # fmt: skip
    return {
        "/api/v1/route": {"post": _asks(route, "RouteIn")},
        "/api/v1/decide": {"post": _asks(decide, "RouteIn", answers=False)},
    }


def _anthropic() -> Json:
    messages = _operation(
        "messages", _ANTHROPIC, "Create a message",
        "Anthropic's request and reply as they are, streamed with `stream: true`. Scope: `route`.",
        _wire("Anthropic", _reply({"type": "object"}, streams=True)),
    )  # fmt: skip
    counted = structure(("input_tokens",), {"input_tokens": {"type": "integer"}})
    count = _operation(
        "count_tokens", _ANTHROPIC, "Count the tokens of a request",
        "As Anthropic counts them; nothing is recorded. Scope: `route`.",
        _wire("Anthropic", _reply(counted, routed=False)),
    )  # fmt: skip
    return {
        "/v1/messages": {"post": _asks(messages, "MessagesIn")},
        "/v1/messages/count_tokens": {"post": _asks(count, "CountIn", answers=False)},
    }


def _openai() -> Json:
    chat = _operation(
        "chat_completions", _OPENAI, "Create a chat completion",
        "OpenAI's request and reply as they are, streamed with `stream: true`. Scope: `route`.",
        _wire("Foreign", _reply({"type": "object"}, streams=True)),
    )  # fmt: skip
    return {"/v1/chat/completions": {"post": _asks(chat, "ChatIn")}}


def _models() -> Json:
    models = _operation(
        "list_models", _OPENAI, "List the models",
        "The routed names and the models of the tiers, for both SDKs. Scope: `route`.",
        _wire("Foreign", _reply(ref("schemas", "Models"), routed=False)),
    )  # fmt: skip
    return {"/v1/models": {"get": models}}
