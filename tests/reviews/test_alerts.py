"""Who is told of an alarm, when, and who no more."""

import json
from datetime import UTC, datetime, time, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reviews import alerts, notices
from reviews.errors import BadInput, Conflict, NotAllowed
from reviews.models import Alerting, AuditEntry, Notice
from routing import policy
from tests.reviews.alarmed import alarm
from tests.reviews.signing import person
from tests.webhook import Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def hook(settings):
    receiver = Receiver()
    settings.SHADOWEVAL_WEBHOOK_URL = receiver.url
    settings.SHADOWEVAL_WEBHOOK_SECRET = "between us"
    settings.PUBLIC_URL = "https://eval.example.org"
    yield receiver
    receiver.close()


@pytest.fixture
def lena():
    return person("lena", "lead", email="lena@example.org")


@pytest.fixture
def people(lena):
    person("rae", "rater", email="rae@example.org")
    return lena, person("emil", "engineering", email="emil@example.org")


def quiet(project, **more):
    """Let it be quiet for an hour from now on."""
    now = timezone.now()
    begin, end = (now - timedelta(minutes=1)).time(), (now + timedelta(hours=1)).time()
    return Alerting.objects.create(project=project, quiet_from=begin, quiet_to=end, **more)


def events():
    rows = Notice.objects.select_related("to")
    return sorted((row.event, row.to.username if row.to else "") for row in rows)


def test_who_sees_results_gets_a_mail_and_the_webhook_a_signed_message(smtp, hook, project, people):
    row = alarm(project, done="")
    alerts.tell(row, "opened")
    assert notices.send_due() == 3
    assert sorted(to for to, _ in smtp.mails) == [["emil@example.org"], ["lena@example.org"]]
    text = smtp.mails[0][1].get_content()
    assert "rose from 40 % to 52 %" in text
    assert f"https://eval.example.org/alarms/{row.pk}/" in text
    [(headers, body)] = hook.taken
    said = json.loads(body)
    assert (said["event"], said["monitor"], said["value"], said["limit"], said["alarm"]) == (
        "alarm.opened", "cheap_share", 7.2, 5.0, row.pk,
    )  # fmt: skip
    assert said["url"] == f"https://eval.example.org/alarms/{row.pk}/"
    assert headers["x-shadoweval-signature"].startswith("v1=")


def test_nobody_is_told_twice(smtp, hook, project, people):
    row = alarm(project)
    for _ in range(3):
        alerts.tell(row, "opened")
    assert events() == [("alarm.opened", ""), ("alarm.opened", "emil"), ("alarm.opened", "lena")]


def test_of_two_alarms_both_are_told(hook, project):
    alerts.tell(alarm(project), "opened")
    alerts.tell(alarm(project, "cost"), "opened")
    assert Notice.objects.count() == 2


def test_a_warning_is_told_where_it_is_wanted_and_an_alarm_it_becomes_everywhere(hook, project):
    row = alarm(project, level="warn")
    alerts.tell(row, "opened")
    assert events() == []
    row.level = "alarm"
    alerts.tell(row, "worse")
    assert events() == [("alarm.worse", "")]
    Alerting.objects.create(project=project, warnings=True)
    alerts.tell(alarm(project, "cost", level="warn"), "opened")
    assert events() == [("alarm.opened", ""), ("alarm.worse", "")]


def test_channels_can_be_off(smtp, hook, project, people):
    chosen = Alerting.objects.create(project=project, mails=False)
    alerts.tell(alarm(project), "opened")
    assert events() == [("alarm.opened", "")]
    Alerting.objects.filter(pk=chosen.pk).update(mails=True, posts=False)
    alerts.tell(alarm(project, "cost"), "opened")
    assert [who for _, who in events()] == ["", "emil", "lena"]


