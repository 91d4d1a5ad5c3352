"""Fill a database with as many rows as years of traffic leave, by SQL, in a minute or two.

A project of 30 days: half of the requests with pairs, jobs in final states but for the newest, one
running study with its draws and slots, and verdicts on the first slots of its queue.
Run: DATABASE_URL=... .venv/bin/python benchmarks/rows.py [N_REQUESTS [N_RATINGS]]
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DAYS = 30
#: The study began this many days ago: most of the 30 days lie in its window, and it still grows.
STUDY_DAYS = 13
RATE = 0.15
N_RATERS = 8
#: Where foreign keys and indexes would cost most of the time, they are built afterwards.
BIG = (
    "routing_request", "routing_decision", "routing_completion", "routing_shadowjob",
    "routing_shadowpair", "reviews_sampledpair", "reviews_slot", "reviews_presentation",
    "reviews_rating", "reviews_verdict",
)  # fmt: skip

_PLAN = """
CREATE TEMP TABLE plan AS
SELECT i, id, at, score, tier,
       CASE WHEN tier = 'cheap' THEN 'expensive' ELSE 'cheap' END AS other,
       (ARRAY['math','code','chat','extraction','summary','translation'])[1 + i %% 6] AS task,
       i %% 2 = 0 AS has_pair,
       CASE WHEN i %% 2 = 0 THEN 'done'
            WHEN i > %(n)s - 400 THEN (CASE WHEN i %% 16 = 1 THEN 'running' ELSE 'pending' END)
            WHEN i %% 100 = 1 THEN 'failed' ELSE 'skipped' END AS state,
       CASE WHEN i %% 2 = 0 OR i > %(n)s - 400 THEN ''
            WHEN i %% 300 = 1 THEN 'provider_unreachable: timeout'
            WHEN i %% 100 = 1 THEN 'provider_error: ' || 500 + (i / 100) %% 4
            WHEN i %% 200 = 3 THEN 'deadline: waited too long for a worker or the provider'
            WHEN i %% 50 = 5 THEN 'forced: the client named the tier'
            ELSE 'not_sampled: outside the policy''s shadow rate' END AS reason,
       left(repeat(md5(i::text) || ' what is due when? ', 20), %(length)s) AS words
FROM (
    SELECT i, gen_random_uuid() AS id, now() - interval '%(days)s days' * (1 - i::float8 / %(n)s)
           AS at, score, CASE WHEN score < 0.3 THEN 'cheap' ELSE 'expensive' END AS tier
    FROM (SELECT i, random() AS score FROM generate_series(1, %(n)s) AS i) AS drawn
) AS made ORDER BY i
"""

_REQUESTS = """
INSERT INTO routing_request (id, project_id, received_at, wire, asked_model, payload, query, task,
    metadata, headers, url_query, session, is_stream, status, error, overhead_ms, latency_ms)
SELECT id, %(project)s, at, 'anthropic', 'auto', jsonb_build_object('max_tokens', 512, 'messages',
    jsonb_build_array(jsonb_build_object('role', 'user', 'content', words))), left(words, 300),
    task, '{}', '{}', '', '', i %% 3 = 0, 200, '', 1.5, 900 FROM plan
"""

_DECISIONS = """
INSERT INTO routing_decision (request_id, policy_id, tier, reason, rule, score, threshold)
SELECT id, %(policy)s, tier, CASE WHEN i %% 50 = 5 THEN 'forced'
    WHEN tier = 'cheap' THEN 'below_threshold' ELSE 'at_or_above_threshold' END, '', score, 0.3
FROM plan
"""

_COMPLETIONS = """
INSERT INTO routing_completion (id, request_id, tier, is_shadow, provider, model, text, body,
    stop_reason, input_tokens, output_tokens, cache_write_tokens, cache_write_1h_tokens,
    cache_read_tokens, cost_usd, latency_ms, is_partial, created_at)
