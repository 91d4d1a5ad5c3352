"""The curve over thresholds: hand figures, a direct second method, coverage, refusals."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from reviews.stats.curve import Curve, curve, default_thresholds

NAN = float("nan")
GRID = np.array([0.0, 0.25, 0.5, 1.0, 1.01])


def make_frame(*, n=400, seed=7, rated_share=0.5, fractional=True):
    """Draw a frame with ties, scores of 0 and 1, silent raters and unknown costs."""
    rng = np.random.default_rng(seed)
    score = np.round(rng.beta(1.2, 2, n), 2)
    score[:3] = [0.0, 1.0, 1.0]
    rated = rng.random(n) < rated_share
    levels = [0, 1 / 3, 0.5, 1] if fractional else [0, 1]
    adequate, harm = rng.choice(levels, n), rng.choice(levels, n) * (rng.random(n) < 0.3)
    return {
        "score": score,
        "cost_cheap": np.where(rng.random(n) < 0.1, NAN, rng.lognormal(-6, 1, n)),
        "cost_expensive": np.where(rng.random(n) < 0.1, NAN, rng.lognormal(-4, 1, n)),
        "weight": np.where(rated, rng.choice([2.0, 3.3, 10.0], n), NAN),
        "rated": rated,
        "adequate": np.where(rated & (rng.random(n) < 0.9), adequate, NAN),
        "harm": np.where(rated & (rng.random(n) < 0.9), harm, NAN),
    }


def small_frame(**changes):
    """Return four rows, all rated, that can be followed by hand."""
    frame = {
        "score": np.array([0.1, 0.25, 0.6, 1.0]),
        "cost_cheap": np.array([1.0, 1.0, 1.0, 1.0]),
        "cost_expensive": np.array([5.0, 3.0, 4.0, 8.0]),
        "weight": np.array([2.0, 2.0, 4.0, 4.0]),
        "rated": np.array([True, True, True, True]),
        "adequate": np.array([1.0, 1.0, 0.5, 0.0]),
        "harm": np.array([0.0, 0.0, 0.5, 1.0]),
    }
    return frame | changes


def direct_interval(mean, variance, n, n_kish, level):
    """Work out one Korn-Graubard interval with scipy's beta quantiles."""
    if n < 2:
        return 0.0, 1.0
    flat = variance * n <= 1e-9 * mean * (1 - mean) or mean in (0, 1)
    n_eff = n_kish if flat else min(n, mean * (1 - mean) / variance)
    if n_eff < 1:
        return 0.0, 1.0
    x, tail = n_eff * mean, (1 - level) / 2
    low = stats.beta.ppf(tail, x, n_eff - x + 1) if mean > 0 else 0.0
    high = stats.beta.isf(tail, x + 1, n_eff - x) if mean < 1 else 1.0
    return low, high


def direct_mean(z, w, level):
    """Work out mean, interval and n of one weighted mean from its definition."""
    n = z.size
    if n == 0:
        return NAN, 0.0, 1.0, 0
    mean = (w * z).sum() / w.sum()
    u = w * (z - mean) / w.sum()
    variance = n / (n - 1) * (u**2).sum() if n > 1 else NAN
    return mean, *direct_interval(mean, variance, n, w.sum() ** 2 / (w**2).sum(), level), n


def direct_row(frame, t, level):
    """Work out one threshold of the curve row by row, without any running sum."""
    cheap = frame["score"] < t
    spoke = frame["rated"] & ~np.isnan(frame["adequate"]) & cheap
    heard = frame["rated"] & ~np.isnan(frame["harm"])
    known = ~np.isnan(frame["cost_cheap"] + frame["cost_expensive"])
    z = np.where(cheap, frame["harm"], 0.0)[heard]
    worse = direct_mean(z, frame["weight"][heard], level)
    if heard.any() and not cheap.any():
        worse = (0.0, 0.0, 0.0, heard.sum())
    paid = np.where(cheap, frame["cost_cheap"], frame["cost_expensive"])[known].mean()
    baseline = frame["cost_expensive"][known].mean()
    return (
        cheap.sum(),
        cheap.mean(),
        *direct_mean(frame["adequate"][spoke], frame["weight"][spoke], level),
        *worse,
        (z > 0).sum(),
        paid,
        baseline,
        1 - paid / baseline,
        (~known).sum(),
    )


def as_rows(result):
    """Lay the curve out in the column order of `direct_row`."""
    columns = (
        result.cheap_count,
        result.cheap_share,
        result.adequacy,
        *result.adequacy_interval,
        result.n_adequacy,
        result.degradation,
        *result.degradation_interval,
        result.n_harm,
        result.events,
        result.cost_usd,
        result.baseline_cost_usd,
        result.saving_share,
        result.n_cost_unknown,
    )
    return np.column_stack(columns)


