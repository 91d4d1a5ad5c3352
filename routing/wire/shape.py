"""What a conversation carries besides text: tools, media, and state only its maker can read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from routing.types import ChatRequest, Dialect

#: Tools that the client runs, by the beginning of their type; a provider runs all others itself.
_CLIENT_TOOLS = ("custom", "function", "bash_", "text_editor_", "computer_", "memory_", "browser_")
#: Fields by which a provider acts or stores, whatever the tools.
_ACTING_FIELDS = ("mcp_servers", "container", "web_search_options")


@dataclass(frozen=True)
class Shape:
    """What decides whether a request may move between models, and whether it is shadowed.

    Attributes:
        state_ids: tool call ids and thinking signatures of the last assistant turn that has any.
        after_tools: a tool was called or answered in an earlier turn.
        provider_acts: the provider itself would run a tool or store something.
        media_bytes: of images and documents in the body, as encoded.
    """

    state_ids: tuple[str, ...]
    after_tools: bool
    provider_acts: bool
    media_bytes: int


def of(request: ChatRequest) -> Shape:
    """Return the shape of a request."""
    payload = request.payload
    messages = payload["messages"]
    states = [ids for message in messages if (ids := state_ids(message))]
    return Shape(
        state_ids=states[-1] if states else (),
        after_tools=any(_is_about_tools(message) for message in messages),
        provider_acts=_provider_acts(payload, request.dialect),
        media_bytes=sum(_media_bytes(message.get("content")) for message in messages),
    )


def state_ids(message: dict[str, Any]) -> tuple[str, ...]:
    """Return what an assistant's message holds that only the model behind it can go on from."""
    if message.get("role") != "assistant":
        return ()
    blocks = _blocks(message.get("content"))
    calls = [call["id"] for call in _dicts(message.get("tool_calls")) if call.get("id")]
    calls = [mark for mark in calls if isinstance(mark, str)]
    return (*(text for block in blocks for text in _state_of(block)), *calls)


def _state_of(block: dict[str, Any]) -> Iterator[str]:
    kind = block.get("type")
    is_call = isinstance(kind, str) and kind.endswith("tool_use")
    named = ["id"] * is_call + ["signature"] * (kind == "thinking")
    named += ["data"] * (kind == "redacted_thinking")
    return (block[name] for name in named if isinstance(block.get(name), str) and block[name])


def calls(body: bytes, dialect: Dialect) -> str:
    """Return which tools a reply calls with what, as one JSON text for both APIs; "" for none.

    Args:
        body: a whole reply that was read.
        dialect: the body's.
    """
    said = json.loads(body)
    if dialect is Dialect.MESSAGES:
        blocks = _blocks(said.get("content"))
        made = [(b.get("name"), b.get("input")) for b in blocks if b.get("type") == "tool_use"]
    else:
        told = _dicts(said["choices"][0]["message"].get("tool_calls"))
        functions = _dicts([call.get("function") for call in told])
        made = [(one.get("name"), _arguments(one.get("arguments"))) for one in functions]
    return json.dumps([{str(name): given} for name, given in made]) if made else ""


def _arguments(said: Any) -> Any:
    try:
        return json.loads(said)
    except (ValueError, TypeError, RecursionError):
        return said


def _is_about_tools(message: dict[str, Any]) -> bool:
    if message.get("role") in ("tool", "function") or message.get("tool_calls"):
        return True
    kinds = (block.get("type") for block in _blocks(message.get("content")))
    return any(isinstance(kind, str) and "tool_" in kind for kind in kinds)


def _provider_acts(payload: dict[str, Any], dialect: Dialect) -> bool:
    acts = any(payload.get(name) for name in _ACTING_FIELDS) or payload.get("store") is True
    default = "custom" if dialect is Dialect.MESSAGES else "function"
    kinds = (tool.get("type") or default for tool in _dicts(payload.get("tools")))
    return acts or any(not str(kind).startswith(_CLIENT_TOOLS) for kind in kinds)


def _media_bytes(content: Any) -> int:
    """Count the encoded bytes of a content's media, tool results included."""
    total = 0
    for block in _blocks(content):
        source = block.get("source")
        if isinstance(source, dict):
            total += _length(source.get("data"))
            total += _media_bytes(source.get("content"))
        url = block.get("image_url")
        total += _length(url.get("url") if isinstance(url, dict) else url, "data:")
        for name in ("file", "input_audio"):
            part = block.get(name)
            if isinstance(part, dict):
                total += _length(part.get("file_data") or part.get("data"))
        total += _media_bytes(block.get("content"))
    return total


def _length(value: Any, prefix: str = "") -> int:
    return len(value) if isinstance(value, str) and value.startswith(prefix) else 0


def _blocks(content: Any) -> list[dict[str, Any]]:
    return _dicts(content) if isinstance(content, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
