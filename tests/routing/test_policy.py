"""Policies never change; what is live is the newest deployment."""

import math
from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, ProgrammingError, connection, transaction

from routing import bootstrap, policy
from routing.models import Deployment, Policy, Project, RouterVersion
from routing.types import Tier

pytestmark = pytest.mark.django_db


@pytest.fixture
def live(project):
    return policy.live(project)


def test_a_stored_row_is_not_saved_again(live):
    for row in (live, live.router, Deployment.objects.get()):
        with pytest.raises(TypeError):
            row.save()


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (Policy, {"threshold": 0.9}),
        (RouterVersion, {"name": "other"}),
        (Deployment, {"reason": "other"}),
    ],
)
def test_postgres_refuses_an_update_behind_pythons_back(live, model, change):
    before = model.objects.values().get()
    with pytest.raises(ProgrammingError), transaction.atomic():
        model.objects.update(**change)
    assert model.objects.values().get() == before


def test_another_threshold_is_another_policy_and_the_rest_is_the_same(live):
    copy = policy.with_threshold(live, 0.6, "test")
    assert (copy.number, copy.name, copy.threshold) == (2, "policy-2", 0.6)
    for tier in Tier:
        assert copy.tier_spec(tier) == live.tier_spec(tier)
    assert copy.tier_spec(Tier.CHEAP).price.input_usd > 0
    assert (copy.router, live.threshold) == (live.router, 0.0)


@pytest.mark.parametrize("threshold", [-0.1, 2.1])
def test_a_threshold_out_of_range_is_refused(live, threshold):
    with pytest.raises(IntegrityError), transaction.atomic():
        policy.with_threshold(live, threshold, "test")


def test_a_copy_keeps_the_rates_and_has_only_the_task_types_it_is_given(project, live):
    base = policy.create(
        project=project, router=live.router, threshold=0.1, cheap=live.tier_spec(Tier.CHEAP),
        expensive=live.tier_spec(Tier.EXPENSIVE), thresholds={"math": 0.3}, repeat_rate=0.2,
        shadow_rate_cheap=0.4,
    )  # fmt: skip
    named = policy.with_threshold(base, 0.5, "test", {"coding": 1})
    plain = Policy.objects.get(pk=policy.with_threshold(base, 0.5, "test").pk)
    assert (named.thresholds, plain.thresholds) == ({"coding": 1.0}, {})
    assert (plain.repeat_rate, plain.shadow_rate_cheap, base.thresholds) == (
        0.2,
        0.4,
        {"math": 0.3},
    )


@pytest.mark.parametrize(
    "thresholds",
    [{"math": -0.01}, {"math": 2.01}, {"math": math.nan}, {"": 0.5}, {"m" * 41: 0.5}],
)
def test_a_threshold_of_a_task_type_out_of_range_is_refused(live, thresholds):
    with pytest.raises(ValueError, match="task type|must be from 0 to 2"):
        policy.with_threshold(live, 0.5, "test", {"coding": 0.5, **thresholds})
    assert Policy.objects.count() == 1


def test_a_policy_is_live_from_its_deployment_on(project, live):
    target = policy.with_threshold(live, 0.6, "test")
    assert policy.live(project) == live
    policy.deploy(target, by=None, reason="test")
    assert policy.live(project) == target


def test_callbacks_run_when_the_deployment_is_committed(live, django_capture_on_commit_callbacks):
    called = []
    policy.on_deploy(lambda: called.append(1))
    with django_capture_on_commit_callbacks(execute=True):
        policy.deploy(live, by=None, reason="test")
        assert called == []
    assert called == [1]


def test_rolling_back_is_always_expensive_and_names_who_did_it(project, live):
    policy.deploy(policy.with_threshold(live, 0.6, "test"), by=None, reason="test")
    user = User.objects.create_user("erin")
    row = policy.roll_back(project, by=user, reason="answers went bad")
    now = policy.live(project)
    assert (now, now.threshold, now.number) == (row.policy, policy.ALWAYS_EXPENSIVE, 3)
    assert (row.deployed_by, "answers went bad" in row.reason) == (user, True)
    assert Deployment.objects.count() == 3


def test_there_is_no_way_back_from_nothing():
    user = User.objects.create_user("erin")
    empty = Project.objects.create(slug="empty", name="Empty")
    assert policy.live(empty) is None
    with pytest.raises(Policy.DoesNotExist):
        policy.roll_back(empty, by=user, reason="test")


