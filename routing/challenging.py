"""Challengers at work: routers that score what was served, in the background, and decide nothing.

A request that somebody waits for knows nothing of them. What they say is a row a request, written
once; a request whose router fails has one without a score.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, TypeVar
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from routing import counts, routers
from routing.models import Challenger, ChallengerScore, Request, RouterVersion
from routing.routers import weighing
from routing.routers.base import Router
from routing.types import Reason

log = logging.getLogger(__name__)

T = TypeVar("T")

_GROUP = 500
_BUDGET_S = 20.0
#: A router that takes so long over one text hangs: for requests it would have failed long before.
_HANGS_S = 30.0
#: Embedding models that are not there yet are built meanwhile, a minute or more.
_LOADS_S = 600.0
_MOST_RULE = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Records may wait in a journal: what came so long ago is looked at again by every run,
_OVERLAP = timedelta(minutes=10)
#: and everything since the start each hour.
_PASS_S = 3600

#: A policy keeps these from any router: with another one they would have gone the same way.
ABSTAINED = (Reason.TOOLS, Reason.CONTEXT_LENGTH, Reason.UNPRICED)
#: What clients or conversations chose, or an API: no score decides it, so none is asked for.
_NOT_BY_SCORE = (Reason.FORCED, Reason.BYPASSED, Reason.STICKY, Reason.UNTRANSLATABLE)


_on_stopped: list[Callable[[Challenger, str], None]] = []


def on_stopped(callback: Callable[[Challenger, str], None]) -> None:
    """Have a challenger that is stopped for what it does, and why, told in that transaction."""
    _on_stopped.append(callback)


class _Hangs(Exception):
    """A call does not come to an end; a TimeoutError may be the call's own."""


class Asked(NamedTuple):
    """One request to be scored, and how it was decided."""

    id: UUID
    received_at: datetime
    query: str
    reason: str
    rule: str
    confidence: float | None = None


def run(budget_s: float = _BUDGET_S, hangs_s: float = _HANGS_S) -> bool:
    """Score what running challengers have not scored yet; return whether there may be more.

    Nothing is done while shadow work gives way. Safe to stop at any moment, and to run twice at
    once: a score is written once, whoever comes first.

    Args:
        budget_s: how long; each challenger has its share.
        hangs_s: a challenger that takes so much longer over one text is stopped.
    """
    if counts.backlog() > settings.SHADOWEVAL_SHADOW_BACKLOG:
        return False
    running = list(Challenger.objects.filter(stopped_at=None).order_by("pk"))
    shares = [_score_for(row, budget_s / len(running), hangs_s) for row in running]
    return any(shares)


def _score_for(challenger: Challenger, share_s: float, hangs_s: float) -> bool:
    until = time.monotonic() + share_s
    router = _loaded(challenger)
    while router is not None and _score_group(challenger, router, until, hangs_s):
        if time.monotonic() >= until:
            return True
    return False


def _loaded(challenger: Challenger) -> Router | None:
    try:
        return _load(challenger.router_id)
    except _Hangs:
        _stop(challenger, f"It was not loaded within {_LOADS_S:.0f} s.")
    except Exception:
        # The others go on; the page shows that this one scores nothing.
        log.exception("challenger %s cannot be loaded", challenger.pk)
    return None


@lru_cache(8)
def _load(router_id: int) -> Router:
    version = RouterVersion.objects.get(pk=router_id)
    artifact = bytes(version.artifact)
    return _limited(lambda: routers.load(version.kind, artifact, version.embedder), _LOADS_S)


def _limited(call: Callable[[], T], limit_s: float) -> T:
    """Return what a call returns, from a thread that is left alone when it takes too long.

    Raises:
        _Hangs: when it does.
        BaseException: what the call raises.
    """
    said: Future[T] = Future()

    def work() -> None:
        try:
            said.set_result(call())
        except BaseException as exc:
            said.set_exception(exc)

    threading.Thread(target=work, name="challenger", daemon=True).start()
    if not wait([said], limit_s).done:
        raise _Hangs
    return said.result()


def _stop(challenger: Challenger, why: str) -> None:
    log.error("challenger %s was stopped: %s", challenger.pk, why)
    running = Challenger.objects.filter(pk=challenger.pk, stopped_at=None)
    challenger.stopped_at = timezone.now()
    with transaction.atomic():
        if running.update(stopped_at=challenger.stopped_at, stopped_because=why):
            for callback in _on_stopped:
                callback(challenger, why)