def test_an_acknowledged_alarm_stays_silent_for_people_and_ends_for_the_webhook(
    smtp, hook, project, people
):
    row = alarm(project)
    alerts.tell(row, "opened")
    notices.send_due()
    smtp.mails.clear()
    hook.taken.clear()
    alerts.acknowledge(row, by=people[0], note="We changed a prompt.")
    row.refresh_from_db()
    alerts.tell(row, "worse")
    alerts.tell(row, "closed")
    notices.send_due()
    assert smtp.mails == []
    assert [json.loads(body)["event"] for _, body in hook.taken] == ["alarm.closed"]
    assert AuditEntry.objects.get().detail == {"note": "We changed a prompt."}


def test_the_end_is_told_to_whoever_heard_of_the_beginning(smtp, hook, project, people):
    row = alarm(project)
    alerts.tell(row, "opened")
    notices.send_due()
    person("late", "lead", email="late@example.org")
    alerts.tell(row, "closed")
    assert events()[:3] == [("alarm.closed", ""), ("alarm.closed", "emil"),
                            ("alarm.closed", "lena")]  # fmt: skip


def test_who_may_see_nothing_any_more_is_not_told_of_the_end(smtp, hook, project, people):
    row = alarm(project)
    alerts.tell(row, "opened")
    notices.send_due()
    User.objects.filter(username="emil").update(is_active=False)
    alerts.close(row, by=people[0], why="A known load test.")
    assert events()[:2] == [("alarm.closed", ""), ("alarm.closed", "lena")]


@pytest.mark.parametrize("answer", ["acknowledge", "close"])
def test_the_project_is_locked_before_its_alarm_as_by_who_reads_monitors(project, lena, answer):
    row = alarm(project)
    with CaptureQueriesContext(connection) as run:
        getattr(alerts, answer)(row, by=lena, **{"close": {"why": "Over."}}.get(answer, {}))
    locks = [one["sql"] for one in run if " UPDATE" in one["sql"]]
    assert "FOR NO KEY UPDATE" in locks[0]
    assert "reviews_alarm" in locks[1]


def test_quiet_hours_hold_mail_and_webhook_back(smtp, hook, project, people):
    chosen = quiet(project)
    alerts.tell(alarm(project), "opened")
    assert notices.send_due() == 0
    ends = datetime.combine(timezone.now().date(), chosen.quiet_to, UTC)
    assert notices.send_due(ends + timedelta(days=1, seconds=1)) == 3


def test_what_opens_and_ends_within_quiet_hours_is_never_sent(smtp, hook, project, people):
    quiet(project)
    row = alarm(project)
    alerts.tell(row, "opened")
    alerts.tell(row, "closed")
    assert Notice.objects.count() == 0


def test_what_is_acknowledged_within_quiet_hours_is_never_sent(smtp, hook, project, people):
    quiet(project)
    row = alarm(project)
    alerts.tell(row, "opened")
    alerts.acknowledge(row, by=people[0])
    assert Notice.objects.count() == 0


def test_a_fallback_is_told_at_once_in_quiet_hours_and_though_acknowledged(hook, project, lena):
    quiet(project)
    row = alarm(project, done="Everything goes to the expensive tier.")
    alerts.acknowledge(row, by=lena)
    row.refresh_from_db()
    assert policy.live(project).is_always_expensive
    alerts.tell(row, "worse")
    assert notices.send_due() == 1
    assert "Everything goes to the expensive tier." in json.loads(hook.taken[0][1])["text"]


def test_a_fallback_takes_the_place_of_what_waits_for_the_end_of_quiet_hours(hook, project):
    quiet(project)
    row = alarm(project)
    alerts.tell(row, "opened")
    row.done = "Everything goes to the expensive tier."
    alerts.tell(row, "worse")
    assert notices.send_due() == 1
    assert events() == [("alarm.worse", "")]


def test_what_was_only_marked_waits(hook, unsigned, project):
    quiet(project)
    policy.deploy(policy.with_threshold(policy.live(project), 0.4, "t"), by=None, reason="t")
    alerts.tell(alarm(project, done="The sign-off is marked stale."), "opened")
    assert notices.send_due() == 0


