"""Ratios with days as the sample."""

import numpy as np
import pytest

from reviews.stats import byday


def test_days_that_differ_widen_it_and_alike_days_do_not():
    alike = byday.ratio([5, 5, 5, 5], [10, 10, 10, 10])
    apart = byday.ratio([1, 9, 1, 9], [10, 10, 10, 10])
    assert alike == (0.5, 0.5, 0.5)
    assert apart.high - apart.low > 1


def test_few_days_have_no_interval_and_none_no_value():
    assert byday.ratio([1, 1], [2, 2])[0] == 0.5
    assert np.isnan(byday.ratio([1, 1], [2, 2]).low)
    assert np.isnan(byday.ratio([], []).value)


def test_what_is_no_share_is_refused():
    with pytest.raises(ValueError, match="same days"):
        byday.ratio([1], [1, 2])
    with pytest.raises(ValueError, match="less than 0"):
        byday.ratio([1], [-1])


def test_it_covers_at_its_level():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(500):
        n = rng.integers(50, 150, 30)
        p = np.clip(rng.normal(0.4, 0.08, 30), 0, 1)
        found = byday.ratio(rng.binomial(n, p), n)
        hits += found.low <= 0.4 <= found.high
    assert hits >= 465
