"""The pages of alarms: what is open, what one says, what its buttons do."""

import pytest

from reviews.models import Alerting
from routing import policy
from tests.reviews.alarmed import alarm
from tests.reviews.rows import add_pair, add_request

pytestmark = pytest.mark.django_db


def test_a_page_without_alarms_says_so(as_role, project):
    text = as_role("product").get("/alarms/").content.decode()
    assert "Nothing is open" in text
    assert "Nothing is signed here yet" in text


def test_open_and_past_alarms_are_listed_and_counted(as_role, project):
    row = alarm(project, "embeddings")
    client = as_role("lead")
    text = client.get("/alarms/").content.decode()
    assert "<td>Questions</td>" in text
    assert "The cheap share rose from 40 % to 52 %." in text
    assert "1 new</span>" in text
    assert row.sentence in client.get("/overview/").content.decode()
    client.post(f"/alarms/{row.pk}/acknowledge/", {"note": "A campaign."})
    text = client.get("/alarms/").content.decode()
    assert "lead: A campaign." in text
    assert "1 new</span>" not in text
    client.post(f"/alarms/{row.pk}/close/", {"why": "The campaign is over."})
    text = client.get("/alarms/").content.decode()
    assert "Nothing is open" in text
    assert row.sentence not in client.get("/overview/").content.decode()
    assert "by lead: The campaign is over." in text


def test_an_alarm_leads_to_its_requests_and_keeps_their_answers_blind(as_role, project):
    pair = add_pair(project, 0.2, query="How do I reset it?", expensive="the secret answer")
    alone = add_request(project, 0.3, "expensive", threshold=0.0)
    row = alarm(project, examples=[pair.request_id, alone, "00000000-0000-0000-0000-000000000000"])
    client = as_role("lead")
    text = client.get(f"/alarms/{row.pk}/").content.decode()
    assert f'<a href="/pairs/{pair.pk}/">How do I reset it?</a>' in text
    assert "the secret answer" not in text
    assert text.count('<td class="number">0.') == 2
    assert "the secret answer" not in client.get(f"/pairs/{pair.pk}/").content.decode()


def test_an_alarm_shows_its_figures_and_offers_what_to_do(as_role, unsigned, project):
    policy.deploy(policy.with_threshold(policy.live(project), 0.4, "t"), by=None, reason="t")
    row = alarm(project)
    client = as_role("engineering")
    text = client.get(f"/alarms/{row.pk}/").content.decode()
    assert '<dt>Value</dt><dd>7.200 <span class="muted">The larger ' in text
    assert "<dt>Limit</dt><dd>5</dd>\n<dt>Rows looked at</dt><dd>1200</dd>" in text
    for said in ("Rate more", "Train a router", "Roll back"):
        assert said in text
    form = {"project": project.slug, "to": "always_expensive", "reason": f"Alarm {row.pk}"}
    client.post("/policies/roll-back/", form)
    assert policy.live(project).is_always_expensive
    assert "expensive tier already" in client.get(f"/alarms/{row.pk}/").content.decode()


def test_product_looks_and_answers_nothing(as_role, project):
    text = as_role("product").get(f"/alarms/{alarm(project).pk}/").content.decode()
    assert "Acknowledge</button>" not in text
    assert "Roll back</button>" not in text


def test_a_refused_close_says_why(as_role, project):
    row, client = alarm(project), as_role("lead")
    client.post(f"/alarms/{row.pk}/close/", {"why": " "})
    assert "why this alarm is over" in client.get(f"/alarms/{row.pk}/").content.decode()


def test_settings_say_what_this_server_cannot_send(as_role, project, settings):
    text = as_role("admin").get("/settings/").content.decode()
    assert "mail is off on this server" in text
    assert "it has none" in text
    settings.SHADOWEVAL_MAIL, settings.SHADOWEVAL_WEBHOOK_URL = True, "https://hooks.example.org/"
    text = as_role("lead", "admin").get("/settings/").content.decode()
    assert "mail is off on this server" not in text
    assert "it has none" not in text


def test_an_admin_says_how_alarms_reach_people(as_role, project):
    client = as_role("admin")
    form = {"project": project.slug, "mails": "yes", "quiet_from": "22:00", "quiet_to": "07:00"}
    client.post("/settings/alerts/", form | {"timezone": "Asia/Tokyo"})
    row = Alerting.objects.get()
    assert (row.mails, row.posts, row.timezone) == (True, False, "Asia/Tokyo")
    text = client.get("/settings/").content.decode()
    assert 'value="22:00"' in text
    client.post("/settings/alerts/", form | {"quiet_to": "", "timezone": "UTC"})
    assert "a beginning and an end" in client.get("/settings/").content.decode()
    client.post("/settings/alerts/", {"project": project.slug, "posts": "yes"})
    row.refresh_from_db()
    assert (row.mails, row.quiet_from, row.timezone) == (False, None, "UTC")
