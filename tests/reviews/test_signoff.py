"""Nothing is approved without one other person for each role, on the evidence of this revision."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from reviews import audit, estimation, evidence, planning, rollout, sampling, signatures, signoff
from reviews.errors import BadInput, Conflict, NotAllowed, NothingToSign
from reviews.models import Approval, Comment, Evidence, Rater, Revision, SignOff, Verdict
from routing import policy
from routing.models import Policy
from routing.types import Tier, TierSpec
from tests.reviews.race import after
from tests.reviews.signing import approve, ask, person, rated_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(project):
    return rated_study(project)


@pytest.fixture
def people():
    return {
        "both": person("paula", "product", "engineering"),
        "engineer": person("erik", "engineering"),
        "product": person("pat", "product"),
    }


@pytest.fixture
def asked(study, people):
    """A request by somebody with both roles."""
    return ask(study, people["both"])


def unrated(study):
    """Return another study of the same policy, of which nobody said anything."""
    return sampling.start(study.policy, name="Unrated", seed="8", rate=1.0, certified_only=False)


def test_it_takes_one_other_person_for_each_role(asked, people):
    assert signatures.open_roles(asked) == ["engineering", "product"]
    once = approve(asked, people["engineer"])
    assert (once.state, signatures.open_roles(once)) == ("requested", ["product"])
    done = approve(once, people["product"])
    assert (done.state, done.policy_after.threshold) == ("approved", 0.6)
    assert abs((done.expires_at - done.decided_at).total_seconds() - 90 * 86400) < 5


def test_approved_is_not_live(asked, people):
    before = policy.live(asked.project)
    done = approve(asked, people["engineer"], people["product"])
    assert policy.live(asked.project) == before
    assert (done.way.state, done.way.done) == ("waiting", 0)


def test_the_requester_signs_for_no_role(asked):
    assert signatures.role_for(asked, asked.requester) is None
    with pytest.raises(NotAllowed):
        approve(asked, asked.requester)


def test_one_person_with_both_roles_does_not_finish_it(study, people):
    row = approve(ask(study, people["engineer"]), people["both"])
    assert signatures.role_for(row, people["both"]) is None
    with pytest.raises(NotAllowed):
        approve(row, people["both"])
    assert row.state == "requested"


@pytest.mark.parametrize("roles", [("rater",), ("lead",), ("admin",), ()])
def test_other_roles_cannot_sign(asked, roles):
    with pytest.raises(NotAllowed):
        approve(asked, person("x", *roles))


#: Whether each may do each in each state: the requester, a signer who has not decided, an admin.
MAY = {
    ("requested", "edit"): {"requester"},
    ("requested", "withdraw"): {"requester"},
    ("requested", "approve"): {"signer"},
    ("requested", "reject"): {"signer"},
    ("requested", "request_changes"): {"signer"},
    ("requested", "comment"): {"requester", "signer", "admin"},
    ("changes_requested", "edit"): {"requester"},
    ("changes_requested", "withdraw"): {"requester"},
    ("changes_requested", "comment"): {"requester", "signer", "admin"},
    ("approved", "comment"): {"requester", "signer", "admin"},
    ("rejected", "comment"): {"requester", "signer", "admin"},
    ("withdrawn", "comment"): {"requester", "signer", "admin"},
    ("expired", "comment"): {"requester", "signer", "admin"},
}
ACTIONS = ("edit", "withdraw", "approve", "reject", "request_changes", "comment")


def attempt(action, row, user):
    """Return whether the person may."""
    try:
        with transaction.atomic():
            if action == "edit":
                signoff.edit(row, user=user, threshold=0.5, reason="less")
            elif action == "withdraw":
                signoff.withdraw(row, user=user)
            elif action == "comment":
                signoff.comment(row, user=user, text="hm")
            else:
                signoff.decide(row, user=user, decision=action, comment="since")
            transaction.set_rollback(True)
    except (NotAllowed, Conflict):
        return False
    return True


def bring(row, state, people):
    """Bring a request into a state, by what people do."""
    if state == "changes_requested":
        return signoff.decide(row, user=people["engineer"], decision="request_changes", comment="x")
    if state == "rejected":
        return signoff.decide(row, user=people["engineer"], decision="reject", comment="x")
    if state == "withdrawn":
        return signoff.withdraw(row, user=row.requester)
    if state in ("approved", "expired"):
        row = approve(row, people["engineer"], people["product"])
    if state == "expired":
        SignOff.objects.filter(pk=row.pk).update(state="expired")
        row.refresh_from_db()
    return row


@pytest.mark.parametrize("state", SignOff.State.values)
def test_who_may_do_what_in_which_state(asked, people, state):
    row = bring(asked, state, people)
    assert row.state == state
    who = {
        "requester": people["both"],
        "signer": person("sue", "product"),
        "admin": person("ada", "admin"),
    }
    for action in ACTIONS:
        found = {name for name, user in who.items() if attempt(action, row, user)}
        assert found == MAY.get((state, action), set()), action


def test_a_refusal_needs_a_word_and_ends_it(asked, people):
    with pytest.raises(NothingToSign):
        signoff.decide(asked, user=people["product"], decision="reject", comment=" ")
    done = signoff.decide(asked, user=people["product"], decision="reject", comment="no")
    assert done.state == "rejected"
    with pytest.raises(Conflict):
        approve(asked, people["engineer"])


def test_an_edit_makes_new_evidence_and_revokes_what_was_approved(asked, people):
    once = approve(asked, people["engineer"])
    edited = signoff.edit(once, user=people["both"], threshold=0.4, reason="less")
    assert (edited.revision, edited.threshold, edited.state) == (2, 0.4, "requested")
    assert edited.evidence_id != asked.evidence_id
    assert edited.evidence.content["threshold"] == 0.4
    assert signatures.open_roles(edited) == ["engineering", "product"]
    assert [row.threshold for row in edited.revisions.all()] == [0.6, 0.4]
    assert edited.approvals.get().revision == 1
    done = approve(edited, people["product"], people["engineer"])
    assert (done.state, done.policy_after.threshold) == ("approved", 0.4)


def test_what_was_edited_meanwhile_is_not_approved_unseen(asked, people):
    looked_at = SignOff.objects.get(pk=asked.pk)
    signoff.edit(asked, user=people["both"], threshold=0.9, reason="more")
    with pytest.raises(Conflict, match="changed meanwhile"):
        approve(looked_at, people["engineer"])


def test_requested_changes_are_made_by_an_edit(asked, people):
    sent = signoff.decide(
        asked, user=people["product"], decision="request_changes", comment="lower"
    )
    with pytest.raises(Conflict):
        approve(sent, people["engineer"])
    edited = signoff.edit(sent, user=people["both"], threshold=0.3, reason="lower")
    assert approve(edited, people["product"], people["engineer"]).state == "approved"


def test_nobody_else_edits_or_withdraws(asked, people):
    for act in (
        lambda: signoff.edit(asked, user=people["product"], threshold=0.1, reason="x"),
        lambda: signoff.withdraw(asked, user=people["engineer"]),
    ):
        with pytest.raises(NotAllowed):
            act()


def test_thresholds_by_task_type_are_asked_for_and_become_the_policys(study, people):
    row = ask(study, people["both"], 0.2, thresholds={"math": 0.5})
    done = approve(row, people["engineer"], people["product"])
    assert done.policy_after.thresholds == {"math": 0.5}
    assert row.evidence.content["thresholds"] == {"math": 0.5}


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"threshold": 1.02}, NothingToSign),
        ({"thresholds": {"math": -0.1}}, NothingToSign),
        ({"thresholds": {"t" * 41: 0.2}}, BadInput),
        ({"thresholds": {"": 0.2}}, BadInput),
        ({"thresholds": {"a\0": 0.2}}, BadInput),
        ({"thresholds": {"never seen": 0.51}}, NothingToSign),
        ({"thresholds": {"math": 0.204}}, NothingToSign),
        ({"reason": " "}, NothingToSign),
        ({"reason": "x" * 5001}, BadInput),
        ({"rollout": [{"share": 1e-12, "hours": 1}, {"share": 1}]}, BadInput),
        ({"rollout": [{"share": n / 4, "hours": 540} for n in (1, 2, 3, 4)]}, BadInput),
        ({"rollout": [{"share": 0.5, "hours": 1}]}, BadInput),
        ({"rollout": [{"share": 0.5}, {"share": 0.2}, {"share": 1}]}, BadInput),
        ({"rollout": [{"share": 1, "hours": -1}]}, BadInput),
        ({"rollout": [{"hours": 1}]}, BadInput),
        ({"at": timezone.now() - timedelta(days=1)}, BadInput),
        ({"at": timezone.now() + timedelta(days=91)}, BadInput),
        ({"if_guard_fails": "panic"}, BadInput),
    ],
)
def test_what_cannot_be_asked_for(study, people, said, error):
    with pytest.raises(error):
        signoff.request(
            study=study, user=people["both"], **{"threshold": 0.5, "reason": "x"} | said
        )
    assert not SignOff.objects.filter(state="requested").exists()


def test_a_task_type_without_pairs_can_be_kept_from_the_cheap_tier(study, people):
    row = ask(study, people["both"], 0.5, thresholds={"never seen": 0.0})
    assert row.thresholds == {"never seen": 0.0}


def test_an_edit_of_what_was_edited_meanwhile_is_refused(asked, people):
    newer = SignOff.objects.get(pk=asked.pk)
    signoff.edit(newer, user=people["both"], threshold=0.4, reason="less")
    with pytest.raises(Conflict, match="changed meanwhile"):
        signoff.edit(asked, user=people["both"], threshold=0.9, reason="more")
    assert SignOff.objects.get().threshold == 0.4


def test_nobody_has_to_read_a_book(asked, people):
    book = "x" * 5001
    with pytest.raises(BadInput, match="5,000"):
        signoff.comment(asked, user=people["product"], text=book)
    with pytest.raises(BadInput, match="5,000"):
        signoff.decide(asked, user=people["product"], decision="approve", comment=book)
    assert (asked.comments.count(), asked.approvals.count()) == (0, 0)


def test_evidence_of_an_earlier_version_is_looked_at_and_edited_but_not_approved(
    client, study, people
):
    content = {**evidence.freeze(study, 0.6).content}
    for name in ("version", "plan", "certificate", "policy", "inputs", "health", "code"):
        del content[name]
    row = SignOff.objects.create(
        project=study.project, study=study, threshold=0.6, reason="old", requester=people["both"],
        required_roles=["engineering"], policy_before=policy.live(study.project),
        evidence=Evidence.objects.create(study=study, content=content, sha256="0" * 64),
    )  # fmt: skip
    client.force_login(people["engineer"])
    assert b"earlier version" in client.get(f"/signoffs/{row.pk}/").content
    with pytest.raises(Conflict, match="earlier version"):
        approve(row, people["engineer"])
    row = signoff.edit(row, user=people["both"], threshold=0.6, reason="again")
    assert approve(row, people["engineer"]).state == "approved"


def test_postgres_prolongs_no_sign_off(asked, people):
    approve(asked, people["product"], people["engineer"])
    later = timezone.now() + timedelta(days=9999)
    refused("prolonged", lambda: SignOff.objects.update(expires_at=later))


def test_a_policy_that_moved_meanwhile_is_not_overwritten(asked, people):
    assert signatures.staleness(asked) == []
    policy.roll_back(asked.project, by=asked.requester, reason="test")
    assert signatures.staleness(asked) == ["Another policy went live since this was requested."]
    with pytest.raises(Conflict, match="Another policy"):
        approve(asked, people["product"])
    edited = signoff.edit(asked, user=people["both"], threshold=0.6, reason="again")
    assert approve(edited, people["product"], people["engineer"]).state == "approved"


def test_who_needs_whom(asked, people):
    assert signatures.needing(people["product"]) == [asked]
    assert signatures.needing(people["both"]) == []
    assert signatures.nobody_for(asked) == []
    approve(asked, people["product"])
    assert signatures.needing(people["product"]) == []
    User.objects.filter(pk=people["engineer"].pk).update(is_active=False)
    asked.refresh_from_db()
    assert signatures.nobody_for(asked) == ["engineering"]


def test_two_roles_are_not_signed_by_one_person_who_is_left(study, people):
    row = ask(study, people["engineer"])
    User.objects.filter(pk=people["product"].pk).update(is_active=False)
    assert signatures.nobody_for(row) == ["engineering", "product"]


@pytest.mark.parametrize("lost", ["role", "login"])
def test_an_approval_by_somebody_who_left_counts_no_more(asked, people, lost):
    once = approve(asked, people["engineer"])
    if lost == "role":
        people["engineer"].groups.clear()
    else:
        User.objects.filter(pk=people["engineer"].pk).update(is_active=False)
    [given] = signatures.void(once)
    assert given.user == people["engineer"]
    with pytest.raises(Conflict, match="erik approved for engineering and can no longer"):
        approve(once, people["product"])
    edited = signoff.edit(once, user=people["both"], threshold=0.6, reason="again")
    assert signatures.void(edited) == []
    assert approve(edited, people["product"], person("eve", "engineering")).state == "approved"


def test_what_was_approved_stays_when_somebody_leaves(asked, people):
    done = approve(asked, people["engineer"], people["product"])
    people["engineer"].groups.clear()
    assert (signatures.void(done), signatures.staleness(done)) == ([], [])


def test_every_event_is_in_the_trail(asked, people):
    signoff.comment(asked, user=people["product"], text="why so much?")
    edited = signoff.edit(asked, user=people["both"], threshold=0.4, reason="less")
    approve(edited, people["product"], people["engineer"])
    events = [row.event for row in audit.about(asked.project, f"signoff {asked.pk}")]
    assert events == [
        "signoff.requested", "signoff.commented", "signoff.edited", "signoff.approve",
        "signoff.approve", "signoff.approved",
    ]  # fmt: skip
    assert audit.verify(asked.project) == []
    assert "why so much" not in str(audit.about(asked.project, f"signoff {asked.pk}")[1].detail)


# --- what Postgres refuses, whoever asks it ---------------------------------------------------


def refused(match, act):
    with pytest.raises(DatabaseError, match=match):
        _now(act)


@transaction.atomic
def _now(act):
    """Do it, and what waits for the end of the transaction too."""
    act()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def signed_by(row, user, role, revision=1):
    return Approval.objects.create(
        signoff=row, user=user, role=role, decision="approve", revision=revision
    )


def force_approved(row, target):
    SignOff.objects.filter(pk=row.pk).update(state="approved", policy_after=target)


def test_postgres_refuses_an_approved_row_without_its_approvals(asked, people):
    target = policy.with_threshold(asked.policy_before, 0.6, "forced")
    refused("takes an approval of each role", lambda: force_approved(asked, target))
    signed_by(asked, people["engineer"], "engineering")
    refused("takes an approval of each role", lambda: force_approved(asked, target))
    signed_by(asked, people["product"], "product")
    other = policy.with_threshold(asked.policy_before, 0.9, "forced")
    refused("not the one that was approved", lambda: force_approved(asked, other))
    force_approved(asked, target)
    asked.refresh_from_db()
    assert asked.state == "approved"


@pytest.mark.parametrize("tier", ["cheap", "expensive"])
@pytest.mark.parametrize("change", [{"model": "other"}, {"key_name": "OTHER_KEY"}])
def test_postgres_refuses_an_approved_policy_that_asks_other_models(asked, people, tier, change):
    approve(asked, people["engineer"])
    signed_by(asked, people["product"], "product")
    base = asked.policy_before
    tiers = {"cheap": base.tier_spec(Tier.CHEAP), "expensive": base.tier_spec(Tier.EXPENSIVE)}
    tiers[tier] = replace(tiers[tier], **change)
    other = policy.create(project=base.project, router=base.router, threshold=0.6, **tiers)
    refused("other models", lambda: force_approved(asked, other))


def test_a_policy_older_than_a_field_of_its_tiers_is_copied_and_approved(project, people):
    base = policy.live(project)
    cheap, expensive = (
        {name: tier[name] for name in ("provider", "model", "base_url", "price")}
        for tier in (base.cheap, base.expensive)
    )
    old = Policy.objects.create(
        project=project, number=99, router=base.router, threshold=0.0, cheap=cheap,
        expensive=expensive,
    )  # fmt: skip
    policy.deploy(old, by=None, reason="as long ago")
    row = ask(rated_study(project), people["both"])
    assert approve(row, people["product"], people["engineer"]).state == "approved"


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "other"}, {"rollout": [{"share": 1, "hours": 0}]}, {"if_guard_fails": "back"},
        {"deploy_at": timezone.now()}, {"threshold": 0.5},
    ],
)  # fmt: skip
def test_postgres_takes_a_new_revision_only_as_it_is_kept(asked, change):
    frozen = evidence.freeze(asked.study, 0.4)
    said = {
        "threshold": 0.4, "thresholds": {}, "reason": "less", "rollout": [], "deploy_at": None,
        "if_guard_fails": "hold", "evidence": frozen,
    }  # fmt: skip
    Revision.objects.create(signoff=asked, number=2, **said)
    rows = SignOff.objects.filter(pk=asked.pk)
    refused("new revision", lambda: rows.update(revision=2, **said | change))
    assert rows.update(revision=2, **said) == 1


def test_postgres_refuses_approvals_that_are_not_ones(asked, people):
    refused("own request", lambda: signed_by(asked, asked.requester, "product"))
    refused("nothing to decide", lambda: signed_by(asked, people["product"], "product", 2))
    refused("nothing to decide", lambda: signed_by(asked, people["product"], "admin"))
    signed_by(asked, people["engineer"], "engineering")
    refused("one_role_per_person", lambda: signed_by(asked, people["engineer"], "product"))
    refused("one_decision_per_role", lambda: signed_by(asked, people["product"], "engineering"))


def test_approvals_of_an_earlier_revision_approve_nothing(asked, people):
    approve(asked, people["engineer"])
    edited = signoff.edit(asked, user=people["both"], threshold=0.4, reason="less")
    signed_by(edited, people["product"], "product", 2)
    target = policy.with_threshold(edited.policy_before, 0.4, "forced")
    refused("takes an approval of each role", lambda: force_approved(edited, target))


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 0.9}, {"thresholds": {"math": 1.0}}, {"reason": "other"},
        {"rollout": [{"share": 1, "hours": 0}]}, {"revision": 2}, {"required_roles": ["product"]},
        {"state": "expired"},
    ],
)  # fmt: skip
def test_postgres_keeps_what_was_asked_for(asked, change):
    refused(
        "never changes|new revision|Invalid transition",
        lambda: SignOff.objects.filter(pk=asked.pk).update(**change),
    )


def test_what_people_said_stays(asked, people):
    signoff.comment(asked, user=people["product"], text="hm")
    approve(asked, people["engineer"])
    for rows in (Approval.objects, Comment.objects, Revision.objects):
        mine = rows.filter(signoff=asked)
        refused("Cannot update", lambda mine=mine: mine.update(id=999_999))
        refused("stay as long", mine.delete)
    refused("stay as long", lambda: SignOff.objects.filter(pk=asked.pk).delete())


def test_a_sign_off_begins_as_a_request(asked, study):
    frozen = evidence.freeze(study, 0.5)
    fields = {
        "project": study.project, "study": study, "threshold": 0.5, "reason": "x",
        "requester": asked.requester, "required_roles": [], "evidence": frozen,
        "policy_before": asked.policy_before,
    }  # fmt: skip
    refused("begins as a request", lambda: SignOff.objects.create(**fields, state="rejected"))


# --- at once ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_last_two_approvals_at_once_approve_once(asked, people):
    def sign(name):
        def run():
            approve(SignOff.objects.get(pk=asked.pk), people[name])

        return run

    after(sign("engineer"), sign("product"))
    asked.refresh_from_db()
    assert (asked.state, asked.approvals.count()) == ("approved", 2)
    assert policy.live(asked.project).project.policies.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_plan_that_changes_at_once_is_not_approved(asked, people):
    once, lead, refused = approve(asked, people["engineer"]), person("lena", "lead"), []

    def last():
        try:
            approve(SignOff.objects.get(pk=once.pk), people["product"])
        except Conflict as exc:
            refused.append(str(exc))

    after(lambda: planning.change(asked.study, {"floor": 0.2}, by=lead, reason="Wider."), last)
    asked.refresh_from_db()
    assert (asked.state, asked.approvals.count()) == ("requested", 1)
    assert "The plan was changed since." in refused[0]


@pytest.mark.django_db(transaction=True)
def test_two_for_one_role_at_once_leave_one(asked, people):
    lost = []

    def second():
        try:
            approve(SignOff.objects.get(pk=asked.pk), people["product"])
        except NotAllowed as exc:
            lost.append(exc)

    after(lambda: approve(asked, person("pia", "product")), second)
    assert len(lost) == 1
    assert asked.approvals.get().user.username == "pia"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", ["withdraw", "approve"])
def test_withdrawn_and_approved_at_once_are_one_of_both(asked, people, first):
    once = approve(asked, people["engineer"])
    lost = []
    acts = {
        "withdraw": lambda: signoff.withdraw(once, user=people["both"]),
        "approve": lambda: approve(once, people["product"]),
    }

    def second():
        try:
            acts["approve" if first == "withdraw" else "withdraw"]()
        except Conflict as exc:
            lost.append(exc)

    after(acts[first], second)
    once.refresh_from_db()
    assert once.state == {"withdraw": "withdrawn", "approve": "approved"}[first]
    assert len(lost) == 1


@pytest.mark.django_db(transaction=True)
def test_requests_at_once_leave_one_open(study):
    engineer, together = person("e", "engineering"), Barrier(4)

    def run(_):
        together.wait()
        try:
            return ask(study, engineer).pk
        except Conflict:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        made = [pk for pk in pool.map(run, range(4)) if pk]
    assert len(made) == 1
    assert SignOff.objects.filter(state="requested").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_rollback_under_way_is_not_undone_by_an_approval(asked, people):
    once, rolling = approve(asked, people["engineer"]), Barrier(2)

    def roll_back():
        with transaction.atomic():
            policy.lock(asked.project)
            rolling.wait()
            time.sleep(0.5)  # the approval comes now
            rollout.roll_back(asked.project, by=people["engineer"], reason="fire")
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        rollback = pool.submit(roll_back)
        rolling.wait()
        with pytest.raises(Conflict):
            approve(once, people["product"])
        rollback.result()
    assert policy.live(asked.project).threshold == 0.0


# --- on which evidence --------------------------------------------------------------------------


def test_nothing_rated_is_nothing_to_sign(study, people):
    with pytest.raises(NothingToSign):
        ask(unrated(study), people["product"])


def test_a_plan_for_certified_thresholds_alone_refuses_others(study, people):
    strict = sampling.start(study.policy, name="Strict", seed="demo", rate=1.0)
    ann = Rater.objects.create(kind=Rater.Kind.HUMAN, name="ann")
    for row in strict.sample.filter(selected=True)[:40]:
        Verdict.objects.create(study=strict, pair=row.pair, rater=ann, preference="tie")
    with pytest.raises(NothingToSign, match="certified"):
        ask(strict, people["product"])


def test_what_was_looked_at_is_what_is_signed(study, people):
    key = Rater.objects.create(kind=Rater.Kind.ANSWER_KEY, name="key")
    pair = study.sample.filter(selected=True, pair__score__lt=0.6).first().pair
    Verdict.objects.create(study=study, pair=pair, rater=key, preference="expensive")
    looked = estimation.estimate(study, "answer_key")
    seen = evidence.Seen("answer_key", looked.moment, looked.inputs_sha256)
    content = ask(study, people["engineer"], seen=seen).evidence.content
    assert (content["raters"], content["n_rated"]) == ("answer_key", 1)
    assert content["point"]["degradation"] == 1.0


def test_evidence_about_other_models_signs_nothing(study, people):
    live = policy.live(study.project)
    other = TierSpec("anthropic", "claude-other")
    changed = policy.create(
        project=study.project, router=live.router, threshold=0.0, cheap=other, expensive=other
    )
    policy.deploy(changed, by=None, reason="other models")
    with pytest.raises(Conflict, match="other models"):
        ask(study, people["engineer"])


def test_who_signed_cannot_be_deleted_and_who_rated_leaves_the_ratings(asked, people):
    approve(asked, people["product"])
    for user in (asked.requester, people["product"]):
        with pytest.raises(ProtectedError):
            user.delete()
    count = Verdict.objects.count()
    User.objects.get(username="rita").delete()
    assert Verdict.objects.count() == count


def test_ratings_that_come_while_somebody_reads_change_nothing_of_what_is_signed(study, people):
    looked = estimation.estimate(study)
    ann = Rater.objects.create(kind=Rater.Kind.HUMAN, name="ann")
    for row in study.sample.filter(selected=True)[:40]:
        Verdict.objects.create(study=study, pair=row.pair, rater=ann, preference="expensive")
    later = evidence.Seen("human", estimation.Moment.now(study), looked.inputs_sha256)
    with pytest.raises(Conflict, match="moved"):
        ask(study, people["engineer"], seen=later)
    seen = evidence.Seen("human", looked.moment, looked.inputs_sha256)
    row = ask(study, people["engineer"], seen=seen)
    assert row.evidence.content["points"] == looked.points
