"""What a form of a sign-off sends is checked as what a service is told."""

import re

import pytest
from django.urls import reverse

from reviews import asking, audit, rollout
from reviews.models import SignOff
from reviews.views import signed_figures
from routing import policy
from tests.reviews.rows import add_pair
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
def study(project):
    return rated_study(project)


@pytest.fixture
def asked(study, people):
    return ask(study, people["both"])


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


def test_a_form_keeps_other_and_unknown_task_types_with_the_expensive_model(client, asked, people):
    client.force_login(people["both"])
    page = client.get(f"/signoffs/{asked.pk}/edit/")
    form = {
        "seen": page.context["seen"], "revision": "1", "reason": "less", "rollout": "now",
        "threshold": "0.4", "threshold_math": "0.2",
    }  # fmt: skip
    post(client, people["both"], asked, "edit", **form, others="x")
    assert asked.revision == 1
    post(client, people["both"], asked, "edit", **form, others="expensive")
    # No task type of this study has the ratings that one needs to go by the threshold.
    assert (asked.revision, asked.threshold, asked.thresholds) == (2, 0.0, {"math": 0.2})
    summary = client.get(f"/signoffs/{asked.pk}/").content.decode()
    assert "other and unknown task types: always expensive" in summary
    assert "other and unknown task types stay with the expensive one" in summary
    assert "Too little evidence by itself" in summary


def test_a_smaller_threshold_of_a_task_type_takes_no_evidence_of_its_own(client, study, people):
    row = ask(study, people["both"], 0.5, thresholds={"math": 0.2})
    client.force_login(people["both"])
    summary = client.get(f"/signoffs/{row.pk}/").content.decode()
    assert "Too little evidence by itself" not in summary
    assert "of other and unknown task types those below 0.50" in summary


def test_a_name_of_a_field_that_cannot_be_stored_is_refused(client, asked, people):
    form = {"decision": "approve", "revision": "1", "threshold_a\0": "0.2"}
    assert post(client, people["engineer"], asked, "decide", **form).status_code == 400
    assert not asked.approvals.exists()


def test_what_changes_is_shown_of_thresholds_by_task_type(client, project, people):
    row = ask(rated_study(project), people["both"], 0.0, thresholds={"math": 0.5})
    client.force_login(people["both"])
    for place in (f"/signoffs/{row.pk}/?tab=changes", f"/signoffs/{row.pk}/edit/"):
        told = {line["label"]: line for line in client.get(place).context["changes"]}
        assert told["Threshold"]["after"] == "0.00, math 0.50"
        shares = told["Requests that go to the cheap tier"]
        assert (shares["before"], shares["after"]) == ("0.0 %", "50.0 %")
    summary = client.get(f"/signoffs/{row.pk}/").content.decode()
    assert "From 0.00 (policy-1) to <b>thresholds by task type</b>" in summary


@pytest.mark.parametrize("revision", [{}, {"revision": "0"}])
def test_what_the_page_did_not_show_is_not_edited(client, asked, people, revision):
    client.force_login(people["both"])
    seen = client.get(f"/signoffs/{asked.pk}/edit/").context["seen"]
    form = {"seen": seen, "threshold": "0.4", "reason": "less", **revision}
    post(client, people["both"], asked, "edit", **form)
    assert (asked.revision, asked.threshold) == (1, 0.6)


def test_a_step_that_was_taken_meanwhile_is_not_taken_again(client, study, people):
    steps = [{"share": 0.1, "hours": 24}, {"share": 1, "hours": 0}]
    asked = ask(study, people["both"], rollout=steps)
    way = approve(asked, people["engineer"], people["product"]).way
    client.force_login(people["engineer"])
    page = client.get(f"/signoffs/{asked.pk}/").content.decode()
    seen = re.search(r'name="seen" value="(.*?)"', page)[1]
    for form in ({}, {"seen": seen}, {"seen": seen}, {"seen": "x"}):
        post(client, people["engineer"], asked, "rollout", action="next", **form)
    way.refresh_from_db()
    assert way.done == 1
    assert post(client, people["product"], asked, "rollout", action="stop").status_code == 403


