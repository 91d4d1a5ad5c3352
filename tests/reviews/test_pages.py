"""Pages: bad values are refused in words, forms work without a script, projects are made."""

import time

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.urls import reverse

from reviews import demo, permissions, rollout, sampling
from reviews.models import Gold, Presentation, Rating, SignOff, Study
from reviews.views.threshold import SEEN
from routing import abstain, policy
from routing.models import Project
from routing.types import TierSpec
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "address", ["/overview/?project=a%00b", "/pairs/?task=%00", "/threshold/?study=%00"]
)
def test_a_nul_character_is_refused(as_role, project, address):
    assert as_role("lead").get(address).status_code == 400


def test_a_project_that_does_not_exist_is_said_and_no_other_is_shown(as_role, project):
    client = as_role("lead")
    answer = client.get("/overview/?project=gone")
    assert (answer.status_code, "No such project" in answer.text) == (404, True)
    assert client.get("/overview/?project=").status_code == 200


@pytest.mark.parametrize("study", ["²", "x", "-1", "9" * 30, "9" * 5000, ""])
def test_a_study_that_cannot_be_is_no_error(as_role, project, study):
    assert as_role("lead").get("/threshold/", {"study": study}).status_code == 200
    answer = as_role("product").post("/signoffs/", {"study": study or "0", "threshold": "1"})
    assert answer.status_code == 404


def first_pair(client):
    """Return the page with the rater's pair, the guidelines read as every rater does once."""
    page = client.get("/rate/")
    if page.context["step"] != "briefing":
        return page
    client.post("/rate/guidelines/", {"version": page.context["briefing"].guideline.version})
    return client.get("/rate/")


def rate(client, **said):
    shown = first_pair(client).context["pair"]
    form = {"choice": "equal", "left_adequate": "yes", "right_adequate": "no"} | said
    return shown.token, client.post(f"/rate/{shown.token}/", form, headers=said.pop("headers", {}))


@pytest.fixture
def pairs_to_rate(project):
    """Three pairs of a study that checks nobody."""
    for n in range(3):
        add_pair(project, n / 3)
    plan = {"check_every": 0, "origin_every": 0, "second_share": 0}
    return sampling.start(policy.live(project), name="s", seed="1", rate=1.0, **plan)


def test_rating_works_without_a_script(as_role, pairs_to_rate):
    token, answer = rate(as_role("rater"), seconds="nan")
    assert (answer.status_code, answer.url) == (302, f"/rate/{token}/after/")
    rating = Rating.objects.get(presentation__token=token)
    assert (rating.choice, rating.seconds) == ("equal", 0.0)


def test_the_script_gets_the_next_pair_and_undo_outlives_a_reload(as_role, pairs_to_rate):
    client = as_role("rater")
    token, answer = rate(client, headers={"X-Requested-With": "fetch"})
    assert (answer.status_code, f'data-saved="{token}"' in answer.text) == (200, True)
    assert f'data-last="{token}"' in first_pair(client).text


def test_undo_shows_what_was_said(as_role, pairs_to_rate):
    client = as_role("rater")
    token, _ = rate(client, comment="short <b>")
    shown = client.get(f"/rate/{token}/again/").text
    assert shown.count(" checked") == 3
    for part in ('aria-label="About equal" required checked', ">short &lt;b&gt;</textarea>"):
        assert part in shown
    assert " checked" not in first_pair(client).text


@pytest.mark.parametrize("missing", ["choice", "left_adequate", "right_adequate"])
def test_half_a_rating_is_refused_in_words(as_role, pairs_to_rate, missing):
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


def test_a_project_may_have_any_pair_of_tiers(as_role, project):
    form = {"name": "Shop", "cheap-provider": "openai", "cheap-model": "llama"}
    form |= {"cheap-url": "http://127.0.0.1:11434/v1", "cheap-input": "0.1", "cheap-output": "0.3"}
    as_role("admin").post(reverse("create_project"), form)
    live = policy.live(Project.objects.get(slug="shop"))
    assert (live.cheap["provider"], live.cheap["model"]) == ("openai", "llama")
    assert (live.cheap["price"]["output_usd"], live.expensive["provider"]) == ("0.3", "simulated")


