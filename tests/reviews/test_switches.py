"""Which requests switch, and how they fare: rows followed by hand, and who sees which pair."""

import pytest

from reviews import estimation, sampling, switches
from reviews.choice import Thresholds
from reviews.models import Rater, Verdict
from reviews.switches import FARES
from routing import policy
from tests.reviews.rated import form, lead, rate_all, rater
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db
PLAN = {"second_share": 0, "check_every": 0, "origin_every": 0}
SAYS = {
    0: (("expensive",), {"strength": "much"}),
    1: (("expensive",), {}),
    2: (("tie",), {}),
    3: (("cheap",), {}),
    4: (("cheap",), {"strength": "much"}),
    5: (("both_bad",), {}),
}


@pytest.fixture
def pairs(project):
    """Six pairs of math below 0.6 and one of code at 0.9."""
    made = [add_pair(project, n / 10) for n in range(6)]
    return [*made, add_pair(project, 0.9, task="code")]


@pytest.fixture
def study(project, pairs):
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0, **PLAN)
    place = {pair.pk: n for n, pair in enumerate(pairs)}
    rate_all(study, rater("ann"), lambda pk: SAYS.get(place[pk], (("tie",), {})))
    return study


def find(study, before, after):
    return switches.find(study, estimation.estimate(study), before, after)


def fares(found):
    return [FARES[place] for place in found.fare[found.is_switching]]


def test_each_request_fares_as_raters_said(study):
    found = find(study, Thresholds(0.0), Thresholds(0.6))
    assert fares(found) == [
        "much worse", "slightly worse", "same", "slightly better", "much better", "both bad",
    ]  # fmt: skip


def test_the_other_way_what_was_worse_is_better(study):
    found = find(study, Thresholds(0.6), Thresholds(0.0))
    assert fares(found)[:2] == ["much better", "slightly better"]
    assert not found.to_cheap[found.is_switching].any()


def test_a_threshold_of_a_task_type_moves_its_requests_alone(study):
    found = find(study, Thresholds(0.0), Thresholds(0.0, {"code": 1.0}))
    line = switches.lines(found)[0]
    assert (int(found.is_switching.sum()), line.n_pairs, round(line.share, 4)) == (1, 1, 0.1429)


def test_lines_count_every_pair_and_each_task_type(study):
    found = find(study, Thresholds(0.2), Thresholds(1.0, {"math": 0.1}))
    told = [
        (line.task, line.to_cheap, line.n_pairs, line.n_rated) for line in switches.lines(found)
    ]
    assert told == [
        ("", True, 1, 1),
        ("code", True, 1, 1),
        ("", False, 1, 1),
        ("math", False, 1, 1),
    ]


def test_shares_have_their_interval_and_their_count(study):
    line = switches.lines(find(study, Thresholds(0.0), Thresholds(0.6)))[0]
    worse = line.groups["worse"]
    assert (worse.n, round(worse.share, 4)) == (2, 0.3333)
    assert 0 < worse.low < worse.share < worse.high < 1
    assert sum(group.n for group in line.groups.values()) == line.n_rated == 6
    assert sum(line.fares.values()) == 6


def test_where_nothing_is_rated_no_share_is_named(project, pairs):
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0, **PLAN)
    line = switches.lines(find(study, Thresholds(0.0), Thresholds(0.6)))[0]
    assert (line.n_pairs, line.n_rated, line.groups["worse"].share) == (6, 0, None)


def test_nothing_switches_between_equal_thresholds(study):
    found = find(study, Thresholds(0.5), Thresholds(0.5))
    assert (switches.lines(found), int(found.is_switching.sum())) == ([], 0)


def test_of_a_rater_the_newest_word_counts_and_raters_are_averaged(study, pairs):
    bob, ann = rater("bob"), Rater.objects.get(name="ann")
    for who, said in ((ann, "cheap"), (ann, "expensive"), (bob, "cheap")):
        Verdict.objects.create(study=study, pair=pairs[2], rater=who, preference=said)
    found = find(study, Thresholds(0.0), Thresholds(0.6))
    assert fares(found)[2] == "same"


def test_a_pair_that_nobody_could_judge_counts_as_worse(study, pairs):
    ann = Rater.objects.get(name="ann")
    Verdict.objects.create(study=study, pair=pairs[2], rater=ann, preference="cannot")
    found = find(study, Thresholds(0.0), Thresholds(0.6))
    assert fares(found)[2] == "could not be judged"
    assert switches.lines(found)[0].groups["worse"].n == 3


def test_the_worst_come_first_and_filters_choose(study, pairs):
    found = find(study, Thresholds(0.0), Thresholds(1.0))
    user = lead("lena").user
    ids, places, hidden = switches.pairs(found, study, user)
    assert (ids[:2].tolist(), hidden) == ([pairs[0].pk, pairs[1].pk], 0)
    assert places.tolist() == sorted(places.tolist())
    assert switches.pairs(found, study, user, task="code")[0].tolist() == [pairs[6].pk]
    assert switches.pairs(found, study, user, fare="much better")[0].tolist() == [pairs[4].pk]
    assert switches.pairs(found, study, user, task="nothing")[0].size == 0


def test_what_one_may_still_be_asked_about_is_left_out(project, pairs):
    plan = PLAN | {"ratings_per_pair": 2}
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0, **plan)
    rate_all(study, rater("ann"), lambda pk: (("expensive",), {}))
    found = find(study, Thresholds(0.0), Thresholds(1.0))
    asked = lead("lena")
    assert switches.pairs(found, study, asked.user)[2] == len(pairs)
    from reviews import rating

    shown = rating.hand_out(study, asked)
    rating.submit(shown.token, asked, **form(shown.left, "tie"))
    ids, _, hidden = switches.pairs(find(study, *THRESHOLDS), study, asked.user)
    assert (ids.tolist(), hidden) == ([shown.slot.pair_id], len(pairs) - 1)


THRESHOLDS = (Thresholds(0.0), Thresholds(1.0))


def page(client, study, **more):
    return client.get("/threshold/switches/", {"study": study.pk, "at": "0.6", **more})


def test_the_page_opens_each_pair(as_role, study, pairs):
    text = page(as_role("product"), study).text
    assert all(f"/pairs/{pair.pk}/" in text for pair in pairs[:6])
    assert f"/pairs/{pairs[6].pk}/" not in text
    assert "33.3 %" in text


def test_the_page_takes_thresholds_by_task_type(as_role, study, pairs):
    text = page(as_role("product"), study, at="0", threshold_code="1").text
    assert f"/pairs/{pairs[6].pk}/" in text
    assert f"/pairs/{pairs[0].pk}/" not in text


@pytest.mark.parametrize(
    "odd", [{"at": "x"}, {"at": "nan"}, {"page": "99"}, {"threshold_code": "7"}, {"fare": "?"}]
)
def test_odd_addresses_are_no_error(as_role, study, odd):
    assert page(as_role("product"), study, **odd).status_code == 200


def test_long_lists_come_in_pages(as_role, project):
    made = [add_pair(project, 0.1) for _ in range(27)]
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0, **PLAN)
    client = as_role("product")
    first, second = (page(client, study, page=n).text for n in (1, 2))
    assert ("Page 1 of 2 (27 pairs)" in first, "Page 2 of 2" in second) == (True, True)
    assert sum(f"/pairs/{pair.pk}/" in second for pair in made) == 2
