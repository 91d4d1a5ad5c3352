"""Pages of leads: what cannot be comes back as typed; adjudications stay blind."""

import re

import pytest
from django.contrib.auth.models import User

from reviews import adjudication, guidance, permissions, rating, sampling
from reviews.models import Adjudication, Gold, Presentation, Study, Verdict
from routing import policy
from tests.reviews.rated import form, rate_all, rater
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db
FETCH = {"X-Requested-With": "fetch"}


@pytest.fixture
def as_role(client):
    def log_in(*roles):
        permissions.ensure_roles()
        user = User.objects.create_user("-".join(roles) or "nobody")
        permissions.give(user, *roles)
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def study(project):
    """Two raters, two pairs, one disagreement."""
    first = add_pair(project, 0.1)
    add_pair(project, 0.3)
    plan = {"ratings_per_pair": 2, "second_share": 0, "check_every": 0, "origin_every": 0}
    study = sampling.start(policy.live(project), name="Spring", seed="7", rate=1.0, **plan)
    rate_all(study, rater("ann"), lambda pair: (("tie",), {}))
    says = {first.pk: (("expensive",), {"comment": "No postcode."})}
    rate_all(study, rater("bob"), lambda pair: says.get(pair, (("tie",), {})))
    return study


READ = {"lead", "engineering", "product", "admin"}
RUN = {"lead", "admin"}


@pytest.mark.parametrize("role", permissions.ROLES)
def test_who_sees_which_page(as_role, study, role):
    client = as_role(role)
    allowed = {
        "/studies/": READ,
        f"/studies/{study.pk}/": READ,
        f"/studies/{study.pk}/guidelines/": READ,
        "/studies/new/": RUN,
        f"/studies/{study.pk}/gold/": RUN,
        "/adjudicate/": {"lead"},
    }
    seen = {path for path in allowed if client.get(path).status_code == 200}
    assert seen == {path for path, roles in allowed.items() if role in roles}


@pytest.mark.parametrize("role", permissions.ROLES)
def test_who_changes_what(as_role, study, role):
    client = as_role(role)
    pk, pair = study.pk, study.sample.first().pair_id
    paths = [
        "/studies/new/", f"/studies/{pk}/guidelines/new/", f"/studies/{pk}/questions/",
        f"/studies/{pk}/gold/accept/", f"/pairs/{pair}/gold/",
    ]  # fmt: skip
    refused = [client.post(path, {}).status_code == 403 for path in paths]
    assert refused == [role not in RUN] * len(paths)


def test_a_plan_that_cannot_be_comes_back_as_typed(as_role, project):
    typed = {"project": "default", "name": "Mine <b>", "rate": "much", "tilt": "2"}
    answer = as_role("lead").post("/studies/new/", typed)
    assert (answer.status_code, Study.objects.exists()) == (200, False)
    for part in ('value="much"', "Mine &lt;b&gt;", 'id="problem-rate"', "must be a number from"):
        assert part in answer.text
    assert 'id="problem-tilt"' not in answer.text


def test_a_preview_counts_and_starts_nothing(as_role, project):
    for n in range(10):
        add_pair(project, n / 10)
    form = {"project": "default", "name": "s", "rate": "0.5", "action": "preview"}
    answer = as_role("lead").post("/studies/new/", form | {"second_share": "0.2"})
    assert "Of 10 pairs so far about 5 are drawn, 6 ratings." in answer.text
    assert not Study.objects.exists()


def test_a_harmful_tilt_starts_only_once_it_is_accepted(as_role, project):
    client = as_role("lead")
    form = {"project": "default", "name": "s", "rate": "0.2", "tilt": "3.5", "switches": "here"}
    assert sampling.warning(3.5) in client.post("/studies/new/", form).context["warning"]
    assert not Study.objects.exists()
    answer = client.post("/studies/new/", form | {"accept": "yes"})
    study = Study.objects.get()
    assert answer.url == f"/studies/{study.pk}/"
    assert (study.tilt, study.masks_leaks) == (3.5, False)
    shown = client.get(answer.url).text
    assert study.seed in shown