def test_an_unknown_price_is_a_warning_on_the_overview(as_role, project):
    form = {"name": "Shop", "cheap-provider": "openai", "cheap-model": "llama"}
    client = as_role("admin", "lead")
    client.post(reverse("create_project"), form)
    assert "The price of llama is not known" in client.get("/overview/?project=shop").text
    assert "is not known" not in client.get("/overview/?project=default").text


def test_the_overview_says_who_decides_which_share(unsigned, as_role, project):
    rest = policy.live(project)
    add_pair(project, 0.2, task="math")
    target = policy.with_threshold(rest, 0.62, "test", {"coding": 0.3, "math": 0.1})
    policy.deploy(target, by=None, reason="test", share=0.25, rest=rest)
    client = as_role("engineering")
    text = client.get("/overview/").text
    assert "policy-2, threshold 0.62" in text
    assert "by task type: <bdi>coding</bdi> 0.3, <bdi>math</bdi> 0.1" in text
    assert "it decides 25 % of the requests, policy-1 (threshold 0.0) the others" in text
    assert "<td>math</td><td>policy-1</td>" in text
    policy.deploy(target, by=None, reason="test")
    assert "the others" not in client.get("/overview/").text


@pytest.mark.parametrize("wrong", [{"cheap-url": "x"}, {"cheap-input": "1"}, {"cheap-model": "m"}])
def test_a_project_with_impossible_tiers_is_refused(as_role, project, wrong):
    form = {"name": "Shop", "cheap-model": "m", "expensive-model": "m"} | wrong
    as_role("admin").post(reverse("create_project"), form)
    assert not Project.objects.filter(slug="shop").exists()


def test_a_key_gets_its_scopes_and_limits(as_role, project):
    form = {"project": "default", "name": "k", "scopes": ["read", "import"]}
    client = as_role("admin")
    client.post(reverse("create_key"), form | {"requests_per_minute": "60", "daily_usd": "2.5"})
    key = project.api_keys.get()
    assert (key.scopes, key.requests_per_minute, str(key.daily_usd)) == (
        ["read", "import"],
        60,
        "2.5000",
    )
    assert "60 a minute, $2.5 a day" in client.get("/settings/").text


@pytest.mark.parametrize(
    "wrong",
    [{"scopes": []}, {"requests_per_minute": "0"}, {"requests_per_minute": "9" * 5000},
     {"daily_usd": "-1"}, {"daily_usd": "x"}, {"daily_usd": "9" * 5000}],
)  # fmt: skip
def test_a_key_with_impossible_limits_is_refused(as_role, project, wrong):
    form = {"project": "default", "name": "k", "scopes": ["read"]} | wrong
    as_role("admin").post(reverse("create_key"), form)
    assert not project.api_keys.exists()


@pytest.mark.parametrize(("role", "page"), [("admin", "/settings/"), ("lead", "/policies/")])
def test_leads_and_admins_cap_shadow_calls(as_role, project, role, page):
    client, form = as_role(role), {"project": "default", "shadow_daily_usd": "2.5"}
    assert "Each call reserves the most it can cost" in client.get(page).text
    client.post(reverse("cap_shadow"), form)
    project.refresh_from_db()
    assert str(project.shadow_daily_usd) == "2.5000"
    for wrong in ("-1", "x"):
        client.post(reverse("cap_shadow"), form | {"shadow_daily_usd": wrong})
    project.refresh_from_db()
    assert str(project.shadow_daily_usd) == "2.5000"
    client.post(reverse("cap_shadow"), form | {"shadow_daily_usd": ""})
    project.refresh_from_db()
    assert project.shadow_daily_usd is None


def test_others_do_not_cap_shadow_calls(as_role, project):
    form = {"project": "default", "shadow_daily_usd": "2.5"}
    assert as_role("engineering").post(reverse("cap_shadow"), form).status_code == 403


def test_removing_the_demo_spares_a_live_project_called_demo(as_role, project):
    client = as_role("admin")
    client.post(reverse("create_project"), {"name": "Demo"})
    demo.load()
    client.post("/demo/", {"action": "remove"})
    assert set(Project.objects.values_list("slug", flat=True)) == {"default", "demo"}


def test_the_rating_page_says_what_is_demo_and_what_is_simulated(as_role, project, starter):
    client = as_role("rater")
    sampling.start(policy.live(project), name="Live", seed="1", rate=1.0)
    add_pair(project, 0.1)
    sampling.extend(project.studies.get())
    assert "Simulated provider" in first_pair(client).text
    demo.load()
    study = Study.objects.get(project__kind="demo", state="running")
    shown = client.get("/rate/", {"study": study.pk}).text
    assert ("Demo content" in shown, "Simulated provider" in shown) == (True, False)


