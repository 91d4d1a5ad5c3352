"""How records become rows: one statement each, so that a record's rows are there together or not.

What is there already stays: a second run changes nothing.
"""

from __future__ import annotations

_COLUMNS = """
    id uuid, project_id bigint, api_key_id bigint, received_at timestamptz, wire text,
    asked_model text, query text, task text, metadata jsonb, headers jsonb, url_query text,
    session text, is_stream boolean, status smallint, error text, overhead_ms float8,
    latency_ms float8, policy_id bigint, tier text, reason text, rule text, score float8,
    threshold float8, shadow_tier text, lane text, rate float8, skip text, has_reply boolean,
    provider text, model text, text text, stop_reason text, input_tokens integer,
    output_tokens integer, cache_write_tokens integer, cache_write_1h_tokens integer,
    cache_read_tokens integer, cost_usd numeric, reply_ms float8, is_partial boolean,
    payload jsonb, body jsonb, end_user text, redacted jsonb
"""
_MORE_COLUMNS = """,
    probes jsonb, confidence float8, probe_usd numeric, probe_ms float8, has_pair boolean,
    repeat_rate float8, repeat_lane text, repeat_skip text, retrieval_rate float8, retrieval jsonb
"""
_PROBE_COLUMNS = """
    ordinal integer, provider text, model text, text text, stop_reason text, input_tokens integer,
    output_tokens integer, cache_write_tokens integer, cache_write_1h_tokens integer,
    cache_read_tokens integer, cost_usd numeric, reply_ms float8, body jsonb
"""
_RETRIEVAL = """version, asked, strategy, chooser, query, rewritten_by, confidence, signals,
        sources, ms, rewrite_ms, cost_usd"""
_RETRIEVAL_COLUMNS = """
    collection_id bigint, version integer, asked text, strategy text, chooser text, query text,
    rewritten_by text, confidence float8, signals jsonb, sources jsonb, ms float8,
    rewrite_ms float8, cost_usd numeric
"""
_ANSWER = """provider, model, text, body, stop_reason, input_tokens, output_tokens,
        cache_write_tokens, cache_write_1h_tokens, cache_read_tokens, cost_usd"""
_REQUESTS = """requests AS (
    INSERT INTO routing_request (
        id, project_id, api_key_id, received_at, wire, asked_model, payload, query, task,
        metadata, headers, url_query, session, is_stream, status, error, overhead_ms, latency_ms,
        end_user, redacted)
    SELECT id, project_id, (SELECT key.id FROM routing_apikey AS key WHERE key.id = api_key_id),
        received_at, wire, asked_model, payload - 'model', query,
        task, metadata, headers, url_query, session, is_stream, status, error, overhead_ms,
        latency_ms, COALESCE(end_user, ''), COALESCE(redacted, '{}')
    FROM record ON CONFLICT DO NOTHING)"""
_DECISION = "policy_id, tier, reason, rule, score, threshold"
_COMPLETIONS = f"""completions AS (
    INSERT INTO routing_completion (
        request_id, tier, is_shadow, is_partial, {_ANSWER}, latency_ms, created_at)
    SELECT id, tier, false, is_partial, {_ANSWER}, reply_ms, now()
    FROM record WHERE has_reply ON CONFLICT DO NOTHING"""  # noqa: S608 - put together from constants
_JOB = "request_id, project_id, tier, lane, rate, state, reason, attempts, not_before, created_at"
_KEYS = """
UPDATE routing_apikey SET last_used_at = now()
WHERE id IN (SELECT api_key_id FROM record)
    AND (last_used_at IS NULL OR last_used_at < now() - interval '10 s')
"""