def test_the_short_form_starts_the_usual_plan(as_role, project):
    as_role("lead").post("/studies/new/", {"project": "default", "name": "s", "rate": "1"})
    study = Study.objects.get()
    assert (study.rate, study.masks_leaks, study.practice_pairs) == (1, True, 5)


def test_guidelines_are_looked_at_and_then_published(as_role, study):
    client, page = as_role("lead"), f"/studies/{study.pk}/guidelines/"
    shown = client.post(f"{page}new/", {"body": "**Fair**", "action": "preview"})
    assert "<strong>Fair</strong>" in shown.text
    assert guidance.current(study).version == 1
    assert client.post(f"{page}new/", {"body": "**Fair**", "action": "publish"}).url == page
    assert guidance.current(study).body == "**Fair**\n"
    guidance.mark_read(study, rater("cid"), 2)
    assert "Read by cid." in client.get(page).text
    again = client.post(f"{page}new/", {"body": "**Fair**", "action": "publish"})
    assert (again.status_code, "Nothing changed" in again.text) == (200, True)


def test_questions_that_were_answered_are_shown_as_frozen(as_role, study, project):
    client, page = as_role("lead"), f"/studies/{study.pk}/guidelines/"
    assert "Frozen: somebody has answered them" in client.get(page).text
    client.post(f"/studies/{study.pk}/questions/", {"preference": "x", "adequacy": "x"})
    assert Study.objects.get().preference_question == study.preference_question
    new = sampling.start(policy.live(project), name="New", seed="8", rate=1.0)
    path = f"/studies/{new.pk}/questions/"
    half = client.post(path, {"preference": "Which one?", "adequacy": "", "reasons": "a\nb"})
    assert (half.status_code, 'value="Which one?"' in half.text) == (200, True)
    client.post(path, {"preference": "Which one?", "adequacy": "Fine?", "reasons": "a\nb"})
    new.refresh_from_db()
    assert (new.preference_question, new.reasons) == ("Which one?", ["a", "b"])


def test_a_pair_becomes_gold_once_the_lead_has_seen_it(as_role, study):
    client, pair = as_role("lead"), study.sample.first().pair_id
    said = {"study": study.pk, "use": "practice", "preference": "tie", "explanation": "Both."}
    client.post(f"/pairs/{pair}/gold/", said)
    assert not Gold.objects.exists()
    assert "Make it gold" in client.post(f"/pairs/{pair}/").text
    wrong = client.post(f"/pairs/{pair}/gold/", said | {"preference": ""})
    assert (wrong.status_code, ">Both.</textarea>" in wrong.text) == (200, True)
    client.post(f"/pairs/{pair}/gold/", said | {"cheap_adequate": "yes"})
    made = Gold.objects.get()
    assert (made.use, made.cheap_adequate, made.expensive_adequate) == ("practice", True, None)
    assert "Both." in client.get(f"/studies/{study.pk}/gold/").text
    client.post(f"/studies/{study.pk}/gold/{made.pk}/retire/")
    made.refresh_from_db()
    assert made.retired_at is not None


@pytest.mark.parametrize("pair", ["", "x", "²", "9" * 30, "0"])
def test_gold_of_no_pair_is_refused_in_words(as_role, study, pair):
    client = as_role("lead")
    client.post(f"/studies/{study.pk}/gold/accept/", {"pair": pair, "use": "hidden"})
    assert client.get("/studies/").status_code == 200
    assert not Gold.objects.exists()


def fields(page, *words):
    shown = Presentation.objects.get(token=page.context["pair"].token)
    said = form(shown.left, *words)
    return shown, said | {
        side: "yes" if said[side] else "no" for side in said if "adequate" in side
    }


