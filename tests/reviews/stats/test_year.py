"""Simulated years: few false alarms, and every planted drift found in time."""

import numpy as np
import pytest

from reviews.stats import trial, year
from reviews.stats.year import Plot

#: Days within which docs/guides/monitors.md says that each drift is found.
WITHIN = {"share": 14, "model": 30, "renamed": 1, "mix": 14, "price": 45, "creep": 90}


def test_a_drift_changes_nothing_before_it_begins():
    begin = year.REFERENCE_DAYS + year.begins(2)
    plain = year.days(Plot(2), 70)
    moved = year.days(Plot(2, year.DRIFTS["mix"][1]), 70)
    assert all(
        (a.score == b.score).all() for a, b in zip(plain[:begin], moved[:begin], strict=True)
    )
    assert (plain[begin].task != moved[begin].task).any()


def test_years_have_a_rhythm():
    sizes = [day.score.size for day in year.days(Plot(0), 28)]
    assert np.mean(sizes[5::7]) < 0.7 * np.mean(sizes[1::7])


def test_a_quiet_month_rings_nothing():
    assert trial.stationary([0], days=12).by_monitor == {}


@pytest.mark.parametrize("drift", ["share", "renamed"])
def test_drifts_are_found(drift):
    assert trial.planted(drift, [3]).days[0] <= WITHIN[drift]


@pytest.mark.slow
def test_a_year_has_two_false_alarms_at_most():
    assert trial.stationary([0]).per_year <= 2


@pytest.mark.slow
@pytest.mark.parametrize("drift", [*WITHIN])
def test_every_drift_is_found_within_the_days_that_docs_state(drift):
    assert (trial.planted(drift, [1, 2]).days <= WITHIN[drift]).all()