WRITE = f"""
WITH record AS MATERIALIZED (SELECT * FROM json_to_recordset(%s) AS record({_COLUMNS})),
{_REQUESTS},
decisions AS (
    INSERT INTO routing_decision (request_id, {_DECISION})
    SELECT id, {_DECISION} FROM record ON CONFLICT DO NOTHING),
{_COMPLETIONS}),
jobs AS (
    INSERT INTO routing_shadowjob ({_JOB}, finished_at)
    SELECT id, project_id, shadow_tier, lane, rate,
        CASE skip WHEN '' THEN 'pending' ELSE 'skipped' END, skip, 0, now(), now(),
        CASE skip WHEN '' THEN NULL ELSE now() END
    FROM record ON CONFLICT DO NOTHING)
{_KEYS}"""  # noqa: S608

#: For groups that hold a request whose cheap model was asked first: its answers too, and the pair
#: where both tiers answered; or one for which something was looked up. Apart, so that others pay
#: nothing for it.
WRITE_MORE = f"""
WITH record AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%s) AS record({_COLUMNS}{_MORE_COLUMNS})),
{_REQUESTS},
decisions AS (
    INSERT INTO routing_decision (request_id, {_DECISION}, confidence, probe_usd, probe_ms)
    SELECT id, {_DECISION}, confidence, probe_usd, probe_ms FROM record ON CONFLICT DO NOTHING),
{_COMPLETIONS} RETURNING id, request_id),
probed AS (
    INSERT INTO routing_completion (
        request_id, tier, ordinal, is_shadow, is_probe, is_partial, {_ANSWER}, latency_ms,
        created_at)
    SELECT record.id, 'cheap', probe.ordinal, true, true, false,
        {", ".join(f"probe.{name.strip()}" for name in _ANSWER.split(","))}, probe.reply_ms, now()
    FROM record
    CROSS JOIN LATERAL jsonb_to_recordset(record.probes) AS probe({_PROBE_COLUMNS})
    ON CONFLICT DO NOTHING RETURNING id, request_id, ordinal),
jobs AS (
    INSERT INTO routing_shadowjob ({_JOB}, finished_at, purpose)
    SELECT id, project_id, shadow_tier, lane, rate,
        CASE WHEN skip <> '' THEN 'skipped' WHEN has_pair THEN 'done' ELSE 'pending' END,
        skip, 0, now(), now(), CASE WHEN skip <> '' OR has_pair THEN now() END, 'pair'
    FROM record
    UNION ALL
    SELECT id, project_id, 'expensive', repeat_lane, again.rate,
        CASE repeat_skip WHEN '' THEN 'pending' ELSE 'skipped' END, repeat_skip, 0, now(), now(),
        CASE repeat_skip WHEN '' THEN NULL ELSE now() END, again.purpose
    FROM record CROSS JOIN LATERAL (
        VALUES (repeat_rate, 'repeat'), (retrieval_rate, 'retrieval')) AS again(rate, purpose)
    WHERE again.rate IS NOT NULL
    ON CONFLICT DO NOTHING),
pairs AS (
    INSERT INTO routing_shadowpair (request_id, project_id, cheap_id, expensive_id, score, task,
        router_id, probe_usd, probe_ms, rate, created_at)
    SELECT record.id, record.project_id, probed.id, completions.id, record.score, record.task,
        policy.router_id, record.probe_usd, record.probe_ms, record.rate, now()
    FROM record
    JOIN probed ON probed.request_id = record.id AND probed.ordinal = 1
    JOIN completions ON completions.request_id = record.id
    JOIN routing_policy AS policy ON policy.id = record.policy_id
    WHERE record.has_pair ON CONFLICT DO NOTHING),
retrievals AS (
    INSERT INTO routing_retrieval (request_id, collection_id, {_RETRIEVAL})
    SELECT record.id,
        (SELECT known.id FROM routing_collection AS known WHERE known.id = found.collection_id),
        {", ".join(f"found.{name.strip()}" for name in _RETRIEVAL.split(","))}
    FROM record
    CROSS JOIN LATERAL jsonb_to_record(record.retrieval) AS found({_RETRIEVAL_COLUMNS})
    WHERE record.retrieval IS NOT NULL ON CONFLICT DO NOTHING)
{_KEYS}"""  # noqa: S608
