"""What the data suggest: to train, to train again, to study a challenger; else nothing."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from reviews import challenges, rating, sampling, suggestions
from reviews.models import Evidence, SignOff, TrainingRun, Verdict
from reviews.plan import Plan
from routing import policy
from routing.models import Challenger, ChallengerScore, Request
from tests.reviews import labelled
from tests.reviews.challenged import challenger, say, version
from tests.reviews.rows import add_pair
from tests.reviews.signing import person

pytestmark = pytest.mark.django_db
#: Fewer than usual: that there are minimums is what is tested.
FEW = suggestions.Least(first=80, new=80, scored=5)


def labels(project, n, harmed, purpose="train", noise=9):
    """Write so many labelled pairs, drawn to train; each ninth says the opposite."""
    rates = {"rate": 0.0001, "train_rate": 0.999} if purpose == "train" else {"rate": 1.0}
    study, _ = labelled.start(project, [place / n for place in range(n)], **rates)
    rita = rating.rater_of(person(f"rita-{study.pk}", "rater"))
    drawn = study.sample.filter(selected=True, purpose=purpose).select_related("pair")
    for draw in drawn:
        is_harm = harmed(draw.pair.score) != (draw.pair_id % noise == 0)
        Verdict.objects.create(
            study=study, pair=draw.pair, rater=rita,
            preference="expensive" if is_harm else "tie", cheap_adequate=not is_harm,
            expensive_adequate=True,
        )  # fmt: skip
    return study


@pytest.fixture
def trained(project):
    """A router of the project's own, live, three weeks old, that ranked well."""
    router = version(
        project=project, trained_until=timezone.now() - timedelta(days=22),
        card={"auroc": {"value": 0.74}},
    )  # fmt: skip
    live = policy.with_threshold(policy.live(project), 0.0, "own", router=router)
    policy.deploy(live, by=None, reason="test")
    return router


def newer(project, name="trained", until=None):
    """Write a version that a training made."""
    made = version(name, project=project, trained_until=until or timezone.now())
    TrainingRun.objects.create(
        project=project, name=name, kind="constant", state="done", router=made
    )
    return made


def turned_down(project, router):
    """Write a sign-off of a version that was rejected."""
    live = policy.live(project)
    study = sampling.start(
        policy.with_threshold(live, 0.0, "", router=router), name="c", seed="7", rate=1.0
    )
    row = SignOff.objects.create(
        project=project, study=study, threshold=0.5, reason="r", requester=person("ann", "lead"),
        required_roles=["product"], policy_before=live,
        evidence=Evidence.objects.create(study=study, content={}, sha256="0" * 64),
    )  # fmt: skip
    SignOff.objects.filter(pk=row.pk).update(state="rejected")


def titles(project):
    return [one.title for one in suggestions.of(project, FEW)]


def ranks(one):
    """The AUROC that the suggestion says; it moves a little with the pairs' numbers."""
    return float(re.search(r"0\.74 when it was trained, is (0\.\d+) on labels since", one.text)[1])


def test_nothing_is_said_of_nothing(project):
    assert suggestions.of(None) == []
    assert suggestions.of(project, FEW) == []
    labels(project, 40, lambda score: score > 0.5)
    assert suggestions.of(project, FEW) == []


def test_the_starter_and_enough_labels_suggest_a_first_training(project):
    labels(project, 90, lambda score: score > 0.5)
    (one,) = suggestions.of(project, FEW)
    assert one.title == "Train a first router"
    assert "pairs have labels by people or judges" in one.text


def test_labels_of_pairs_drawn_to_calibrate_suggest_nothing(project):
    labels(project, 90, lambda score: score > 0.5, purpose="calibrate")
    assert suggestions.of(project, FEW) == []


def test_a_training_under_way_or_a_newer_version_needs_no_other(project):
    labels(project, 90, lambda score: score > 0.5)
    run = TrainingRun.objects.create(project=project, name="r", kind="constant")
    assert titles(project) == []
    run.delete()
    version("configured", project=project)
    assert titles(project) == ["Train a first router"]
    version("rules", project=project, trained_until=timezone.now(), card={"rules_of": "test-1"})
    assert titles(project) == ["Train a first router"]
    newer(project)
    assert titles(project) == []


