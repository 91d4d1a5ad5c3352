"""What a form of a sign-off sends is checked as what a service is told."""

import pytest

from reviews.models import SignOff
from tests.reviews.signing import approve, ask, person, rated_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def people():
    return {
        "both": person("paula", "product", "engineering"),
        "engineer": person("erik", "engineering"),
        "product": person("pat", "product"),
    }


@pytest.fixture
def asked(project, people):
    return ask(rated_study(project), people["both"])


def post(client, user, row, what, **form):
    client.force_login(user)
    answer = client.post(f"/signoffs/{row.pk}/{what}/", form)
    row.refresh_from_db()
    return answer


def test_a_direct_post_signs_nothing_of_ones_own_and_nothing_twice(client, asked, people):
    said = {"decision": "approve", "revision": "1"}
    assert post(client, people["both"], asked, "decide", **said).status_code == 403
    for _ in range(2):
        post(client, people["engineer"], asked, "decide", **said)
    assert (asked.state, asked.approvals.count()) == ("requested", 1)


@pytest.mark.parametrize("form", [{"revision": "2"}, {}, {"revision": "1", "decision": "x"}])
def test_what_the_page_did_not_show_is_not_decided(client, asked, people, form):
    post(client, people["engineer"], asked, "decide", **{"decision": "approve"} | form)
    assert not asked.approvals.exists()


def test_a_form_edits_thresholds_ramp_and_time(client, asked, people):
    client.force_login(people["both"])
    seen = client.get(f"/signoffs/{asked.pk}/edit/").context["seen"]
    form = {
        "seen": seen, "revision": "1", "reason": "less",
        "threshold": "0.4", "threshold_math": "0.2", "rollout": "ramp",
        "step_percent": ["20", "100"], "step_hours": ["6", ""], "if_guard_fails": "back",
    }  # fmt: skip
    post(client, people["both"], asked, "edit", **form)
    assert (asked.revision, asked.threshold, asked.thresholds) == (2, 0.4, {"math": 0.2})
    assert asked.rollout == [{"share": 0.2, "hours": 6.0}, {"share": 1.0, "hours": 0.0}]
    assert asked.if_guard_fails == SignOff.Guard.BACK


def test_a_name_of_a_field_that_cannot_be_stored_is_refused(client, asked, people):
    form = {"decision": "approve", "revision": "1", "threshold_a\0": "0.2"}
    assert post(client, people["engineer"], asked, "decide", **form).status_code == 400
    assert not asked.approvals.exists()


@pytest.mark.parametrize("revision", [{}, {"revision": "0"}])
def test_what_the_page_did_not_show_is_not_edited(client, asked, people, revision):
    client.force_login(people["both"])
    seen = client.get(f"/signoffs/{asked.pk}/edit/").context["seen"]
    form = {"seen": seen, "threshold": "0.4", "reason": "less", **revision}
    post(client, people["both"], asked, "edit", **form)
    assert (asked.revision, asked.threshold) == (1, 0.6)


def test_a_step_that_was_taken_meanwhile_is_not_taken_again(client, asked, people):
    way = approve(asked, people["engineer"], people["product"]).way
    for _ in range(2):
        post(client, people["engineer"], asked, "rollout", action="next", done="0")
    way.refresh_from_db()
    assert way.done == 1
    assert post(client, people["product"], asked, "rollout", action="stop").status_code == 403


@pytest.mark.parametrize("tab", ["summary", "changes", "evidence", "discussion", "history", "x"])
def test_every_tab_opens_in_every_state(client, asked, people, tab):
    for act in (lambda: asked, lambda: approve(asked, people["engineer"], people["product"])):
        row = act()
        client.force_login(people["product"])
        assert client.get(f"/signoffs/{row.pk}/", {"tab": tab}).status_code == 200
