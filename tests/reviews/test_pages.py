"""Pages: bad values are refused in words, forms work without a script, projects are made."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from reviews import demo, permissions, sampling
from reviews.models import Rating, Study
from routing import policy
from routing.models import Project
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_role(client):
    def log_in(*roles):
        permissions.ensure_roles()
        user = User.objects.create_user("-".join(roles))
        permissions.give(user, *roles)
        client.force_login(user)
        return client

    return log_in


@pytest.mark.parametrize(
    "address", ["/overview/?project=a%00b", "/pairs/?task=%00", "/threshold/?study=%00"]
)
def test_a_nul_character_is_refused(as_role, project, address):
    assert as_role("lead").get(address).status_code == 400


@pytest.mark.parametrize("study", ["²", "x", "-1", "9" * 30, "9" * 5000, ""])
def test_a_study_that_cannot_be_is_no_error(as_role, project, study):
    assert as_role("lead").get("/threshold/", {"study": study}).status_code == 200
    answer = as_role("product").post("/signoffs/", {"study": study or "0", "threshold": "1"})
    assert answer.status_code == 404


def rate(client, **said):
    shown = client.get("/rate/").context["pair"]
    form = {"choice": "equal", "left_adequate": "yes", "right_adequate": "no"} | said
    return shown.token, client.post(f"/rate/{shown.token}/", form, headers=said.pop("headers", {}))


def test_rating_works_without_a_script(as_role, starter):
    demo.load()
    token, answer = rate(as_role("rater"), seconds="nan")
    assert (answer.status_code, answer.url) == (302, "/rate/")
    rating = Rating.objects.get(presentation__token=token)
    assert (rating.choice, rating.seconds) == ("equal", 0.0)


def test_the_script_gets_the_next_pair_and_undo_outlives_a_reload(as_role, starter):
    demo.load()
    client = as_role("rater")
    token, answer = rate(client, headers={"X-Requested-With": "fetch"})
    assert (answer.status_code, f'data-saved="{token}"' in answer.text) == (200, True)
    assert f'data-last="{token}"' in client.get("/rate/").text


def test_undo_shows_what_was_said(as_role, starter):
    demo.load()
    client = as_role("rater")
    token, _ = rate(client, comment="short <b>")
    shown = client.get(f"/rate/{token}/again/").text
    assert shown.count(" checked") == 3
    for part in ('value="equal" data-key="3" required checked', 'value="short &lt;b&gt;"'):
        assert part in shown
    assert " checked" not in client.get("/rate/").text


@pytest.mark.parametrize("missing", ["choice", "left_adequate", "right_adequate"])
def test_half_a_rating_is_refused_in_words(as_role, starter, missing):
    demo.load()
    count = Rating.objects.count()
    _, answer = rate(as_role("rater"), **{missing: ""})
    assert (answer.status_code, answer.text != "") == (400, True)
    assert Rating.objects.count() == count


def test_an_admin_makes_a_project_that_is_always_expensive(as_role, project):
    client = as_role("admin")
    for _ in range(2):  # a second one of the same name is refused
        client.post(reverse("create_project"), {"name": "Shop"})
    made = Project.objects.get(slug="shop")
    assert policy.live(made).threshold == policy.ALWAYS_EXPENSIVE
    assert Project.objects.count() == 2


def test_removing_the_demo_spares_a_live_project_called_demo(as_role, project):
    client = as_role("admin")
    client.post(reverse("create_project"), {"name": "Demo"})
    demo.load()
    client.post("/demo/", {"action": "remove"})
    assert set(Project.objects.values_list("slug", flat=True)) == {"default", "demo"}


def test_the_rating_page_says_what_is_demo_and_what_is_simulated(as_role, project, starter):
    client = as_role("rater")
    sampling.start(project, starter, name="Live", seed="1", rate=1.0)
    add_pair(project, 0.1)
    sampling.extend(project.studies.get())
    assert "Simulated provider" in client.get("/rate/").text
    demo.load()
    study = Study.objects.get(project__kind="demo")
    shown = client.get("/rate/", {"study": study.pk}).text
    assert ("Demo content" in shown, "Simulated provider" in shown) == (True, False)


@pytest.mark.parametrize(
    ("referer", "target"),
    [("http://testserver/threshold/", "http://testserver/threshold/"), ("http://evil/", "/")],
)
def test_a_refusal_leads_back_to_our_own_pages_only(as_role, project, referer, target):
    form = {"name": "s", "rate": "7"}
    answer = as_role("lead").post("/studies/", form, headers={"referer": referer})
    assert (answer.status_code, answer.url) == (302, target)
