"""Trainings: asked for, claimed, worked on, ended once, with the same scores each time."""

import json
from datetime import timedelta

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.utils import timezone

from reviews import permissions, sampling, training
from reviews.errors import BadInput, Conflict, NotAllowed
from reviews.models import TrainingExample, TrainingRun
from routing import bootstrap, policy, routers
from routing.embedders import ids
from routing.models import RouterVersion
from routing.routers import assembled, embedding
from routing.routers.rules import Rule, Rules
from tests.reviews.planted import plant, query

pytestmark = pytest.mark.django_db
KIND = "rules+embedding-logistic"
OPTIONS = {"sources": ["human"], "embedder": "static"}
S = TrainingRun.State


def ask(project, kind=KIND, name="", **options):
    return training.ask(project, kind=kind, name=name, options={**OPTIONS, **options})


def trained(project, name="", **options):
    """Ask for a training and work on it."""
    run = ask(project, name=name, **options)
    assert training.run_due()
    run.refresh_from_db()
    assert (run.error, run.state) == ("", S.DONE)
    return run


@pytest.fixture
def pairs(project):
    return plant(project)


def test_a_training_ends_in_a_version_with_a_card(project, pairs):
    before = policy.live(project)
    run = trained(project, name="mine")
    version, card = run.router, run.router.card
    assert (version.name, version.kind, version.embedder) == ("mine", KIND, ids.STATIC)
    assert version.project == project
    assert not version.is_starter
    newest = max(
        pair.request.received_at for pair in pairs for _ in [pair.request.refresh_from_db()]
    )
    assert version.trained_until == newest
    assert card["auroc"]["low"] > 0.8
    assert card["auroc"]["low"] < card["auroc"]["value"] < card["auroc"]["high"]
    assert (card["n"], card["n_queries"], card["labels"]) == (120, 120, {"human": 120})
    assert 40 < card["positives"] < 80
    assert card["apgr"]["value"] > 0.6
    assert card["apgr"]["value"] < card["oracle_apgr"]
    assert card["random_apgr"]["low"] < 0.5 < card["random_apgr"]["high"]
    assert 0 < card["cpt50"]["value"] < card["cpt80"]["value"] < 1
    assert card["skill"]["value"] > 0.3
    assert card["calibration"] == "platt"
    assert sum(bin["n"] for bin in card["reliability"]) == 120
    assert [point["n"] for point in card["learning"]] == [50, 96]
    assert card["p50_ms"] > 0
    assert (run.done, run.state) == (run.total, S.DONE)
    assert policy.live(project) == before


def test_what_was_learnt_is_kept_with_where_it_came_from(project, pairs):
    run = trained(project)
    examples = TrainingExample.objects.filter(run=run)
    assert {one.pair_id for one in examples} == {pair.pk for pair in pairs}
    one = examples.get(pair=pairs[1])
    assert (one.source, one.cheap_ok, one.expensive_ok) == ("human", 0.0, 1.0)
    assert one.provenance["how"] == "one person"
    hard = [e.score for e in examples if e.cheap_ok == 0]
    easy = [e.score for e in examples if e.cheap_ok == 1]
    assert sum(hard) / len(hard) > sum(easy) / len(easy) + 0.4


def test_a_card_names_requests_and_never_holds_their_texts(project, pairs):
    card = trained(project).router.card
    told = json.dumps(card)
    assert not [k for k in range(120) if query(k) in told]
    wrong = {one["request_id"] for one in card["wrong"]}
    turned = {str(pair.request_id) for k, pair in enumerate(pairs) if k % 17 == 16}
    assert turned <= wrong


def test_the_same_inputs_give_the_same_scores(project, pairs):
    one, two = trained(project, name="one"), trained(project, name="two")
    scores = [
        list(run.examples.order_by("pair").values_list("score", flat=True)) for run in (one, two)
    ]
    assert scores[0] == scores[1]
    assert bytes(one.router.artifact) == bytes(two.router.artifact)
    assert one.router.sha256 == two.router.sha256
    assert one.router.card["training_sha256"] == two.router.card["training_sha256"]
    timed = {"p50_ms", "p99_ms"}
    same = [{k: v for k, v in run.router.card.items() if k not in timed} for run in (one, two)]
    assert same[0] == same[1]


def test_another_seed_splits_otherwise_and_learns_the_same(project, pairs):
    one, two = trained(project, seed=7), trained(project, seed=8)
    assert one.router.card["training_sha256"] == two.router.card["training_sha256"]
    assert one.router.card["auroc"] != two.router.card["auroc"]