def test_what_was_rolled_back_does_not_return_by_deleting_the_rollback(project, live):
    row = policy.roll_back(project, by=User.objects.create_user("erin"), reason="test")

    def delete():
        Deployment.objects.filter(pk=row.pk).delete()
        connection.check_constraints()

    with pytest.raises(DatabaseError, match="stay as long as"), transaction.atomic():
        delete()
    assert policy.deployment(project) == row


@pytest.fixture
def history(live):
    """Return a function that writes a policy with this threshold and makes it live."""

    def step(threshold, share=1.0, rest=None):
        made = policy.with_threshold(live, threshold, "test")
        policy.deploy(made, by=None, reason="test", share=share, rest=rest)
        return made

    return step


def test_on_a_ramp_the_target_is_live_and_the_row_says_who_decides_the_rest(project, live, history):
    target = history(0.6, share=0.1, rest=live)
    row = policy.deployment(project)
    assert (row.policy, row.share, row.rest) == (target, 0.1, live)
    assert policy.live(project) == target
    policy.deploy(target, by=None, reason="last step", share=1.0, rest=live)
    row = policy.deployment(project)
    assert (row.policy, row.share, row.rest) == (target, 1.0, None)


@pytest.mark.parametrize(
    ("share", "has_rest"), [(0.0, True), (-0.1, True), (1.1, True), (0.5, False)]
)
def test_a_share_that_cannot_be_is_refused(live, history, share, has_rest):
    with pytest.raises(IntegrityError), transaction.atomic():
        history(0.6, share=share, rest=live if has_rest else None)
    assert Deployment.objects.count() == 1


def test_a_ramp_is_between_two_policies_of_one_project_that_ask_the_same_models(live, starter):
    theirs = policy.live(bootstrap.ensure_project("shop", "Shop", starter))
    dearer = replace(live.tier_spec(Tier.EXPENSIVE), model="another")
    others = policy.create(
        project=live.project, router=live.router, threshold=0.5,
        cheap=live.tier_spec(Tier.CHEAP), expensive=dearer,
    )  # fmt: skip
    for rest in (live, theirs, others):
        with pytest.raises(ValueError, match="ramp"):
            policy.deploy(live, by=None, reason="test", share=0.5, rest=rest)
    assert Deployment.objects.filter(project=live.project).count() == 1


def test_the_previous_policy_is_the_ramps_rest_or_what_was_live_before(project, live, history):
    assert policy.previous(project) is None
    first = history(0.3)
    assert policy.previous(project) == live
    second = history(0.6, share=0.5, rest=first)
    assert policy.previous(project) == first
    policy.deploy(second, by=None, reason="all of it")
    assert policy.previous(project) == first


def test_what_was_rolled_back_is_not_gone_back_to(project, live, history):
    user, first = User.objects.create_user("erin"), history(0.3)
    history(0.6)
    row = policy.roll_back(project, by=user, reason="worse", to="previous")
    assert (row.policy, row.share, policy.live(project)) == (first, 1.0, first)
    assert (row.deployed_by, row.reason) == (user, "Rollback to policy-2: worse")
    assert policy.previous(project) == live
    policy.roll_back(project, by=user, reason="worse still", to="previous")
    assert (policy.live(project), policy.previous(project)) == (live, None)
    with pytest.raises(Policy.DoesNotExist):
        policy.roll_back(project, by=user, reason="test", to="previous")


def test_after_an_emergency_there_is_no_previous_policy(project, live, history):
    history(0.3)
    policy.roll_back(project, by=User.objects.create_user("erin"), reason="fire")
    assert policy.previous(project) is None
    safe = policy.live(project)
    history(0.4)
    assert policy.previous(project) == safe


def test_an_emergency_ends_a_ramp_and_knows_no_task_types(project, live, history):
    rest = history(0.3)
    target = policy.with_threshold(rest, 0.4, "test", {"coding": 0.9})
    policy.deploy(target, by=None, reason="test", share=0.2, rest=rest)
    row = policy.roll_back(project, by=User.objects.create_user("erin"), reason="fire")
    assert (row.share, row.rest, row.policy.threshold, row.policy.thresholds) == (
        1.0,
        None,
        0.0,
        {},
    )
    assert (target.is_always_expensive, row.policy.is_always_expensive) == (False, True)


def test_a_task_types_threshold_alone_is_not_always_expensive(live):
    assert not policy.with_threshold(live, 0.0, "test", {"coding": 0.2}).is_always_expensive
