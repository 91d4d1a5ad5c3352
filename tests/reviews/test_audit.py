"""The trail of a project: chained, without gaps, and every change of it is found."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction

from reviews import audit, projects, rollout, signoff
from reviews.models import Approval, AuditEntry, AuditHead
from routing import policy
from tests.reviews.signing import approve, ask, person, rated_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def trail(project):
    ann = User.objects.create_user("ann")
    for n in range(1, 5):
        audit.write(project, ann, "noted", f"thing {n}", {"share": n / 3, "big": 1e22, "tiny": 0.0})
    return project


def forge(statement, table="auditentry"):
    """Change a table as somebody does who may switch its triggers off."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE reviews_{table} DISABLE TRIGGER USER")
        cursor.execute(statement)
        cursor.execute(f"ALTER TABLE reviews_{table} ENABLE TRIGGER USER")


def test_a_trail_is_whole_as_written(trail):
    assert audit.verify(trail) == []
    assert [*AuditEntry.objects.values_list("number", flat=True)] == [1, 2, 3, 4]


def test_a_project_without_a_trail_has_no_fault(project):
    assert audit.verify(project) == []


def test_the_service_itself_is_nobody(project):
    assert audit.write(project, None, "expired", "signoff 1").actor == ""


@pytest.mark.parametrize(
    "change",
    ["actor = 'eve'", "detail = '{}'", "at = now()", "event = 'x'", "subject = 'thing 9'"],
)
def test_a_changed_row_is_found_though_triggers_were_off(trail, change):
    forge(f"UPDATE reviews_auditentry SET {change} WHERE number = 2")
    assert audit.verify(trail) == ["row 2 was changed: its hash is another"]


def test_a_removed_row_is_found_though_triggers_were_off(trail):
    forge("DELETE FROM reviews_auditentry WHERE number = 3")
    assert "row 3 is missing" in audit.verify(trail)


def test_a_row_removed_at_the_end_is_found_and_stays_found(trail):
    forge("DELETE FROM reviews_auditentry WHERE number = 4")
    assert audit.verify(trail) == ["the trail ends with row 3, and should with row 4"]
    audit.write(trail, None, "noted", "thing 5")
    assert "row 4 is missing" in audit.verify(trail)


def test_a_trail_that_was_emptied_with_its_head_is_found(project):
    asks, *others = map(person, "abc", ("product", "engineering", "product"))
    row = approve(ask(rated_study(project), asks), *others)
    rollout.run_due()
    assert audit.verify(project) == []
    forge("TRUNCATE reviews_auditentry, reviews_audithead")
    assert audit.verify(project) == [
        f"no row tells of revision 1 of sign-off {row.pk}",
        f"sign-off {row.pk} is approved, and the trail says nothing",
        f"no row tells of the decision for engineering about revision 1 of sign-off {row.pk}",
        f"no row tells of the decision for product about revision 1 of sign-off {row.pk}",
        "it tells of 0 moves of rollouts, and there were 1",
    ]


@pytest.fixture
def signed(project):
    """A sign-off that was asked for, commented on, approved, and is live."""
    asks, *others = map(person, "abc", ("product", "engineering", "product"))
    row = ask(rated_study(project), asks)
    signoff.comment(row, user=others[0], text="hm")
    row = approve(row, *others)
    rollout.run_due()
    assert audit.verify(project) == []
    return row


_A = "(SELECT id FROM auth_user WHERE username = 'a')"


@pytest.mark.parametrize(
    ("table", "change", "fault"),
    [
        ("revision", "reason = 'x'", "revision 1 of sign-off"),
        ("revision", "rollout = '[]', deploy_at = now()", "revision 1 of sign-off"),
        ("signoff", "reason = 'x'", "sign-off"),
        ("signoff", "if_guard_fails = 'back'", "sign-off"),
        ("signoff", "required_roles = '{lead}'", "sign-off"),
        ("signoff", f"requester_id = {_A} + 1", "sign-off"),
        ("signoff", "policy_before_id = policy_after_id", "sign-off"),
        ("signoff", "state = 'withdrawn'", "is withdrawn, and the trail says approved"),
        ("signoff", "policy_after_id = policy_before_id", "leads to policy-1, and row"),
        ("approval", "comment = 'x' WHERE role = 'product'", "the decision for product"),
        ("approval", f"user_id = {_A} WHERE role = 'product'", "the decision for product"),
        ("approval", "decision = 'reject' WHERE role = 'product'", "no row tells of the decision"),
        ("comment", "text = 'x'", "a comment on sign-off"),
    ],
)
def test_what_was_said_and_is_changed_beside_the_trail_is_found(signed, table, change, fault):
    forge(f"UPDATE reviews_{table} SET {change}", table)
    assert any(fault in one for one in audit.verify(signed.project))


