"""How far a study is, and when it would be done, in figures and in words."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from reviews import pace, permissions
from reviews.models import Gold, Slot
from tests.reviews.showings import pairs_of, rate, rater, skip, study_of

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def days_ago(*days):
    return [NOW - timedelta(days=day) for day in days]


@pytest.mark.parametrize(
    ("times", "left", "words"),
    [
        ([], 0, "Nothing is drawn yet."),
        (days_ago(1), 0, "Everything that was drawn is rated."),
        ([], 10, "Too early to say"),
        (days_ago(1, 1, 1, 1, 1, 1), 10, "Too early to say"),
        (days_ago(1, 2, 3), 10, "Too early to say"),
        (days_ago(8, 9, 10, 11, 12), 10, "Nobody rated anything in the last 7 days"),
    ],
)
def test_a_forecast_is_refused_in_words(times, left, words):
    assert pace.forecast(times, left, NOW).startswith(words)


def test_a_forecast_is_the_pace_of_the_last_seven_days():
    # Fourteen of the last week are two a day; what came before is history.
    times = days_ago(*[day / 2 for day in range(1, 15)], *[20] * 100)
    said = pace.forecast(times, 21, NOW)
    assert "2.0 a day, the 21 left take about 11 days: until 21 March 2026" in said


def test_a_young_study_is_not_measured_by_days_before_it_began():
    assert "3.0 a day, the 3 left take about 1 day:" in pace.forecast(
        days_ago(0.1, 0.2, 0.9, 1.0, 1.5, 2.0), 3, NOW
    )


@pytest.fixture
def study(project):
    return study_of(project, [n / 10 for n in range(10)])


@pytest.mark.django_db
def test_who_did_how_much_and_who_did_nothing_yet(study):
    permissions.ensure_roles()
    for name in ("idle", "ann"):
        permissions.give(User.objects.create_user(name, password="pw"), "rater")
    permissions.give(User.objects.create_user("paula", password="pw"), "product")
    ann = rater("ann", user=User.objects.get(username="ann"))
    for pair, seconds in zip(pairs_of(study), (10.0, 30.0, 0.0), strict=False):
        rate(study, ann, pair, "equal", seconds=seconds)
    for nth, pair in enumerate(pairs_of(study)[5:8]):
        if nth:
            Gold.objects.create(study=study, pair=pair, use="practice", preference="cheap")
        rate(study, ann, pair, "a_much" if nth == 1 else "b_much", kind="practice")
    rows = {row.name: row for row in pace.of(study).workers}
    assert set(rows) == {"ann", "idle"}
    assert (rows["ann"].done, rows["ann"].lately, rows["ann"].median_seconds) == (3, 3, 20.0)
    assert (rows["ann"].practice, rows["ann"].share_of_target) == ((1, 3), 3 / 40)
    assert (rows["idle"].done, rows["idle"].rater, rows["idle"].last_at) == (0, None, None)


@pytest.mark.django_db
def test_what_is_done_by_stratum_and_by_day(study):
    ann, bob = rater("ann"), rater("bob")
    first, *_, last = pairs_of(study)
    rate(study, ann, first, "equal")
    rate(study, bob, first, "equal")
    rate(study, ann, last, "equal")
    found = pace.of(study)
    assert (found.done, found.total, found.given_up) == (3, 20, 0)
    strata = {row.name: (row.done, row.total) for row in found.strata}
    assert strata == {"math/0": (2, 4), "math/1": (0, 4), "math/2": (0, 4), "math/3": (0, 4),
                      "math/4": (1, 4)}  # fmt: skip
    assert [day.n for day in found.days] == [0] * 13 + [3]


@pytest.mark.django_db
def test_what_nobody_could_judge(study):
    ann, bob = rater("ann"), rater("bob")
    first, second, *_ = pairs_of(study)
    skip(study, ann, first, "broken")
    skip(study, bob, first, "broken")
    skip(study, ann, second)
    study.slots.filter(pair=first).update(state=Slot.State.GIVEN_UP)
    found = pace.of(study)
    assert found.skips == [("It is broken or empty", 2), ("I can’t judge this", 1)]
    assert (found.given_up_pairs, found.given_up) == (1, 2)
    assert {row.name: row.done for row in found.strata}["math/0"] == 2


@pytest.mark.django_db
def test_queries_do_not_grow_with_raters(study, django_assert_max_num_queries):
    permissions.ensure_roles()
    for nth in range(8):
        permissions.give(User.objects.create_user(f"u{nth}", password="pw"), "rater")
        rate(study, rater(f"r{nth}"), pairs_of(study)[nth], "equal")
    with django_assert_max_num_queries(8):
        assert len(pace.of(study).workers) == 16
