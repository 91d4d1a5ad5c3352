"""Nothing deploys without another person's signature on frozen evidence."""

import pytest
from django.contrib.auth.models import User
from django.db import ProgrammingError, transaction

from reviews import demo, permissions, signoff
from reviews.errors import Conflict, NotAllowed, NothingToSign
from reviews.models import SignOff, Study
from routing import policy

pytestmark = pytest.mark.django_db


def person(name, *roles):
    permissions.ensure_roles()
    user = User.objects.create_user(name)
    permissions.give(user, *roles)
    return user


@pytest.fixture
def study(starter):
    project = demo.load()
    SignOff.objects.update(state=SignOff.State.WITHDRAWN)
    return Study.objects.get(project=project)


@pytest.fixture
def asked(study):
    paula = person("paula", "product", "engineering")
    return signoff.request(study=study, user=paula, threshold=0.6, reason="good enough")


def test_the_second_signature_deploys(asked):
    before = policy.live(asked.project)
    assert signoff.open_roles(asked) == ["product"]
    done = signoff.decide(asked, user=person("pat", "product"), decision="approve")
    live = policy.live(asked.project)
    assert (done.state, done.policy_after, live.threshold) == ("approved", live, 0.6)
    assert before.threshold == 0.0


def test_the_requester_cannot_sign_for_another_role(asked):
    with pytest.raises(NotAllowed):
        signoff.decide(asked, user=asked.requester, decision="approve")
    assert policy.live(asked.project).threshold == 0.0


@pytest.mark.parametrize("roles", [("rater",), ("lead",), ("engineering",), ()])
def test_other_roles_cannot_sign(asked, roles):
    with pytest.raises(NotAllowed):
        signoff.decide(asked, user=person("x", *roles), decision="approve")


def test_a_refusal_needs_a_word_and_ends_it(asked):
    pat = person("pat", "product")
    with pytest.raises(NothingToSign):
        signoff.decide(asked, user=pat, decision="reject")
    assert signoff.decide(asked, user=pat, decision="reject", comment="no").state == "rejected"
    with pytest.raises(Conflict):
        signoff.decide(asked, user=person("pia", "product"), decision="approve")


def test_a_policy_that_moved_meanwhile_is_not_overwritten(asked):
    policy.roll_back(asked.project, by=asked.requester, reason="test")
    with pytest.raises(Conflict):
        signoff.decide(asked, user=person("pat", "product"), decision="approve")


def test_nothing_rated_is_nothing_to_sign(study):
    study.verdicts.all().delete()
    with pytest.raises(NothingToSign):
        signoff.request(study=study, user=person("p", "product"), threshold=0.5, reason="x")


def test_evidence_cannot_be_changed_behind_djangos_back(asked):
    with pytest.raises(ProgrammingError), transaction.atomic():
        type(asked.evidence).objects.filter(pk=asked.evidence_id).update(sha256="0")
