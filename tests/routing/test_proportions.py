"""Two proportions: known probabilities, the direction, and counts that cannot be."""

import numpy as np
import pytest
from scipy import stats

from routing import proportions


def test_the_lady_who_tasted_tea():
    assert proportions.compare("cups", 4, 4, 0, 4).p_value == pytest.approx(1 / 70)
    assert proportions.compare("cups", 3, 4, 1, 4).p_value == pytest.approx(17 / 70)


@pytest.mark.parametrize(
    ("counts", "worse"),
    [((30, 1000, 5, 1000), True), ((5, 1000, 30, 1000), False), ((10, 1000, 9, 1000), False)],
)
def test_only_more_under_the_new_policy_is_worse(counts, worse):
    assert proportions.compare("errors", *counts).worse is worse


def test_the_tail_of_the_hypergeometric_agrees():
    got = proportions.compare("errors", 9, 200, 4, 300)
    assert got.p_value == pytest.approx(stats.hypergeom(500, 13, 200).sf(8))
    assert got[:5] == ("errors", 200, 9, 300, 4)


@pytest.mark.parametrize("counts", [(0, 0, 3, 10), (3, 10, 0, 0), (0, 0, 0, 0)])
def test_without_requests_there_is_no_p_value(counts):
    got = proportions.compare("errors", *counts)
    assert (got.p_value, got.worse) == (None, False)


@pytest.mark.parametrize("counts", [(11, 10, 0, 10), (0, 10, 11, 10), (-1, 10, 0, 10)])
def test_more_than_there_could_be_is_refused(counts):
    with pytest.raises(ValueError, match="cannot be"):
        proportions.compare("errors", *counts)


def test_policies_that_are_alike_raise_an_alarm_less_often_than_promised():
    draws = np.random.default_rng(7).binomial([400, 1600], 0.05, size=(3000, 2))
    alarms = sum(proportions.compare("errors", a, 400, b, 1600).worse for a, b in draws)
    assert stats.binomtest(alarms, 3000, proportions.WORSE_BELOW, "greater").pvalue > 0.001