@pytest.mark.parametrize(
    ("referer", "target"),
    [("http://testserver/threshold/", "http://testserver/threshold/"), ("http://evil/", "/")],
)
def test_a_refusal_leads_back_to_our_own_pages_only(as_role, project, referer, target):
    form = {"project": "default", "name": "without a scope"}
    answer = as_role("admin").post("/settings/keys/", form, headers={"referer": referer})
    assert (answer.status_code, answer.url) == (302, target)


def test_a_form_acts_on_the_project_it_shows_not_on_the_one_looked_at_last(as_role, project):
    client = as_role("admin", "engineering", "lead")
    theirs = demo.load()
    client.get("/overview/", {"project": theirs.slug})  # another tab
    form = {"project": project.slug, "reason": "fire", "name": "k", "rate": "1"}
    form |= {"scopes": "route"}
    for address in ("/policies/roll-back/", "/settings/keys/"):
        answer = client.post(address, form)
        assert (answer.status_code, answer.url[-16:]) == (302, "?project=default")
    assert client.post("/studies/new/", form).url == f"/studies/{project.studies.get().pk}/"
    assert [project.deployments.count(), theirs.deployments.count()] == [2, 1]
    assert [project.api_keys.count(), theirs.api_keys.count()] == [1, 0]
    assert [project.studies.count(), theirs.studies.count()] == [1, 3]


def test_a_form_that_names_no_project_changes_nothing(as_role, project):
    client = as_role("admin", "engineering")
    client.post("/policies/roll-back/", {"reason": "fire"})
    assert project.deployments.count() == 1
    assert "reload the page" in client.get("/policies/").text


def test_a_project_is_deleted_only_when_its_name_is_typed(as_role, project, starter):
    client = as_role("admin")
    theirs = demo.load()
    client.post("/settings/projects/delete/", {"project": theirs.slug, "name": "Demo"})
    assert Project.objects.filter(pk=theirs.pk).exists()
    client.post("/settings/projects/delete/", {"project": theirs.slug, "name": theirs.name})
    assert list(Project.objects.all()) == [project]


def test_a_person_of_the_demos_name_outlives_it(as_role, project):
    real = User.objects.create_user("demo-rater-1")
    client = as_role("admin")
    client.post("/demo/", {})
    assert User.objects.filter(username__startswith="demo-").count() == 5
    client.post("/demo/", {"action": "remove"})
    assert list(User.objects.filter(username__startswith="demo-")) == [real]


def another_rater():
    permissions.ensure_roles()
    permissions.give(User.objects.create_user("other", password="p"), "rater")


def load_demo_without_practice():
    demo.load()
    Gold.objects.all().delete()


def test_the_only_rater_cannot_give_up_a_pair_that_waits(as_role, starter):
    load_demo_without_practice()
    client = as_role("lead")
    token = first_pair(client).context["pair"].token
    page = f"/pairs/{Presentation.objects.get(token=token).slot.pair_id}/"
    assert "nobody else could give it" in client.get(page).text
    client.post(page)
    assert "demo-small" not in client.get(page).text
    another_rater()
    assert "demo-small" in client.post(page).text


def test_who_saw_a_pair_before_becoming_a_rater_is_not_handed_it(as_role, project, starter):
    pair = add_pair(project, 0.2)
    client = as_role("product")
    assert "from cheap" in client.get(f"/pairs/{pair.pk}/").text
    permissions.give(User.objects.get(username="product"), "rater")
    sampling.start(policy.live(project), name="s", seed="1", rate=1.0)
    assert first_pair(client).context["step"] == "empty"


def test_whoever_may_rate_gives_that_up_to_see_which_answer_is_which(as_role, starter):
    load_demo_without_practice()
    another_rater()
    client = as_role("lead")
    token = first_pair(client).context["pair"].token
    pair = Presentation.objects.get(token=token).slot.pair
    page = f"/pairs/{pair.pk}/"
    blind = client.get(page).text
    assert "You may be asked to rate this pair" in blind
    assert not any(word in blind for word in ("Cheap", "demo-small", "demo-large", "Verdicts"))
    assert first_pair(client).context["pair"].token == token  # looking at the question is free
    assert "demo-small" in client.post(page).text
    assert "demo-small" in client.get(page).text
    assert first_pair(client).context["pair"].token != token
    count = Rating.objects.count()
    form = {"choice": "equal", "left_adequate": "yes", "right_adequate": "no"}
    client.post(f"/rate/{token}/", form)
    assert Rating.objects.count() == count