def test_default_thresholds_are_the_hundredths():
    assert default_thresholds().tolist() == [float(f"{i / 100:.2f}") for i in range(101)]


def test_small_frame_gives_the_figures_worked_out_by_hand():
    result = curve(**small_frame(), thresholds=GRID)
    assert result.cheap_count.tolist() == [0, 1, 2, 3, 4]
    assert result.cheap_share.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert result.adequacy.tolist() == pytest.approx([NAN, 1, 1, 6 / 8, 6 / 12], nan_ok=True)
    assert result.n_adequacy.tolist() == [0, 1, 2, 3, 4]
    assert result.degradation.tolist() == pytest.approx([0, 0, 0, 2 / 12, 6 / 12])
    assert result.n_harm.tolist() == [4] * 5
    assert result.events.tolist() == [0, 0, 0, 1, 2]
    assert result.cost_usd.tolist() == [5, 4, 3.5, 2.75, 1]
    assert result.baseline_cost_usd.tolist() == [5] * 5
    assert result.saving_share.tolist() == pytest.approx([0, 0.2, 0.3, 0.45, 0.8])
    assert (result.n_frame, result.level) == (4, 0.95)


@pytest.mark.parametrize("fractional", [False, True], ids=["binary", "several raters"])
@pytest.mark.parametrize("rated_share", [0.01, 0.5, 1.0])
def test_running_sums_agree_with_the_definition_at_every_threshold(fractional, rated_share):
    frame = make_frame(fractional=fractional, rated_share=rated_share)
    grid = np.append(default_thresholds(), 1.01)
    result = curve(**frame, thresholds=grid, level=0.9)
    direct = [direct_row(frame, t, 0.9) for t in grid]
    np.testing.assert_allclose(as_rows(result), direct, rtol=1e-12, atol=1e-12)


