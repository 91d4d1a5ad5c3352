import numpy as np
import pytest

from reviews.stats import selection
from reviews.stats.rows import Rows

GRID = np.append(np.arange(1, 21) / 20, 1.01)


def frame(n=6000, pi=0.2, harm=lambda s: 0.1 * s, seed=0, top=2.0):
    """Return rows in hash order; harm depends on the score, nothing is drawn from `top` up."""
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    odds = np.where(score < top, pi, 0.0)
    rated = rng.random(n) < odds
    loss = (rng.random(n) < harm(score)) * 1.0
    return Rows(score, odds, rated, np.where(rated, loss, np.nan))


def certify(rows, thresholds=GRID, **settings):
    defaults = {"floor": 0.05, "delta": 0.05, "n_plan": len(rows.score), "order": "hash"}
    return selection.certify(rows, thresholds, **defaults | settings)


def test_largest_certified_threshold_lies_below_the_true_one():
    found = certify(frame(n=40_000, harm=lambda s: 0.2 * s))  # D(t) = .1 t^2, so .05 at .707
    assert 0.55 <= found.threshold <= 0.7
    assert found.found.degradation < 0.05
    assert found.found.degradation < found.found.degradation_high <= 0.05


def test_walk_stops_at_the_first_threshold_that_is_not_refuted():
    found = certify(frame())
    flags = [point.certified for point in found.grid]
    assert flags == sorted(flags, reverse=True)
    assert found.threshold == GRID[sum(flags) - 1]


def test_fixed_sequence_stops_for_good():
    assert selection.fixed_sequence(np.array([False, True])).tolist() == [False, False]


def test_thresholds_with_less_traffic_than_the_floor_are_safe_without_a_test():
    found = certify(frame(harm=lambda s: np.ones_like(s)), [0.02, 0.04, 0.1, 1.01])
    assert [p.threshold for p in found.grid if p.trivially_safe] == [0.02, 0.04]
    assert found.threshold == 0.04
    assert any("ratings certify none" in text for text in found.warnings)


def test_nothing_is_trivially_safe_in_a_stream_of_which_only_a_part_has_come():
    rows = frame(n=300, harm=lambda s: np.ones_like(s))
    assert certify(rows, [0.04, 1.01]).threshold == 0.04
    found = certify(rows, [0.04, 1.01], order="arrival")
    assert not any(point.trivially_safe for point in found.grid)
    assert found.threshold is None


def test_nothing_is_trivially_safe_where_rows_stand_for_requests_without_a_pair():
    rows = frame(n=300, harm=lambda s: np.ones_like(s))
    alone, sampled = (rows._replace(traffic=np.full(300, each)) for each in (1.0, 20.0))
    assert certify(alone, [0.04, 1.01]).threshold == 0.04
    assert certify(sampled, [0.04, 1.01]).threshold is None
    settings = {"floor": 0.05, "delta": 0.05}
    assert selection.sensitivity(alone, [0.04, 1.01], **settings)["order_free"] == 0.04
    assert selection.sensitivity(sampled, [0.04, 1.01], **settings)["order_free"] is None


def test_a_walk_starts_behind_trivially_safe_thresholds_however_bad_they_look():
    """All harm lies below .04: those rows are at most the floor, and the rest is harmless."""
    rows = frame(n=20_000, harm=lambda s: (s < 0.02) * 1.0)
    assert certify(rows, np.array([0.01, 0.03, 0.5, 1.01])).threshold == 1.01


def test_no_rated_pair_certifies_nothing():
    rows = frame()._replace(rated=np.zeros(6000, dtype=bool))
    found = certify(rows)
    assert found.threshold is None
    assert not found.certified
    assert found.found is None
    assert not any(point.certified for point in found.grid)
    assert found.warnings == ("No pair is rated: nothing can be certified.",)


def test_empty_frame_certifies_nothing():
    found = certify(Rows([], [], np.array([], dtype=bool), []), n_plan=10)
    assert found.threshold is None
    assert np.isnan(found.deff_weights)


@pytest.mark.parametrize(("n_rated", "certified"), [(59, False), (72, True)])
def test_zero_harm_certifies_through_bets_only_when_planned_for(n_rated, certified):
    n = n_rated * 10
    rows = Rows(np.zeros(n), np.full(n, 0.1), np.arange(n) % 10 == 0, np.zeros(n))
    found = certify(rows, [0.5])
    assert found.certified is certified


def test_it_says_when_even_zero_failures_could_not_certify():
    rows = frame(n=400, pi=0.1)
    hopeless = certify(rows, [0.5, 1.01])
    assert any("Even without a single loss" in text for text in hopeless.warnings)
    harmful = certify(frame(harm=lambda s: 0.5), [0.5, 1.01])
    assert harmful.threshold is None
    assert not any("Even without" in text for text in harmful.warnings)


def test_nothing_certified_says_so_and_falls_back_to_nothing():
    found = certify(frame(harm=lambda s: 0.5), [0.5, 1.01])
    assert found.threshold is None
    assert found.found is None
    assert "No threshold is certified: everything stays expensive." in found.warnings


