"""Policies never change; what is live is the newest deployment."""

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, ProgrammingError, transaction

from routing import policy
from routing.models import Deployment, Policy, RouterVersion
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


def test_there_is_no_way_back_from_nothing(project, live):
    user = User.objects.create_user("erin")
    Deployment.objects.all().delete()
    assert policy.live(project) is None
    with pytest.raises(Policy.DoesNotExist):
        policy.roll_back(project, by=user, reason="test")
