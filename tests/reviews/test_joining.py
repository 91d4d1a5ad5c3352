"""The link of an invitation in a client: choose a password, come in, once."""

import logging
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone

from reviews import people, permissions
from reviews.models import Invitation

pytestmark = pytest.mark.django_db

GOOD = {"username": "eve", "password1": "long-enough-37", "password2": "long-enough-37"}


@pytest.fixture(autouse=True)
def _fresh_counts():
    cache.clear()


@pytest.fixture
def token(db):
    permissions.ensure_roles()
    ada = User.objects.create_user("ada", password="p")
    permissions.give(ada, "admin")
    return people.invite(ada, ["rater"])[0]


def test_a_rater_comes_in_and_lands_on_the_rating_page(client, token, project):
    shown = client.get(f"/join/{token}/", follow=True)
    assert shown.redirect_chain == [("/join/", 302)]
    assert "You are invited as rater" in shown.text
    answer = client.post("/join/", GOOD, follow=True)
    assert answer.redirect_chain[-1][0] == "/rate/"
    assert User.objects.get(username="eve").check_password("long-enough-37")


@pytest.mark.parametrize(
    "wrong",
    [
        {"password1": "short", "password2": "short"},
        {"password1": "password", "password2": "password"},
        {"password2": "another-one-37"},
        {"username": "ADA"},
        {"username": "eve evil"},
        {"username": ""},
        {"username": "long-enough-37"},
        {"username": "a\0b"},
    ],
)
def test_a_bad_name_or_password_is_said_and_nothing_is_used_up(client, token, wrong):
    client.get(f"/join/{token}/")
    answer = client.post("/join/", GOOD | wrong)
    assert (answer.status_code, 'role="alert"' in answer.text) == (200, True)
    assert User.objects.count() == 1
    assert people.find(token)


def test_a_used_link_says_so(client, token):
    client.get(f"/join/{token}/")
    people.accept(token, User(username="other"))
    for answer in (client.post("/join/", GOOD), client.get(f"/join/{token}/")):
        assert (answer.status_code, "was used already" in answer.text) == (410, True)
    assert not User.objects.filter(username="eve").exists()


def test_an_expired_link_says_so(client, token):
    client.get(f"/join/{token}/")
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    for answer in (client.post("/join/", GOOD), client.get(f"/join/{token}/")):
        assert (answer.status_code, "has run out" in answer.text) == (410, True)


def test_guesses_are_refused_after_a_while_and_real_links_are_not(client, token):
    answers = [client.get(f"/join/{'x' * 43}-{n}/").status_code for n in range(25)]
    assert (answers[0], answers[-1]) == (404, 429)
    assert client.get(f"/join/{token}/").status_code == 302


def test_forms_are_counted(client, token):
    client.get(f"/join/{token}/")
    answers = [client.post("/join/", GOOD | {"password2": "x"}) for n in range(25)]
    assert (answers[0].status_code, answers[-1].status_code) == (200, 429)
    assert answers[-1].headers["retry-after"] == "60"


def test_who_is_logged_in_uses_up_nothing(client, token):
    client.force_login(User.objects.get(username="ada"))
    assert "logged in as ada" in client.get(f"/join/{token}/", follow=True).text
    client.post("/join/", GOOD)
    assert people.find(token)


def test_a_live_token_is_in_no_log(client, token, caplog):
    caplog.set_level(logging.DEBUG, logger="django.request")
    client.get(f"/join/{token}/")
    for _ in range(25):
        client.post("/join/", GOOD | {"password2": "x"})
    assert ("/join/" in caplog.text, token in caplog.text) == (True, False)
