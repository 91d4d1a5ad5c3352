"""Which form of answer a client asks for: any text, JSON, or JSON that follows a schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from routing.types import Dialect


@dataclass(frozen=True)
class Wanted:
    """The form of the answer.

    Attributes:
        schema: the JSON schema to follow, or None.
        is_json: the answer is to be JSON, whether there is a schema or not.
    """

    schema: dict[str, Any] | None = None
    is_json: bool = False


def wanted(payload: dict[str, Any], dialect: Dialect) -> Wanted:
    """Return which form a request asks for; what is not understood counts as any text.

    Source: Chat Completions, `response_format` (`json_object`; `json_schema.schema`); Messages,
    `output_config.format` (`json_schema` with `schema`), and `output_format`, its older place.
    """
    if dialect is Dialect.CHAT:
        said = _object(payload.get("response_format"))
        schema = _object(said.get("json_schema")).get("schema")
    else:
        inner = _object(payload.get("output_config")).get("format")
        said = _object(inner or payload.get("output_format"))
        schema = said.get("schema")
    is_json = said.get("type") in ("json_schema", "json_object")
    return Wanted(schema if is_json and isinstance(schema, dict) else None, is_json)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
