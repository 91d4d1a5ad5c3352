"""What is kept of one served reply: as bytes on its way, as rows in Postgres.

A record is one JSON object with every column of its rows. The client's body and the provider's
reply are part of it byte for byte: nobody reads them again before Postgres does.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import psycopg
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from psycopg.types.json import Json

from routing.types import Reply, Served

log = logging.getLogger(__name__)

#: Classes of SQLSTATE: bad data, a broken constraint, a limit of Postgres.
_ROWS_FAULT = ("22", "23", "54")
_FOREIGN_KEY = "23503"
#: An operator's statement_timeout: fewer rows may fit into it.
_TIMED_OUT = "57014"
#: Escapes that may stand for a NUL or half a character: Postgres takes neither.
_DOUBTFUL = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")

_encode = json.JSONEncoder(ensure_ascii=False).encode


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


def clean_json(raw: bytes) -> bytes:
    """Return valid JSON text as Postgres can hold it; almost always the same bytes."""
    return dump(json.loads(raw)) if _DOUBTFUL.search(raw) else raw


def dump(value: Any) -> bytes:
    """Return JSON-like data as text that Postgres can hold."""
    return _encode(clean(value)).encode()


def is_drawn(request_id: str, rate: float, purpose: str = "shadow") -> bool:
    """Draw by hash, so that a second look at the same request gives the same answer.

    Draws of different purposes know nothing of each other.
    """
    draw = hashlib.sha256(f"{purpose}|{request_id}".encode()).hexdigest()[:13]
    return int(draw, 16) / 16**13 < rate


def skip_reason(row: Served) -> str:
    """Return why no shadow call will be made, or "" when one will.

    Of a stream that has only begun: when it comes to its end.
    """
    if not is_drawn(str(row.request_id), row.shadow_rate):
        return "not_sampled: outside the policy's shadow rate"
    if not is_drawn(str(row.request_id), row.shadow_rate * row.kept_share):
        return "overload: shed while there was too much to do; the rate says how many were kept"
    if row.skip:
        return row.skip
    if row.reply is None and (row.error or not row.is_stream):
        return "no_reply: the served call failed, so there is nothing to pair"
    if row.reply is not None and row.reply.is_partial:
        return "partial: the answer broke off, so there is nothing to pair"
    return ""


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


def encode(row: Served) -> bytes:
    """Return a served reply as one record."""
    request, decision = row.request, row.decision
    skip = skip_reason(row)
    said = {
        "id": str(row.request_id),
        "project_id": row.project_id,
        "api_key_id": row.api_key_id,
        "received_at": row.received_at.isoformat(),
        "wire": row.wire,
        "asked_model": request.model[:120],
        "query": request.query,
        "task": decision.task[:40],
        "metadata": request.metadata,
        "headers": request.headers,
        "url_query": request.url_query[:500],
        "session": request.session,
        "is_stream": row.is_stream,
        "status": row.status,
        "error": row.error[:200],
        "overhead_ms": row.overhead_ms,
        "latency_ms": row.latency_ms,
        "policy_id": row.policy_id,
        "tier": decision.tier.value,
        "reason": decision.reason.value,
        "rule": decision.rule,
        "score": decision.score,
        "threshold": decision.threshold,
        "shadow_tier": decision.tier.other.value,
        "lane": row.shadow_lane,
        "rate": row.shadow_rate * row.kept_share,
        "skip": skip[:200],
        **(_reply(row.reply, row) if row.reply is not None else {}),
    }
    payload = clean_json(request.raw) if request.raw else dump(request.payload)
    body = clean_json(row.reply.body) if row.reply is not None else b"null"
    return b'%b,"payload":%b,"body":%b}' % (dump(said)[:-1], payload, body)


def _reply(reply: Reply, row: Served) -> dict[str, Any]:
    usage = reply.usage
    return {
        "has_reply": True,
        "provider": row.provider,
        "model": reply.model[:120],
        "text": reply.text,
        "stop_reason": reply.stop_reason[:40],
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cost_usd": None if row.cost_usd is None else str(row.cost_usd),
        "reply_ms": reply.latency_ms,
        "is_partial": reply.is_partial,
    }


_COLUMNS = """
    id uuid, project_id bigint, api_key_id bigint, received_at timestamptz, wire text,
    asked_model text, query text, task text, metadata jsonb, headers jsonb, url_query text,
    session text, is_stream boolean, status smallint, error text, overhead_ms float8,
    latency_ms float8, policy_id bigint, tier text, reason text, rule text, score float8,
    threshold float8, shadow_tier text, lane text, rate float8, skip text, has_reply boolean,
    provider text, model text, text text, stop_reason text, input_tokens integer,
    output_tokens integer, cache_write_tokens integer, cache_write_1h_tokens integer,
    cache_read_tokens integer, cost_usd numeric, reply_ms float8, is_partial boolean,
    payload jsonb, body jsonb