def test_running_sums_agree_with_the_definition_on_ten_thousand_rows():
    frame, grid = make_frame(n=10_000, rated_share=0.3), default_thresholds()
    direct = [direct_row(frame, t, 0.95) for t in grid]
    np.testing.assert_allclose(
        as_rows(curve(**frame, thresholds=grid)), direct, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("share", [0.0, 1 / 3, 1.0])
def test_running_sums_agree_where_every_rater_said_the_same(share):
    frame = make_frame()
    for name in ("adequate", "harm"):
        frame[name] = np.where(frame["rated"], share, NAN)
    direct = [direct_row(frame, t, 0.95) for t in GRID]
    np.testing.assert_allclose(
        as_rows(curve(**frame, thresholds=GRID)), direct, rtol=1e-12, atol=1e-12
    )


def test_order_of_the_rows_does_not_matter():
    frame = make_frame()
    order = np.random.default_rng(3).permutation(frame["score"].size)
    shuffled = {name: values[order] for name, values in frame.items()}
    np.testing.assert_allclose(
        as_rows(curve(**shuffled, thresholds=GRID)),
        as_rows(curve(**frame, thresholds=GRID)),
        rtol=1e-12,
    )


def test_row_whose_score_equals_the_threshold_stays_expensive():
    frame = small_frame(score=np.array([0.25, 0.25, 0.25, 1.0]))
    result = curve(**frame, thresholds=[0.0, 0.25, 0.26, 1.0, 1.01])
    assert result.cheap_count.tolist() == [0, 0, 3, 3, 4]


def test_degradation_and_cheap_count_never_fall_as_the_threshold_rises():
    result = curve(**make_frame(), thresholds=default_thresholds())
    assert (np.diff(result.degradation) >= 0).all()
    assert (np.diff(result.cheap_count) >= 0).all()


def test_nothing_rated_below_the_threshold_leaves_adequacy_unknown():
    result = curve(**small_frame(rated=np.array([False, False, True, True])), thresholds=GRID)
    assert np.isnan(result.adequacy[:3]).all()
    assert result.adequacy_interval.low[:3].tolist() == [0, 0, 0]
    assert result.adequacy_interval.high[:3].tolist() == [1, 1, 1]
    assert result.n_adequacy.tolist() == [0, 0, 0, 1, 2]


def test_unanimous_raters_keep_an_uncertain_bound():
    n = 50
    result = curve(
        score=np.full(n, 0.5),
        cost_cheap=np.ones(n),
        cost_expensive=np.ones(n),
        weight=np.repeat([1.0, 3.0], n // 2),
        rated=np.ones(n, dtype=bool),
        adequate=np.ones(n),
        harm=np.zeros(n),
        thresholds=[0.6],
    )
    bound = 1 - 0.025 ** (1 / 40)
    assert result.adequacy.tolist() == [1]
    assert result.adequacy_interval.low[0] == pytest.approx(1 - bound)
    assert result.degradation.tolist() == [0]
    assert result.degradation_interval.high[0] == pytest.approx(bound)


def test_silence_on_one_question_does_not_silence_the_other():
    frame = small_frame(adequate=np.array([NAN, 1, 0.5, 0]), harm=np.array([0, 0, 0.5, NAN]))
    result = curve(**frame, thresholds=[1.01])
    assert result.n_adequacy.tolist() == [3]
    assert result.adequacy.tolist() == pytest.approx([4 / 10])
    assert result.n_harm.tolist() == [3]
    assert result.degradation.tolist() == pytest.approx([2 / 8])


def test_values_on_unrated_rows_are_not_read():
    rated = np.array([True, True, True, False])
    full = curve(**small_frame(rated=rated), thresholds=GRID)
    blank = {"adequate": [1, 1, 0.5, NAN], "harm": [0, 0, 0.5, NAN], "weight": [2, 2, 4, NAN]}
    np.testing.assert_array_equal(
        as_rows(curve(**small_frame(rated=rated, **blank), thresholds=GRID)), as_rows(full)
    )


def test_unknown_cost_is_left_out_of_both_sides_and_counted():
    frame = small_frame(
        cost_cheap=np.array([NAN, 1.0, 1.0, 1.0]), cost_expensive=np.array([5.0, 3.0, NAN, 8.0])
    )
    result = curve(**frame, thresholds=[0.5])
    assert result.n_cost_unknown.tolist() == [2]
    assert result.baseline_cost_usd.tolist() == [5.5]
    assert result.cost_usd.tolist() == [4.5]
    assert result.saving_share.tolist() == pytest.approx([1 / 5.5])


def test_dearer_cheap_tier_shows_a_negative_saving():
    result = curve(**small_frame(cost_cheap=np.full(4, 10.0)), thresholds=[1.01])
    assert result.saving_share.tolist() == [-1]


def test_no_known_cost_or_a_free_baseline_gives_no_saving():
    unknown = curve(**small_frame(cost_cheap=np.full(4, NAN)), thresholds=[0.5])
    assert np.isnan([unknown.cost_usd, unknown.baseline_cost_usd, unknown.saving_share]).all()
    free = curve(**small_frame(cost_expensive=np.zeros(4)), thresholds=[0.5])
    assert np.isnan(free.saving_share).all()
    assert free.cost_usd.tolist() == [0.5]


def test_empty_frame_gives_unknowns_and_zero_counts():
    result = curve([], [], [], [], [], [], [], GRID)
    for name in ("cheap_share", "adequacy", "degradation", "cost_usd", "saving_share"):
        assert np.isnan(getattr(result, name)).all(), name
    for name in ("cheap_count", "n_adequacy", "n_harm", "events", "n_cost_unknown"):
        assert getattr(result, name).tolist() == [0] * 5, name
    for interval in (result.adequacy_interval, result.degradation_interval):
        assert (interval.low.tolist(), interval.high.tolist()) == ([0] * 5, [1] * 5)
    assert result.n_frame == 0


def test_every_array_of_the_curve_has_one_entry_per_threshold():
    result = curve(**make_frame(), thresholds=GRID)
    for field in dataclasses.fields(Curve):
        if field.name not in ("n_frame", "level"):
            for values in np.atleast_2d(getattr(result, field.name)):
                assert values.shape == GRID.shape, field.name


@pytest.mark.parametrize("tilt", [1, 3], ids=["equal weights", "weights 3 to 1"])
def test_curve_intervals_cover_the_true_adequacy_and_degradation(tilt):
    reps, n, level, t = 300, 3_000, 0.95, 0.6
    rng = np.random.default_rng(11)
    # For uniform s below t: P(harm) = .2 s has mean .06, so D = .6 * .06 and a = .94.
    hits = np.zeros(2)
    for _ in range(reps):
        score = rng.random(n)
        pi = np.where(score < 0.3, 0.1, 0.1 * tilt)
        harm = (rng.random(n) < 0.2 * score).astype(float)
        result = curve(
            score, np.ones(n), np.ones(n), 1 / pi, rng.random(n) < pi, 1 - harm, harm, [t], level
        )
        for i, (interval, truth) in enumerate(
            [(result.adequacy_interval, 0.94), (result.degradation_interval, 0.036)]
        ):
            hits[i] += interval.low[0] <= truth <= interval.high[0]
            assert interval.high[0] - interval.low[0] < 0.15
    assert (hits / reps >= level - 3 * (level * (1 - level) / reps) ** 0.5).all()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("score", [0.1, 0.2, 0.3], "same shape"),
        ("harm", [0, 0, 0, 0, 0], "same shape"),
        ("score", [0.1, 0.2, 0.3, 1.1], "score must lie"),
        ("score", [0.1, 0.2, 0.3, -0.1], "score must lie"),
        ("weight", [2, 2, 2, 0], "weight must be"),
        ("weight", [2, 2, 2, -1], "weight must be"),
        ("weight", [2, 2, 2, NAN], "weight must be"),
        ("weight", [2, 2, 2, float("inf")], "weight must be"),
        ("adequate", [1, 1, 1, 1.5], "adequate must lie"),
        ("adequate", [1, 1, 1, -0.5], "adequate must lie"),
        ("harm", [0, 0, 0, 2], "harm must lie"),
        ("harm", [0, 0, 0, -1], "harm must lie"),
        ("cost_cheap", [1, 1, 1, -1], "cost_cheap must be"),
        ("cost_expensive", [1, 1, 1, float("inf")], "cost_expensive must be"),
        ("rated", [1, 1, 1, NAN], "must be boolean"),
        ("thresholds", [0.5, 0.5], "thresholds must be"),
        ("thresholds", [0.5, 0.4], "thresholds must be"),
        ("thresholds", [0.5, NAN], "thresholds must be"),
        ("thresholds", 0.5, "thresholds must be"),
        ("level", 1.0, "level must lie"),
    ],
)
def test_impossible_input_is_refused_with_the_reason(name, value, reason):
    arguments = small_frame() | {"thresholds": GRID, name: value}
    with pytest.raises(ValueError, match=reason):
        curve(**arguments)