def test_threshold_zero_routes_nothing_and_is_no_certificate():
    assert certify(frame(), [0.0]).threshold is None


def test_score_of_one_is_routed_by_the_sentinel_only():
    rows = Rows(np.ones(2000), np.full(2000, 0.5), np.arange(2000) % 2 == 0, np.zeros(2000))
    found = certify(rows, [1.0, 1.01])
    assert found.threshold == 1.01
    assert [point.cheap_share for point in found.grid] == [0.0, 1.0]


def test_every_pair_drawn_is_allowed_and_said():
    rows = frame(n=2000, pi=1.0, harm=lambda s: 0.02)
    found = certify(rows)
    assert found.threshold == 1.01
    assert any("Every pair was drawn" in text for text in found.warnings)


def test_due_pairs_without_a_rating_count_as_worse_and_are_named():
    rows = frame(harm=lambda s: 0.0)
    rows.loss[np.flatnonzero(rows.rated)[:300]] = np.nan
    found = certify(rows)
    assert found.n_unrated == 300
    assert found.n_rated + 300 == rows.rated.sum()
    assert found.n_events == 0
    assert found.threshold < 0.5
    assert any(text.startswith("300 drawn pairs") for text in found.warnings)


def test_thresholds_above_pairs_that_were_never_drawn_are_refused():
    with pytest.raises(ValueError, match="pi is 0"):
        certify(frame(top=0.8), [0.5, 0.9])
    assert certify(frame(top=0.8), [0.5, 0.8]).certified


def test_few_ratings_hide_the_estimate():
    found = certify(frame(n=200, pi=0.1), [0.03, 1.01])
    assert any("Fewer than 30 ratings" in text for text in found.warnings)


def test_unequal_weights_are_named_and_stay_valid():
    rng = np.random.default_rng(4)
    score = rng.random(6000)
    pi = np.where(score < 0.2, 0.02, 0.3)
    rated = rng.random(6000) < pi
    rows = Rows(score, pi, rated, (rng.random(6000) < 0.02) * 1.0)
    found = certify(rows)
    assert found.most_weight == pytest.approx(50)
    assert found.deff_weights > 1.2
    assert any("too unequal" in text for text in found.warnings)
    assert any("four times" in text for text in found.warnings)


def test_loss_outside_its_range_is_refused():
    rows = frame()
    rows.loss[np.flatnonzero(rows.rated)[0]] = -1.0
    with pytest.raises(ValueError, match="loss"):
        certify(rows)


def test_judge_is_named_and_changes_the_capital():
    rows = frame()
    judge = np.where(np.isnan(rows.loss), 0.0, rows.loss)
    helped = certify(rows._replace(judge=judge))
    assert helped.judge
    assert [p.log_k for p in helped.grid] != [p.log_k for p in certify(rows).grid]


@pytest.mark.parametrize("change", [{"floor": 0.03}, {"delta": 0.001}, {"n_plan": 60_000}])
def test_every_setting_changes_the_capital(change):
    plain, changed = certify(frame()), certify(frame(), **change)
    assert [p.log_k for p in plain.grid] != [p.log_k for p in changed.grid]


def test_same_rows_give_the_same_certificate():
    assert certify(frame()) == certify(frame())


def test_unknown_order_is_refused():
    with pytest.raises(ValueError, match="order"):
        certify(frame(), order="random")


# The second floor: adequacy among what is routed cheap.


def test_both_floors_must_hold():
    rows = frame(n=20_000, harm=lambda s: 0.01)
    adequate = np.where(np.random.default_rng(1).random(20_000) < 0.97, 1.0, 0.0)
    loose = certify(rows, adequacy_floor=0.9, adequate=adequate)
    strict = certify(rows, adequacy_floor=0.99, adequate=adequate)
    assert loose.threshold == 1.01
    assert strict.threshold is None
    assert certify(rows).threshold == 1.01
    assert loose.found.adequacy_low < 0.97 < loose.found.adequacy_high


def test_all_adequate_still_has_a_lower_bound():
    rows = frame(harm=lambda s: 0.0)
    found = certify(rows, adequacy_floor=0.9, adequate=np.ones(6000))
    assert found.found.adequacy == 1.0
    assert 0.9 < found.found.adequacy_low < 1.0


def test_adequacy_walk_starts_where_enough_ratings_were_planned():
    """Below, a handful of ratings can refute nothing and would stop the walk for ever."""
    rows = frame(n=20_000, pi=0.1, harm=lambda s: 0.0)
    grid = np.array([0.001, 0.5, 1.01])
    found = certify(rows, grid, adequacy_floor=0.9, adequate=np.ones(20_000))
    assert [point.certified for point in found.grid] == [False, True, True]