def test_an_approval_by_somebody_who_left_is_shown_as_none(client, asked, people):
    approve(asked, people["engineer"])
    people["engineer"].groups.clear()
    client.force_login(people["product"])
    page = client.get(f"/signoffs/{asked.pk}/").content.decode()
    assert "can no longer sign for engineering, counts no more" in page
    assert 'value="approve"' not in page


@pytest.mark.parametrize("tab", ["summary", "changes", "evidence", "discussion", "history", "x"])
def test_every_tab_opens_in_every_state(client, asked, people, tab):
    for act in (lambda: asked, lambda: approve(asked, people["engineer"], people["product"])):
        row = act()
        client.force_login(people["product"])
        assert client.get(f"/signoffs/{row.pk}/", {"tab": tab}).status_code == 200


ODD_TASKS = ("items", "keys", "0", "constructor", "__proto__", "<b>&'\"", "\u202eשלום 🦆")


def test_every_page_takes_task_types_of_any_name(client, project, people):
    for n, task in enumerate(ODD_TASKS):
        add_pair(project, n / 10, task=task)
    study = rated_study(project)
    named = dict.fromkeys(ODD_TASKS, 0.1)
    row = ask(study, people["both"], thresholds=named)
    here = f"/signoffs/{row.pk}/"
    client.force_login(people["both"])
    pages = ["/signoffs/", f"{here}?tab=changes", f"{here}?tab=history", f"{here}edit/"]
    assert [client.get(url).status_code for url in pages] == [200] * 4
    approve(row, people["engineer"], people["product"])
    rollout.run_due()
    switched = reverse("switches") + "?at=0.5&threshold_items=0.4"
    pages = ["/overview/", "/policies/", "/threshold/", switched, "/pairs/?task=items", here]
    pages += [reverse(f"signoff_{what}", args=[row.pk]) for what in ("report", "pdf", "pack")]
    assert [client.get(url).status_code for url in pages] == [200] * 9
    said = client.get("/policies/").content.decode()
    assert "<bdi>items</bdi> 0.10" in said
    assert "<b>&'" not in said


def test_what_is_signed_is_shown_as_it_was_asked_for(client, project, people):
    ramp = [{"share": 0.001, "hours": 0.04}, {"share": 0.996, "hours": 700}, {"share": 1}]
    row = ask(rated_study(project), people["both"], rollout=ramp)
    client.force_login(people["both"])
    said = client.get(f"/signoffs/{row.pk}/").content.decode()
    assert "As a ramp: 0.1 % for 0.04 h, then 99.6 % for 700 h, then 100 %." in said
    form = client.get(f"/signoffs/{row.pk}/edit/").content.decode()
    assert 'value="99.6"' in form
    assert 'value="0.04"' in form


def test_a_rollback_takes_a_reason_that_can_be_read(client, project, people):
    approve(ask(rated_study(project), people["both"]), people["engineer"], people["product"])
    rollout.run_due()
    client.force_login(people["engineer"])
    form = {"project": project.slug, "reason": "x" * (asking.MOST_LETTERS + 1)}
    client.post(reverse("roll_back"), form)
    assert policy.live(project).threshold == 0.6
    client.post(reverse("roll_back"), form | {"reason": " fire "})
    noted = audit.about(project, f"deployment {policy.deployment(project).pk}")
    assert (policy.live(project).threshold, noted[-1].detail["why"]) == (0.0, "fire")


def test_a_saving_without_an_interval_says_so():
    point = {"saving_share": 0.41}
    assert signed_figures.saving(point) == "41.0 % of the recorded costs, without an interval"
    assert signed_figures.saving({"saving_share": None}) == "unknown"