@pytest.mark.parametrize("table", ["approval", "comment"])
def test_what_was_said_and_is_taken_away_beside_the_trail_is_found(signed, table):
    forge(f"DELETE FROM reviews_{table}", table)
    assert any("that is not there" in one for one in audit.verify(signed.project))


def test_a_policy_that_went_live_past_the_trail_is_found(project):
    asks, erik, pat = map(person, "abc", ("product", "engineering", "product"))
    row = ask(rated_study(project), asks)
    for user, role in ((erik, "engineering"), (pat, "product")):
        Approval.objects.create(signoff=row, user=user, role=role, decision="approve")
    row.policy_after = policy.with_threshold(row.policy_before, row.threshold, "by hand")
    row.state = "approved"
    row.save()
    made = policy.deploy(row.policy_after, by=None, reason="by hand")
    assert audit.verify(project) == [
        f"sign-off {row.pk} is approved, and the trail says requested",
        f"no row tells of the decision for engineering about revision 1 of sign-off {row.pk}",
        f"no row tells of the decision for product about revision 1 of sign-off {row.pk}",
        f"no row tells of deployment {made.pk}, of policy-2",
    ]


def test_deployments_that_take_no_sign_off_are_no_fault(signed, demo):
    erik = User.objects.get(username="b")
    rollout.roll_back(signed.project, by=erik, reason="x", to="previous")
    rollout.roll_back(signed.project, by=erik, reason="x")
    policy.deploy(policy.with_threshold(policy.live(demo), 0.5, "demo"), by=None, reason="demo")
    assert audit.verify(signed.project) == audit.verify(demo) == []


def test_sign_offs_of_an_earlier_version_are_no_fault(signed):
    for entry in AuditEntry.objects.filter(project=signed.project):
        told = {key: value for key, value in entry.detail.items() if key != "said"}
        forge(f"UPDATE reviews_auditentry SET detail = '{json.dumps(told)}' WHERE id = {entry.pk}")
    assert all("its hash is another" in fault for fault in audit.verify(signed.project))


def test_rows_that_changed_places_are_found(trail):
    forge("UPDATE reviews_auditentry SET number = 9 WHERE number = 2")
    forge("UPDATE reviews_auditentry SET number = 2 WHERE number = 3")
    forge("UPDATE reviews_auditentry SET number = 3 WHERE number = 9")
    assert len(audit.verify(trail)) >= 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reviews_auditentry SET actor = 'eve'",
        "DELETE FROM reviews_auditentry",
        "UPDATE reviews_audithead SET number = 1",
        "UPDATE reviews_audithead SET sha256 = 'x'",
        "DELETE FROM reviews_audithead",
    ],
)
@pytest.mark.django_db(transaction=True)
def test_postgres_refuses_to_change_a_trail(trail, statement):
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert audit.verify(trail) == []


@pytest.mark.django_db(transaction=True)
def test_a_trail_goes_with_its_project(trail):
    projects.delete(trail)
    assert not AuditEntry.objects.exists()
    assert not AuditHead.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_entries_written_at_once_leave_no_gap(project):
    together = Barrier(4)

    def note(n):
        together.wait()
        try:
            for _ in range(5):
                audit.write(project, None, "noted", f"thing {n}")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(note, range(4)))
    assert AuditEntry.objects.count() == 20
    assert audit.verify(project) == []


def test_an_event_that_is_undone_leaves_no_entry(trail):
    with transaction.atomic():
        audit.write(trail, None, "noted", "thing 5")
        transaction.set_rollback(True)
    assert AuditEntry.objects.count() == 4
    assert audit.verify(trail) == []


def test_lines_hold_the_whole_trail_up_to_a_row(trail):
    text = b"".join(audit.lines(audit.rows(trail, 3)))
    assert [json.loads(line)["number"] for line in text.splitlines()] == [1, 2, 3]


def test_the_newest_entry_about_a_subject_is_found(trail):
    audit.write(trail, None, "again", "thing 2")
    assert audit.last_of(trail, "thing 2") == 5
    assert audit.last_of(trail, "nothing") == 0
    assert [row.number for row in audit.about(trail, "thing 1", "thing 2")] == [1, 2, 5]
