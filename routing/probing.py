"""Asking the cheap model before the decision: what it is sent, and what its answers come to.

Served requests and shadow calls do the same here, so that a pair says what serving would have done.
"""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from routing import pricing
from routing.errors import RouterError
from routing.providers.base import Provider
from routing.routers.asking import Ask, Asking, Judged, Seen
from routing.types import DecisionValue, Dialect, Price, Reply, Score, TierSpec
from routing.wire import confidence, formats, shape, translation

#: As decisions store it.
_MOST_RULE_LETTERS = 60


@dataclass(frozen=True)
class Question:
    """What the cheap model is asked.

    Attributes:
        payload: the body without the model, in the provider's dialect; its answer comes whole.
        was_asked: for the line that says how sure it is.
        samples: how many times it is sent.
    """

    payload: dict[str, Any]
    dialect: Dialect
    was_asked: bool
    samples: int


@dataclass(frozen=True)
class Finding:
    """What the answers come to.

    Attributes:
        replies: without the line, as they may be served and are stored.
        score: never below what was known before: `score < t` then says at every threshold what
            serving would do, asking or not.
    """

    replies: tuple[Reply, ...]
    score: float
    rule: str
    confidence: float | None


@dataclass
class Bill:
    """What asking before a decision comes to, also for whom it is cut off amid the calls.

    Attributes:
        begun: when the calls were sent, seconds of `time.perf_counter`; None before.
        ms: how long they took; None until they are over.
        replies: those that came so far.
    """

    price: Price | None = None
    begun: float | None = None
    ms: float | None = None
    replies: list[Reply] = field(default_factory=list)

    def begin(self, price: Price | None) -> None:
        """Count from now on."""
        self.price, self.begun = price, time.perf_counter()

    async def kept(self, call: Awaitable[Reply]) -> Reply:
        """Return a call's reply, and count it."""
        reply = await call
        self.replies.append(reply)
        return reply

    def end(self) -> None:
        """Count no more time: no call is waited for."""
        self.ms = self._elapsed_ms()

    @property
    def usd(self) -> Decimal | None:
        """What the calls that came cost together; None when that of one is unknown."""
        return cost_usd(self.price, self.replies)

    def on(self, decision: DecisionValue) -> DecisionValue:
        """Return a decision with what asking came to: unknown while calls are under way."""
        if self.begun is None:
            return decision
        if self.ms is None:
            return replace(decision, probe_usd=None, probe_ms=self._elapsed_ms())
        return replace(decision, probe_usd=self.usd, probe_ms=self.ms)

    def _elapsed_ms(self) -> float | None:
        return None if self.begun is None else (time.perf_counter() - self.begun) * 1000


def question(
    said: dict[str, Any], source: Dialect, provider: Provider, spec: TierSpec, ask: Ask
) -> Question:
    """Return what a client's body becomes, for a router that asks this way.

    Raises:
        InvalidRequest: when the provider's API cannot be asked this.
    """
    target, whole = provider.dialect, translation.for_shadow(said)
    payload = translation.payload(whole, source, target, provider.limit_field(spec))
    was_asked = ask.confidence and confidence.can_ask(payload, target)
    if was_asked:
        payload = confidence.asking(payload, target)
    return Question(payload, target, was_asked, max(ask.samples, 1))


def find(
    router: Asking,
    query: str,
    before: Score,
    asked: Question,
    replies: Sequence[Reply],
    provider: Provider,
) -> Finding:
    """Return what the router makes of the answers.

    Raises:
        RouterError: when it raises, or says what no decision can hold.
    """
    told = [_told(asked, reply, provider) for reply in replies]
    stripped = tuple(reply for reply, _ in told)
    wanted = formats.wanted(asked.payload, asked.dialect)
    seen = Seen(
        texts=tuple(reply.text for reply in stripped),
        confidences=tuple(said for _, said in told),
        stop_reason=stripped[0].stop_reason,
        was_asked=asked.was_asked,
        schema=wanted.schema,
        wants_json=wanted.is_json,
        calls=tuple(shape.calls(reply.body, asked.dialect) for reply in stripped),
    )
    score, said = _checked(router, query, before, seen)
    return Finding(stripped, max(score.value, before.value), score.rule[:_MOST_RULE_LETTERS], said)


def _told(asked: Question, reply: Reply, provider: Provider) -> tuple[Reply, float | None]:
    """Return a reply without its line, and what the line said; unasked, all of it is answer."""
    if not asked.was_asked:
        return reply, None
    body, said = confidence.strip(reply.body, asked.dialect)
    return provider.read(body, reply.headers, reply.latency_ms), said


def _checked(router: Asking, query: str, before: Score, seen: Seen) -> tuple[Score, float | None]:
    try:
        judged: Judged = router.judge(query, before, seen)
        value, rule = _share(judged.score.value), judged.score.rule
        said = None if judged.confidence is None else _share(judged.confidence)
    except BaseException as exc:  # whatever a plug-in raises: not even SystemExit ends the service
        raise RouterError(type(exc).__name__) from exc
    if value is None or not isinstance(rule, str):
        raise RouterError("score outside [0, 1]")
    return Score(value, rule), said


def _share(value: Any) -> float | None:
    """Return a share as a plain number, which records can hold; None for what is none.

    Raises:
        TypeError: when it is no number.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError("a share must be a number")
    told = float(value)
    return told if math.isfinite(told) and 0.0 <= told <= 1.0 else None


def cost_usd(price: Price | None, replies: Sequence[Reply]) -> Decimal | None:
    """Return what answers cost together, None when that of one is unknown."""
    total = Decimal(0)
    for reply in replies:
        cost = pricing.cost_usd(price, reply.usage)
        if cost is None:
            return None
        total += cost
    return total
