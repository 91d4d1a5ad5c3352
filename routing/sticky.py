"""Conversations that stay with the model that began them.

A tool call's id and a thinking block's signature mean something to their maker only; a client may
also name a session. What is remembered: a hash of such a mark, and who answered, for a day, here
and in Redis. A mark that nobody remembers goes to EXPENSIVE: the only safe guess.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from routing.models import Policy
from routing.shared import PREFIX, shared
from routing.types import ChatRequest, DecisionValue, Reason, Reply, Tier
from routing.wire.shape import Shape

_KEEP_S = 86_400
_MOST = 100_000


class Memory:
    """Who answered what, in this process: the next turn may come before Redis has it."""

    def __init__(self, most: int = _MOST) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()
        self._most = most

    def get(self, name: str) -> str | None:
        """Return who answered, or None."""
        return self._known.get(name)

    def put(self, name: str, identity: str) -> None:
        """Remember who answered; the oldest is forgotten when there are too many."""
        self._known[name] = identity
        self._known.move_to_end(name)
        if len(self._known) > self._most:
            self._known.popitem(last=False)


memory = Memory()


def _name(project_id: int, kind: str, mark: str) -> str:
    digest = hashlib.sha256(mark.encode(errors="replace")).hexdigest()[:32]
    return f"{PREFIX}:{kind}:{project_id}:{digest}"


async def tier(request: ChatRequest, shape: Shape, policy: Policy) -> Tier | None:
    """Return the tier that a conversation must stay with, or None when it is free.

    The maker's state comes before the client's session name. A maker that plays no tier of this
    policy any more is replaced by EXPENSIVE.
    """
    if shape.state_ids:
        names = [_name(policy.project_id, "state", mark) for mark in shape.state_ids]
        identity = await _recall(names)
        return _playing(identity, policy) or Tier.EXPENSIVE
    if request.session:
        identity = await _recall([_name(policy.project_id, "session", request.session)])
        return None if identity is None else _playing(identity, policy) or Tier.EXPENSIVE
    return None


def _playing(identity: str | None, policy: Policy) -> Tier | None:
    tiers = (Tier.EXPENSIVE, Tier.CHEAP)
    return next((t for t in tiers if policy.tier_spec(t).identity == identity), None)


async def _recall(names: Sequence[str]) -> str | None:
    for name in names:
        if (known := memory.get(name)) is not None:
            return known
    found: list[Any] = await shared.ask(lambda redis: redis.mget(names), [])
    return next((value.decode() for value in found if value is not None), None)


async def remember(
    request: ChatRequest, reply: Reply, decision: DecisionValue, policy: Policy
) -> None:
    """Remember who gave a reply, as far as the next turn may ask: at once here, then in Redis.

    A turn whose model the client chose does not move its session.
    """
    identity = policy.tier_spec(decision.tier).identity
    names = [_name(policy.project_id, "state", mark) for mark in reply.state_ids]
    if request.session and decision.reason not in (Reason.FORCED, Reason.BYPASSED):
        names.append(_name(policy.project_id, "session", request.session))
    for name in names:
        memory.put(name, identity)

    async def store(redis: Redis) -> Any:
        async with redis.pipeline(transaction=False) as all_:
            for name in names:
                all_.set(name, identity, ex=_KEEP_S)
            return await all_.execute()

    if names:
        await shared.ask(store, None)