"""
#: One statement, so that a record's rows are there together or not at all. What is there already
#: stays: a second run changes nothing.
_WRITE = f"""
WITH record AS MATERIALIZED (SELECT * FROM json_to_recordset(%s) AS record({_COLUMNS})),
requests AS (
    INSERT INTO routing_request (
        id, project_id, api_key_id, received_at, wire, asked_model, payload, query, task,
        metadata, headers, url_query, session, is_stream, status, error, overhead_ms, latency_ms)
    SELECT id, project_id, (SELECT key.id FROM routing_apikey AS key WHERE key.id = api_key_id),
        received_at, wire, asked_model, payload - 'model', query,
        task, metadata, headers, url_query, session, is_stream, status, error, overhead_ms,
        latency_ms
    FROM record ON CONFLICT DO NOTHING),
decisions AS (
    INSERT INTO routing_decision (
        request_id, policy_id, tier, reason, rule, score, threshold)
    SELECT id, policy_id, tier, reason, rule, score, threshold
    FROM record ON CONFLICT DO NOTHING),
completions AS (
    INSERT INTO routing_completion (
        request_id, tier, is_shadow, is_partial, provider, model, text, body, stop_reason,
        input_tokens, output_tokens, cache_write_tokens, cache_write_1h_tokens,
        cache_read_tokens, cost_usd, latency_ms, created_at)
    SELECT id, tier, false, is_partial, provider, model, text, body, stop_reason, input_tokens,
        output_tokens, cache_write_tokens, cache_write_1h_tokens, cache_read_tokens, cost_usd,
        reply_ms, now()
    FROM record WHERE has_reply ON CONFLICT DO NOTHING),
jobs AS (
    INSERT INTO routing_shadowjob (
        request_id, project_id, tier, lane, rate, state, reason, attempts, not_before, created_at,
        finished_at)
    SELECT id, project_id, shadow_tier, lane, rate,
        CASE skip WHEN '' THEN 'pending' ELSE 'skipped' END, skip, 0, now(), now(),
        CASE skip WHEN '' THEN NULL ELSE now() END
    FROM record ON CONFLICT DO NOTHING)
UPDATE routing_apikey SET last_used_at = now()
WHERE id IN (SELECT api_key_id FROM record)
    AND (last_used_at IS NULL OR last_used_at < now() - interval '10 s')
"""  # noqa: S608 - put together from constants


def write(records: Sequence[bytes]) -> None:
    """Write the rows of records in one statement; a second run changes nothing.

    Raises:
        django.db.Error: when Postgres takes none of them.
    """
    together = b"[%b]" % b",".join(records)
    connection.ensure_connection()
    connection.connection.prepare_threshold = 1  # Django's None would forbid what is asked below
    # Bound on the server: Django's own cursors would copy and quote megabytes once more.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(_WRITE, [Json(together, dumps=lambda text: text)], prepare=True)


def _unsparing(record: bytes) -> bytes:
    """Return a record with every value brought to what Postgres can hold, numbers included."""
    return dump(json.loads(record))


def store(group: Sequence[bytes]) -> None:
    """Write a group; if a record in it cannot be stored, the others are, and that one is named.

    Raises:
        DatabaseError: when it is not the records that are at fault; they can be written later.
    """
    try:
        write(group)
    except Exception as exc:
        # Whatever one record raises, the writer must live on for the others.
        if _sqlstate(exc) == _TIMED_OUT and len(group) > 1:
            _store_halves(group)
            return
        if isinstance(exc, DatabaseError | InterfaceError) and not _is_rows_fault(exc):
            raise
        if len(group) == 1:
            _write_cleaned(group[0], exc)
            return
        for record in group:
            store([record])


def _store_halves(group: Sequence[bytes]) -> None:
    """Write both halves, the second even when the first cannot be written now."""
    middle = len(group) // 2
    try:
        store(group[:middle])
    finally:
        store(group[middle:])


def _write_cleaned(record: bytes, first: Exception) -> None:
    """Try a record once more with its values brought to what Postgres holds, else set it aside."""
    try:
        if _sqlstate(first) == _FOREIGN_KEY:
            raise first
        write([_unsparing(record)])
    except Exception as exc:
        if isinstance(exc, DatabaseError | InterfaceError) and not _is_rows_fault(exc):
            raise
        _set_aside(record, exc)


def _set_aside(record: bytes, why: Exception) -> None:
    """Keep what Postgres will never take in a file; of a project that was deleted, nothing."""
    try:
        request_id = str(json.loads(record)["id"])
    except (ValueError, LookupError, RecursionError):
        request_id = "unknown"
    log.error("request %s cannot be stored: %s", request_id, type(why).__name__)
    if _sqlstate(why) == _FOREIGN_KEY:
        return
    folder = settings.SHADOWEVAL_JOURNAL_DIR / "refused"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{request_id}.json"
        path.touch(mode=0o600)
        path.write_bytes(record)
    except OSError as exc:
        log.error("nor can it be set aside: %s", exc.strerror)


def _is_rows_fault(error: Any) -> bool:
    return _sqlstate(error)[:2] in _ROWS_FAULT


def _sqlstate(error: BaseException) -> str:
    return str(getattr(error.__cause__, "sqlstate", None) or "")
