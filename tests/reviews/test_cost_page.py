"""The Cost page, its file, its forms, and usage by REST."""

import csv
from datetime import timedelta
from decimal import Decimal

import pytest
from asgiref.sync import async_to_sync
from django.contrib.messages import get_messages
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from reviews import costcharts
from routing import usage
from routing.models.usage import Budget, Reconciliation
from tests.reviews.rows import add_pair
from tests.reviews.saved import add_days, price

pytestmark = pytest.mark.django_db


@pytest.fixture
def served(unsigned, project):
    """Five days of requests that CHEAP served, at prices that are known."""
    price(project)
    add_days(project, timezone.now(), days=5)
    usage.roll()
    return project


def text(answer):
    assert answer.status_code == 200, answer.content[:500]
    return answer.content.decode()


def read(answer):
    """Return the pieces of a streamed file, as a server reads them."""

    async def pieces():
        return [piece async for piece in answer.streaming_content]

    return async_to_sync(pieces)()


def said(answer):
    return " ".join(str(one) for one in get_messages(answer.wsgi_request))


def test_nothing_asked_says_so_and_draws_nothing(as_role, project):
    page = text(as_role("product").get("/cost/"))
    assert "Nothing was asked in these days" in page
    assert "plotly.min.js" not in page
    assert "not known. No request was served by the cheap model" in page
    assert 'name="monthly_usd"' not in page


def test_the_sentence_the_interval_and_the_bias_are_there(as_role, served):
    answer = as_role("product").get("/cost/?days=7")
    page = text(answer)
    assert "In the last 7 days routing saved 2.00 USD (" in page
    assert "of the 2.50 USD that the expensive model alone would have cost" in page
    assert "Measured on 25 of 50 requests" in page
    assert "Naive: the served tokens at the expensive price" in page
    assert "off by 2.5 (" in page
    figure = answer.context["figures"]["by-day"]
    assert {one.name for one in figure["key"]} == {
        "answers by the cheap model", "shadow calls", "days like the last",
    }  # fmt: skip


def test_a_period_that_is_none_is_thirty_days(as_role, served):
    client = as_role("lead")
    for asked in ("", "8", "x", "-7", "9" * 30):
        assert client.get("/cost/", {"days": asked}).context["days"] == 30


def test_the_file_has_every_sum(as_role, served):
    answer = as_role("engineering").get("/cost.csv?days=7")
    pieces = read(answer)
    assert [len(piece.decode().splitlines()) for piece in pieces] == [1, 2, 2, 2, 2, 2]  # by day
    rows = list(csv.DictReader(b"".join(pieces).decode().splitlines()))
    assert sum(Decimal(row["cost_usd"]) for row in rows) == Decimal("1.75")
    assert {row["kind"] for row in rows} == {"served", "shadow"}
    assert {"day", "task", "unpriced", "latency_p99_below_ms"} <= set(rows[0])


def test_a_budget_is_set_changed_and_taken_away(as_role, served):
    client, form = (
        as_role("lead"),
        {"project": served.slug, "monthly_usd": "2", "warn_percent": "50"},
    )
    client.post("/cost/budget/", form)
    row = Budget.objects.get()
    assert (row.monthly_usd, row.warn_share, row.changed_by.username) == (2, 0.5, "lead")
    client.post("/cost/budget/", form | {"monthly_usd": "0.01"})
    page = text(client.get("/cost/"))
    assert "budget of 0.01 USD is spent" in page
    assert "the budget, by day" in page
    for wrong in ({"monthly_usd": "-1"}, {"monthly_usd": "x"}, {"warn_percent": "0"},
                  {"warn_percent": "NaN"}):  # fmt: skip
        assert "must be a number" in said(client.post("/cost/budget/", form | wrong))
    client.post("/cost/budget/", form | {"monthly_usd": ""})
    assert not Budget.objects.exists()


def test_an_export_is_compared_and_shown_or_refused(as_role, served):
    client, today = as_role("admin"), (timezone.now() - timedelta(hours=1)).date()
    lines = f"day,model,input_tokens,output_tokens,cost_usd\n{today},other,1,2,3\n"
    file = SimpleUploadedFile("bill.csv", lines.encode())
    client.post("/cost/reconcile/", {"project": served.slug, "file": file})
    page = text(client.get("/cost/"))
    assert "only at the provider" in page
    assert "only here" in page
    assert Reconciliation.objects.get().project == served
    bad = SimpleUploadedFile("bill.csv", b"a,b\n1,2\n")
    answer = client.post("/cost/reconcile/", {"project": served.slug, "file": bad})
    assert "of no export that is known: a, b" in said(answer)
    assert "Choose a file" in said(client.post("/cost/reconcile/", {"project": served.slug}))


def test_bars_stack_and_say_more_than_colour():
    now = timezone.now().date()
    found = costcharts.figure([now], {"cheap": [1.0], "shadow": [0.0], "judge": [2.0]}, 3.0, None)
    bars = [one for one in found["data"] if one["type"] == "bar"]
    assert [one["y"] for one in bars] == [[1.0], [2.0]]
    assert len({one["marker"]["pattern"]["shape"] for one in bars}) == 2
    assert found["layout"]["barmode"] == "stack"


def test_usage_by_rest_is_the_projects_own(client, api_key, project, demo):
    cache.clear()
    add_pair(project, 0.2)
    add_pair(demo, 0.2)
    usage.roll()
    headers = {"x-api-key": api_key}
    found = client.get("/api/v1/usage?by=kind,month", headers=headers).json()
    assert [line["group"]["kind"] for line in found["lines"]] == ["served", "shadow"]
    served = found["lines"][0]
    assert (served["calls"], Decimal(served["cost_usd"])) == (1, Decimal("0.05"))
    assert served["latency"]["p50"] == {"low_ms": 0.0, "high_ms": 10.0}
    whole = client.get("/api/v1/usage?by=", headers=headers).json()["lines"]
    assert [line["calls"] for line in whole] == [2]
    later = {"since": "2020-01-01T00:00:00Z", "until": "2020-02-01T00:00:00Z"}
    assert client.get("/api/v1/usage", later, headers=headers).json()["lines"] == []
    refused = client.get("/api/v1/usage?by=color", headers=headers)
    assert refused.status_code == 400
    assert "color" in refused.json()["detail"]