@pytest.mark.parametrize(
    ("zone", "at", "leaves"),
    [
        ("Europe/Berlin", (1, 5, 20, 59), (1, 5, 20, 59)),
        ("Europe/Berlin", (1, 5, 21, 0), (1, 6, 6, 0)),
        ("Europe/Berlin", (1, 6, 5, 59), (1, 6, 6, 0)),
        ("Europe/Berlin", (1, 6, 6, 0), (1, 6, 6, 0)),
        ("Europe/Berlin", (7, 5, 20, 0), (7, 6, 5, 0)),
        ("Europe/Berlin", (3, 28, 22, 0), (3, 29, 5, 0)),  # the clocks go forward that night
        ("UTC", (1, 5, 23, 0), (1, 6, 7, 0)),
    ],
)
def test_quiet_hours_pass_midnight_in_their_own_time_zone(zone, at, leaves):
    night = Alerting(quiet_from=time(22), quiet_to=time(7), timezone=zone)
    assert alerts.free_from(night, datetime(2026, *at, tzinfo=UTC)) == datetime(
        2026, *leaves, tzinfo=UTC
    )


@pytest.mark.parametrize(("hour", "leaves"), [(11, 11), (12, 14), (13, 14), (14, 14)])
def test_quiet_hours_within_a_day(hour, leaves):
    noon = Alerting(quiet_from=time(12), quiet_to=time(14), timezone="UTC")
    there = alerts.free_from(noon, datetime(2026, 1, 5, hour, tzinfo=UTC))
    assert there == datetime(2026, 1, 5, leaves, tzinfo=UTC)


def test_what_is_tried_again_is_told_before_what_came_after_it(hook, project):
    row, other = alarm(project), alarm(project, "cost")
    now = timezone.now()
    alerts.tell(row, "opened")
    hook.answers = 500
    notices.send_due()
    alerts.tell(row, "closed")
    alerts.tell(other, "opened")
    hook.answers = 204
    hook.taken.clear()
    assert notices.send_due() == 1
    due = Notice.objects.filter(state="waiting", next_at__lte=timezone.now())
    assert not due.exists(), "what is held back fills no batch"
    assert notices.send_due(now + timedelta(minutes=3)) == 2
    told = [(said["alarm"], said["event"]) for said in (json.loads(body) for _, body in hook.taken)]
    assert told == [
        (other.pk, "alarm.opened"), (row.pk, "alarm.opened"), (row.pk, "alarm.closed"),
    ]  # fmt: skip


def test_the_demo_tells_nobody(smtp, hook, demo, people):
    alerts.tell(alarm(demo), "opened")
    assert Notice.objects.count() == 0


def test_another_event_is_refused(project):
    with pytest.raises(ValueError, match="not over"):
        alerts.tell(alarm(project), "over")


def test_who_answers_no_alarms_is_refused(project):
    row, paula = alarm(project), person("paula", "product")
    with pytest.raises(NotAllowed):
        alerts.acknowledge(row, by=paula)
    with pytest.raises(NotAllowed):
        alerts.close(row, by=paula, why="So.")


def test_an_alarm_is_acknowledged_and_closed_once(project, lena):
    row = alarm(project)
    alerts.acknowledge(row, by=lena)
    with pytest.raises(Conflict):
        alerts.acknowledge(row, by=lena)
    with pytest.raises(BadInput):
        alerts.close(row, by=lena, why=" ")
    alerts.close(row, by=lena, why="A holiday.")
    with pytest.raises(Conflict):
        alerts.close(row, by=lena, why="Again.")
    assert alarm(project).pk > row.pk  # its monitor may open another


def test_settings_are_written_with_who_said_so(project):
    ada = person("ada", "admin")
    said = {"mails": True, "posts": False, "warnings": True}
    night = (time(22), time(7))
    alerts.choose(project, by=ada, **said, quiet=night, zone="Europe/Berlin")
    chosen = alerts.settings_of(project)
    assert (chosen.posts, chosen.quiet_to, chosen.changed_by) == (False, time(7), ada)
    assert AuditEntry.objects.get().detail["quiet_from"] == "22:00"
    for wrong in ({"zone": "Mars/Base"}, {"quiet": (time(7), time(7))}):
        with pytest.raises(BadInput):
            alerts.choose(project, by=ada, **said, **({"quiet": night, "zone": "UTC"} | wrong))
