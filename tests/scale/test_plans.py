"""With a million requests stored, no hot query reads or sorts a whole table."""

import json
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from benchmarks import rows
from reviews import frames, listing, permissions, progress, rating, sampling
from reviews.models import Rater, SampledPair
from routing import counts, guards, retention, shadow, usage
from routing.live import Live
from routing.models import Decision, Request, ShadowPair

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

N_REQUESTS, N_RATINGS = 1_000_000, 50_000
#: A few pages of a table are no table.
MOST_ROWS = 20_000


@contextmanager
def captured():
    """Note each statement that Django runs, with its values."""
    seen = []

    def note(execute, sql, params, many, context):
        if sql.lstrip().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            seen.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield seen


def nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def is_whole_table(node):
    is_read = node["Node Type"].endswith("Seq Scan") and node["Relation Name"] in rows.BIG
    is_sort = node["Node Type"] == "Sort" and node["Plan Rows"] > MOST_ROWS
    return is_read or is_sort


def faults(work):
    """Return which of the statements of some work read or sort a big table."""
    with captured() as seen:
        work()
    found = []
    with connection.cursor() as cursor:
        for sql, params in seen:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
            (said,) = cursor.fetchone()
            plan = (json.loads(said) if isinstance(said, str) else said)[0]["Plan"]
            found += [
                f"{node['Node Type']} on {node.get('Relation Name', '')}: {sql[:300]}"
                for node in nodes(plan)
                if is_whole_table(node)
            ]
    return found


@pytest.fixture
def filled(transactional_db, project):
    study = rows.fill(project, N_REQUESTS, N_RATINGS, length=300)
    rows.settle()
    sampling.extend(study)  # looks at all there is once
    usage.roll(timezone.now() + timedelta(hours=1))  # and so does this
    return study


def test_no_hot_query_grows_with_what_is_stored(filled, project, api_key, client, settings):
    permissions.ensure_roles()
    user = User.objects.create_user("lena", password="pw-for-tests")
    permissions.give(user, "lead")
    client.force_login(user)
    rater = Rater.objects.get(name="scale 0")
    headers = {"authorization": f"Bearer {api_key}"}
    middle = ShadowPair.objects.order_by("-id")[200_000:][0].pk
    page = client.get("/api/v1/requests?limit=5", headers=headers).json()
    one, cursor = page["items"][0]["id"], page["next_cursor"]
    settings.SHADOWEVAL_RETENTION_DAYS = 20

    def rate():
        shown = rating.hand_out(filled, rater)
        rating.submit(shown.token, rater, choice="equal", left_adequate=True, right_adequate=True)
        progress.last_rated(filled, rater)

    work = {
        "claim": lambda: shadow.claim(32),
        "recover": shadow.recover,
        "overview": lambda: client.get("/overview/"),
        "metrics": lambda: (counts.jobs(), counts.by_reason(), counts.lag_s()),
        "ledger": lambda: client.get("/api/v1/requests", headers=headers),
        "ledger, next": lambda: client.get(f"/api/v1/requests?cursor={cursor}", headers=headers),
        "ledger, one": lambda: client.get(f"/api/v1/requests/{one}", headers=headers),
        "pairs": lambda: client.get("/pairs/"),
        "pairs of a task": lambda: client.get("/pairs/?task=code"),
        "pairs, far down": lambda: listing.page(project, before=str(middle)),
        "extend": lambda: sampling.extend(filled),
        "next pair": rate,
        "usage": lambda: usage.roll(timezone.now() + timedelta(hours=1)),  # all rows are of now
        "retention": lambda: retention.run(budget_s=0),
        "live": lambda: Live()._read(),
        "guards": lambda: guards.outcomes([filled.policy], timezone.now() - timedelta(hours=1)),
    }
    assert faults(lambda: Decision.objects.filter(score__gt=2).count())  # no index serves this
    assert {name: found for name, do in work.items() if (found := faults(do))} == {}

    counted = counts.requests(project), counts.pairs(project)
    assert counted == (Decision.objects.count(), ShadowPair.objects.count())
    newest = SampledPair.objects.order_by("-id").first().pk
    assert frames.draws(filled, newest).u.size == filled.sample.count()
    gone = Request.objects.filter(received_at__lt=timezone.now() - timedelta(days=28))
    assert gone.count() < N_REQUESTS * 2 / 30
