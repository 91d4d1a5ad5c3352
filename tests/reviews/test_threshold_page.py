"""What the threshold page asks of the database: as much for a large study as for a small one."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from reviews import rating
from reviews.models import Rater
from tests.reviews.rated import form, rater
from tests.reviews.rows import add_pair
from tests.reviews.test_missing import lose
from tests.reviews.test_parts import make

pytestmark = pytest.mark.django_db(transaction=True)


def queries(client, study):
    """Return what the second look asks: the first one fills what a process remembers."""
    client.get("/threshold/", {"study": study.pk})
    with CaptureQueriesContext(
        connection,
    ) as seen:
        page = client.get("/threshold/", {"study": study.pk})
        assert page.status_code == 200
    return [one["sql"] for one in seen]


def test_queries_do_not_grow_with_pairs_raters_task_types_and_losses(project, as_role):
    client = as_role("lead", "product", "admin")
    small = make(project, [0.1, 0.6])
    few = len(queries(client, small))
    Rater.objects.filter(name="ann").update(name="amy")
    for n in range(8):
        lose(project, n / 10, reason=f"provider_error: {500 + n}")
    add_pair(project, 0.3)
    large = make(project, [n / 40 for n in range(40)], tasks=tuple("abcd"), second_share=1)
    for name in ("bob", "cyd", "dan", "eva"):
        who = rater(name)
        for _ in range(3):
            shown = rating.hand_out(large, who)
            rating.submit(shown.token, who, **form(shown.left, "expensive"))
    asked = queries(client, large)
    assert len(asked) <= few < 60, "\n".join(sorted(sql[:90] for sql in asked))


def test_nothing_is_read_twice(project, as_role):
    client = as_role("lead", "product", "admin")
    study = make(project, [n / 10 for n in range(10)])
    mine = ("routing_shadowjob", "routing_storedcount", "_planchange", "WITH", "string_agg")
    asked = [sql for sql in queries(client, study) if any(word in sql for word in mine)]
    assert sorted(asked) == sorted(set(asked))
