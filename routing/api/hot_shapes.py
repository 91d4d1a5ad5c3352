"""What the hot routes take and give, as OpenAPI data."""

from __future__ import annotations

from typing import Any

Json = dict[Any, Any]


def structure(required: tuple[str, ...], properties: Json, **more: Any) -> Json:
    """Return the schema of an object."""
    return {"type": "object", "required": list(required), "properties": properties, **more}


def ref(kind: str, name: str) -> Json:
    """Return a reference to a component of the document."""
    return {"$ref": f"#/components/{kind}/{name}"}


STRING: Json = {"type": "string"}
COUNT: Json = {"type": "integer", "minimum": 1}
_TOKENS: Json = {"type": ["integer", "null"]}
_BLOCKS: Json = {"type": "array", "items": {"type": "object"}}
_CONTENT: Json = {"oneOf": [STRING, _BLOCKS]}
_MESSAGE = structure(
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

_NAME: Json = {"type": "string", "minLength": 1, "maxLength": 60}
_STRATEGY: Json = {"type": "string", "enum": ["auto", "bm25", "dense", "hybrid"]}
_SEARCH_QUERY: Json = {
    "type": "string",
    "maxLength": 2000,
    "description": "Your own self-contained form of the last turn, to search for",
}
_LABEL: Json = {"type": ["string", "null"], "maxLength": 300}
_PASSAGE = structure(
    ("text",),
    {"text": STRING, "title": _LABEL, "id": _LABEL, "score": {"type": ["number", "null"]}},
    additionalProperties=False,
)
#: Beside what a client says in its `metadata` for itself.
_METADATA: Json = {
    "type": ["object", "null"],
    "properties": {
        "collection": {**_NAME, "description": "Look here first; never sent to a provider"},
        "strategy": _STRATEGY,
        "k": {"type": ["integer", "string"], "description": "Sources wanted, 1 to 20"},
        "search_query": _SEARCH_QUERY,
    },
    "additionalProperties": True,
}
_SOURCE = structure(
    ("n", "document", "title", "score", "text"),
    {
        "n": {**COUNT, "description": "Its number in the prompt"},
        "document": STRING,
        "title": STRING,
        "score": {"type": ["number", "null"]},
        "text": STRING,
    },
)
_SHARE: Json = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_RETRIEVAL = structure(
    ("collection", "version", "asked", "strategy", "chooser", "confidence", "query", "ms"),
    {
        "collection": {"type": ["string", "null"]},
        "version": {"type": ["integer", "null"], "description": "Of the collection"},
        "asked": STRING,
        "strategy": {"type": "string", "enum": ["bm25", "dense", "hybrid", "client"]},
        "chooser": {"type": "string", "enum": ["asked", "rules", "trained", "client"]},
        "confidence": {**_SHARE, "description": "P(the sources hold the answer)"},
        "query": {"type": "string", "description": "What was searched for"},
        "rewritten_by": {"type": ["string", "null"], "description": "client, cheap, or nobody"},
        "ms": {"type": "number", "description": "Without the rewrite"},
    },
)
_LOOKED_UP: Json = {
    "retrieval": ref("schemas", "Retrieval"),
    "sources": {"type": "array", "items": ref("schemas", "Source")},
}

_DECISION = structure(
    ("tier", "reason", "rule", "score", "threshold", "task", "policy"),
    {
        "tier": {"type": "string", "enum": ["cheap", "expensive"]},
        "reason": STRING,
        "rule": {"type": ["string", "null"]},
        "score": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "threshold": {"type": "number", "description": "Of the task type, by the policy"},
        "task": STRING,
        "policy": STRING,
        "confidence": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "probe_usd": {"type": ["string", "null"], "description": "Of what was asked first"},
        "probe_ms": {"type": ["number", "null"], "description": "How long that took"},
    },
)

SCHEMAS: Json = {
    "RouteIn": structure(
        (),
        {
            "query": {"type": "string", "minLength": 1, "pattern": r"\S"},
            "messages": _MESSAGES,
            "system": STRING,
            "context": {
                "type": "array",
                "maxItems": 100,
                "items": {"oneOf": [STRING, _PASSAGE]},
                "description": "Your own sources for the answer; not together with collection",
            },
            "collection": {**_NAME, "description": "Look here for sources"},
            "strategy": {**_STRATEGY, "description": "How; by default the collection's own"},
            "k": {"type": ["integer", "null"], "minimum": 1, "maximum": 20},
            "search_query": _SEARCH_QUERY,
            "task": STRING,
            "metadata": {"type": "object"},
            "model": {**_ROUTED_MODEL, "default": "auto"},
            "max_tokens": {**COUNT, "default": 1024},
        },
        oneOf=[{"required": ["query"]}, {"required": ["messages"]}],
        additionalProperties=False,
        examples=[{"query": "When is my invoice due?", "task": "factual"}],
    ),
    "RouteOut": structure(
        ("request_id", "answer", "model", "stop_reason", "decision", "usage", "cost_usd"),
        {
            "request_id": {"type": "string", "format": "uuid"},
            "answer": STRING,
            "model": STRING,
            "stop_reason": STRING,
            "decision": ref("schemas", "Decision"),
            "usage": structure((), {"input_tokens": _TOKENS, "output_tokens": _TOKENS}),
            "cost_usd": {"type": ["string", "null"]},
            "simulated": {"type": "boolean"},
            **_LOOKED_UP,
            "used": {
                "type": "array",
                "items": COUNT,
                "description": "Numbers of the sources that the answer cites",
            },
        },
    ),
    "DecideOut": structure(
        ("request_id", "decision", "model", "simulated"),
        {
            "request_id": {"type": "string", "format": "uuid"},
            "decision": ref("schemas", "Decision"),
            "model": {"type": "string", "description": "The model to ask"},
            "simulated": {"type": "boolean"},
            **_LOOKED_UP,
        },
    ),
    "Decision": _DECISION,
    "Retrieval": _RETRIEVAL,
    "Source": _SOURCE,
    "MessagesIn": structure(
        ("model", "max_tokens", "messages"),
        {
            "model": _ROUTED_MODEL,
            "max_tokens": COUNT,
            "messages": _MESSAGES,
            "system": _CONTENT,
            "metadata": _METADATA,
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
    "CountIn": structure(
        ("model", "messages"),
        {"model": _ROUTED_MODEL, "messages": _MESSAGES, "system": _CONTENT},
        additionalProperties=True,
        examples=[{"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}],
    ),
    "ChatIn": structure(
        ("model", "messages"),
        {
            "model": _ROUTED_MODEL,
            "messages": {
                "type": "array",
                "minItems": 1,
                "items": structure(("role",), {"role": STRING}),
            },
            "metadata": _METADATA,
            "stream": {"type": "boolean"},
        },
        additionalProperties=True,
        examples=[{"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}],
    ),
    "Models": structure(
        ("data",),
        {"data": {"type": "array", "items": structure(("id",), {"id": STRING})}},
        description="Both SDKs' list: `auto`, the policies that decide, the models of the tiers.",
    ),
    "AnthropicError": structure(
        ("type", "error"),
        {"type": {"const": "error"}, "error": structure((), {"type": STRING, "message": STRING})},
    ),
    "ForeignError": structure(
        ("error",),
        {"error": structure((), {"message": STRING, "type": {"type": ["string", "null"]}})},
        description="An error in the shape of the API that is spoken.",
    ),
}
