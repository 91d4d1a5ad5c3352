"""The pages of monitors before go-live and after, the demo's, and what a key may read."""

import pytest
from django.urls import reverse

from reviews import demo_monitors, monitoring, monitors, stale
from reviews.models import Alarm, Reading
from routing.models import Project
from routing.models.usage import Budget
from tests.reviews.live import midnight
from tests.reviews.test_monitoring import look, raised, saying, sign

pytestmark = pytest.mark.django_db


def page(client, name="monitors", *args, project=None):
    reply = client.get(reverse(name, args=args), {"project": project} if project else {})
    assert reply.status_code == 200
    return reply.content.decode()


def test_before_go_live_the_page_says_when_it_begins(as_role, project):
    client = as_role("product")
    assert "Nothing to watch yet" in page(client)
    assert "no signed threshold is live" in page(client, "monitor", "scores")
    assert client.get(reverse("monitor", args=["nonsense"])).status_code == 404


def test_after_it_every_monitor_stands_with_its_level_and_history(as_role, project):
    signed = sign(project)
    client = as_role("product")
    assert "Nothing read yet" in page(client)
    look(signed, saying("ok", "warn", "warn"), (1, 2, 3))
    text = page(client)
    assert text.count("Not read yet") == len(monitors.ALL) - 1
    assert "It changed." in text
    assert "Above its limit" in text
    assert "<polyline" in text
    text = page(client, "monitor", "tasks")
    assert 'id="history"' in text
    assert "2 times in a row" in text
    assert "Alarm open" in text
    assert text.count("It changed.") == 4  # on top, and in the three readings
    assert "a floor found broken goes back" in text


def test_a_page_reads_no_picture_but_the_last(as_role, project):
    signed = sign(project)
    client = as_role("product")
    look(signed, saying("ok", "ok", "ok"), (1, 2, 3))
    (seen,) = (one for one in monitoring.shown(project, signed) if one.readings)
    assert {tuple(row.get_deferred_fields()) for row in seen.readings} == {("detail",)}
    assert page(client, "monitor", "tasks").count("It changed.") == 4


def test_every_page_says_that_the_sign_off_is_stale_and_what_was_done(as_role, project):
    signed = sign(project, after_alarm="floor")
    client = as_role("engineering")
    stale.mark(raised(signed, "models"))
    text = page(client, "policies")
    assert "of the live policy is stale since" in text
    assert "It changed." in text
    assert "Stale since" in page(client, "signoff", signed.pk)
    stale.mark(raised(signed, "living"))
    assert "Everything goes to the expensive tier" in page(client, "policies")


def test_the_demo_has_readings_and_one_alarm(as_role, demo):
    demo_monitors.write(demo)
    client = as_role("product")
    text = page(client, project="demo")
    assert Alarm.objects.get().level == "alarm"
    assert "coding is" in text
    assert "Not read yet" not in text
    assert "Three made-up weeks" in text
    for one in monitors.ALL:
        page(client, "monitor", one.name, project="demo")


def test_with_a_budget_alone_the_page_says_that_no_threshold_is_watched(as_role, project):
    Budget.objects.create(project=project, monthly_usd=10, warn_share=0.8)
    at = midnight(0)
    Reading.objects.create(
        project=project, monitor="budget", at=at, level="ok", value=0.5, limit=0.8, n=17,
        detail={"sentence": "5.00 of this month’s 10.00 USD are spent.", "rows": []},
    )  # fmt: skip
    client = as_role("product")
    assert "only the budget is read" in page(client)
    text = page(client, "monitor", "budget")
    assert "<dt>Days of the month</dt><dd><b>17</b>" in text
    assert "It closes after" in text


def test_a_key_reads_what_monitors_last_saw_of_its_own_project(client, api_key, project, demo):
    demo_monitors.write(demo)
    address, key = "/api/v1/monitoring", {"x-api-key": api_key}
    told = client.get(address, headers=key).json()
    assert told["signoff"] is None
    assert {one["level"] for one in told["monitors"]} == {None}
    signed = sign(project)
    monitoring.run_due(midnight(1))
    look(signed, saying("alarm", "alarm", name="tasks"), (2, 3))
    told = client.get(address, headers=key).json()
    found = {one["name"]: one for one in told["monitors"]}
    assert told["signoff"] == signed.pk
    assert told["stale_why"] == "It changed."
    assert found["tasks"]["alarm"] == Alarm.objects.get(project=project).pk
    assert (found["tasks"]["value"], found["tasks"]["limit"]) == (0.5, 0.1)
    assert found["scores"]["level"] == "quiet"
    assert Reading.objects.filter(project=Project.objects.get(slug="demo")).exists()
