"""The confidence line: asked for in the prompt, read from the reply and taken out of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import re2

from routing.types import Dialect
from routing.wire import splice
from routing.wire.confidence_line import Split, split
from routing.wire.formats import wanted

__all__ = ["INSTRUCTION", "Split", "asking", "can_ask", "split", "strip"]

INSTRUCTION = (
    "When your answer is complete, add one last line of its own, in exactly this form and with the "
    "English word, whatever the language of the answer:\n"
    "CONFIDENCE: <number>\n"
    "The number, from 0 to 100, is the probability in percent that your answer is correct and "
    "complete. Write nothing after it, and say nothing else about how confident you are."
)
#: An answer with less room than this may have none for the line.
LEAST_TOKENS = 64
#: A client's stop sequence that is part of this would end the answer before or amid the line.
_LINE = "\n\nconfidence: 0123456789.%\n"
#: What an answer carries beside its text, in which the line would stay.
_TELLTALES = ("logprobs", "top_logprobs", "audio", "web_search_options", "mcp_servers", "container")
_TOOLS = ("tools", "functions")
#: A prompt that asks for a confidence of its own: the line could not be told from the answer.
_ASKED = re2.compile(
    r"(?i)confiden(?:ce|t\b)|(?:confianza|certeza|vertrauen|konfidenz|sicherheit|confiance|fiducia|"
    r"confidenza|confiança|vertrouwen|уверенност|достоверност|pewnoś|置信度|可信度|信心|信頼度|"
    r"確信度|신뢰도|확신)[^\n]{0,20}(?:[:=：%％]|[0-9])"
)


def can_ask(payload: dict[str, Any], dialect: Dialect) -> bool:
    """Return whether the line can be asked for without harm to the answer.

    Not where the answer is no free text (tools, JSON, a prefilled beginning, sound), would carry
    the line elsewhere too (log probabilities), has no room for it, ends at a stop sequence that is
    part of it, or is asked for a confidence of its own.
    """
    if any(payload.get(name) for name in (*_TOOLS, *_TELLTALES)):
        return False
    if wanted(payload, dialect).is_json or _is_prefilled(payload) or _is_cut(payload):
        return False
    if payload.get("n") not in (None, 1) or "audio" in (payload.get("modalities") or ()):
        return False
    return _room(payload) >= LEAST_TOKENS and not _speaks_of_it(payload)


def _is_prefilled(payload: dict[str, Any]) -> bool:
    return bool(payload["messages"]) and payload["messages"][-1].get("role") == "assistant"


def _is_cut(payload: dict[str, Any]) -> bool:
    stops = payload.get("stop_sequences") or payload.get("stop") or []
    stops = [stops] if isinstance(stops, str) else stops
    return any(isinstance(stop, str) and stop.casefold() in _LINE for stop in stops)


def _room(payload: dict[str, Any]) -> float:
    limits = [payload.get(name) for name in ("max_tokens", "max_completion_tokens")]
    most = min((limit for limit in limits if isinstance(limit, int)), default=None)
    if most is None:
        return float("inf")
    thinking = payload.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    return most - (budget if isinstance(budget, int) else 0)


def _speaks_of_it(payload: dict[str, Any]) -> bool:
    return any(_ASKED.search(text) for text in _texts(payload))


def _texts(payload: dict[str, Any]) -> Iterator[str]:
    for content in (payload.get("system"), *(one.get("content") for one in payload["messages"])):
        if isinstance(content, str):
            yield content
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and isinstance(block.get("text"), str):
                yield block["text"]


def asking(payload: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    """Return the payload with the instruction at the end of its system text; itself unchanged."""
    if dialect is Dialect.MESSAGES:
        return {**payload, "system": _with_instruction(payload.get("system"))}
    messages = list(payload["messages"])
    heads = _leading_systems(messages)
    if not heads:
        messages.insert(0, {"role": "system", "content": INSTRUCTION})
    else:
        last = messages[heads - 1]
        messages[heads - 1] = {**last, "content": _with_instruction(last.get("content"))}
    return {**payload, "messages": messages}


def _leading_systems(messages: list[dict[str, Any]]) -> int:
    roles = [message.get("role") in ("system", "developer") for message in messages]
    return roles.index(False) if False in roles else len(roles)


def _with_instruction(content: Any) -> Any:
    """Append: what a cache holds of the client's own text stays its beginning."""
    if isinstance(content, list):
        return [*content, {"type": "text", "text": INSTRUCTION}]
    return f"{content}\n\n{INSTRUCTION}" if content else INSTRUCTION


def strip(body: bytes, dialect: Dialect) -> tuple[bytes, float | None]:
    """Take the confidence line out of a reply: of its last text that says anything; all else stays.

    A text that was the line alone goes with its block when another text stays, for APIs refuse
    empty blocks when they come back in the next turn.

    Args:
        body: a whole reply; what is none is given back as it is.
        dialect: the body's.

    Returns:
        The body, and the confidence in [0, 1] or None.
    """
    try:
        said = json.loads(body)
        blocks, place = _content(said, dialect)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return body, None
    if isinstance(blocks, str):
        return _stripped(body, place, blocks)
    texts = [n for n, block in enumerate(blocks) if _is_text(block) and block["text"].strip()]
    if not texts:
        return body, None
    last = blocks[texts[-1]]["text"]
    if len(texts) > 1 and not split(last).text.strip():
        confidence = split(last).confidence
        del blocks[texts[-1]]
        return json.dumps(said).encode(), confidence
    return _stripped(body, (*place, texts[-1], "text"), last)


def _content(said: Any, dialect: Dialect) -> tuple[Any, tuple[str | int, ...]]:
    """Return the content of a reply, a text or blocks, and its place."""
    if dialect is Dialect.MESSAGES:
        return _known(said["content"]), ("content",)
    return _known(said["choices"][0]["message"]["content"]), ("choices", 0, "message", "content")


def _known(content: Any) -> Any:
    return content if isinstance(content, str | list) else []


def _is_text(block: Any) -> bool:
    return (
        isinstance(block, dict)
        and block.get("type") == "text"
        and isinstance(block.get("text"), str)
    )


def _stripped(body: bytes, place: tuple[str | int, ...], text: str) -> tuple[bytes, float | None]:
    left = split(text)
    if left.text == text:
        return body, None
    return splice.with_text(body, place, left.text), left.confidence
