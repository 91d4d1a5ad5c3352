"""Trail, report and pack on the pages: who gets them, and when."""

import pytest
from django.db import connection
from django.urls import reverse

from reviews import audit
from tests.reviews import certified

pytestmark = pytest.mark.django_db


def test_the_trail_says_whether_it_is_whole(project, as_role):
    audit.write(project, None, "noted", "thing 1")
    client = as_role("product")
    assert "Whole: each of the 1 entries" in client.get(reverse("audit")).content.decode()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE reviews_auditentry DISABLE TRIGGER USER")
        cursor.execute("UPDATE reviews_auditentry SET actor = 'eve'")
        cursor.execute("ALTER TABLE reviews_auditentry ENABLE TRIGGER USER")
    said = client.get(reverse("audit")).content.decode()
    assert "The trail is not whole" in said
    assert "Row 1 was changed: its hash is another." in said


def test_the_trail_is_handed_out_as_lines(project, as_role):
    audit.write(project, None, "noted", "thing 1")
    answer = as_role("product").get(reverse("audit_lines"))
    assert answer["content-type"] == "application/jsonl"
    assert answer.content.count(b"\n") == 1


def test_whoever_may_still_rate_gets_no_pack_of_a_running_study(project, as_role):
    row = certified.asked(certified.running(project, certified_only=False))
    address = reverse("signoff_pack", args=[row.pk])
    client = as_role("lead")
    refused = client.get(address)
    assert refused.status_code == 403
    assert "yours when the study is closed" in refused.content.decode()
    client.force_login(row.requester)
    assert client.get(address)["content-type"] == "application/zip"


def test_report_and_pack_of_a_closed_study_are_everybodys(project, as_role):
    row = certified.asked(certified.closed(project))
    client = as_role("lead")
    wanted = {"signoff_report": "text/html", "signoff_pdf": "application/pdf"}
    for name, kind in (wanted | {"signoff_pack": "application/zip"}).items():
        answer = client.get(reverse(name, args=[row.pk]))
        assert (answer.status_code, answer["content-type"].split(";")[0]) == (200, kind)