def test_no_threshold_with_enough_planned_ratings_is_said():
    rows = frame(n=300, pi=0.1, harm=lambda s: 0.0)
    found = certify(rows, adequacy_floor=0.95, adequate=np.ones(300))
    assert found.threshold is None
    assert any("Too few ratings are planned" in text for text in found.warnings)


def test_unspoken_adequacy_counts_as_not_adequate():
    rows = frame(harm=lambda s: 0.0)
    found = certify(rows, adequacy_floor=0.9, adequate=np.full(6000, np.nan))
    assert found.threshold is None


def test_adequacy_floor_without_answers_is_refused():
    with pytest.raises(ValueError, match="adequacy"):
        certify(frame(), adequacy_floor=0.9)


# Several tasks.


def tasked(harms, n=4000, pi=0.2):
    """Return rows of as many tasks as there are harm rates, and their codes."""
    n_all = n * len(harms)
    codes = np.arange(n_all) % len(harms)
    return frame(n=n_all, pi=pi, harm=lambda s: np.asarray(harms)[codes]), codes


def tasks(rows, codes, **settings):
    defaults = {"floor": 0.05, "delta": 0.05, "n_plan": len(rows.score), "order": "hash"}
    return selection.certify_tasks(rows, codes, GRID, **defaults | settings)


def test_each_task_has_its_own_threshold():
    found = tasks(*tasked([0.0, 0.3]))
    assert found[0].threshold == 1.01
    assert found[1].threshold < 0.3


def test_a_task_whose_grid_is_certified_hands_its_part_on():
    found = tasks(*tasked([0.0, 0.3, 0.3]))
    assert found[1].delta == pytest.approx(0.025)
    without = tasks(*tasked([0.3, 0.3, 0.3]))
    assert without[1].delta == pytest.approx(0.05 / 3)


def test_handed_over_capital_needs_to_be_less_large():
    rows, codes = tasked([0.0, 0.16], n=3000, pi=0.15)
    alone = tasks(*tasked([0.16, 0.16], n=3000, pi=0.15))
    assert alone[1].delta < tasks(rows, codes)[1].delta == pytest.approx(0.05)


def test_task_with_fewer_than_sixty_ratings_has_no_threshold():
    rows, codes = tasked([0.0, 0.0])
    few = np.where((codes == 1) & (np.arange(codes.size) > 200), 0, codes)
    found = tasks(rows, few)
    assert found[1].threshold is None
    assert found[1].warnings == ("Fewer than 60 ratings: no threshold of its own.",)
    assert found[0].delta == pytest.approx(0.05)


def test_one_code_per_row_is_required():
    rows, codes = tasked([0.0])
    with pytest.raises(ValueError, match="code"):
        tasks(rows, codes[1:])


# Beside the certificate.


def test_sensitivity_names_what_other_tests_certify():
    rows = frame(n=20_000, harm=lambda s: 0.1 * s)
    other = selection.sensitivity(rows, GRID, floor=0.05, delta=0.05)
    ours = certify(rows).threshold
    assert set(other) == {"order_free", "fixed_sample"}
    assert other["order_free"] <= ours <= other["fixed_sample"] + 0.051


def test_fixed_sample_test_is_absent_where_weights_differ():
    rows = frame()
    pi = np.where(rows.score < 0.5, 0.2, 0.4)
    assert set(selection.sensitivity(rows._replace(pi=pi), GRID, floor=0.05, delta=0.05)) == {
        "order_free"
    }
    traffic = np.where(rows.score < 0.5, 1.0, 2.0)
    uneven = selection.sensitivity(rows._replace(traffic=traffic), GRID, floor=0.05, delta=0.05)
    assert set(uneven) == {"order_free"}


def test_fixed_sample_test_reads_fractions_too():
    rows = frame(harm=lambda s: 0.02)
    halves = selection.sensitivity(rows._replace(loss=rows.loss / 2), GRID, floor=0.05, delta=0.05)
    assert halves["fixed_sample"] == 1.01


def test_other_tests_certify_nothing_without_ratings():
    rows = frame()._replace(rated=np.zeros(6000, dtype=bool))
    assert selection.sensitivity(rows, GRID, floor=0.05, delta=0.05) == {"order_free": None}


def test_hash_order_depends_on_seed_and_id_only():
    ids = [f"r{i}" for i in range(50)]
    order = selection.hash_order("seed", ids)
    assert sorted(order) == list(range(50))
    assert list(order) != list(range(50))
    turned = selection.hash_order("seed", ids[::-1])
    assert [ids[i] for i in order] == [ids[::-1][i] for i in turned]
    assert list(order) != list(selection.hash_order("other", ids))


def test_hash_order_is_not_the_order_of_the_draw():
    """The draw hashes seed and id without the word; rows that were drawn must not come first."""
    import hashlib

    ids = list(range(200))
    by_draw = sorted(ids, key=lambda i: hashlib.sha256(f"seed|{i}".encode()).digest())
    assert list(selection.hash_order("seed", ids)) != by_draw


def test_no_ids_have_an_empty_order():
    assert selection.hash_order("seed", []).tolist() == []
