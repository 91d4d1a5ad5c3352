"""Draws: fixed by the seed, with the probability they were made with, never both purposes."""

from collections import Counter

import pytest

from reviews import sampling
from reviews.models import SampledPair, Slot, Study
from reviews.plan import Plan
from routing import policy
from tests.reviews.rows import add_pair, add_pairs

pytestmark = pytest.mark.django_db


@pytest.fixture
def pairs(project):
    return add_pairs(project, [*(n / 60 for n in range(60)), None])


def start(project, **plan):
    plan = {"rate": 0.5, "seed": "7"} | plan
    return sampling.start(policy.live(project), name="s", **plan)


def test_the_same_seed_draws_the_same_pairs(project, pairs):
    drawn = [
        list(start(project).sample.filter(selected=True).values_list("pair_id", flat=True))
        for _ in range(2)
    ]
    other = start(project, seed="8").sample.filter(selected=True)
    assert drawn[0] == drawn[1] != list(other.values_list("pair_id", flat=True))


def test_pairs_train_or_calibrate_and_each_has_the_probability_of_calibration(project, pairs):
    study = start(project, rate=0.3, train_rate=0.4)
    rows = list(study.sample.all())
    for row in rows:
        trains = row.inclusion_probability <= row.u < row.inclusion_probability + 0.4
        assert (row.purpose == "train") == (row.selected and trains)
        assert row.selected == (row.inclusion_probability > 0 and row.u < 0.7)
    assert {row.inclusion_probability for row in rows} == {0.0, 0.3}
    counts = Counter(row.purpose for row in rows if row.selected)
    assert min(counts.values()) > 5
    orders = study.slots.filter(ordinal=1).values_list("order", flat=True)
    assert 0 <= min(orders) < max(orders) < 1


def test_nothing_at_or_above_the_largest_threshold_is_drawn(project, pairs):
    study = start(project, rate=1.0, largest_threshold=0.5)
    drawn = study.sample.filter(selected=True).values_list("pair__score", flat=True)
    assert sorted(drawn) == [n / 60 for n in range(30)]


def test_a_tilt_rises_by_score_band_to_its_ratio(project, pairs):
    study = start(project, rate=0.2, tilt=3.0)
    bands = {row.stratum: row.inclusion_probability for row in study.sample.all()}
    assert bands.pop("math/none") == 0
    assert [round(bands[f"math/{band}"], 9) for band in range(5)] == [0.2, 0.3, 0.4, 0.5, 0.6]


@pytest.mark.parametrize(("tilt", "warns"), [(1.0, False), (3.0, False), (3.1, True)])
def test_a_tilt_beyond_what_costs_nothing_is_warned_of(tilt, warns):
    assert bool(sampling.warning(tilt)) is warns


@pytest.mark.parametrize(("per_pair", "share"), [(1, 0), (2, 0), (1, 1), (3, 1)])
def test_every_pair_gets_the_slots_that_were_planned(project, pairs, per_pair, share):
    study = start(project, rate=1.0, ratings_per_pair=per_pair, second_share=share)
    counted = Counter(study.slots.values_list("pair_id", flat=True))
    assert (set(counted.values()), len(counted)) == ({per_pair + share}, 60)


def test_about_a_seventh_is_rated_twice_unless_said_otherwise(project, pairs):
    study = start(project, rate=1.0)
    assert 3 <= study.slots.filter(ordinal=2).count() <= 17


def test_nothing_is_redrawn(project, pairs):
    study = start(project)
    before = list(SampledPair.objects.values_list("pk", "selected"))
    slots = Slot.objects.count()
    add_pair(project, 0.1)
    sampling.extend(study)
    sampling.extend(study)
    assert list(SampledPair.objects.values_list("pk", "selected"))[: len(before)] == before
    assert (SampledPair.objects.count(), Slot.objects.count() - slots <= 2) == (
        len(before) + 1,
        True,
    )


SCORES = [0.05, 0.15, 0.35, 0.55, 0.75, 0.95, None]


@pytest.fixture
def live(project):
    add_pairs(project, SCORES)
    return policy.live(project)


def test_the_preview_is_the_sum_of_the_probabilities_and_writes_nothing(live):
    for plan in (
        Plan("s", rate=0.5, second_share=0.5),
        Plan("s", rate=0.2, tilt=3, train_rate=0.3, ratings_per_pair=2),
        Plan("s", rate=1, largest_threshold=0.5),
    ):
        shown = sampling.preview(live, plan)
        assert not Study.objects.exists()
        study = sampling.start(live, seed="7", **plan.as_fields())
        rows = SampledPair.objects.filter(study=study)
        chances = [row.inclusion_probability for row in rows]
        drawn = sum(chances) + plan.train_rate * sum(chance > 0 for chance in chances)
        assert shown == (7, round(drawn), round(drawn * plan.ratings))
        study.delete()


def test_strata_count_what_was_expected_and_what_came(live):
    plan = Plan("s", rate=0.3, train_rate=0.7)
    study = sampling.start(live, seed="7", **plan.as_fields())
    strata = sampling.strata(study)
    assert [row.name for row in strata] == [
        "math/0", "math/1", "math/2", "math/3", "math/4", "math/none",
    ]  # fmt: skip
    lowest, none = strata[0], strata[-1]
    assert (lowest.pairs, lowest.probability) == (2, pytest.approx(0.3))
    assert (lowest.expected, lowest.expected_train) == pytest.approx((0.6, 1.4))
    assert all(row.calibrate + row.train == row.pairs for row in strata[:-1])
    assert (none.pairs, none.expected, none.calibrate, none.train) == (1, 0, 0, 0)
