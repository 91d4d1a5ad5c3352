"""From rows to the curve, on five pairs that can be followed by hand."""

from decimal import Decimal

import pytest

from reviews import estimation, sampling
from reviews.models import Rater, Verdict
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db

#: Pairs 0 to 3 have a score and are the frame; the router gave pair 4 none.
SCORES = (0.1, 0.3, 0.6, 0.9, None)


@pytest.fixture
def study(project, starter):
    for score in SCORES:
        add_pair(project, score, cheap_usd="0.01", expensive_usd="0.05")
    return sampling.start(project, starter, name="s", seed="7", rate=1.0)


def rater(name, kind=Rater.Kind.HUMAN):
    return Rater.objects.create(kind=kind, name=name)


def say(study, who, nth, preference="", cheap_adequate=None):
    pair_id = study.sample.order_by("pair_id").values_list("pair_id", flat=True)[nth]
    Verdict.objects.create(
        study=study, pair_id=pair_id, rater=who,
        preference=preference, cheap_adequate=cheap_adequate,
    )  # fmt: skip


def at(study, threshold, kind=""):
    return estimation.point_at(estimation.estimate(study, kind), threshold)


def test_figures_by_hand(study):
    ann = rater("ann")
    say(study, ann, 0, "cheap", True)
    say(study, ann, 1, "expensive", False)
    say(study, ann, 2, "tie", True)
    say(study, ann, 3, "expensive", False)
    # At 0.5 pairs 0 and 1 are cheap: half the frame, one of two adequate, one of four harmed.
    half = at(study, 0.5)
    assert (half["cheap_share"], half["adequacy"], half["degradation"]) == (0.5, 0.5, 0.25)
    assert (half["n_adequacy"], half["n_harm"], half["events"]) == (2, 4, 1)
    # Two calls at 0.01 and two at 0.05, against four at 0.05.
    assert half["cost_usd"] == pytest.approx(0.03)
    assert half["baseline_cost_usd"] == pytest.approx(0.05)
    assert half["saving_share"] == pytest.approx(0.4)
    assert half["degradation_low"] < 0.25 < half["degradation_high"]
    everything = at(study, estimation.ALWAYS_CHEAP)
    assert (everything["cheap_share"], everything["degradation"]) == (1.0, 0.5)
    assert everything["saving_share"] == pytest.approx(0.8)


def test_nothing_cheap_breaks_nothing_and_its_adequacy_is_unknown(study):
    say(study, rater("ann"), 0, "expensive", False)
    none = at(study, 0.0)
    assert (none["cheap_count"], none["degradation"], none["saving_share"]) == (0, 0.0, 0.0)
    assert none["adequacy"] is None


def test_a_pair_without_a_score_is_counted_and_left_out(study):
    result = estimation.estimate(study)
    assert (result.n_frame, result.n_without_score, result.n_selected) == (4, 1, 4)


def test_without_ratings_shares_and_costs_are_known_and_quality_is_not(study):
    half = at(study, 0.5)
    assert estimation.estimate(study).n_rated == 0
    assert (half["cheap_share"], half["adequacy"], half["degradation"]) == (0.5, None, None)
    assert half["saving_share"] == pytest.approx(0.4)


def test_several_raters_on_a_pair_count_as_their_mean_and_a_correction_replaces(study):
    ann, bob = rater("ann"), rater("bob")
    say(study, ann, 0, "expensive", False)
    say(study, bob, 0, "cheap", True)
    assert (at(study, 0.5)["degradation"], at(study, 0.5)["adequacy"]) == (0.5, 0.5)
    assert estimation.estimate(study).n_rated == 1
    say(study, ann, 0, "tie", True)
    assert (at(study, 0.5)["degradation"], at(study, 0.5)["adequacy"]) == (0.0, 1.0)


def test_kinds_of_raters_are_never_mixed_and_people_come_first(study):
    key = rater("key", Rater.Kind.ANSWER_KEY)
    for nth in range(3):
        say(study, key, nth, cheap_adequate=False)
    assert estimation.estimate(study).kind == "answer_key"
    say(study, rater("ann"), 0, "cheap", True)
    result = estimation.estimate(study)
    assert (result.kind, result.n_rated) == ("human", 1)
    assert result.kinds == {"answer_key": 3, "human": 1}
    assert (at(study, 0.5)["adequacy"], at(study, 0.5, "answer_key")["adequacy"]) == (1.0, 0.0)
    assert at(study, 0.5, "answer_key")["degradation"] is None


def test_costs_survive_the_way_through_the_database(study):
    pair = study.sample.first().pair
    assert (pair.cheap.cost_usd, pair.expensive.cost_usd) == (Decimal("0.01"), Decimal("0.05"))


def test_a_pair_stands_for_the_requests_that_its_shadow_rate_left_out(project, starter):
    # One pair in four of the second kind was made, so it counts as four requests.
    add_pair(project, 0.1, cheap_usd="0.01", expensive_usd="0.05")
    add_pair(project, 0.9, cheap_usd="0.01", expensive_usd="0.09", shadow_rate=0.25)
    study = sampling.start(project, starter, name="s", seed="7", rate=1.0)
    ann = rater("ann")
    say(study, ann, 0, "expensive", False)
    say(study, ann, 1, "cheap", True)
    half = at(study, 0.5)
    assert (half["cheap_share"], half["degradation"]) == (pytest.approx(0.2), pytest.approx(0.2))
    assert half["baseline_cost_usd"] == pytest.approx((0.05 + 4 * 0.09) / 5)
    assert half["cost_usd"] == pytest.approx((0.01 + 4 * 0.09) / 5)
    assert half["weights_too_unequal"]
    assert not at(study, 0.5, "answer_key")["weights_too_unequal"]