def test_the_version_serves_as_it_is_stored(project, pairs):
    version = trained(project).router
    router = routers.load(version.kind, bytes(version.artifact), version.embedder)
    assert router.score("hello").rule == "greeting"
    hard, easy = (router.score(query(k)).value for k in (1, 0))
    assert hard > easy + 0.3


@pytest.mark.parametrize("kind", sorted(training.trained_kinds()))
def test_every_trained_kind_learns(project, pairs, kind):
    run = ask(project, kind=kind)
    training.run_due()
    run.refresh_from_db()
    assert (run.error, run.state) == ("", S.DONE)
    assert run.router.card["auroc"]["value"] > 0.6


def test_too_few_labels_say_what_to_do(project):
    plant(project, 40)
    run = ask(project)
    assert training.run_due()
    run.refresh_from_db()
    assert run.state == S.FAILED
    assert run.error.startswith("There are labels of 40 different questions, and a training takes")
    assert run.finished_at


def test_one_class_says_what_to_do(project, pairs):
    run = ask(project, tasks=["math"])  # the even ones
    training.run_due()
    run.refresh_from_db()
    assert run.state == S.FAILED
    assert "say that a request needed the expensive model" in run.error
    assert not RouterVersion.objects.filter(project=project).exists()


def test_only_the_time_asked_for_trains(project, pairs):
    middle = pairs[60].request
    middle.refresh_from_db()
    assert trained(project, since=middle.received_at.isoformat()).router.card["n"] == 60
    assert trained(project, most=60).router.card["n"] == 60


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"kind": "crystal-ball"}, "There is no kind of router “crystal-ball”"),
        ({"kind": "rules"}, "there is nothing to train"),
        ({"sources": []}, "Choose sources"),
        ({"sources": ["dreams"]}, "Choose sources"),
        ({"seed": -1}, "The seed must be a whole number"),
        ({"seed": "7.5"}, "The seed must be a whole number"),
        ({"most": 10}, "Labels at most must be"),
        ({"since": "yesterday"}, "“yesterday” is no date"),
        ({"since": "2026-02-01", "until": "2026-01-01"}, "must come before"),
        ({"embedder": "bert"}, "There is no embedder “bert”"),
        ({"name": "a b"}, "A name has"),
        ({"name": "test-1"}, "“test-1” is taken"),
        ({"kind_options": {"depth": 3}}, "Unknown options"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(project, said, sentence):
    with pytest.raises(BadInput, match=sentence):
        ask(project, **said)
    assert not TrainingRun.objects.exists()


def test_a_name_that_waits_is_taken_and_the_next_free_one_is_found(project):
    first, second = ask(project), ask(project)
    assert first.name == f"{KIND}-{timezone.now():%Y-%m-%d}"
    assert second.name == f"{first.name}-2"
    with pytest.raises(BadInput, match="taken"):
        ask(project, name=first.name)


@pytest.mark.parametrize("role", permissions.ROLES)
def test_who_may_ask_and_cancel(project, role):
    permissions.ensure_roles()
    user = User.objects.create_user(role)
    permissions.give(user, role)
    run = ask(project)
    if role in permissions.CAN["train_routers"]:
        assert training.ask(project, kind=KIND, options=OPTIONS, by=user).created_by == user
        training.cancel(run, user)
        return
    with pytest.raises(NotAllowed):
        training.ask(project, kind=KIND, options=OPTIONS, by=user)
    with pytest.raises(NotAllowed):
        training.cancel(run, user)


def test_one_at_a_time_in_a_project_and_others_meanwhile(project, demo):
    first, second, other = ask(project), ask(project), ask(demo)
    assert training.claim(first)
    assert not training.claim(first)
    assert not training.claim(second)
    assert training.claim(other)


def test_a_run_whose_worker_died_waits_again_and_the_dead_one_writes_nothing(project, pairs):
    run = ask(project)
    assert training.claim(run)
    assert training.recover() == 0

    def die(stage, done, total):
        """Be silent for too long; another worker takes the run up."""
        TrainingRun.objects.filter(pk=run.pk, started_at=run.started_at).update(
            heard_at=timezone.now() - 2 * training.DEAD_AFTER
        )
        if training.recover():
            assert training.claim(TrainingRun.objects.get(pk=run.pk))

    training.work(run, die)
    run.refresh_from_db()
    assert (run.state, run.router) == (S.RUNNING, None)
    assert not RouterVersion.objects.filter(project=project).exists()
    run.heard_at -= timedelta(hours=1)
    run.save()
    assert training.run_due()
    run.refresh_from_db()
    assert run.state == S.DONE


def test_a_run_that_kills_its_workers_is_given_up(project, as_role):
    run = ask(project)
    for _ in range(3):
        assert training.claim(run)
        stage = {"stage": "Fitting", "heard_at": timezone.now() - 2 * training.DEAD_AFTER}
        TrainingRun.objects.filter(pk=run.pk).update(**stage)
        assert training.recover() == 1
    run.refresh_from_db()
    assert (run.state, run.deaths) == (S.FAILED, 3)
    assert run.finished_at
    assert not training.run_due()
    page = as_role("lead").get(f"/routers/train/{run.pk}/").content.decode()
    assert "Failed at “Fitting”" in page
    assert "Its worker died 3 times" in page


def test_a_worker_that_ends_in_order_is_no_death(project, pairs):
    run = ask(project)
    training.stop()
    try:
        assert training.run_due()
    finally:
        training.stop(is_ending=False)
    run.refresh_from_db()
    assert (run.state, run.deaths) == (S.WAITING, 0)


def test_a_waiting_run_is_cancelled_at_once_and_once(project, pairs):
    run = ask(project)
    training.cancel(run)
    assert not training.run_due()
    with pytest.raises(Conflict):
        training.cancel(run)


def test_a_run_is_cancelled_between_steps(project, pairs):
    run, seen = ask(project), []
    assert training.claim(run)

    def cancel(stage, done, total):
        seen.append((stage, done))
        if seen[-1] == ("Fitting, in five parts", 2):
            training.cancel(TrainingRun.objects.get(pk=run.pk))

    training.work(run, cancel)
    run.refresh_from_db()
    assert (run.state, run.router) == (S.CANCELLED, None)
    assert not RouterVersion.objects.filter(project=project).exists()
    assert not TrainingExample.objects.exists()


def test_a_worker_that_ends_gives_its_run_back(project, pairs):
    run = ask(project)
    assert training.claim(run)
    training.stop()
    try:
        training.work(run)
    finally:
        training.stop(is_ending=False)
    run.refresh_from_db()
    assert (run.state, run.done) == (S.WAITING, 0)
    assert training.run_due()
    run.refresh_from_db()
    assert run.state == S.DONE


def test_a_pair_that_was_drawn_to_calibrate_meanwhile_stops_the_training(project, pairs):
    run = ask(project)
    assert training.claim(run)

    def draw(stage, done, total):
        if (stage, done) == ("Fitting, in five parts", 1):
            sampling.start(policy.live(project), name="c", seed="8", rate=1.0)

    training.work(run, draw)
    run.refresh_from_db()
    assert run.state == S.FAILED
    assert "drew one of these pairs to calibrate" in run.error
    assert not RouterVersion.objects.filter(project=project).exists()


def test_postgres_refuses_a_calibration_pair_whoever_writes(project, pairs):
    run = ask(project)
    sampling.start(policy.live(project), name="c", seed="8", rate=1.0)
    with pytest.raises(DatabaseError, match="drawn to calibrate"), transaction.atomic():
        TrainingExample.objects.create(
            run=run, pair=pairs[0], source="human", cheap_ok=1, expensive_ok=1,
            provenance={}, score=0.5,
        )  # fmt: skip


def test_pairs_drawn_to_calibrate_are_left_out(project, pairs):
    sampling.start(policy.live(project), name="c", seed="8", rate=0.3)
    run = trained(project)
    learnt = set(run.examples.values_list("pair_id", flat=True))
    assert 50 <= len(learnt) < 120


def test_rules_of_the_live_router_are_carried_over(db):
    thanks = Rules((Rule("spelling", "template", 0.0, pattern="Spell the number {n} in English."),))
    artifact = assembled.dumps(embedding.dumps(np.zeros(256), 0.0), rules=thanks)
    version = RouterVersion.objects.create(
        name="ruled", kind=KIND, embedder=ids.STATIC, artifact=artifact, sha256="0" * 64
    )
    project = bootstrap.ensure_project("ruled", "Ruled", version)
    plant(project)
    made = trained(project).router
    router = routers.load(KIND, bytes(made.artifact), made.embedder)
    assert router.score(query(6)).rule == "spelling"
    assert router.score("hello").rule != "greeting"  # a rule that the live router has not
    ruled = TrainingExample.objects.filter(pair__request__query__startswith="Spell the")
    assert {one.score for one in ruled} == {0.0}