def test_settling_works_without_a_script(as_role, study):
    client = as_role("lead")
    page = client.get("/adjudicate/")
    shown, said = fields(page, "expensive")
    assert ("No postcode." in page.text, "Rater 1" in page.text) == (False, False)
    path = f"/adjudicate/{shown.token}/"
    assert client.post(path, said).url == "/adjudicate/"
    page = client.get("/adjudicate/").text
    assert ("No postcode." in page, "Rater 2" in page, "bob" in page) == (True, True, False)
    before = Verdict.objects.count()
    client.post(path, said | {"cause": "guideline", "gold": "hidden"})
    done = Adjudication.objects.get()
    assert (done.preference, done.cause, Gold.objects.get().pair) == (
        "expensive", "guideline", done.pair,
    )  # fmt: skip
    assert Verdict.objects.count() == before
    page = client.get("/adjudicate/").text
    assert "Raters agree on 1 pair that" in page
    assert "1 is settled" in page


def test_the_script_is_told_what_is_missing(as_role, study):
    client = as_role("lead")
    shown, said = fields(client.get("/adjudicate/"), "both_bad")
    path = f"/adjudicate/{shown.token}/"
    assert client.post(path, {"choice": "equal"}, headers=FETCH).status_code == 400
    settle = client.post(path, said, headers=FETCH)
    assert 'data-step="settle"' in settle.text
    answer = client.post(path, said | {"cause": "slip"}, headers=FETCH)
    assert (answer.status_code, "overrule everybody" in answer.text) == (409, True)
    answer = client.post(path, said | {"cause": "slip", "comment": "Why."}, headers=FETCH)
    assert 'data-step="empty"' in answer.text


def test_nothing_on_the_page_tells_the_tiers_apart(as_role, study):
    client = as_role("lead")
    page = client.get("/adjudicate/")
    shown, said = fields(page, "tie")
    settle = client.post(f"/adjudicate/{shown.token}/", said, headers=FETCH)
    differs = client.get(f"/adjudicate/{shown.token}/differences/")
    answers = ("from cheap", "from expensive")
    for text in (page.text, settle.text, differs.text):
        text = re.sub(r"</?(del|ins)>", "", text)
        for answer in answers:
            text = text.replace(answer, "")
        told = [word for word in ("cheap", "expensive", "haiku", "sonnet") if word in text.lower()]
        assert told == []


def test_an_adjudication_is_no_page_of_the_rater_and_the_other_way_round(as_role, study, project):
    client = as_role("lead")
    token = client.get("/adjudicate/").context["pair"].token
    for path in ("", "skip/", "renew/"):
        assert client.post(f"/rate/{token}/{path}", {"reason": "other"}).status_code == 404
    assert client.get(f"/rate/{token}/again/").status_code == 404
    add_pair(project, 0.5)
    sampling.extend(study)
    mine = rating.hand_out(study, User.objects.get(username="lead").rater)
    assert client.post(f"/adjudicate/{mine.token}/", {}).status_code == 404


def test_a_skipped_disagreement_goes_to_another_lead(as_role, study):
    client = as_role("lead")
    token = client.get("/adjudicate/").context["pair"].token
    assert client.post(f"/adjudicate/{token}/renew/").json()["lease_s"] > 0
    assert client.post(f"/adjudicate/{token}/skip/", {"reason": "?"}).status_code == 400
    answer = client.post(f"/adjudicate/{token}/skip/", {"reason": "cannot_judge"}, headers=FETCH)
    assert "1 disagreement cannot come to you" in answer.text
    assert len(adjudication.queue(study, rater("other")).pairs) == 1


def test_comments_of_raters_are_not_shown_to_raters(as_role, study, project):
    add_pair(project, 0.5)
    sampling.extend(study)
    client = as_role("rater")
    version = guidance.current(study).version
    client.post("/rate/guidelines/", {"version": version}, headers=FETCH)
    client.get("/rate/")
    guidance.mark_read(study, User.objects.get(username="rater").rater, version)
    page = client.get("/rate/")
    assert page.context["step"] == "pair"
    assert "No postcode." not in page.text + client.get("/rate/mine/").text
