"""What a router keeps for how many calls: RouteLLM's figures, and where they are undefined."""

import numpy as np
import pytest

from reviews.stats import tradeoff

CALLS = [0, 0.25, 0.5, 0.75, 1]


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
