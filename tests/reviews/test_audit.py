"""The trail of a project: chained, without gaps, and every change of it is found."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction

from reviews import audit, projects, rollout
from reviews.models import AuditEntry, AuditHead
from tests.reviews.signing import approve, ask, person, rated_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def trail(project):
    ann = User.objects.create_user("ann")
    for n in range(1, 5):
        audit.write(project, ann, "noted", f"thing {n}", {"share": n / 3, "big": 1e22, "tiny": 0.0})
    return project


def forge(statement):
    """Change the trail as somebody does who may switch its triggers off."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE reviews_auditentry DISABLE TRIGGER USER")
        cursor.execute(statement)
        cursor.execute("ALTER TABLE reviews_auditentry ENABLE TRIGGER USER")


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
        "it tells of 0 moves of rollouts, and there were 1",
    ]


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