def test_a_rating_cannot_be_corrected_once_the_pair_was_seen(as_role, starter):
    load_demo_without_practice()
    client = as_role("lead")
    token, _ = rate(client)
    pair = Presentation.objects.get(token=token).slot.pair
    assert "demo-small" in client.get(f"/pairs/{pair.pk}/").text
    count = Rating.objects.count()
    client.post(
        f"/rate/{token}/", {"choice": "equal", "left_adequate": "yes", "right_adequate": "no"}
    )
    assert Rating.objects.count() == count


def test_who_may_not_rate_sees_pairs_at_once(as_role, starter):
    pair = demo.load().pairs.first()
    assert "demo-small" in as_role("product").get(f"/pairs/{pair.pk}/").text


def test_notices_follow_what_is_shown_and_not_what_was_looked_at_last(as_role, project):
    theirs = demo.load()
    client = as_role("product")
    client.get("/overview/", {"project": project.slug})
    for page in (f"/pairs/{theirs.pairs.first().pk}/", f"/signoffs/{theirs.signoffs.get().pk}/"):
        shown = client.get(page).text
        assert ("Demo content" in shown, "Simulated provider" in shown) == (True, False)


def test_a_signoff_says_what_is_live_now(as_role, project):
    theirs = demo.load()
    row = theirs.signoffs.get()
    client = as_role("engineering")
    page = f"/signoffs/{row.pk}/"
    assert 'value="approve"' in client.get(page).text
    client.post(f"{page}decide/", {"decision": "approve", "revision": "1"})
    assert "not live yet" in client.get(page).text
    rollout.run_due()
    assert "live for 10 % of requests" in client.get(page).text
    client.post("/policies/roll-back/", {"project": theirs.slug, "reason": "x"})
    assert "no longer live" in client.get(page).text


def test_a_stale_signoff_offers_no_approval(as_role, project):
    theirs = demo.load()
    client = as_role("engineering")
    client.post("/policies/roll-back/", {"project": theirs.slug, "reason": "x"})
    shown = client.get(f"/signoffs/{theirs.signoffs.get().pk}/").text
    assert ("can no longer be approved" in shown, 'value="approve"' in shown) == (True, False)


def test_an_address_that_is_not_there_says_so_in_the_frame(as_role, project):
    answer = as_role("product").get("/pairs/999999/")
    assert (answer.status_code, "Not found" in answer.text) == (404, True)


@pytest.fixture
def curve(as_role, starter):
    """The demo's curve without a waiting sign-off, as an engineer; the form as the page has it."""
    study = demo.load().studies.get(name="Demo study")
    Study.objects.filter(pk=study.pk).update(certified_only=False)
    study.signoffs.update(state="withdrawn")
    client = as_role("engineering")
    shown = client.get("/threshold/", {"study": study.pk}).context
    form = {"study": study.pk, "raters": "human", "seen": shown["seen"], "threshold": "0.3"}
    return client, study, form | {"reason": "Fine <b>."}


def test_a_signoff_is_asked_for_from_what_the_page_showed(curve):
    client, study, form = curve
    answer = client.post("/signoffs/", form)
    row = study.signoffs.get(state="requested")
    assert (answer.status_code, answer.url) == (302, f"/signoffs/{row.pk}/")
    shown = client.get(answer.url).text
    assert "demo-small" not in shown
    assert all(part in shown for part in ("Floor", "Demo study", "Not counted yet", "Frozen as"))


def test_nobody_picks_the_moment_that_is_signed_and_what_was_typed_is_kept(curve):
    client, study, form = curve
    for change in (
        {"seen": ""}, {"seen": "62.2"}, {"study": 0}, {"threshold": "x"}, {"threshold": "0.305"},
    ):  # fmt: skip
        answer = client.post("/signoffs/", form | change)
        assert not study.signoffs.filter(state="requested").exists(), change
        if answer.status_code == 302:
            back = client.get(answer.url).text
            assert "Fine &lt;b&gt;." in back, change
            assert 'class="message error"' in back, change
        else:
            assert answer.status_code == 404, change


