"""The hot routes as OpenAPI data. They run outside Django, so that nothing can read them off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[Any, Any]
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


def _object(required: tuple[str, ...], properties: Json, **more: Any) -> Json:
    return {"type": "object", "required": list(required), "properties": properties, **more}


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


_STRING: Json = {"type": "string"}
_COUNT: Json = {"type": "integer", "minimum": 1}
_TOKENS: Json = {"type": ["integer", "null"]}
_BLOCKS: Json = {"type": "array", "items": {"type": "object"}}
_CONTENT: Json = {"oneOf": [_STRING, _BLOCKS]}
_MESSAGE = _object(
    ("role", "content"),
    {"role": {"type": "string", "enum": ["user", "assistant", "system"]}, "content": _CONTENT},
)
_MESSAGES: Json = {"type": "array", "minItems": 1, "items": _MESSAGE}
_ROUTED_MODEL: Json = {
    "type": "string",
    "minLength": 1,
    "description": "`auto` or the name of a policy that decides now is routed; a tier's own model "
    "is served by it",
}

_DECISION = _object(
    ("tier", "reason", "rule", "score", "threshold", "task", "policy"),
    {
        "tier": {"type": "string", "enum": ["cheap", "expensive"]},
        "reason": _STRING,
        "rule": {"type": ["string", "null"]},
        "score": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "threshold": {"type": "number", "description": "Of the task type, by the policy"},
        "task": _STRING,
        "policy": _STRING,
        "confidence": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "probe_usd": {"type": ["string", "null"], "description": "Of what was asked first"},
        "probe_ms": {"type": ["number", "null"], "description": "How long that took"},
    },
)

SCHEMAS: Json = {
    "RouteIn": _object(
        (),
        {
            "query": {"type": "string", "minLength": 1, "pattern": r"\S"},
            "messages": _MESSAGES,
            "system": _STRING,
            "context": {
                "type": "array",
                "items": _STRING,
                "description": "Sources that the answer is to rest on",
            },
            "task": _STRING,
            "metadata": {"type": "object"},
            "model": {**_ROUTED_MODEL, "default": "auto"},
            "max_tokens": {**_COUNT, "default": 1024},
        },
        oneOf=[{"required": ["query"]}, {"required": ["messages"]}],
        additionalProperties=False,
        examples=[{"query": "When is my invoice due?", "task": "factual"}],
    ),
    "RouteOut": _object(
        ("request_id", "answer", "model", "stop_reason", "decision", "usage", "cost_usd"),
        {
            "request_id": {"type": "string", "format": "uuid"},
            "answer": _STRING,
            "model": _STRING,
            "stop_reason": _STRING,
            "decision": _ref("schemas", "Decision"),
            "usage": _object((), {"input_tokens": _TOKENS, "output_tokens": _TOKENS}),
            "cost_usd": {"type": ["string", "null"]},
            "simulated": {"type": "boolean"},
        },
    ),
    "DecideOut": _object(
        ("request_id", "decision", "model", "simulated"),
        {
            "request_id": {"type": "string", "format": "uuid"},
            "decision": _ref("schemas", "Decision"),
            "model": {"type": "string", "description": "The model to ask"},
            "simulated": {"type": "boolean"},
        },
    ),
    "Decision": _DECISION,
    "MessagesIn": _object(
        ("model", "max_tokens", "messages"),
        {
            "model": _ROUTED_MODEL,
            "max_tokens": _COUNT,
            "messages": _MESSAGES,
            "system": _CONTENT,
            "stream": {"type": "boolean"},
        },
        additionalProperties=True,
        examples=[
            {
                "model": "auto",
                "max_tokens": 200,
                "messages": [{"role": "user", "content": "When is my invoice due?"}],
            }
        ],
    ),
    "CountIn": _object(
        ("model", "messages"),
        {"model": _ROUTED_MODEL, "messages": _MESSAGES, "system": _CONTENT},
        additionalProperties=True,
        examples=[{"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}],
    ),
    "ChatIn": _object(
        ("model", "messages"),
        {
            "model": _ROUTED_MODEL,
            "messages": {
                "type": "array",
                "minItems": 1,
                "items": _object(("role",), {"role": _STRING}),
            },
            "stream": {"type": "boolean"},
        },
        additionalProperties=True,
        examples=[{"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}],
    ),
    "Models": _object(
        ("data",),
        {"data": {"type": "array", "items": _object(("id",), {"id": _STRING})}},
        description="Both SDKs' list: `auto`, the policies that decide, the models of the tiers.",
    ),
    "AnthropicError": _object(
        ("type", "error"),
        {"type": {"const": "error"}, "error": _object((), {"type": _STRING, "message": _STRING})},
    ),
    "ForeignError": _object(
        ("error",),
        {"error": _object((), {"message": _STRING, "type": {"type": ["string", "null"]}})},
        description="An error in the shape of the API that is spoken.",
    ),
}

_WIRE_ERRORS = {
    "Anthropic": ("AnthropicError", "An error of this service, in the API's own shape."),
    "Foreign": ("ForeignError", "An error of this service, in the API's own shape."),
}
RESPONSES: Json = {
    f"{name}Error": {
        "description": description,
        "content": {"application/json": {"schema": _ref("schemas", schema)}},
    }
    for name, (schema, description) in _WIRE_ERRORS.items()
} | {
    "Provider": {
        "description": "Any other status of the model provider passes through with its own body.",
        "content": {"application/json": {}, "application/problem+json": {}, "text/plain": {}},
    },
}

#: One server-sent event; `data` is JSON in the API's own format, or [DONE].
_EVENT = _object(("data",), {"event": _STRING, "data": _STRING})
_STATUSES = (400, 401, 403, 404, 405, 408, 409, 413, 429, 502, 503)
_ROUTED = {name: _ref("headers", name) for name in RESPONSE_HEADERS}


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
    body = {"application/json": {"schema": _ref("schemas", schema)}}
    return {
        **operation,
        "parameters": [_ref("parameters", name) for name in names],
        "requestBody": {"required": True, "content": body},
    }


def _wire(error: str, ok: Json) -> Json:
    """Return the responses of a route that speaks another vendor's API."""
    refused = {status: _ref("responses", f"{error}Error") for status in _STATUSES}
    return {200: ok, **refused, "default": _ref("responses", "Provider")}


def paths(problems: Problems) -> Json:
    """Return the hot routes.

    Args:
        problems: gives the problem responses of some statuses.
    """
    return _native(problems) | _anthropic() | _openai() | _models()


def _native(problems: Problems) -> Json:
    passing = {**problems(*_STATUSES), "default": _ref("responses", "Provider")}
    route = _operation(
        "route", "Routing", "Ask and be routed",
        "The router decides which tier answers; the reply says why. Scope: `route`.",
        {200: _reply(_ref("schemas", "RouteOut")), **passing},
    )  # fmt: skip
    decide = _operation(
        "decide", "Routing", "Learn where a request would go",
        "The decision alone, for gateways that call the model themselves. Scope: `route`.",
        {200: _reply(_ref("schemas", "DecideOut"), routed=False), **passing},
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
    counted = _object(("input_tokens",), {"input_tokens": {"type": "integer"}})
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
        _wire("Foreign", _reply(_ref("schemas", "Models"), routed=False)),
    )  # fmt: skip
    return {"/v1/models": {"get": models}}