def _score_group(challenger: Challenger, router: Router, until: float, hangs_s: float) -> bool:
    """Score the oldest requests without a score; return whether there may be more."""
    now = timezone.now()
    group = due(challenger, _since(challenger))
    rows = _rows(challenger, router, group, until, hangs_s)
    ChallengerScore.objects.bulk_create(rows, ignore_conflicts=True)
    is_all = len(rows) == len(group) < _GROUP
    if is_all or rows:
        _remember(challenger, now if is_all else group[len(rows) - 1].received_at)
    return not is_all and challenger.stopped_at is None


def _rows(
    challenger: Challenger, router: Router, group: list[Asked], until: float, hangs_s: float
) -> list[ChallengerScore]:
    """Return what the router says of the first requests, as many as the time allows."""
    rows: list[ChallengerScore] = []

    def work() -> None:
        for asked in group:
            rows.append(_row(challenger, router, asked))
            if time.monotonic() >= until:
                return

    try:
        _limited(work, max(until - time.monotonic(), 0) + hangs_s)
    except _Hangs:
        done = rows[:]  # it may come back yet
        if len(done) == len(group):
            return done
        _stop(challenger, f"It took {hangs_s:g} s or more over request {group[len(done)].id}.")
        return done
    return rows


def due(challenger: Challenger, since: datetime) -> list[Asked]:
    """Return requests received since then that the challenger has not scored, the oldest first.

    Not those that no score decided, nor those that its own router did.
    """
    said = ChallengerScore.objects.filter(request=OuterRef("pk"), router=challenger.router_id)
    rows = Request.objects.filter(
        ~Exists(said), project=challenger.project_id, received_at__gte=since
    )
    rows = rows.exclude(decision=None).exclude(never_scored())
    rows = rows.exclude(decision__policy__router=challenger.router_id).order_by("received_at")
    wanted = (
        "pk", "received_at", "query", "decision__reason", "decision__rule", "retrieval__confidence",
    )  # fmt: skip
    return [Asked(*row) for row in rows.values_list(*wanted)[:_GROUP]]


def never_scored(request: str = "") -> Q:
    """Return the condition on requests that no challenger scores.

    No score decided them, or what decided it was not stored whole.

    Args:
        request: what leads to the request in a query, such as `request__`.
    """
    decision = f"{request}decision__"
    no_score = Q(**{f"{decision}reason__in": _NOT_BY_SCORE})
    no_score |= Q(**{f"{decision}reason": Reason.FALLBACK, f"{decision}score": None})
    return no_score | Q(**{f"{request}redacted__has_key": "prompt"})


def _row(challenger: Challenger, router: Router, asked: Asked) -> ChallengerScore:
    is_kept = asked.reason in ABSTAINED
    value, rule = (1.0, asked.rule or asked.reason) if is_kept else _score(router, asked)
    return ChallengerScore(
        request_id=asked.id, router_id=challenger.router_id, score=value, rule=rule[:_MOST_RULE]
    )


def _score(router: Router, asked: Asked) -> tuple[float | None, str]:
    """Return score and rule; no score where the request would have gone to EXPENSIVE by failure."""
    try:
        said = weighing.weighed(router, router.score(asked.query), asked.confidence)
        is_score = math.isfinite(said.value) and 0.0 <= said.value <= 1.0
    except BaseException as exc:  # of a plug-in, in a thread: not even SystemExit stops the others
        log.warning("challenger failed: %s", type(exc).__name__)
        return None, ""
    # What needs the cheap answer first has no score of its own.
    return (said.value, said.rule) if is_score and not said.needs_answer else (None, "")


def _since(challenger: Challenger) -> datetime:
    """Return from when on requests are looked at: all since the start, once an hour."""
    place = f"challenge:{challenger.pk}"
    if cache.add(f"{place}:pass", 1, _PASS_S):
        return challenger.started_at
    at_us: int | None = cache.get(place)
    if at_us is None:
        return challenger.started_at
    return max(challenger.started_at, _EPOCH + timedelta(microseconds=at_us) - _OVERLAP)


def _remember(challenger: Challenger, until: datetime) -> None:
    at_us = (until - _EPOCH) // timedelta(microseconds=1)
    cache.set(f"challenge:{challenger.pk}", at_us, _PASS_S)
