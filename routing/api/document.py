"""The OpenAPI document: what ninja knows of the cold routes, and the hot routes beside it."""

from __future__ import annotations

import json
from typing import Any

from ninja.responses import NinjaJSONEncoder

from routing.api import hot_routes, hot_shapes
from routing.api.problems import CONTENT_TYPE

DESCRIPTION = """
Route requests between a cheap and an expensive model, read what happened, say what became of it,
and import pairs made elsewhere.

**Keys.** Send an API key as `x-api-key` or as `Authorization: Bearer`. Keys are made on the
Settings page and belong to one project; each has scopes: `route` (ask and give feedback), `read`
(the ledger, collections), `import` (pairs, documents).

**Errors** below `/api/` are problem details (RFC 9457, `application/problem+json`). Below `/v1/`
they have the shape of the API that is spoken there. `request_id` is what to quote.

**Costs** are exact decimals as texts; `null` means unknown, never free.
"""

SECURITY_SCHEMES = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}

_SENTENCES = {
    400: "The request is not what the operation asks for; `errors` says which values are at fault.",
    401: "There is no API key, or it is unknown or was revoked.",
    403: "The key lacks the scope.",
    404: "It does not exist in the key's project, or the address does not exist.",
    405: "The address exists, but not for this method.",
    408: "The body did not arrive in time.",
    409: "Something else stands against it; the detail says what.",
    413: "The body is larger than the service takes.",
    429: "The key asked too often or spent what it may; see `retry-after`.",
    502: "The model provider failed or gave no answer.",
    503: "The service cannot answer now; nothing the client sent is at fault.",
}

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "Problem details, RFC 9457.",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "examples": ["about:blank"]},
        "title": {"type": "string", "examples": ["invalid request error"]},
        "status": {"type": "integer", "examples": [400]},
        "detail": {"type": "string", "examples": ["query.limit: Input should be at most 200"]},
        "request_id": {"type": "string", "format": "uuid"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["location", "message"],
                "properties": {
                    "location": {"type": "string", "examples": ["query.limit"]},
                    "message": {"type": "string"},
                },
            },
        },
    },
}


def problems(*statuses: int) -> dict[Any, Any]:
    """Return references to the problem responses of these statuses."""
    return {status: {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}


def complete(generated: dict[str, Any]) -> dict[str, Any]:
    """Return ninja's document with the hot routes, the problems and the security schemes."""
    document = json.loads(json.dumps(generated, cls=NinjaJSONEncoder))
    for methods in document["paths"].values():
        for operation in methods.values():
            _without_null_parameters(operation)
    document["paths"] = {**hot_routes.paths(problems), **document["paths"]}
    components = document["components"]
    components["schemas"] |= {"Problem": _PROBLEM, **hot_shapes.SCHEMAS}
    components["responses"] = {
        f"Problem{status}": _problem_response(status) for status in _SENTENCES
    } | hot_routes.RESPONSES
    components["headers"] = hot_routes.RESPONSE_HEADERS
    components["parameters"] = hot_routes.PARAMETERS
    components["securitySchemes"] = SECURITY_SCHEMES
    document["security"] = [{name: []} for name in SECURITY_SCHEMES]
    document["tags"] = hot_routes.TAGS
    return json.loads(json.dumps(document))


def _problem_response(status: int) -> dict[str, Any]:
    reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
    found: dict[str, Any] = {
        "description": _SENTENCES[status],
        "content": {CONTENT_TYPE: reference},
    }
    if status == 405:
        found["headers"] = {"allow": {"schema": {"type": "string"}}}
    if status == 429:
        found["headers"] = {"retry-after": {"schema": {"type": "string"}}}
    return found


def _without_null_parameters(operation: dict[str, Any]) -> None:
    """Drop null from parameters: an address leaves a parameter out, it never says null."""
    for parameter in operation.get("parameters", []):
        schema = parameter["schema"]
        real = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
        if len(real) == 1:
            kept = {name: schema[name] for name in ("title", "description") if name in schema}
            parameter["schema"] = {**kept, **real[0]}
