"""A provider that charges other prices than the policy's: an alarm that says which, how much."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from reviews import monitoring, monitors
from reviews.models import Alarm, SignOff
from reviews.monitors import prices
from reviews.stats.watch import Level
from routing import usage
from routing.models.usage import Reconciliation, Usage
from tests.reviews import live

MODEL = "large"


def line(theirs, ours, model=MODEL, more=1.0, day="2026-11-01"):
    """Return one day of a comparison: USD of both, and by what they count more tokens, if known."""
    both = (theirs, more and round(1000 * more)), (ours, 1000)
    sides = [
        usd and {"input_tokens": n, "output_tokens": n, "cost_usd": str(usd)} for usd, n in both
    ]
    return {"day": str(day), "model": model, "theirs": sides[0], "ours": sides[1]}


@pytest.mark.parametrize(
    ("lines", "level", "says"),
    [
        ([line(6, 5), line(6.5, 5)], Level.ALARM, "25% more than by its price here: 12.50 USD"),
        ([line(4, 5)], Level.ALARM, "20% less"),
        ([line(5.2, 5)], Level.OK, "within 5%"),
        ([line(6.25, 5, more=1.25)], Level.WARN, "another application may use the key"),
        ([line(5, 5), line(9, 5, model="other")], Level.ALARM, "other is charged 80% more"),
        ([line(9, 0.5)], Level.ALARM, "1700% more than by its price here: 9.00 USD"),
        ([line(6, 5, more=None)], Level.WARN, "a file that says no tokens"),
    ],
)
def test_another_price_is_an_alarm_and_other_tokens_a_warning(lines, level, says):
    found = prices.charged(lines)
    assert prices._level(found) == level
    assert says in prices._sentence(found)


def test_cents_days_of_one_side_and_models_of_others_say_nothing():
    lines = [line(0.9, 0.5), line(9, None, model="a"), line(None, 9, model="b")]
    lines += [line(9, 0.5, model="c", more=9), line(9, 0.5, model="d", more=None)]
    assert prices.charged(lines) == []
    assert prices.charged([line(9, 5)], models=["mine"]) == []


def compared(project, theirs, days=0, before=(), **more):
    """Keep a comparison of the day before so many days after today, and of days before that one."""
    day = (live.midnight(days) - timedelta(days=1)).date()
    lines = [line(usd, 5, day=day - timedelta(n)) for n, usd in enumerate(before, 1)]
    return Reconciliation.objects.create(
        project=project, name="bill.csv", sha256="0" * 64, provider="anthropic",
        first_day=day, last_day=day, lines=[*lines, line(theirs, 5, day=day, **more)],
    )  # fmt: skip


def asked(project, model=MODEL):
    """Let the project have calls to the model."""
    return Usage.objects.create(
        project=project, hour=timezone.now(), kind="served", model=model, calls=1
    )


@pytest.mark.django_db
def test_a_silent_rise_opens_the_alarm_at_the_next_reading_and_an_equal_file_closes_it(project):
    signed = live.signed(project)
    asked(project)
    monitor = monitors.BY_NAME["prices"]

    def look(days):
        monitoring.look(monitors.of(signed, live.midnight(days)), monitor)

    look(1)
    assert not Alarm.objects.exists()
    compared(project, 6.25, days=1)
    look(2)
    alarm = Alarm.objects.get()
    assert (alarm.level, alarm.figures["value"]) == ("alarm", pytest.approx(0.25))
    assert "large is charged 25% more than by its price here: 6.25 USD, not 5.00" in alarm.sentence
    assert "charged" in SignOff.objects.get(pk=signed.pk).stale_why
    compared(project, 5, days=2)
    for days in (3, 4, 5):
        look(days)
    alarm.refresh_from_db()
    assert alarm.closed_at


@pytest.mark.django_db
def test_neither_days_before_go_live_nor_a_later_file_without_costs_hide_what_is_charged(project):
    signed = live.signed(project)
    asked(project)
    compared(project, 5, days=2, before=[5, 500])
    compared(project, None, days=2)
    seen = prices.read(monitors.of(signed, live.midnight(3)))
    assert (seen.signal.level, seen.signal.value) == ("ok", 0)


@pytest.mark.django_db
def test_a_cost_export_names_a_model_without_its_date_and_shows_its_requests(project):
    signed = live.signed(project)
    asked(project, "claude-haiku-4-5-20251001")
    compared(project, 6, days=2, more=None, model="claude-haiku-4-5")
    (served, *_) = live.serve(project, [2], n=1, model="claude-haiku-4-5-20251001")
    watched = monitors.of(signed, live.midnight(3))
    assert prices.read(watched).signal.level == "warn"
    assert prices.typical(watched) == [served]


@pytest.mark.django_db
def test_a_newer_cost_export_hides_no_usage_export(project):
    signed = live.signed(project)
    asked(project)
    compared(project, 6.25, days=1)
    compared(project, 6.25, days=1, more=None)
    assert prices.read(monitors.of(signed, live.midnight(2))).signal.level == Level.ALARM


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("day,model,input_tokens,output_tokens,cost_usd", "large,1000,1000,6.25"),
        ("usage_date_utc,model,token_type,cost_usd", "large,output_tokens,6.25"),
    ],
)
def test_an_upload_says_at_once_what_is_charged_apart(as_role, project, head, row):
    day = (timezone.now() - timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
    Usage.objects.create(
        project=project, hour=day, kind="served", model=MODEL, calls=1, provider="anthropic",
        input_tokens=1000, output_tokens=1000, cost_usd=5,
        latency_counts=[0] * (len(usage.LATENCY_MS) + 1), tier="expensive",
    )  # fmt: skip
    rows = head + f"\n{day.date()},{row}\n"
    file = SimpleUploadedFile("bill.csv", rows.encode())
    client = as_role("admin")
    answer = client.post("/cost/reconcile/", {"project": project.slug, "file": file}, follow=True)
    assert "large is charged 25% more than by its price here" in answer.content.decode()
