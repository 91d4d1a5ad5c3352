"""The page of every call, from the OpenAPI document that the service serves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import shadoweval.urls  # noqa: F401  # adds what is about studies
from routing.api.app import api

Json = dict[str, Any]


def page() -> str:
    """Return the page, in Markdown."""
    document: Json = dict(api.get_openapi_schema())
    parts = [
        "# Every call",
        "Made from the service's own OpenAPI document, `/api/v1/openapi.json`.",
        "What calls mean together stands under [the API](../api.md).",
    ]
    for tag in document["tags"]:
        parts += [f"## {tag['name']}", tag.get("description", "")]
        parts += [
            _operation(document, method, path, one)
            for path, method, one in _operations(document)
            if tag["name"] in one["tags"]
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "operationId" in operation:
                yield path, method.upper(), operation


def _operation(document: Json, method: str, path: str, one: Json) -> str:
    body = one.get("requestBody", {}).get("content", {})
    answer: Json = next(
        (said for status, said in one["responses"].items() if str(status) < "3"), {}
    )
    return "\n\n".join(
        part
        for part in (
            f"### {one['summary']} {{ #{one['operationId']} }}",
            f"`{method} {path}`",
            one.get("description", ""),
            _parameters(document, one.get("parameters", [])),
            _fields(document, "Body", body),
            _fields(document, "Answer", answer.get("content", {})),
        )
        if part
    )


def _parameters(document: Json, found: list[Json]) -> str:
    rows = []
    for one in (_resolve(document, one) for one in found):
        about = one.get("description") or one.get("schema", {}).get("description", "")
        rows.append(f"| `{one['name']}` | {one['in']} | {_words(about)} |")
    return "\n".join(["| parameter | in | meaning |", "|---|---|---|", *rows]) if rows else ""


def _fields(document: Json, title: str, content: Json) -> str:
    first: Json = next(iter(content.values()), {})
    schema = _resolve(document, first.get("schema", {}))
    needed = schema.get("required", [])
    rows = [
        f"| `{name}` | {_kind(document, one)} | {'yes' if name in needed else ''} | "
        f"{_words(_resolve(document, one).get('description', ''))} |"
        for name, one in schema.get("properties", {}).items()
    ]
    head = [f"| {title.lower()} | type | always | meaning |", "|---|---|---|---|"]
    return "\n".join([*head, *rows]) if rows else ""


def _resolve(document: Json, one: Json) -> Json:
    """Return what a reference leads to; its own description, where it has one, is kept."""
    if "$ref" not in one:
        return one
    found: Any = document
    for part in one["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return {**found, **{name: value for name, value in one.items() if name != "$ref"}}


def _kind(document: Json, schema: Json) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[-1])
    several = schema.get("anyOf") or schema.get("oneOf") or []
    if several:
        return " or ".join(dict.fromkeys(_kind(document, one) for one in several))
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    kind = schema.get("type", "any")
    kinds = kind if isinstance(kind, list) else [kind]
    inner = f" of {_kind(document, schema['items'])}" if "items" in schema else ""
    return " or ".join(kinds) + inner


def _words(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
