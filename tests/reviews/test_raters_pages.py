"""The lead's pages about raters: who may see them, what they say, what a form does."""

import pytest
from django.contrib.auth.models import User

from reviews import permissions, rating
from reviews.models import Rater
from reviews.permissions import ROLES
from tests.reviews.showings import pairs_of, rate, rater, study_of

pytestmark = pytest.mark.django_db

TABS = ("raters", "agreement", "progress")


@pytest.fixture
def study(project):
    return study_of(project, [n / 12 for n in range(12)])


def page(client, study, tab, **query):
    answer = client.get(f"/studies/{study.pk}/{tab}/", query)
    assert answer.status_code == 200
    return answer


@pytest.mark.parametrize("role", ROLES)
def test_only_a_lead_sees_raters_and_pauses_them(as_role, study, role):
    ann = rater("ann")
    rate(study, ann, pairs_of(study)[0], "equal")
    client, may = as_role(role), role == "lead"
    one = f"/studies/{study.pk}/raters/{ann.pk}/"
    for path in (*(f"/studies/{study.pk}/{tab}/" for tab in TABS), one):
        assert (client.get(path, follow=True).status_code == 200) == may, path
        assert ("ann" in client.get(path, follow=True).text) <= may
    client.post(f"{one}pause/", {"reason": "a word first"})
    ann.refresh_from_db()
    assert (ann.paused_at is not None) == may
    Rater.objects.filter(pk=ann.pk).update(paused_at=study.created_at)
    client.post(f"{one}resume/")
    ann.refresh_from_db()
    assert (ann.paused_at is None) == may


def test_without_ratings_or_draws_the_pages_say_what_comes(as_role, project):
    client = as_role("lead")
    nothing = study_of(project, [])
    assert "Nobody has been shown a pair yet" in page(client, nothing, "raters").text
    assert "Nothing is rated yet" in page(client, nothing, "agreement").text
    assert "Nothing is drawn yet" in page(client, nothing, "progress").text
    drawn = study_of(project, [0.5])
    assert "Too early to say when it is done" in page(client, drawn, "progress").text


def test_a_lead_alone_rates_and_looks(as_role, study):
    client = as_role("lead")
    lena = rating.rater_of(User.objects.get(username="lead"))
    rate(study, lena, pairs_of(study)[0], "a_much")
    assert "no pair was rated twice" in page(client, study, "agreement").text
    assert "lead" in page(client, study, "raters").text
    alone = client.get(f"/studies/{study.pk}/raters/{lena.pk}/")
    # Without the only rater there is no estimate, and no zero either.
    assert alone.context["influence"].without["degradation"] is None
    assert alone.status_code == 200


def order(client, study, by):
    return [row.rater.name for row, *_ in page(client, study, "raters", by=by).context["rows"]]


def test_the_table_is_sorted_by_any_column_with_the_unknown_last(as_role, study):
    client = as_role("lead")
    ann, bob, cem = rater("ann"), rater("bob"), rater("cem")
    first, second, third, *_ = pairs_of(study)
    rate(study, cem, first, "a_much")
    rate(study, ann, first, "a_much")
    rate(study, ann, second, "b_much")
    rate(study, bob, third, "equal")
    assert order(client, study, "name") == ["ann", "bob", "cem"]
    assert order(client, study, "-name") == ["cem", "bob", "ann"]
    assert order(client, study, "-n")[0] == "ann"
    assert order(client, study, "left") == ["ann", "cem", "bob"]
    assert order(client, study, "-left") == ["cem", "ann", "bob"]
    assert order(client, study, "no such column") == ["ann", "bob", "cem"]
    for title, link, _ in page(client, study, "raters").context["columns"]:
        assert page(client, study, "raters", by=link), title
    shown = page(client, study, "raters", by="n").text
    assert shown.count('aria-sort="ascending"') == 1
    assert 'href="?by=-n"' in shown


def test_flags_and_the_headline_stand_with_the_rater(as_role, study):
    client = as_role("lead")
    ann, bob = rater("ann"), rater("bob")
    for pair in pairs_of(study):
        rate(study, ann, pair, "a_much", left="expensive", seconds=0.1)
        rate(study, bob, pair, "a_much", left="cheap")
    text = page(client, study, "raters").text
    assert "left 100 % of 12: too often" in text
    assert "12 of 12 faster than reading allows" in text
    one = client.get(f"/studies/{study.pk}/raters/{ann.pk}/")
    found = one.context["influence"]
    harm = (found.everybody["degradation"], found.without["degradation"])
    assert harm == (0.5, 0.0)
    assert "50.0 %" in one.text


def test_a_pause_asks_for_a_reason_and_shows_who_and_why(as_role, study):
    client, ann = as_role("lead"), rater("ann")
    rate(study, ann, pairs_of(study)[0], "equal")
    one = f"/studies/{study.pk}/raters/{ann.pk}/"
    refused = client.post(f"{one}pause/", {"reason": " "}, follow=True, headers={"referer": one})
    assert "Say why" in refused.text
    done = client.post(f"{one}pause/", {"reason": "a <b> word"}, follow=True)
    assert "by lead: a &lt;b&gt; word" in done.text
    assert "ann gets pairs again" in client.post(f"{one}resume/", follow=True).text


def test_who_was_shown_nothing_here_has_no_page_here(as_role, study):
    client, ann = as_role("lead"), rater("ann")
    judge = rater("judge", Rater.Kind.LLM_JUDGE)
    rate(study, judge, pairs_of(study)[0], "equal")
    for who in (ann, judge):
        one = f"/studies/{study.pk}/raters/{who.pk}/"
        assert client.get(one).status_code == 404
        assert client.post(f"{one}pause/", {"reason": "x"}).status_code == 404
    assert client.get("/studies/999999/raters/").status_code == 404


def test_pages_hold_no_style_and_no_script_of_their_own(as_role, study):
    client = as_role("lead")
    ann, bob = rater("ann"), rater("bob")
    for pair in pairs_of(study):
        rate(study, ann, pair, "a_much")
        rate(study, bob, pair, "b_much")
    for tab in (*TABS, f"raters/{ann.pk}"):
        text = page(client, study, tab).text
        assert "style=" not in text
        assert "<script" not in text
        assert 'class="share-bar"' in text


def test_missing_pairs_by_score_stand_on_the_threshold_page(as_role, study):
    text = as_role("lead").get("/threshold/").text
    assert "Missing pairs by score" in text
    assert text.count("0.0 %") >= 10


def test_a_lead_reminds_somebody_by_mail_once(as_role, study, smtp):
    client = as_role("lead")
    rita = User.objects.create_user("rita", email="rita@example.org")
    rita.set_password("pw-for-tests")
    rita.save()
    permissions.give(rita, "rater")
    address = f"/studies/{study.pk}/remind/{rita.pk}/"
    assert address in page(client, study, "progress").text
    for words in ("rita was reminded", "was reminded within"):
        assert words in client.post(address, follow=True).text
    assert [to for to, _ in smtp.mails] == [["rita@example.org"]]


def test_without_mail_the_progress_page_says_so(as_role, study):
    assert "Mail is off" in page(as_role("lead"), study, "progress").text
