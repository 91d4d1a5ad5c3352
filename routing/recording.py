"""Write what was served: request, decision, completion and shadow job in one transaction.

Recording happens after the reply has left. Replies that are waiting are written together: at
once when the writer is idle, collected while a write runs.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    connection,
    transaction,
)
from django.utils import timezone

from routing.models import ApiKey, Completion, Decision, Request, ShadowJob
from routing.types import Reply, Served

log = logging.getLogger(__name__)

_GROUP = 200
#: Postgres takes no message above a gigabyte; a group of large bodies stays far below.
_GROUP_BYTES = 32_000_000
_RETRY_S = 0.5
#: What the database says of a row that it will never take.
_ROWS_FAULT = DataError | IntegrityError
_STATES = ShadowJob.State


def clean(value: Any) -> Any:
    """Return JSON-like data that Postgres can hold: no NUL, no lone surrogates."""
    if isinstance(value, str):
        if "\0" in value or not value.isascii():
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    return value


def is_drawn(request_id: str, rate: float) -> bool:
    """Draw by hash, so that a second look at the same request gives the same answer."""
    draw = hashlib.sha256(f"shadow|{request_id}".encode()).hexdigest()[:13]
    return int(draw, 16) / 16**13 < rate


@transaction.atomic
def write(group: Sequence[Served]) -> None:
    """Write a group of replies in one transaction; a second run changes nothing."""
    Request.objects.bulk_create([_request(row) for row in group], ignore_conflicts=True)
    Decision.objects.bulk_create([_decision(row) for row in group], ignore_conflicts=True)
    completions = [_completion(row) for row in group if row.reply is not None]
    Completion.objects.bulk_create(completions, ignore_conflicts=True)
    ShadowJob.objects.bulk_create([_shadow_job(row) for row in group], ignore_conflicts=True)
    keys = {row.api_key_id for row in group if row.api_key_id is not None}
    ApiKey.objects.filter(pk__in=keys).update(last_used_at=timezone.now())


def _request(row: Served) -> Request:
    return Request(
        id=row.request_id,
        project_id=row.project_id,
        api_key_id=row.api_key_id,
        received_at=row.received_at,
        wire=row.wire,
        asked_model=clean(row.request.model)[:120],
        payload=clean(row.request.payload),
        query=clean(row.request.query),
        task=clean(row.decision.task)[:40],
        metadata=clean(row.request.metadata),
        headers=clean(row.request.headers),
        url_query=clean(row.request.url_query)[:500],
        session=clean(row.request.session),
        is_stream=row.is_stream,
        status=row.status,
        error=clean(row.error)[:200],
        overhead_ms=row.overhead_ms,
        latency_ms=row.latency_ms,
    )


def _decision(row: Served) -> Decision:
    made = row.decision
    return Decision(
        request_id=row.request_id,
        policy_id=row.policy_id,
        tier=made.tier.value,
        reason=made.reason.value,
        rule=made.rule,
        score=made.score,
        threshold=made.threshold,
    )


def completion_fields(reply: Reply, provider: str, cost_usd: Decimal | None) -> dict[str, Any]:
    """Return the columns of a completion, served or shadow."""
    return {
        "provider": provider,
        "model": clean(reply.model)[:120],
        "text": clean(reply.text),
        "body": clean(json.loads(reply.body)),
        "stop_reason": clean(reply.stop_reason)[:40],
        "input_tokens": reply.usage.input_tokens,
        "output_tokens": reply.usage.output_tokens,
        "cache_write_tokens": reply.usage.cache_write_tokens,
        "cache_write_1h_tokens": reply.usage.cache_write_1h_tokens,
        "cache_read_tokens": reply.usage.cache_read_tokens,
        "cost_usd": cost_usd,
        "latency_ms": reply.latency_ms,
    }


def _completion(row: Served) -> Completion:
    assert row.reply is not None
    return Completion(
        request_id=row.request_id,
        tier=row.decision.tier.value,
        is_shadow=False,
        is_partial=row.reply.is_partial,
        **completion_fields(row.reply, row.provider, row.cost_usd),
    )


def skip_reason(row: Served) -> str:
    """Return why no shadow call will be made, or "" when one will.

    Of a stream that has only begun: when it comes to its end.
    """
    if not is_drawn(str(row.request_id), row.shadow_rate):
        return "not_sampled: outside the policy's shadow rate"
    if row.skip:
        return row.skip
    if row.reply is None and (row.error or not row.is_stream):
        return "no_reply: the served call failed, so there is nothing to pair"
    if row.reply is not None and row.reply.is_partial:
        return "partial: the answer broke off, so there is nothing to pair"
    return ""


def _shadow_job(row: Served) -> ShadowJob:
    reason = skip_reason(row)
    now = timezone.now()
    return ShadowJob(
        request_id=row.request_id,
        project_id=row.project_id,
        tier=row.decision.tier.other.value,
        rate=row.shadow_rate,
        state=_STATES.SKIPPED if reason else _STATES.PENDING,
        reason=reason,
        not_before=now,
        finished_at=now if reason else None,
    )


class Recorder:
    """Takes replies from the event loop and writes them in groups from a thread.

    `put` never waits and never raises. When the queue is full, by count or by bytes (Postgres away
    for long), the oldest promise is kept, the reply leaves, and the loss is counted and logged.
    """

    def __init__(self, on_written: Callable[[], None] = lambda: None) -> None:
        self._queue: asyncio.Queue[Served] = asyncio.Queue(settings.SHADOWEVAL_RECORD_QUEUE)
        self._on_written = on_written
        self._task: asyncio.Task[None] | None = None
        self._in_hand = 0
        self._bytes = 0
        self.lost = 0

    def start(self) -> None:
        """Start the writer; must be called inside the running event loop."""
        self._task = asyncio.create_task(self._run(), name="recorder")

    def put(self, row: Served) -> None:
        """Queue a reply for writing."""
        fits = self._bytes + row.size_bytes <= settings.SHADOWEVAL_RECORD_QUEUE_BYTES
        if self._queue.full() or not (fits or self._queue.empty()):
            self.lost += 1
            log.error("recording queue is full: %d replies were not recorded", self.lost)
            return
        self._bytes += row.size_bytes
        self._queue.put_nowait(row)

    async def stop(self, timeout_s: float = 20.0) -> None:
        """Write what is waiting, then stop.

        Gives up after `timeout_s` when the database does not come back, and says how many
        replies were lost.
        """
        try:
            await asyncio.wait_for(self._queue.join(), timeout_s)
        except TimeoutError:
            self.lost += self._queue.qsize() + self._in_hand
            log.error("stopping with %d replies not recorded", self.lost)
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            group = self._more([await self._queue.get()])
            self._in_hand = len(group)
            await self._write(group)
            self._in_hand = 0
            self._bytes -= sum(row.size_bytes for row in group)
            for _ in group:
                self._queue.task_done()

    def _more(self, group: list[Served]) -> list[Served]:
        """Add what is waiting, as far as one transaction takes it."""
        size = group[0].size_bytes
        while len(group) < _GROUP and size < _GROUP_BYTES and not self._queue.empty():
            group.append(self._queue.get_nowait())
            size += group[-1].size_bytes
        return group

    async def _write(self, group: list[Served]) -> None:
        """Write until it is written; a database that is away or read-only is waited for."""
        while True:
            try:
                await asyncio.to_thread(_write_in_thread, group)
            except (DatabaseError, InterfaceError) as exc:
                log.warning("recording waits for the database: %s", type(exc).__name__)
                await asyncio.sleep(_RETRY_S)
            else:
                break
        await asyncio.to_thread(self._on_written)


def _write_in_thread(group: Sequence[Served]) -> None:
    try:
        _write_or_split(group)
    finally:
        connection.close()  # back to the pool: the next group may run in another thread


def _write_or_split(group: Sequence[Served]) -> None:
    """Write a group; if a row in it cannot be stored, the others are, and that row is named.

    Raises:
        DatabaseError: when it is not the rows that are at fault; they can be written later.
    """
    try:
        write(group)
    except Exception as exc:
        # Whatever one row raises, the writer must live on for the others.
        if isinstance(exc, DatabaseError | InterfaceError) and not isinstance(exc, _ROWS_FAULT):
            raise
        if len(group) == 1:
            log.error("request %s cannot be stored: %s", group[0].request_id, type(exc).__name__)
            return
        for row in group:
            _write_or_split([row])
