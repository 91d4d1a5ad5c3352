"""Nothing deploys without another person's signature on frozen evidence."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.contrib.auth.models import User
from django.db import ProgrammingError, connection, transaction
from django.db.models import ProtectedError

from reviews import demo, estimation, permissions, sampling, signoff
from reviews.errors import Conflict, NotAllowed, NothingToSign
from reviews.models import Rater, SignOff, Study, Verdict
from routing import policy
from routing.types import TierSpec

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


def unrated(study):
    """Return another study of the same policy, of which nobody said anything."""
    return sampling.start(study.policy, name="Unrated", seed="8", rate=1.0)


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
    study = unrated(study)
    with pytest.raises(NothingToSign):
        signoff.request(study=study, user=person("p", "product"), threshold=0.5, reason="x")


def test_evidence_cannot_be_changed_behind_djangos_back(asked):
    with pytest.raises(ProgrammingError), transaction.atomic():
        type(asked.evidence).objects.filter(pk=asked.evidence_id).update(sha256="0")


def test_what_was_looked_at_is_what_is_signed(study):
    key = Rater.objects.create(kind=Rater.Kind.ANSWER_KEY, name="key")
    pair = study.sample.filter(selected=True, pair__score__lt=0.6).first().pair
    Verdict.objects.create(study=study, pair=pair, rater=key, preference="expensive")
    engineer = person("e", "engineering")
    looked = estimation.estimate(study, "answer_key")
    seen = signoff.Seen("answer_key", looked.moment, looked.inputs_sha256)
    row = signoff.request(study=study, user=engineer, threshold=0.6, reason="x", seen=seen)
    content = row.evidence.content
    assert (content["raters"], content["n_rated"]) == ("answer_key", 1)
    assert content["point"]["degradation"] == 1.0


def test_a_judge_alone_carries_no_signoff(study):
    seen = signoff.Seen("llm_judge", estimation.Moment.now(study), "")
    with pytest.raises(NothingToSign, match="judge"):
        signoff.freeze(study, 0.5, seen)


@pytest.mark.parametrize("between", [0.184999, 0.005, 1.005])
def test_a_threshold_between_two_points_is_refused(study, between):
    with pytest.raises(NothingToSign, match="steps of 0.01"):
        signoff.freeze(study, between)


@pytest.mark.parametrize("at", [0.0, 0.07, 0.57, 1.0, 1.01])
def test_every_point_of_the_curve_can_be_signed(study, at):
    assert signoff.freeze(study, at).content["point"]["threshold"] == at


@pytest.mark.django_db(transaction=True)
def test_requests_at_once_leave_one_open(study):
    engineer, together = person("e", "engineering"), Barrier(4)

    def ask(_):
        together.wait()
        try:
            return signoff.request(study=study, user=engineer, threshold=0.5, reason="x").pk
        except Conflict:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        made = [pk for pk in pool.map(ask, range(4)) if pk]
    assert len(made) == 1
    assert SignOff.objects.filter(state="requested").count() == 1


def test_a_request_overtaken_by_another_policy_is_stale(asked):
    assert not signoff.is_stale(asked)
    policy.roll_back(asked.project, by=asked.requester, reason="test")
    assert signoff.is_stale(asked)
    assert not signoff.is_stale(signoff.withdraw(asked, user=asked.requester))


@pytest.mark.django_db(transaction=True)
def test_a_rollback_under_way_is_not_undone_by_an_approval(asked):
    pat, rolling = person("pat", "product"), Barrier(2)

    def roll_back():
        with transaction.atomic():
            policy.lock(asked.project)
            rolling.wait()
            time.sleep(0.5)  # the approval comes now
            policy.roll_back(asked.project, by=asked.requester, reason="fire")
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        rollback = pool.submit(roll_back)
        rolling.wait()
        with pytest.raises(Conflict):
            signoff.decide(asked, user=pat, decision="approve")
        rollback.result()
    assert policy.live(asked.project).threshold == 0.0


def test_evidence_about_other_models_signs_nothing(study):
    live = policy.live(study.project)
    other = TierSpec("anthropic", "claude-other")
    changed = policy.create(
        project=study.project, router=live.router, threshold=0.0, cheap=other, expensive=other
    )
    policy.deploy(changed, by=None, reason="other models")
    with pytest.raises(Conflict, match="other models"):
        signoff.request(study=study, user=person("e", "engineering"), threshold=0.5, reason="x")


def test_what_nobody_compared_is_not_signed(study):
    study = unrated(study)
    key = Rater.objects.create(kind=Rater.Kind.ANSWER_KEY, name="key")
    pair = study.sample.filter(selected=True).first().pair
    Verdict.objects.create(study=study, pair=pair, rater=key, cheap_adequate=True)
    with pytest.raises(NothingToSign, match="compared"):
        signoff.freeze(study, 0.5)


def test_who_signed_cannot_be_deleted_and_who_rated_leaves_the_ratings(asked):
    pat = person("pat", "product")
    signoff.decide(asked, user=pat, decision="approve")
    for user in (asked.requester, pat):
        with pytest.raises(ProtectedError):
            user.delete()
    count = Verdict.objects.count()
    User.objects.get(username="demo-rater-1").delete()
    assert Verdict.objects.count() == count


def test_a_judge_is_not_signed_by_default_either(study):
    study = unrated(study)
    judge = Rater.objects.create(kind=Rater.Kind.LLM_JUDGE, name="judge")
    pair = study.sample.filter(selected=True).first().pair
    Verdict.objects.create(study=study, pair=pair, rater=judge, preference="tie")
    with pytest.raises(NothingToSign, match="judge"):
        signoff.freeze(study, 0.5)


def test_ratings_that_come_while_somebody_reads_change_nothing_of_what_is_signed(study):
    looked = estimation.estimate(study)
    ann = Rater.objects.create(kind=Rater.Kind.HUMAN, name="ann")
    for row in study.sample.filter(selected=True)[:40]:
        Verdict.objects.create(study=study, pair=row.pair, rater=ann, preference="expensive")
    asking = {"study": study, "threshold": 0.6, "reason": "x", "user": person("e", "engineering")}
    later = signoff.Seen("human", estimation.Moment.now(study), looked.inputs_sha256)
    with pytest.raises(Conflict, match="moved"):
        signoff.request(**asking, seen=later)
    seen = signoff.Seen("human", looked.moment, looked.inputs_sha256)
    row = signoff.request(**asking, seen=seen)
    assert row.evidence.content["points"] == looked.points