def test_numbers_of_another_study_or_of_long_ago_are_not_signed(curve, settings):
    client, study, form = curve
    other = sampling.start(policy.live(study.project), name="Other", seed="2", rate=1.0)
    client.post("/signoffs/", form | {"study": other.pk})
    stamped = signing.loads(form["seen"], salt=SEEN)
    signer = signing.TimestampSigner(salt=SEEN)
    signer.timestamp = lambda: signing.b62_encode(int(time.time()) - 7200)
    old = signer.sign_object(stamped)
    assert signing.loads(old, salt=SEEN) == stamped  # whole, and only too old
    client.post("/signoffs/", form | {"seen": old})
    assert not SignOff.objects.filter(state="requested").exists()


def test_a_study_of_other_models_says_so_and_offers_no_request(as_role, project, starter):
    study = sampling.start(policy.live(project), name="s", seed="1", rate=1.0)
    client = as_role("engineering", "rater")
    add_pair(project, 0.2)
    sampling.extend(study)
    assert 'name="reason"' in client.get("/threshold/").text
    spec = TierSpec("anthropic", "claude-other")
    real = policy.create(project=project, router=starter, threshold=0.0, cheap=spec, expensive=spec)
    policy.deploy(real, by=None, reason="provider changed")
    for page in ("/threshold/", "/rate/"):
        shown = client.get(page).text
        assert ("Simulated provider" in shown, 'name="reason"' in shown) == (True, False)


def test_the_script_is_told_why_a_rating_is_refused(as_role, pairs_to_rate):
    another_rater()
    client = as_role("lead")
    token = first_pair(client).context["pair"].token
    client.post(f"/pairs/{Presentation.objects.get(token=token).slot.pair_id}/")
    form = {"choice": "equal", "left_adequate": "yes", "right_adequate": "no"}
    answer = client.post(f"/rate/{token}/", form, headers={"X-Requested-With": "fetch"})
    assert (answer.status_code, "You have seen which answer" in answer.text) == (409, True)


def test_the_rules_in_force_are_sentences_and_others_are_another_policy(as_role, project):
    client = as_role("engineering")
    text = client.get("/policies/").text
    assert "A request that brings tools goes to the expensive model." in text
    form = {"project": "default", "rules": ["tools", "context_length"]}
    assert client.post(reverse("put_rules"), form, follow=True).status_code == 200
    live = policy.live(project)
    assert (live.number, live.abstain) == (2, ["context_length", "tools"])
    assert live.is_always_expensive
    client.post(reverse("put_rules"), form | {"rules": ["size"]})
    assert policy.live(project) == live
    reader = as_role("product").get("/policies/").text
    assert "brings tools" in reader
    assert "price of the two models" not in reader


def test_a_study_is_of_one_set_of_rules(as_role, project):
    study = sampling.start(policy.live(project), name="S", seed="1", rate=1.0)
    assert len(sampling.policies(study)) == 1
    abstain.put(project, ["tools"], by=None)
    later = sampling.start(policy.live(project), name="T", seed="1", rate=1.0)
    assert set(sampling.policies(later)).isdisjoint(sampling.policies(study))


def test_shares_asked_once_more_are_set_while_all_is_expensive(as_role, project):
    client = as_role("admin")
    page = client.get("/settings/", {"project": project.slug}).text
    assert "Asked once more" in page
    form = {"project": project.slug, "repeat": "3", "retrieval": "12.5"}
    assert client.post("/settings/shares/", form).status_code == 302
    live = policy.live(project)
    assert (live.repeat_rate, live.retrieval_rate, live.is_always_expensive) == (0.03, 0.125, True)
    client.post("/settings/shares/", form)
    assert policy.live(project) == live
    for wrong in ("101", "-1", "nan", "x", ""):
        client.post("/settings/shares/", form | {"retrieval": wrong})
        assert policy.live(project) == live


def test_shares_of_a_signed_policy_stay(unsigned, as_role, project):
    live = policy.with_threshold(policy.live(project), 0.4, "n")
    policy.deploy(live, by=None, reason="r")
    form = {"project": project.slug, "repeat": "3", "retrieval": "50"}
    answer = as_role("admin").post("/settings/shares/", form, follow=True)
    assert "was signed as it is" in answer.text
    assert policy.live(project) == live
