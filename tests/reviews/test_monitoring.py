"""A reading a day, alarms that open, worsen and close by them, and what they do to a sign-off."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from reviews import alerts, expiry, health, monitoring, monitors, rollout, signoff, stale
from reviews.errors import NothingToSign
from reviews.models import Alarm, AuditEntry, Notice, Reading, SignOff
from reviews.monitors import Monitor, Seen
from reviews.stats.watch import Level, Signal
from routing import policy
from routing.errors import ModelsMissing
from tests.reviews.live import midnight
from tests.reviews.signing import approve, ask, person, rated_study

pytestmark = pytest.mark.django_db
RAMP = [{"share": 0.1, "hours": 700}, {"share": 1, "hours": 0}]


def sign(project, ramp=(), **plan):
    """Return a live sign-off, whose plan says other things only after it was signed."""
    study = rated_study(project)
    keep(study, **plan)
    row = ask(study, person("paula", "product"), rollout=list(ramp))
    row = approve(row, person("erik", "engineering"), person("pat", "product"))
    rollout.run_due()
    keep(study, after_alarm="mark")
    return SignOff.objects.get(pk=row.pk)


def keep(study, **fields):
    for name, value in fields.items():
        setattr(study, name, value)
    study.save()


@pytest.fixture
def signed(project):
    return sign(project)


def saying(*levels, name="tasks"):
    """Return a monitor that says these levels, one a day."""
    said = iter(levels)

    def read(watched):
        return Seen(Signal(0.5, 0.1, Level(next(said)), 7), "It changed.")

    return Monitor(name, "Tasks", "", "", read, lambda watched: [])


def look(signed, monitor, days):
    """Let a monitor read days, and return how many alarms are open after each."""
    found = []
    for day in days:
        monitoring.look(monitors.of(signed, midnight(day)), monitor)
        found.append(Alarm.objects.filter(closed_at=None).count())
    return found


def test_nothing_is_read_before_a_whole_day_and_each_day_once(signed):
    assert monitoring.run_due(midnight(0)) == 0
    found = [monitoring.run_due(midnight(days)) for days in (1, 1, 2)]
    assert found == [len(monitors.ALL), 0, len(monitors.ALL)]
    assert set(Reading.objects.values_list("level", flat=True)) == {"quiet"}


def test_what_no_sign_off_made_live_is_not_watched(project):
    assert monitoring.run_due(midnight(3)) == 0


def test_an_alarm_opens_at_the_second_reading_and_closes_after_three(signed):
    monitor = saying("warn", "ok", "warn", "quiet", "warn", "ok", "ok", "warn", "ok", "ok", "ok")
    assert look(signed, monitor, range(1, 12)) == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0]
    alarm = Alarm.objects.get()
    assert (alarm.level, alarm.done) == ("warn", "")
    assert (alarm.opened_at, alarm.last_at) == (midnight(5), midnight(8))
    assert alarm.closed_why == "Its monitor is within its limit again."
    assert alarm.figures == {"value": 0.5, "limit": 0.1, "level": "warn", "n": 7}


def test_a_warning_that_becomes_an_alarm_marks_the_sign_off_then(signed, smtp):
    User.objects.update(email="p@example.org")
    monitor = saying("warn", "warn", "alarm", "alarm")
    look(signed, monitor, (1, 2, 3))
    signed.refresh_from_db()
    assert signed.stale_at is None
    look(signed, monitor, [4])
    signed.refresh_from_db()
    assert (signed.stale_why, Alarm.objects.get().level) == ("It changed.", "alarm")
    events = set(Notice.objects.filter(alarm__isnull=False).values_list("event", flat=True))
    assert events == {"alarm.worse"}


def test_after_a_person_closed_it_an_alarm_needs_as_many_readings_again(signed):
    monitor = saying(*["alarm"] * 4)
    look(signed, monitor, (1, 2))
    Alarm.objects.update(closed_at=midnight(2), closed_why="seen")
    assert look(signed, monitor, (3, 4)) == [0, 1]
    assert Alarm.objects.count() == 2


def test_an_alarm_of_an_earlier_sign_off_closes_when_another_is_live(signed):
    look(signed, saying("alarm", "alarm"), (1, 2))
    asks, *others = (person(name, role) for name, role in PEOPLE)
    row = approve(ask(signed.study, asks, 0.4), *others)
    rollout.run_due()
    assert Alarm.objects.get().closed_why == "Another sign-off is live since."
    assert look(SignOff.objects.get(pk=row.pk), saying("ok"), [3]) == [0]


def test_a_rollback_by_hand_ends_the_alarms_about_what_is_left(signed, project):
    alarm, eve = raised(signed, "models"), person("eve", "engineering")
    budget = Alarm.objects.create(
        project=project, monitor="budget", level="warn", sentence="Much is spent.",
        opened_at=midnight(1), last_at=midnight(1),
    )  # fmt: skip
    rollout.roll_back(project, by=eve, reason="It is broken.")
    alarm.refresh_from_db()
    assert (alarm.closed_by, alarm.closed_why) == (eve, "Ended by a rollback: It is broken.")
    entry = AuditEntry.objects.get(event="alarm.closed")
    assert (entry.subject, entry.actor) == (f"alarm {alarm.pk}", "eve")
    assert Alarm.objects.get(closed_at=None) == budget


def test_a_rollout_that_is_stopped_takes_its_alarms_along(project):
    signed = sign(project, RAMP)
    alarm = raised(signed, "models")
    rollout.stop(signed.way, by=person("eve", "engineering"), why="It is broken.")
    alarm.refresh_from_db()
    assert alarm.closed_why == "Its rollout was stopped: It is broken."


def test_of_a_fall_back_only_the_alarm_that_did_it_stays(project):
    signed = sign(project, after_alarm="always_expensive")
    others = [raised(signed, monitor).pk for monitor in ("models", "cost")]
    look(signed, saying("alarm", "alarm"), (1, 2))
    did_it = Alarm.objects.get(closed_at=None)
    why = f"Everything goes to the expensive tier. Alarm {did_it.pk}: tasks"
    assert set(Alarm.objects.filter(pk__in=others).values_list("closed_why", flat=True)) == {why}
    look(signed, saying("alarm", name="living"), [2])
    assert Alarm.objects.get(closed_at=None) == did_it


def test_what_expires_takes_its_alarms_along(project):
    signed = sign(project, after_expiry="always_expensive")
    alarm = raised(signed, "models")
    expiry.expire(signed, signed.expires_at)
    alarm.refresh_from_db()
    assert (alarm.closed_by, alarm.closed_why) == (None, "Its sign-off expired.")


PEOPLE = (("pia", "product"), ("eve", "engineering"), ("pete", "product"))


@pytest.mark.parametrize("trouble", [ZeroDivisionError, KeyError, ModelsMissing, NothingToSign])
def test_one_monitor_that_fails_stops_no_other(signed, caplog, trouble):
    def read(watched):
        raise trouble("x")

    broken = Monitor("tasks", "Tasks", "", "", read, lambda _: [])
    assert monitoring.look(monitors.of(signed, midnight(1)), broken) is False
    assert "says nothing" in caplog.text
    assert not Reading.objects.exists()


def raised(signed, monitor, level="alarm"):
    at = midnight(1)
    return Alarm.objects.create(
        project=signed.project, signoff=signed, monitor=monitor, level=level,
        sentence="It changed.", opened_at=at, last_at=at,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "monitor", "threshold"),
    [
        ("mark", "living", 0.6), ("floor", "models", 0.6), ("floor", "living", 0.0),
        ("always_expensive", "models", 0.0),
    ],
)  # fmt: skip
def test_the_signed_plan_says_what_an_alarm_does(project, rule, monitor, threshold):
    signed = sign(project, after_alarm=rule)
    alarm = raised(signed, monitor)
    assert stale.mark(alarm) == alarm.done != ""
    signed.refresh_from_db()
    assert (signed.state, signed.stale_why) == ("approved", "It changed.")
    live = policy.live(project)
    assert (live.threshold, alerts.fell_back(alarm)) == (threshold, threshold == 0)
    assert AuditEntry.objects.get(event="signoff.stale").detail["then"] == alarm.done
    found = stale.warning(project, live)
    assert (found.row, found.alarm) == (signed, None if threshold else alarm)


def test_a_warning_changes_nothing_and_the_first_alarm_s_mark_stays(signed):
    assert stale.mark(raised(signed, "scores", "warn")) == ""
    assert stale.warning(signed.project, policy.live(signed.project)) is None
    stale.mark(raised(signed, "models"))
    signed.refresh_from_db()
    first = signed.stale_at
    stale.mark(raised(signed, "cost"))
    signed.refresh_from_db()
    assert signed.stale_at == first


def test_an_alarm_about_what_is_no_longer_live_changes_nothing(signed, project):
    rollout.roll_back(project, by=person("eve", "engineering"), reason="x")
    n = project.deployments.count()
    assert stale.mark(raised(signed, "living")) == ""
    assert project.deployments.count() == n


def test_a_ramp_ends_with_an_alarm_whose_plan_goes_back(project):
    signed = sign(project, RAMP, after_alarm="always_expensive")
    stale.mark(raised(signed, "cost"))
    signed.way.refresh_from_db()
    assert (signed.way.state, policy.deployment(project).share) == ("stopped", 1.0)
    assert policy.live(project).threshold == 0


def test_a_ramp_takes_no_next_step_on_a_stale_sign_off(project):
    signed = sign(project, RAMP)
    stale.mark(raised(signed, "models"))
    rollout.run_due(timezone.now() + timedelta(days=30))
    signed.way.refresh_from_db()
    assert (signed.way.state, signed.way.share) == ("paused", 0.1)
    assert "Traffic is no longer what was studied: It changed." in signed.way.why


def test_the_study_of_a_stale_sign_off_is_not_signed_again_without_saying_so(signed):
    study, again = signed.study, person("pia", "product")
    assert "live" not in {one.name for one in health.checks(study)}
    stale.mark(raised(signed, "models"))
    (failed,) = health.failing(study)
    assert failed.text == "Traffic is no longer what was studied: It changed."
    row = ask(study, again, 0.4)
    assert failed.text in {one["text"] for one in row.evidence.content["health"]}
    assert not row.evidence.content["is_certified"]
    keep(study, certified_only=True)
    with pytest.raises(NothingToSign, match="Traffic is no longer what was studied"):
        signoff.edit(row, user=again, threshold=0.3, reason="again")


def test_plans_from_before_there_were_alarms_go_back_for_a_broken_floor_only(signed):
    del signed.evidence.content["plan"]["after_alarm"]
    assert stale.rule_of(signed) == "floor"