def test_a_newer_version_needs_no_other_until_there_are_labels_it_did_not_learn_from(
    project, trained
):
    newer(project, until=timezone.now() - timedelta(days=7))
    labels(project, 60, lambda score: score < 0.5)
    assert titles(project) == []
    labels(project, 30, lambda score: score < 0.5)
    (one,) = suggestions.of(project, FEW)
    assert one.text.startswith("90 new labels")


@pytest.mark.parametrize("how", ["rejected", "stopped"])
def test_a_version_that_was_turned_down_hides_no_fall(project, trained, how):
    made = newer(project, until=timezone.now() - timedelta(days=7))
    labels(project, 60, lambda score: score < 0.5)
    row = challenger(project, made)
    assert titles(project) == []
    if how == "stopped":
        Challenger.objects.filter(pk=row.pk).update(stopped_at=timezone.now())
    else:
        turned_down(project, made)
    assert titles(project) == ["Retrain"]


def test_rules_that_were_edited_make_no_label_old(project, trained):
    labels(project, 90, lambda score: score > 0.5)
    newer(project, "base", until=timezone.now() - timedelta(days=7))
    card = {"rules_of": "base"}
    edited = version("edited", project=project, trained_until=timezone.now(), card=card)
    live = policy.with_threshold(policy.live(project), 0.0, "own", router=edited)
    policy.deploy(live, by=None, reason="test")
    (one,) = suggestions.of(project, FEW)
    assert one.text.startswith("90 new labels")


def test_new_labels_suggest_another_training_and_say_how_the_live_router_ranks_them(
    project, trained
):
    labels(project, 90, lambda score: score > 0.5)
    (one,) = suggestions.of(project, FEW)
    assert one.title == "Retrain"
    assert "new labels; the live router is 0 days old" in one.text
    assert ranks(one) > 0.7


def test_with_labels_of_one_kind_nothing_is_said_of_ranking(project, trained):
    labels(project, 90, lambda score: False, noise=10**9)
    (one,) = suggestions.of(project, FEW)
    assert "AUROC" not in one.text


def test_a_fall_beyond_the_interval_is_told_with_fewer_labels(project, trained):
    labels(project, 60, lambda score: score < 0.5)
    (one,) = suggestions.of(project, FEW)
    assert ranks(one) < 0.3


def test_few_labels_that_rank_as_before_say_nothing(project, trained):
    labels(project, 60, lambda score: score > 0.5)
    assert suggestions.of(project, FEW) == []


def test_what_came_before_its_training_ended_is_not_new(project, trained):
    labels(project, 90, lambda score: score > 0.5)
    Request.objects.update(received_at=timezone.now() - timedelta(days=30))
    assert suggestions.of(project, FEW) == []


def test_the_newest_request_that_was_learnt_from_is_not_new(project, trained):
    labels(project, 90, lambda score: score > 0.5)
    Request.objects.update(received_at=trained.trained_until)
    assert suggestions.of(project, FEW) == []


def test_a_challenger_that_scored_enough_is_to_be_studied_once(project):
    router = version(project=project)
    row = challenger(project, router)
    say(router, [add_pair(project, 0.5) for _ in range(5)], lambda own: own)
    (one,) = suggestions.of(project, FEW)
    assert (one.title, one.challenger) == ("Start a study of router-2", row.pk)
    assert "scored 5 requests" in one.text
    challenges.study(row, Plan("s", rate=1.0), seed="7", by=person("lena", "lead"))
    assert suggestions.of(project, FEW) == []
    assert ChallengerScore.objects.count() == 5
    assert Challenger.objects.count() == 1


def test_a_challenger_that_ranks_better_is_said_to(project):
    """Its scores go with the labels, those of the live router against them."""
    router = version(project=project)
    row = challenger(project, router)
    Challenger.objects.update(started_at=timezone.now() - timedelta(days=1))
    study = labels(project, 120, lambda score: score < 0.5)
    pairs = [draw.pair for draw in study.sample.select_related("pair")]
    say(router, pairs, lambda own: 1 - own)
    (one,) = [one for one in suggestions.of(project, FEW) if one.challenger]
    assert (one.title, one.challenger) == ("Study router-2: it ranks better", row.pk)
    low = float(re.search(r"difference of 0\.\d+ \((0\.\d+) to", one.text).group(1))
    assert low > 0


def test_overview_and_routers_show_them(as_role, project):
    labels(project, suggestions.USUAL.first + 10, lambda score: score > 0.5)
    client = as_role("lead")
    for page in ("/overview/", "/routers/", "/routers/challengers/"):
        assert "Train a first router" in client.get(page).content.decode()
