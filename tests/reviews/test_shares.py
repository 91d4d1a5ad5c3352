"""Bars are drawn by attributes alone, and every example of the filters holds."""

import doctest
from datetime import date

import pytest

from reviews.pace import Day
from reviews.templatetags import shares, trail


@pytest.mark.parametrize("filters", [shares, trail])
def test_the_examples_hold(filters):
    result = doctest.testmod(filters)
    assert result.attempted
    assert not result.failed


def test_a_bar_has_its_share_its_interval_and_its_tick():
    drawn = shares.bar(0.25, 0.1, 0.5, 0.5)
    assert '<rect class="share" width="25.00"' in drawn
    assert '<rect class="interval" x="10.00" y="4" width="40.00"' in drawn
    assert '<rect class="mark" x="50.00"' in drawn
    assert "style" not in drawn


def test_what_is_not_known_is_not_drawn():
    assert shares.bar(None, 0.0, 1.0) == ""
    assert 'class="interval"' not in shares.bar(0.5)
    assert 'class="mark"' not in shares.bar(0.5)


def test_the_tallest_column_is_the_busiest_day():
    drawn = shares.columns([Day(date(2026, 3, 1), 2), Day(date(2026, 3, 2), 4)])
    assert 'y="20.00" width="40.00" height="18.00"><title>1 March: 2<' in drawn
    assert 'height="36.00"><title>2 March: 4<' in drawn
