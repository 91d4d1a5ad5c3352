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

from routing import redaction, statements
from routing.served import Probe, Served
from routing.types import Reply, RetrievalValue

log = logging.getLogger(__name__)

#: Classes of SQLSTATE: bad data, a broken constraint, a limit of Postgres.
_ROWS_FAULT = ("22", "23", "54")
_FOREIGN_KEY = "23503"
#: An operator's statement_timeout: fewer rows may fit into it.
_TIMED_OUT = "57014"
#: Escapes that may stand for a NUL or half a character: Postgres takes neither.
_DOUBTFUL = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")

#: How the record of a request begins whose cheap model was asked first, or with a retrieval.
_PROBED, _RETRIEVED = b'{"probes"', b'{"retrieval"'
#: Names the draw of pairs that are asked on another retrieval.
ELSEWHERE = "retrieval"
#: How the reason of a job begins whose other retrieval finds what was found already: the answer
#: would be a repeat.
SAME_SOURCES = "same_sources"
#: Why a repeat is skipped, and what asks on another retrieval.
REPEATS_SHED = "overload: repeats are shed first, whenever any shadow work is"

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
    """Return why there will be no pair, or "" when there will.

    A pair whose two answers are there costs no shadow call, so that no draw decides about it. Of a
    stream that has only begun: when it comes to its end.
    """
    return ("" if row.has_both else _not_drawn(row)) or row.skip or _without_reply(row)


def _not_drawn(row: Served) -> str:
    if not is_drawn(str(row.request_id), row.shadow_rate):
        return "not_sampled: outside the policy's shadow rate"
    if not is_drawn(str(row.request_id), row.shadow_rate * row.kept_share):
        return "overload: shed while there was too much to do; the rate says how many were kept"
    return ""


def _without_reply(row: Served) -> str:
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
    """Return a served reply as one record, with as much of its texts as is to be stored."""
    row = redaction.replies(row)
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
        "end_user": row.end_user,
        "redacted": row.redacted,
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
        "rate": 1.0 if row.has_both else row.shadow_rate * row.kept_share,
        "skip": skip[:200],
        **(_reply(row.reply, row) if row.reply is not None else {}),
        **(_probed(row, skip) if decision.probe_ms is not None else {}),
    }
    payload = clean_json(request.raw) if request.raw else dump(request.payload)
    body = clean_json(row.reply.body) if row.reply is not None else b"null"
    record = b'%b,"payload":%b,"body":%b}' % (dump(said)[:-1], payload, body)
    if decision.probe_ms is not None:
        record = b"%b:[%b],%b" % (_PROBED, b",".join(map(_probe, row.probes)), record[1:])
    if request.retrieval is not None:
        record = b"%b:%b,%b" % (_RETRIEVED, _retrieval(request.retrieval), record[1:])
    return record


def _retrieval(made: RetrievalValue) -> bytes:
    said = {**vars(made), "cost_usd": _text(made.cost_usd)}
    said["sources"] = [vars(source) for source in made.sources]
    return dump(said)


def _reply(reply: Reply, row: Served) -> dict[str, Any]:
    return {
        "has_reply": True,
        **_answer(reply, row.provider, row.cost_usd),
        "is_partial": reply.is_partial,
    }


def _answer(reply: Reply, provider: str, cost_usd: Decimal | None) -> dict[str, Any]:
    usage = reply.usage
    return {
        "provider": provider,
        "model": reply.model[:120],
        "text": reply.text,
        "stop_reason": reply.stop_reason[:40],
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cost_usd": _text(cost_usd),
        "reply_ms": reply.latency_ms,
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _probed(row: Served, skip: str) -> dict[str, Any]:
    """Return what a record holds of what was asked before deciding, and of the pair it made."""
    decision, rate = row.decision, row.repeat_rate
    has_pair = row.has_both and not skip
    is_again = has_pair and is_drawn(str(row.request_id), rate, "repeat")
    return {
        "confidence": decision.confidence,
        "probe_usd": _text(decision.probe_usd),
        "probe_ms": decision.probe_ms,
        "has_pair": has_pair,
        "repeat_rate": rate if is_again else None,
        "repeat_lane": row.repeat_lane,
        "repeat_skip": REPEATS_SHED if row.kept_share < 1 else "",
        "retrieval_rate": row.retrieval_rate if has_pair and _is_elsewhere(row) else None,
    }


def _is_elsewhere(row: Served) -> bool:
    """Return whether the pair's question is asked on another retrieval, too."""
    found = row.request.retrieval
    is_searched = found is not None and found.collection_id is not None
    return is_searched and is_drawn(str(row.request_id), row.retrieval_rate, ELSEWHERE)


def _probe(probe: Probe) -> bytes:
    said = dump({"ordinal": probe.ordinal, **_answer(probe.reply, probe.provider, probe.cost_usd)})
    return b'%b,"body":%b}' % (said[:-1], clean_json(probe.reply.body))


def write(records: Sequence[bytes]) -> None:
    """Write the rows of records in one statement; a second run changes nothing.

    Raises:
        django.db.Error: when Postgres takes none of them.
    """
    has_more = any(record.startswith((_PROBED, _RETRIEVED)) for record in records)
    statement = statements.WRITE_MORE if has_more else statements.WRITE
    together = b"[%b]" % b",".join(records)
    connection.ensure_connection()
    connection.connection.prepare_threshold = 1  # Django's None would forbid what is asked below
    # Bound on the server: Django's own cursors would copy and quote megabytes once more.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, [Json(together, dumps=lambda text: text)], prepare=True)


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
