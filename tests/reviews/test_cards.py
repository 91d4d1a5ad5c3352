"""A card's figures: known where they can be, None where they cannot, and one honest sentence."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from reviews import cardcharts, cards, fitting
from routing.routers.kinds import Examples
from routing.types import Score


def examples(cheap, expensive=None):
    cheap = np.asarray(cheap, float)
    expensive = np.ones(cheap.size) if expensive is None else np.asarray(expensive, float)
    queries = tuple(f"q{n}" for n in range(cheap.size))
    return Examples(queries, cheap, expensive, np.ones(cheap.size))


def fitted(score):
    score = np.asarray(score, float)
    return fitting.Fitted(b"", np.arange(score.size) % 5, score, "platt", score)


@pytest.fixture(scope="module")
def some():
    """Two hundred labels; the higher the score the likelier is the expensive model needed."""
    score = np.random.default_rng(3).uniform(size=200)
    return examples(np.random.default_rng(4).uniform(size=200) > score), fitted(score)


def test_figures_agree_with_scikit_learn(some):
    labelled, scored = some
    card = cards.measured(labelled, scored, seed=7)
    needed = labelled.needs_expensive
    assert card["auroc"]["value"] == pytest.approx(roc_auc_score(needed, scored.score))
    assert card["brier"]["value"] == pytest.approx(brier_score_loss(needed, scored.score))
    assert (card["n"], card["positives"]) == (200, int(needed.sum()))
    assert card == cards.measured(labelled, scored, seed=7)


def test_equal_questions_are_drawn_together_as_they_are_no_news_of_their_own(some):
    """Each label ten times over says nothing more: intervals stay as wide, figures as they are."""
    labelled, scored = some
    ten = fitting.take(labelled, np.tile(np.arange(200), 10))
    one, many = (
        cards.measured(rows, fitted(score), seed=7)
        for rows, score in ((labelled, scored.score), (ten, np.tile(scored.score, 10)))
    )
    for name in ("auroc", "brier", "apgr"):
        assert many[name]["value"] == pytest.approx(one[name]["value"])
        width = one[name]["high"] - one[name]["low"]
        assert many[name]["high"] - many[name]["low"] == pytest.approx(width, rel=0.25)


def test_the_last_point_of_a_learning_curve_is_of_bare_scores_like_the_others(some):
    labelled, scored = some
    served = scored._replace(score=np.full(200, 0.5))
    points = cards.learning(labelled, served, [fitting.Size(50, scored.bare)], seed=7)
    assert points[-1]["n"] == 160
    assert points[-1]["auroc"] == points[0]["auroc"]


def test_bins_hold_every_label_and_their_share_with_an_interval(some):
    labelled, scored = some
    bins = cards.measured(labelled, scored, seed=7)["reliability"]
    assert sum(bin["n"] for bin in bins) == 200
    assert sum(bin["n"] * bin["loss"] for bin in bins) == pytest.approx(
        labelled.needs_expensive.sum()
    )
    assert all(0 <= bin["low"] <= bin["loss"] <= bin["high"] <= 1 for bin in bins)
    assert [bin["score"] for bin in bins] == sorted(bin["score"] for bin in bins)


def test_the_curve_runs_from_all_cheap_to_all_expensive_below_the_oracle(some):
    labelled, scored = some
    curve = cards.measured(labelled, scored, seed=7)["curve"]
    assert (curve[0]["calls"], curve[0]["router"], curve[0]["oracle"]) == (0, 0, 0)
    assert (curve[-1]["router"], curve[-1]["oracle"]) == pytest.approx((1, 1))
    assert all(point["router"] <= point["oracle"] + 1e-9 for point in curve)
    assert all(point["random"] == point["calls"] for point in curve)


def test_models_that_do_as_well_leave_nothing_to_share_out(some):
    _, scored = some
    even = np.arange(200) % 2
    card = cards.measured(examples(even, 1 - even), scored, seed=7)
    unknown = ("apgr", "cpt50", "cpt80", "oracle_apgr", "random_apgr")
    assert [card[name] for name in unknown] == [None] * 5
    assert card["curve"] == []
    assert card["auroc"] is not None


def test_one_class_has_no_ranking():
    card = cards.measured(examples(np.ones(60)), fitted(np.linspace(0, 1, 60)), seed=7)
    assert (card["auroc"], card["skill"], card["apgr"]) == (None, None, None)
    assert cards.sentence(card).startswith("Nothing was measured")


def test_the_learning_curve_ends_with_all_labels(some):
    labelled, scored = some
    noise = np.random.default_rng(5).uniform(size=200)
    points = cards.learning(labelled, scored, [fitting.Size(50, noise)], seed=7)
    assert [point["n"] for point in points] == [50, 160]
    assert points[0]["apgr"] < points[1]["apgr"]
    assert points[1]["low"] < points[1]["apgr"] < points[1]["high"]


def test_the_most_wrong_come_first():
    found = cards.wrong(examples([1, 0, 1, 0]), np.array([0.9, 0.3, 0.1, 0.8]), list("abcd"))
    assert [one["request_id"] for one in found] == list("abdc")
    assert found[0] == {"request_id": "a", "score": 0.9, "label": 0.0}


def test_times_are_measured_and_none_without_a_question():
    class Router:
        is_instant = True

        def score(self, query):
            assert query.strip() == "why"
            return Score(0.5)

    found = cards.latency(Router(), ["why"] * 20)
    assert 0 < found["p50_ms"] <= found["p99_ms"]
    assert found["n_timed"] == 20
    assert cards.latency(Router(), [])["p50_ms"] is None


def test_what_ranks_worse_than_chance_says_so():
    bad = {"n": 90, "auroc": {"value": 0.4, "low": 0.3, "high": 0.45}}
    assert cards.sentence(bad) == "Ranks worse than chance: AUROC .40 (.30–.45) on 90 labels."
    assert cards.sentence({"n": 320, "labels": "proxy"}).startswith("Nothing was measured")


def test_figures_are_drawn_where_there_are_numbers(some):
    labelled, scored = some
    card = cards.measured(labelled, scored, seed=7)
    points = cards.learning(labelled, scored, [fitting.Size(50, scored.score)], seed=7)
    drawn = cardcharts.figures({**card, "learning": points})
    assert set(drawn) == {"reliability", "tradeoff", "learning"}
    assert [line.name for line in drawn["tradeoff"]["key"]] == [
        "at random", "knows both answers", "this router",
    ]  # fmt: skip
    assert drawn["learning"]["layout"]["yaxis"]["title"]["text"] == "APGR"
    assert cardcharts.figures({}) == {}
    unknown = [{**point, "apgr": None} for point in points]
    ranks = cardcharts.figures({"learning": unknown})["learning"]
    assert ranks["layout"]["yaxis"]["title"]["text"] == "AUROC"
    assert cardcharts.figures({"learning": points[:1]}) == {}
