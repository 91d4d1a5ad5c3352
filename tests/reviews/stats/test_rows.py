import numpy as np
import pytest

from reviews.stats.rows import Rows, arrays, cheap_share, checked, constants

FAIR = Rows(
    score=np.array([0.1, 0.5, 0.9]),
    pi=np.array([0.5, 0.25, 0.2]),
    rated=np.array([True, False, True]),
    loss=np.array([1.0, np.nan, np.nan]),
)


def test_threshold_equal_to_a_score_leaves_that_row_expensive():
    assert cheap_share(checked(FAIR, [0.1, 0.5, 0.51, 1.01])).tolist() == pytest.approx(
        [0, 1 / 3, 2 / 3, 1]
    )


def test_row_without_a_score_is_never_routed():
    frame = checked(FAIR._replace(score=np.array([np.nan, 0.5, 0.9])), [1.01])
    assert cheap_share(frame).tolist() == pytest.approx([2 / 3])


def test_share_counts_traffic_and_not_rows():
    frame = checked(FAIR._replace(traffic=[8.0, 1.0, 1.0]), [0.2])
    assert cheap_share(frame).tolist() == pytest.approx([0.8])


def test_missing_rating_is_a_loss_and_an_undrawn_row_none():
    assert checked(FAIR, [1.01]).loss.tolist() == [1.0, 0.0, 1.0]


def test_constants_come_from_rows_below_each_threshold():
    plan = constants(checked(FAIR, [0.1, 0.2, 0.6, 1.01]))
    assert plan.heaviest.tolist() == pytest.approx([1, 2, 4, 5])
    assert plan.mean_square.tolist() == pytest.approx([1, 2, 3, 11 / 3])
    assert plan.slack.tolist() == pytest.approx([0, 1, 3, 4])
    assert plan.mean_pi == pytest.approx(0.95 / 3)


def test_constants_read_no_loss():
    bad, good = (FAIR._replace(loss=np.full(3, value)) for value in (1.0, 0.0))
    for ours, theirs in zip(
        *(constants(checked(r, [0.6, 1.01])) for r in (bad, good)), strict=True
    ):
        assert np.array_equal(ours, theirs)


def test_undrawable_rows_are_welcome_above_every_threshold_only():
    rows = FAIR._replace(pi=np.array([0.5, 0.25, 0.0]), rated=np.array([True, False, False]))
    assert constants(checked(rows, [0.9])).mean_pi == pytest.approx(0.375)
    with pytest.raises(ValueError, match="pi is 0"):
        checked(rows, [0.91])


def test_rows_can_be_taken_apart():
    some = arrays(FAIR._replace(judge=[0, 0.5, 1], traffic=[1, 2, 3])).only(FAIR.score > 0.2)
    assert [column.tolist() for column in (some.score, some.judge, some.traffic)] == [
        [0.5, 0.9],
        [0.5, 1.0],
        [2.0, 3.0],
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"score": [0.1, 0.5, 1.2]},
        {"score": [0.1, 0.5]},
        {"pi": [0.5, 0.25, 1.1]},
        {"pi": [0.5, 0.25, np.nan]},
        {"pi": [0.0, 0.25, 0.2]},
        {"loss": [-0.1, 0, 0]},
        {"loss": [1.1, 0, 0]},
        {"rated": [1.0, 0.0, 1.0]},
        {"judge": [0, 0, 2]},
        {"judge": [0, 0]},
        {"traffic": [1, 1, 0]},
        {"traffic": [1, 1, np.inf]},
    ],
)
def test_rows_no_frame_holds_are_refused(wrong):
    with pytest.raises(ValueError):
        checked(FAIR._replace(**{name: np.array(v) for name, v in wrong.items()}), [1.01])


@pytest.mark.parametrize("grid", [[0.5, 0.5], [0.5, 0.4], [np.nan], [[0.5]]])
def test_thresholds_must_rise(grid):
    with pytest.raises(ValueError, match="thresholds"):
        checked(FAIR, grid)
