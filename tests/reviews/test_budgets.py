"""A budget is read once a day whatever is live; its alarm tells people and touches no sign-off."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from reviews import monitoring, stale
from reviews.models import Alarm, Reading
from routing import usage
from routing.models.usage import Budget
from tests.reviews.saved import add_days

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 0, 5, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def budget(project):
    """Four times what nineteen days cost."""
    add_days(project, NOW - timedelta(hours=1), days=19, each=1)
    usage.roll()
    spent = sum(row["cost_usd"] for row in usage.figures(NOW - 30 * DAY, NOW, ("day",)))
    return Budget.objects.create(project=project, monthly_usd=4 * spent, warn_share=0.9)


def test_a_month_above_its_budget_opens_an_alarm_at_once_without_any_sign_off(budget):
    assert [monitoring.run_due(NOW), monitoring.run_due(NOW)] == [1, 0]
    assert Reading.objects.get().level == "ok"
    Budget.objects.update(monthly_usd=budget.monthly_usd / 8)
    monitoring.run_due(NOW + DAY)
    alarm = Alarm.objects.get()
    assert (alarm.monitor, alarm.level, alarm.signoff) == ("budget", "alarm", None)
    assert "Nothing is stopped" in alarm.sentence
    assert stale.mark(alarm) == ""


def test_the_last_day_of_a_month_is_read_as_that_month_s(budget):
    monitoring.run_due(datetime(2026, 12, 1, 0, 5, tzinfo=UTC))
    assert Reading.objects.get().value == pytest.approx(0.25)


def test_its_pages_say_what_is_spent_and_offer_no_rollback(budget, as_role):
    client = as_role("product")
    assert "Budget</a>" in client.get("/monitors/").content.decode()
    Budget.objects.update(monthly_usd=Decimal("0.01"))
    monitoring.run_due(NOW)
    assert "Spent of the month" in client.get("/monitors/budget/").content.decode()
    text = client.get(f"/alarms/{Alarm.objects.get().pk}/").content.decode()
    assert "what the month went into" in text
    assert "Roll back" not in text
