"""How raters work: repeats, times that stand out, refusals."""

import numpy as np
import pytest

from reviews.stats.conduct import FASTEST_READING, repeat_consistency, speed


def test_repeats_are_counted_with_wilson():
    # Newcombe 1998, table I.
    first = ["cheap"] * 263
    second = ["cheap"] * 81 + ["tie"] * 182
    found = repeat_consistency(first, second)
    assert found.share == pytest.approx(81 / 263)
    assert found.interval == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert found.n == 263


def test_no_repeats_give_no_share():
    found = repeat_consistency([], [])
    assert np.isnan(found.share)
    assert found.interval == (0, 1)


def test_the_modified_z_score_is_that_of_its_source():
    seconds = np.array([12.0, 20, 24, 31, 45, 50, 90, 3000])
    logs = np.log(seconds)
    median = np.median(logs)
    expected = 0.6745 * (logs - median) / np.median(np.abs(logs - median))
    assert speed(seconds, np.zeros(8), "abcdefgh").z == pytest.approx(expected, rel=1e-4)


def test_the_fastest_and_the_slowest_stand_out_of_a_pool():
    seconds = np.r_[np.random.default_rng(1).lognormal(3.5, 0.4, 200), 1.0, 20_000.0]
    found = speed(seconds, np.full(202, 20), ["a"] * 202)
    assert found.too_fast[200]
    assert found.too_slow[201]
    assert found.too_fast.sum() + found.too_slow.sum() <= 4


def test_faster_than_reading_does_not_depend_on_the_pool():
    found = speed([10.0] * 3, [9 * FASTEST_READING, 11 * FASTEST_READING, 0], "abc")
    assert found.unread.tolist() == [False, True, False]
    assert np.isnan(found.z).all()
    assert not (found.too_fast | found.too_slow).any()


def test_a_rater_below_a_quarter_of_the_pools_median_is_hasty():
    seconds = [40.0] * 6 + [9.0, 9.0, 100.0] + [11.0]
    rater = ["a"] * 6 + ["b"] * 3 + ["c"]
    found = {r.rater: r for r in speed(seconds, np.zeros(10), rater).raters}
    assert (found["b"].n, found["b"].median_seconds, found["b"].hasty) == (3, 9.0, True)
    assert not found["a"].hasty
    assert not found["c"].hasty


def test_no_ratings_have_no_speed():
    found = speed([], [], [])
    assert (found.z.size, found.unread.size, found.raters) == (0, 0, ())


@pytest.mark.parametrize("seconds", [0, -1, np.nan, np.inf])
def test_impossible_times_are_refused(seconds):
    with pytest.raises(ValueError, match="seconds must be"):
        speed([seconds], [10], ["a"])


def test_impossible_input_is_refused():
    with pytest.raises(ValueError, match="not negative"):
        speed([1], [-1], ["a"])
    with pytest.raises(ValueError, match="same length"):
        speed([1], [1, 2], ["a"])
    with pytest.raises(ValueError, match="same shape"):
        repeat_consistency(["tie"], [])