def test_matrix_input_is_refused():
    with pytest.raises(ValueError, match="same shape"):
        curve(**{name: values[None] for name, values in small_frame().items()}, thresholds=GRID)


def test_traffic_weighs_share_and_cost_like_repeated_rows():
    traffic = np.array([1, 3, 2, 4])
    weighted = curve(**small_frame(), thresholds=GRID, traffic=traffic)
    repeated = {name: np.repeat(values, traffic) for name, values in small_frame().items()}
    expected = curve(**repeated, thresholds=GRID)
    for name in ("cheap_share", "cost_usd", "baseline_cost_usd", "saving_share"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(expected, name), atol=1e-12)


@pytest.mark.parametrize("bad", [0.0, -1.0, NAN, float("inf")])
def test_impossible_traffic_is_refused(bad):
    with pytest.raises(ValueError, match="traffic"):
        curve(**small_frame(), thresholds=GRID, traffic=[1, 1, 1, bad])


def test_few_events_among_the_heaviest_rows_are_marked_where_they_count():
    n = 40
    frame = {
        "score": np.tile([0.1, 0.6], n // 2),
        "cost_cheap": np.ones(n), "cost_expensive": np.ones(n),
        "weight": np.tile([1.0, 4.0], n // 2),
        "rated": np.ones(n, dtype=bool), "adequate": np.zeros(n), "harm": np.ones(n),
    }  # fmt: skip
    marked = curve(**frame, thresholds=[0.5, 0.7]).weights_too_unequal
    # Below 0.5 none of the heavy rows is cheap, below 0.7 twenty of them are.
    assert marked.tolist() == [True, False]


def test_a_row_without_a_score_is_never_cheap_and_counts_as_traffic():
    frame = small_frame(score=np.array([0.1, 0.25, 0.6, NAN]))
    result = curve(**frame, thresholds=GRID)
    assert result.cheap_share.tolist() == [0, 0.25, 0.5, 0.75, 0.75]
    # Weights 2, 2, 4 and 4; harm 0, 0, 0.5 and, never cheap, 1.
    assert result.degradation.tolist() == [0, 0, 0, 2 / 12, 2 / 12]


def test_rows_that_could_not_be_drawn_dilute_the_degradation():
    drawn = small_frame()
    half = {name: np.concatenate([values, values]) for name, values in drawn.items()}
    half["score"][4:] = NAN
    half["rated"][4:] = False
    marked = np.arange(8) < 4
    whole = curve(**drawn, thresholds=GRID)
    diluted = curve(**half, thresholds=GRID, drawable=marked)
    np.testing.assert_allclose(diluted.degradation, whole.degradation / 2)
    np.testing.assert_allclose(
        diluted.degradation_interval.high, whole.degradation_interval.high / 2
    )
    with pytest.raises(ValueError, match="same shape"):
        curve(**half, thresholds=GRID, drawable=[True])


def test_what_is_asked_first_is_paid_on_both_sides_but_at_threshold_0():
    frame = small_frame(
        cost_cheap=np.full(4, 2.0), cost_expensive=np.full(4, 7.0), cost_baseline=np.full(4, 5.0)
    )
    found = curve(**frame, thresholds=[0.0, 1.01])
    assert found.cost_usd.tolist() == pytest.approx([5.0, 2.0])
    assert found.baseline_cost_usd.tolist() == pytest.approx([5.0, 5.0])
    with pytest.raises(ValueError, match="cost_baseline must be"):
        curve(**frame | {"cost_baseline": [-1, 1, 1, 1]}, thresholds=[0.5])
