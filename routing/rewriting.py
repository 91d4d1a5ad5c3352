"""The query that is searched for: the client's own, the last turn, or that made self-contained.

Of a conversation the cheap model is asked, for a few seconds at most. Whatever fails: the last turn
is searched for as it is.
"""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings

from routing import providers
from routing.errors import InvalidRequest
from routing.models import Policy
from routing.probing import Bill
from routing.routers.refusals import is_refusal
from routing.types import ChatRequest, Dialect, Outgoing, Reply, Tier
from routing.wire import sources, standalone, translation

log = logging.getLogger(__name__)

#: A search reads no more; the terms of longer texts are mostly not what they are about.
MOST_LETTERS = 2_000
CLIENT, CHEAP = "client", "cheap"


class Rewritten(NamedTuple):
    """What is searched for.

    Attributes:
        by: client, cheap, or "" for the last turn as it is.
        ms: how long the cheap model took; None when it was not asked.
        usd: what it cost; None when that is unknown.
    """

    query: str
    by: str = ""
    ms: float | None = None
    usd: Decimal | None = Decimal(0)


async def query(request: ChatRequest, policy: Policy, bill: Bill | None) -> Rewritten:
    """Return what to search for.

    Args:
        request: with its own messages only.
        policy: who plays the cheap tier.
        bill: gets what was paid, also when this is cancelled; None: no model is asked.

    Raises:
        InvalidRequest: when there is no text to search for.
    """
    if request.search_query:
        return Rewritten(request.search_query, CLIENT)
    messages = request.payload["messages"]
    last = " ".join(sources.question(messages)[:MOST_LETTERS].split())
    if not last:
        raise InvalidRequest("The last turn has no text to search for: send one, or search_query.")
    if bill is None or not settings.SHADOWEVAL_REWRITES or not standalone.is_multi_turn(messages):
        return Rewritten(last)
    reply = await _reply(request, policy, bill)
    said = "" if reply is None or is_refusal(reply.text) else standalone.read(reply.text)
    return Rewritten(said or last, CHEAP if said else "", bill.ms, bill.usd)


async def _reply(request: ChatRequest, policy: Policy, bill: Bill) -> Reply | None:
    """Return what the cheap model says, None when it fails; the bill knows what was paid."""
    spec = policy.tier_spec(Tier.CHEAP)
    try:
        provider = providers.get(spec.provider)
        asked = standalone.asking(request.payload["messages"])
        limit_field = provider.limit_field(spec)
        said = translation.payload(asked, Dialect.MESSAGES, provider.dialect, limit_field)
        outgoing = Outgoing(translation.dump({"model": spec.model, **said}))
        bill.begin(spec.price)
        within_s = settings.SHADOWEVAL_REWRITE_TIMEOUT_S
        return await bill.kept(provider.send(spec, outgoing, within_s))
    except Exception as exc:
        log.warning("a query was not rewritten: %s", type(exc).__name__)
        return None
    finally:
        bill.end()
