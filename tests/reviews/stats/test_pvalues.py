import numpy as np
import pytest

from reviews.stats.pvalues import exact_binomial, hoeffding_bentkus

#: losses, n, floor, Hoeffding-Bentkus, exact; MAPIE's compute_hoeffding_bentkus_p_value agrees.
KNOWN = [
    (0, 100, 0.05, 0.005920529220, 0.005920529220),
    (10, 500, 0.05, 0.001250429088, 0.000460007154),
    (1, 100, 0.05, 0.08427963824, 0.03708120933),
    (15, 500, 0.05, 0.05398066578, 0.01985837716),
    (30, 1000, 0.05, 0.003471430514, 0.001277067917),
]


@pytest.mark.parametrize(("losses", "n", "floor", "bound", "exact"), KNOWN)
def test_known_answers(losses, n, floor, bound, exact):
    assert hoeffding_bentkus(losses, n, floor) == pytest.approx(bound, rel=1e-9)
    assert exact_binomial(losses, n, floor) == pytest.approx(exact, rel=1e-9)


def test_a_sum_just_above_a_whole_number_is_that_number():
    losses = 1100 * 0.07
    assert losses > 77
    assert hoeffding_bentkus(losses, 1100, 0.1) == pytest.approx(
        float(hoeffding_bentkus(77, 1100, 0.1))
    )


def test_many_thresholds_at_once_are_as_one_by_one():
    losses = np.array([0, 3, 9.5])
    at_once = hoeffding_bentkus(losses, 200, 0.05)
    assert at_once.tolist() == [float(hoeffding_bentkus(k, 200, 0.05)) for k in losses]


def test_nothing_rated_refutes_nothing():
    assert exact_binomial(0, 0, 0.05) == 1
    assert hoeffding_bentkus(0, 0, 0.05) == 1


def test_more_losses_than_the_floor_refute_nothing():
    assert hoeffding_bentkus(60, 1000, 0.05) > 0.5


@pytest.mark.parametrize("test", [exact_binomial, hoeffding_bentkus])
@pytest.mark.parametrize(("losses", "n", "floor"), [(-1, 10, 0.1), (11, 10, 0.1), (1, 10, 1.0)])
def test_impossible_counts_are_refused(test, losses, n, floor):
    with pytest.raises(ValueError):
        test(losses, n, floor)


def test_fractions_have_no_exact_test():
    with pytest.raises(ValueError, match="whole"):
        exact_binomial(1.5, 10, 0.1)
