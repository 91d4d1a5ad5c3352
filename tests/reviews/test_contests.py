"""A challenger and the live router at equal cost; the study of one click."""

import numpy as np
import pytest

from reviews import contests, sampling
from reviews.errors import Conflict, NotAllowed
from reviews.models import Rater, Study, Verdict
from routing import policy
from tests.reviews.challenged import challenger, people, say, version
from tests.reviews.rows import add_pairs

pytestmark = pytest.mark.django_db
N = 60


@pytest.fixture
def pairs(project):
    return add_pairs(project, [place * 7 % N / N for place in range(N)])


@pytest.fixture
def row(project, pairs):
    """A challenger whose scores are right where those of the live router are upside down."""
    router = version(project=project)
    say(router, pairs, lambda own: 1 - own)
    return challenger(project, router)


def rate(study):
    """Let CHEAP harm where the live router's score is low."""
    ann, _ = Rater.objects.get_or_create(kind=Rater.Kind.HUMAN, name="ann")
    for draw in study.sample.filter(selected=True).select_related("pair"):
        said = "expensive" if draw.pair.score < 0.5 else "tie"
        Verdict.objects.create(study=study, pair=draw.pair, rater=ann, preference=said)


def test_at_equal_cost_the_better_router_is_found_on_the_live_routers_ratings(project, row):
    rate(sampling.start(policy.live(project), name="Live", seed="7", rate=1.0))
    found = contests.compare(row, policy.live(project))
    assert (found.study.name, found.n_frame, found.is_live) == ("Live", N, False)
    assert found.anchor.cost_usd == pytest.approx(0.03)
    assert (found.anchor.share, found.anchor.live_share) == pytest.approx((0.5, 0.5))
    assert (found.anchor.gap.one, found.anchor.gap.other) == pytest.approx((0.0, 0.5), abs=0.02)
    assert found.is_better
    costs = [one.cost_usd for one in found.levels]
    assert costs == pytest.approx(list(np.linspace(0.01, 0.05, 21)))
    assert found.levels[0].gap.gain == found.levels[-1].gap.gain == 0.0  # all cheap, all expensive


def test_the_live_policys_own_thresholds_set_the_cost(unsigned, project, row):
    rate(sampling.start(policy.live(project), name="Live", seed="7", rate=1.0))
    wanted = policy.with_threshold(policy.live(project), 0.25, "t")
    policy.deploy(wanted, by=None, reason="t")
    found = contests.compare(row, policy.live(project))
    assert found.is_live
    assert found.anchor.live_share == pytest.approx(0.25)
    assert found.anchor.share == pytest.approx(0.25)
    assert found.anchor.gap.other == pytest.approx(0.25)


def test_a_study_of_the_challenger_comes_first(project, row):
    lena, _ = people()
    rate(sampling.start(policy.live(project), name="Live", seed="7", rate=1.0))
    own = contests.study(row, lena)
    rate(own)
    found = contests.compare(row, policy.live(project))
    assert found.study == own
    assert found.is_better


def test_too_few_ratings_compare_nothing(project, row):
    assert contests.compare(row, policy.live(project)) is None
    assert contests.compare(row, None) is None


def test_pairs_of_which_the_loss_is_not_known_are_no_ratings(project, row):
    study = sampling.start(policy.live(project), name="Live", seed="7", rate=1.0)
    ann, _ = Rater.objects.get_or_create(kind=Rater.Kind.HUMAN, name="ann")
    for place, draw in enumerate(study.sample.filter(selected=True)):
        said = {"preference": "tie"} if place < contests.FEWEST - 1 else {"cheap_adequate": True}
        Verdict.objects.create(study=study, pair=draw.pair, rater=ann, **said)
    assert contests.compare(row, policy.live(project)) is None


def test_one_click_starts_the_study_with_the_plan_of_what_is_live(project, row):
    lena, emil = people()
    sampling.start(policy.live(project), name="Live", seed="7", rate=0.5, floor=0.11,
                   largest_threshold=0.4, train_rate=0.1)  # fmt: skip
    with pytest.raises(NotAllowed):
        contests.study(row, emil)
    study = contests.study(row, lena)
    assert (study.router, study.is_challenge) == (row.router, True)
    assert (study.rate, study.floor, study.train_rate) == (0.5, 0.11, 0.1)
    assert study.largest_threshold == 1.01
    with pytest.raises(Conflict):
        contests.study(row, lena)


def test_without_any_study_the_usual_plan_is_taken(project, row):
    assert contests.plan(row).rate == 0.15


def test_the_page_compares_and_studies(as_role, project, row):
    client, here = as_role("lead"), f"/routers/challengers/{row.pk}/compare/"
    text = client.get(here).content.decode()
    assert "Nothing to compare yet" in text
    assert "Study it</button>" in text
    rate(sampling.start(policy.live(project), name="Live", seed="7", rate=1.0))
    text = client.get(here).content.decode()
    assert "$30.00 per 1,000 requests" in text
    assert "The challenger is better." in text
    assert 'id="gain"' in text
    there = client.post(f"/routers/challengers/{row.pk}/study/").url
    assert there == f"/studies/{Study.objects.get(is_challenge=True).pk}/"
    assert "Compare at equal cost" in client.get("/routers/challengers/").content.decode()