SELECT %(completion)s + 2 * i + side, id, CASE WHEN side = 0 THEN tier ELSE other END, side = 1,
    'simulated', 'm', words, jsonb_build_object('id', id, 'content', left(words, 200)), 'end_turn',
    50 + i %% 500, 100 + i %% 300, 0, 0, 0,
    (CASE WHEN (side = 0) = (tier = 'cheap') THEN 1 ELSE 5 END) * (100 + i %% 300) / 1e6,
    900, false, at FROM plan, (VALUES (0), (1)) AS sides (side) WHERE side = 0 OR has_pair
"""

_JOBS = """
INSERT INTO routing_shadowjob (request_id, project_id, tier, rate, state, reason, attempts,
    not_before, lease_until, created_at, finished_at)
SELECT id, %(project)s, other, 0.5, state, reason, 1, at,
    CASE WHEN state = 'running' THEN now() + interval '4 minutes' END, at,
    CASE WHEN state IN ('pending', 'running') THEN NULL ELSE at END FROM plan
"""

_PAIRS = """
INSERT INTO routing_shadowpair (request_id, project_id, cheap_id, expensive_id, score, task,
    router_id, rate, created_at)
SELECT id, %(project)s, %(completion)s + 2 * i + (tier = 'expensive')::int,
    %(completion)s + 2 * i + (tier = 'cheap')::int, score, task, %(router)s, 0.5, at
FROM plan WHERE has_pair ORDER BY i
"""

_DRAWS = """
INSERT INTO reviews_sampledpair (study_id, pair_id, purpose, stratum, u, inclusion_probability,
    selected, created_at)
SELECT %(study)s, pair_id, 'calibrate', task || '/' || least((score * 5)::int, 4), u, %(rate)s,
    u < %(rate)s, now()
FROM (SELECT pair.id AS pair_id, pair.task, pair.score,
          ('x' || left(encode(sha256(convert_to(%(seed)s || '|' || request_id, 'utf8')), 'hex'), 13)
          )::bit(52)::bigint / (2::float8 ^ 52) AS u
      FROM routing_shadowpair AS pair JOIN routing_request AS r ON r.id = request_id
      WHERE pair.project_id = %(project)s AND received_at >= %(since)s) AS drawn ORDER BY pair_id
"""

_SLOTS = """
INSERT INTO reviews_slot (sampled_pair_id, study_id, pair_id, ordinal, "order", state, rater_id)
SELECT id, study_id, pair_id, ordinal, place + ordinal - 1,
    CASE WHEN rank <= %(ratings)s AND ordinal = 1 THEN 'done' ELSE 'open' END,
    CASE WHEN rank <= %(ratings)s AND ordinal = 1 THEN %(rater)s + rank %% %(raters)s END
FROM (SELECT *, u / inclusion_probability AS place, row_number() OVER (ORDER BY u) AS rank
      FROM reviews_sampledpair WHERE study_id = %(study)s AND selected) AS drawn,
     (VALUES (1), (2)) AS ordinals (ordinal)
WHERE ordinal = 1 OR md5(id::text) < '26' ORDER BY id, ordinal
"""

_SHOWN = """
INSERT INTO reviews_presentation (token, slot_id, rater_id, "left", shown_at)
SELECT gen_random_uuid(), id, rater_id, (ARRAY['cheap', 'expensive'])[1 + id %% 2], now()
FROM reviews_slot WHERE study_id = %(study)s AND state = 'done' ORDER BY id
"""

_RATINGS = """
INSERT INTO reviews_rating (presentation_id, choice, left_adequate, right_adequate, comment,
    seconds, created_at)
SELECT shown.id, 'equal', true, true, '', 20, now() FROM reviews_presentation AS shown
JOIN reviews_slot AS slot ON slot.id = slot_id WHERE study_id = %(study)s ORDER BY shown.id
"""

_VERDICTS = """
INSERT INTO reviews_verdict (study_id, pair_id, rater_id, rating_id, preference, cheap_adequate,
    expensive_adequate, created_at)
