"""Requests that no score decides: what they are makes EXPENSIVE the answer, by rules in words.

They answer with the highest score and a reason of their own, so that the threshold governs them as
it does any other and a curve over thresholds stays true: only a threshold above 1 sends them to
CHEAP. A query unlike all that a router was trained on is the router's own to say (`unfamiliar`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction

from routing import policy, pricing
from routing.models import Policy, Project
from routing.types import ChatRequest, Reason, Tier
from routing.wire.shape import Shape

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: What a policy may have in force: name to what happens, for people.
RULES: dict[str, str] = {
    "context_length": "A prompt that may not fit the cheap model goes to the expensive one.",
    "tools": "A request that brings tools goes to the expensive model.",
    "unpriced": "While a price of the two models is unknown, so that no saving can be shown, "
    "everything goes to the expensive one.",
}
#: In force in a project's first policy. Not `tools`: an agent would never save, and first turns
#: with tools are compared like any others.
USUAL = ("context_length", "unpriced")
#: Above what a threshold reaches short of "always cheap".
SCORE = 1.0

#: Letters a token has at least, nearly always: the estimate shall rather be too long. Bodies count
#: by bytes, so that a letter of three bytes is a token.
_LETTERS_A_TOKEN = 3
#: An image of 40 kB as encoded, or half a page of a PDF, is some 1,600 tokens.
_MEDIA_BYTES_A_TOKEN = 25


def check(names: Sequence[str]) -> None:
    """Refuse what is no rule.

    Raises:
        ValueError: with a sentence.
    """
    for name in names:
        if name not in RULES:
            raise ValueError(f"{name[:80]!r} is no rule to abstain by: {', '.join(RULES)}.")


def reason(request: ChatRequest, shape: Shape, row: Policy) -> Reason | None:
    """Return by which of the policy's rules no score decides this request, or None."""
    broken = (name for name, holds in _HOLDS.items() if name in row.abstain)
    return next((Reason(name) for name in broken if _HOLDS[name](request, shape, row)), None)


def is_unpriced(row: Policy) -> bool:
    """Return whether a price is missing that a saving would be computed from."""
    return any(row.tier_spec(tier).price is None for tier in Tier)


def tokens(request: ChatRequest, shape: Shape) -> int:
    """Return about how long prompt and answer may be together, in tokens; rather too many.

    The whole body counts, at three bytes a token, and its images and documents apart from it. An
    image that is only named by its address counts nothing.
    """
    payload = request.payload
    whole = len(request.raw) or sum(_letters(payload))
    plain = sum(_plain_documents(payload.get("messages")))
    media = max(shape.media_bytes - plain, 0)
    prompt = max(whole - media, 0) / _LETTERS_A_TOKEN + media / _MEDIA_BYTES_A_TOKEN
    limits = (payload.get(name) for name in ("max_tokens", "max_completion_tokens"))
    return int(prompt) + max((n for n in limits if isinstance(n, int)), default=0)


def _letters(value: Any) -> Iterator[int]:
    """Give the lengths of all texts in a body that was put together here."""
    if isinstance(value, str):
        yield len(value.encode("utf-8", "replace"))
    elif isinstance(value, dict):
        for one in value.values():
            yield from _letters(one)
    elif isinstance(value, list):
        for one in value:
            yield from _letters(one)


def _plain_documents(content: Any) -> Iterator[int]:
    """Give the lengths of documents that are plain text: media by their place, text by nature."""
    for block in content if isinstance(content, list) else []:
        if isinstance(block, dict):
            source = block.get("source")
            if isinstance(source, dict) and source.get("type") == "text":
                yield len(str(source.get("data", "")))
            yield from _plain_documents(block.get("content"))


def _brings_tools(request: ChatRequest, shape: Shape, row: Policy) -> bool:
    named = ("tools", "functions", "mcp_servers")
    return shape.after_tools or any(request.payload.get(name) for name in named)


def _is_too_long(request: ChatRequest, shape: Shape, row: Policy) -> bool:
    spec = row.tier_spec(Tier.CHEAP)
    most = spec.context_tokens or pricing.CONTEXT_TOKENS.get(spec.model)
    return most is not None and tokens(request, shape) > most


def _has_no_price(request: ChatRequest, shape: Shape, row: Policy) -> bool:
    return is_unpriced(row)


#: In this order the first that holds is the reason.
_HOLDS: dict[str, Callable[[ChatRequest, Shape, Policy], bool]] = {
    "context_length": _is_too_long,
    "tools": _brings_tools,
    "unpriced": _has_no_price,
}


@transaction.atomic
def put(project: Project, names: Sequence[str], *, by: User | None) -> Policy:
    """Put other rules in force: a copy of the live policy with them, always expensive until signed.

    One policy and its deployment; the rules that are in force already change nothing.

    Raises:
        ValueError: when there is no such rule.
        Policy.DoesNotExist: when nothing is live.
    """
    check(names)
    policy.lock(project)
    live = policy.live(project)
    if live is None:
        raise Policy.DoesNotExist(f"{project} has no live policy.")
    if set(names) == set(live.abstain):
        return live
    kept = [name for name in RULES if name in names]
    target = policy.always_expensive(live, "Other rules to abstain by", abstain=kept)
    policy.deploy(target, by=by, reason="Other rules to abstain by: always expensive until signed")
    return target
