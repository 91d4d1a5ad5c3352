"""What a router keeps for how many calls: RouteLLM's figures, and where they are undefined."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviews.stats import tradeoff

CALLS = [0, 0.25, 0.5, 0.75, 1]


def of_counts(only_expensive, only_cheap, both, neither):
    """Return quality of cheap and expensive answers, pair by pair."""
    cheap = np.repeat([0.0, 1.0, 1.0, 0.0], [only_expensive, only_cheap, both, neither])
    expensive = np.repeat([1.0, 0.0, 1.0, 0.0], [only_expensive, only_cheap, both, neither])
    return cheap, expensive


def measure(score, cheap, expensive, weight=None, **kwargs):
    weight = np.ones(len(score)) if weight is None else weight
    rng = np.random.default_rng(kwargs.pop("seed", 0))
    kwargs.setdefault("resamples", 20)
    return tradeoff.measured(score, cheap, expensive, weight, rng, **kwargs)


def test_the_figures_of_routellm():
    # RouteLLM, evaluate.py: gap recovered, its area, calls for 20, 50 and 80 %.
    found = tradeoff.tradeoff(CALLS, [0.60, 0.72, 0.78, 0.80, 0.80])
    assert found.mean_kept == pytest.approx(0.75)
    assert [100 * c for c in found.calls.values()] == pytest.approx(
        [8.3333, 20.8333, 41.6667], abs=1e-4
    )
    assert found.kept.tolist() == pytest.approx([0, 0.6, 0.9, 1, 1])


def test_quality_that_falls_keeps_what_was_reached():
    found = tradeoff.tradeoff(CALLS, [0.5, 0.9, 0.6, 0.7, 0.8], goals=(1.0,))
    # Interpolating quality as if it rose would say that all calls are needed.
    assert found.calls[1.0] == pytest.approx(0.25 * 0.3 / 0.4)


def test_models_that_cannot_be_told_apart_give_no_figures():
    alike = tradeoff.tradeoff(CALLS, [0.60, 0.62, 0.63, 0.64, 0.65], gap_error=0.03)
    assert np.isnan(alike.kept).all()
    assert np.isnan([alike.mean_kept, *alike.calls.values()]).all()
    worse = tradeoff.tradeoff(CALLS, [0.8, 0.7, 0.7, 0.7, 0.6])
    assert np.isnan(worse.mean_kept)
    assert not np.isnan(
        tradeoff.tradeoff(CALLS, [0.60, 0.62, 0.63, 0.64, 0.65], gap_error=0.02).mean_kept
    )


def test_a_goal_beyond_the_gap_is_never_reached():
    found = tradeoff.tradeoff([0, 1], [0.5, 0.8], goals=(0.0, 1.5))
    assert found.calls[0.0] == 0
    assert np.isnan(found.calls[1.5])


def test_a_router_that_knows_the_answers_calls_where_it_gains_most():
    lines = tradeoff.lines([0, 0.25, 0.5, 1], [1, 0, 0, 1], [1, 1, 1, 0], [1, 1, 1, 1])
    assert lines.weak.tolist() == [0.5] * 4
    assert lines.random.tolist() == [0.5, 0.5625, 0.625, 0.75]
    assert lines.oracle.tolist() == [0.5, 0.75, 1.0, 0.75]


def test_the_oracle_counts_weights():
    lines = tradeoff.lines([0.75], [0, 1], [1, 1], [3, 1])
    assert lines.oracle.tolist() == [1.0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tradeoff.tradeoff([0, 1], [0.5]), "same shape"),
        (lambda: tradeoff.tradeoff([0, 0.5], [0.5, 0.6]), "from 0 to 1"),
        (lambda: tradeoff.tradeoff([0, 1], [0.5, np.nan]), "finite"),
        (lambda: tradeoff.lines([0], [], [], []), "n above 0"),
        (lambda: tradeoff.lines([0], [1], [1], [0]), "above 0"),
    ],
)
def test_impossible_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    ("counts", "apgr", "cpt"),
    [
        # RouteLLM's own answers of Mixtral 8x7B and GPT-4, counted, without its contaminated rows.
        ((2496, 742, 8816, 1983), 1.296, {0.5: 0.0625, 0.8: 0.1000}),
        ((382, 94, 739, 92), 1.133, {0.5: 0.1102, 0.8: 0.1763}),
    ],
)
def test_an_oracle_on_routellms_data(counts, apgr, cpt):
    cheap, expensive = of_counts(*counts)
    found = measure(expensive - cheap, cheap, expensive)
    assert found.oracle_apgr == pytest.approx(apgr, abs=0.001)
    assert found.n == sum(counts)
    for goal, calls in cpt.items():
        assert found.cpt[goal].value == pytest.approx(calls, abs=0.0003)


def test_one_score_for_all_is_a_coin():
    cheap, expensive = of_counts(382, 94, 739, 92)
    found = measure(np.full(cheap.size, 0.3), cheap, expensive)
    assert found.apgr.value == pytest.approx(0.5)
    assert [c.value for c in found.cpt.values()] == pytest.approx([0.2, 0.5, 0.8])


def test_every_cut_counts_by_hand():
    # Gains by falling score: 1, 0, 1, 0, 0; kept 0, .5, .5, 1, 1, 1.
    cheap, expensive = np.tile([0, 1, 0, 1, 0], 20), np.tile([1, 1, 1, 1, 0], 20)
    found = measure(np.tile([0.9, 0.7, 0.5, 0.3, 0.1], 20), cheap, expensive)
    assert found.curve.calls.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert found.curve.kept.tolist() == pytest.approx([0, 0.5, 0.5, 1, 1, 1])
    assert found.apgr.value == pytest.approx(0.2 * (0.25 + 0.5 + 0.75 + 1 + 1))
    assert found.cpt[0.8].value == pytest.approx(0.4 + 0.2 * 0.6)


def test_a_weight_of_two_is_the_pair_twice():
    rng = np.random.default_rng(3)
    score, cheap = rng.random(200), rng.integers(0, 2, 200)
    expensive = np.maximum(cheap, rng.integers(0, 2, 200))
    weight = rng.integers(1, 3, 200)
    weighted = measure(score, cheap, expensive, weight)
    repeated = measure(*(np.repeat(v, weight) for v in (score, cheap, expensive)))
    assert weighted.apgr.value == pytest.approx(repeated.apgr.value)
    assert weighted.oracle_apgr == pytest.approx(repeated.oracle_apgr)
    assert weighted.cpt[0.5].value == pytest.approx(repeated.cpt[0.5].value)


def test_quality_that_falls_is_no_later_crossing():
    # All is gained by the first fifth of the calls, then lost, then gained again.
    gain = np.repeat([1, -1, 0, 1, 0], 40)
    found = measure(np.repeat([0.9, 0.7, 0.5, 0.3, 0.1], 40), 1 - gain.clip(0), 1 - (-gain).clip(0))
    assert found.cpt[0.8].value == pytest.approx(0.2 * 0.8)


def test_no_sure_gap_no_figures():
    cheap, expensive = of_counts(30, 25, 100, 10)
    found = measure(np.linspace(0, 1, cheap.size), cheap, expensive)
    values = [found.apgr, *found.cpt.values(), found.random.apgr, *found.random.cpt.values()]
    assert np.isnan([e.value for e in values] + [e.interval.low for e in values]).all()
    assert np.isnan(found.oracle_apgr)
    assert np.isnan(found.curve.kept).all()
    worse = measure(np.linspace(0, 1, cheap.size), expensive, cheap * 0)
    assert np.isnan(worse.apgr.value)


def test_the_interval_is_wide_as_the_sample_is_small_and_the_level_high():
    cheap, expensive = of_counts(60, 10, 100, 30)
    score = np.random.default_rng(1).random(cheap.size)

    def width(times, **kwargs):
        many = [np.tile(v, times) for v in (score, cheap, expensive)]
        found = measure(*many, resamples=400, **kwargs).apgr.interval
        return found.high - found.low

    assert width(4) == pytest.approx(width(1) / 2, rel=0.3)
    assert width(1, level=0.5) < width(1, level=0.95)


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say():
    inside, rng = 0, np.random.default_rng(11)
    population = rng.random(200_000)
    needs = rng.random(population.size) < population**2
    truth = measure(population, 1 - needs, np.ones(needs.size), resamples=1).apgr.value
    for seed in range(200):
        drawn = rng.integers(population.size, size=300)
        found = measure(
            population[drawn], 1 - needs[drawn], np.ones(300), seed=seed, resamples=200, level=0.9
        ).apgr.interval
        inside += found.low <= truth <= found.high
    assert 0.83 <= inside / 200 <= 0.96


def test_what_luck_gives_is_around_a_half():
    cheap, expensive = of_counts(382, 94, 739, 92)
    found = measure(expensive - cheap, cheap, expensive, resamples=200).random
    assert found.apgr.value == 0.5
    assert 0.45 < found.apgr.interval.low < 0.5 < found.apgr.interval.high < 0.55
    assert found.cpt[0.8].interval.low < 0.8 < found.cpt[0.8].interval.high


def test_the_same_seed_gives_the_same_figures():
    cheap, expensive = of_counts(60, 10, 100, 30)
    score = np.linspace(0, 1, cheap.size)
    one, two, other = (measure(score, cheap, expensive, seed=seed) for seed in (4, 4, 5))
    assert one.apgr == two.apgr
    assert one.random == two.random
    assert one.apgr.interval != other.apgr.interval


def test_strata_are_drawn_apart():
    # Within a stratum all pairs are alike, so that drawing apart never changes a thing.
    cheap, expensive = of_counts(50, 0, 50, 0)
    found = measure(expensive - cheap, cheap, expensive, stratum=np.repeat([0, 1], 50))
    assert np.isnan(found.apgr.interval.low)
    assert not np.isnan(measure(expensive - cheap, cheap, expensive).apgr.interval.low)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_no_router_beats_the_oracle_and_order_is_all_that_counts(data):
    n = data.draw(st.integers(20, 60))
    quality = st.lists(st.floats(0, 1, width=16), min_size=n, max_size=n)
    cheap = np.array(data.draw(quality))
    expensive = np.maximum(cheap, np.array(data.draw(quality)))
    score = np.array(data.draw(st.lists(st.integers(-5, 5), min_size=n, max_size=n)), float)
    found = measure(score, cheap, expensive, resamples=2)
    if np.isnan(found.apgr.value):
        return
    assert found.apgr.value <= found.oracle_apgr + 1e-9
    moved = measure(np.arctan(score) / 4 + 0.5, cheap, expensive, resamples=2)
    assert moved.apgr.value == pytest.approx(found.apgr.value)
    again = np.random.default_rng(n).permutation(n)
    shuffled = measure(score[again], cheap[again], expensive[again], resamples=2)
    assert shuffled.apgr.value == pytest.approx(found.apgr.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (([0.5], [1], [1, 1], [1]), "same shape"),
        (([], [], [], []), "n > 0"),
        (([np.nan], [1], [1], [1]), "finite"),
        (([0.5], [1], [np.inf], [1]), "finite"),
        (([0.5], [1], [1], [0]), "above 0"),
    ],
)
def test_pairs_that_cannot_be_measured_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        measure(values[0], *values[1:])