SELECT slot.study_id, slot.pair_id, slot.rater_id, rating.id,
    CASE WHEN random() < pair.score / 4 THEN 'expensive' WHEN random() < 0.8 THEN 'tie'
         ELSE 'cheap' END, random() > pair.score / 3, true, now()
FROM reviews_rating AS rating JOIN reviews_presentation AS shown ON shown.id = presentation_id
JOIN reviews_slot AS slot ON slot.id = slot_id JOIN routing_shadowpair AS pair
ON pair.id = slot.pair_id WHERE slot.study_id = %(study)s ORDER BY rating.id
"""

#: (statement, name) in the order of foreign keys; `_DRAWS` and below need the study.
_TRAFFIC = (_PLAN, _REQUESTS, _DECISIONS, _COMPLETIONS, _JOBS, _PAIRS)
_REVIEW = (_DRAWS, _SLOTS, _SHOWN, _RATINGS, _VERDICTS)


def fill(project, n_requests: int, n_ratings: int, length: int = 950):
    """Write the rows of a project that has a live policy; return its study.

    `length` is how many characters questions and answers have, below 1,000.

    Must not run inside a transaction: tables with unchecked rows cannot be altered.
    """
    from django.db import connection, transaction
    from django.db.models import Max
    from django.utils import timezone

    from reviews.models import Rater, Study
    from routing import policy
    from routing.models import Completion

    live, now = policy.live(project), timezone.now()
    study = Study.objects.create(
        project=project, policy=live, router=live.router, name="Scale", seed="scale", rate=RATE
    )
    study.created_at = now - timedelta(days=STUDY_DAYS)
    study.save(update_fields=["created_at"])
    raters = [Rater.objects.create(kind="human", name=f"scale {n}") for n in range(N_RATERS)]
    values = {
        "n": n_requests, "ratings": n_ratings, "length": length, "days": DAYS,
        "project": project.pk,
        "policy": live.pk, "router": live.router_id, "study": study.pk, "seed": study.seed,
        "since": study.created_at - timedelta(days=study.window_days), "rate": RATE,
        "rater": raters[0].pk, "raters": N_RATERS,
        "completion": Completion.objects.aggregate(last=Max("id"))["last"] or 0,
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor, _built_afterwards(cursor):
        cursor.execute("SELECT setseed(0.4)")
        for statement in (*_TRAFFIC, *_REVIEW):
            cursor.execute(statement, values)
        cursor.execute("DROP TABLE plan")
        cursor.execute(
            "SELECT setval('routing_completion_id_seq', max(id)) FROM routing_completion"
        )
    return study


def settle() -> None:
    """Bring statistics and visibility up to date, as autovacuum does in its own time."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM ANALYZE {', '.join(BIG)}")


@contextmanager
def _built_afterwards(cursor):
    """Take foreign keys and secondary indexes off the big tables, and build them in the end."""
    constraints = f"""SELECT
        format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
        format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
               pg_get_constraintdef(oid))
        FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text IN {BIG}"""
    indexes = f"""SELECT format('DROP INDEX %I', relname), pg_get_indexdef(indexrelid)
        FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE NOT indisunique AND indrelid::regclass::text IN {BIG}"""
    cursor.execute(constraints)
    keys = cursor.fetchall()
    cursor.execute(indexes)
    plain = cursor.fetchall()
    for drop, _ in keys + plain:
        cursor.execute(drop)
    yield
    for _, create in plain + keys:
        cursor.execute(create)


def main() -> None:
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shadoweval.settings")
    import django

    django.setup()
    from routing import bootstrap, training
    from routing.models import RouterVersion

    said = [int(arg) for arg in sys.argv[1:]]
    n_requests, n_ratings = [*said, *(1_000_000, 50_000)[len(said) :]]
    begun = time.monotonic()
    version = RouterVersion.objects.first() or training.fit_starter()
    project = bootstrap.ensure_project("scale", "Scale", version)
    fill(project, n_requests, n_ratings)
    settle()
    print(f"{n_requests} requests, {n_ratings} ratings: {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
