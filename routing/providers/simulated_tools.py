"""Tool calls that the simulated provider makes when a request forces one: valid, and invented."""

from __future__ import annotations

import re
from typing import Any

#: Of this many calls, one prefers what comes first for no reason, as models do.
_BIASED = 12
_MARK = re.compile(r"^<<[^>]*>>$", re.MULTILINE)


def forced_tool(payload: dict[str, Any]) -> dict[str, Any] | None:
    """Return the tool that a request insists on, None when it insists on none."""
    choice = payload.get("tool_choice") or {}
    tools = payload.get("tools") or []
    if choice.get("type") != "tool":
        return None
    return next((tool for tool in tools if tool.get("name") == choice.get("name")), None)


def call_of(tool: dict[str, Any], payload: dict[str, Any], draw: bytes) -> dict[str, Any]:
    """Return the block of a call whose input fits the tool's schema.

    A choice between first and second is made by length: the longer text of the last two is better.
    """
    properties = tool.get("input_schema", {}).get("properties", {})
    given = {
        name: _value(schema, payload, draw, place)
        for place, (name, schema) in enumerate(properties.items())
    }
    id_ = f"toolu_{draw.hex()[:20]}"
    return {"type": "tool_use", "id": id_, "name": tool["name"], "input": given}


def _value(schema: dict[str, Any], payload: dict[str, Any], draw: bytes, place: int) -> Any:
    options = schema.get("enum")
    if options:
        wanted = _longer(payload, draw)
        return wanted if wanted in options else options[draw[place % 32] % len(options)]
    invented = {
        "boolean": draw[place % 32] % 5 > 0,
        "integer": draw[place % 32],
        "number": draw[place % 32] / 255,
        "array": [],
        "object": {},
        "null": None,
    }
    return invented.get(schema.get("type", ""), "invented")


def _longer(payload: dict[str, Any], draw: bytes) -> str:
    content = payload["messages"][-1]["content"]
    texts = [block.get("text", "") for block in content if isinstance(block, dict)]
    if len(texts) < 2:
        return ""
    first, second = (len(_MARK.sub("", text)) for text in texts[-2:])
    if draw[31] % _BIASED == 0:
        return "first"
    if abs(first - second) * 5 <= max(first, second):
        return "tie"
    return "first" if first > second else "second"
