"""Single sign-on against a real provider on the loopback: who comes in, and every attack fails."""

import html
import re
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

import pytest
import requests
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import NoReverseMatch, reverse

from reviews import people, permissions
from reviews.errors import Conflict

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _roles(db):
    cache.clear()
    permissions.ensure_roles()


def person(name, *roles, **fields):
    user = User.objects.create_user(name, **{"password": "pw-for-tests"} | fields)
    permissions.give(user, *roles)
    return user


def leave(client, address="/login/", **sent):
    """Begin at a form; return the provider's address that the page goes on to."""
    answer = client.post(address, {"sign_on": "yes"} | sent)
    assert answer.status_code == 200, answer.text
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)
    return html.unescape(found[1])


def from_provider(target):
    """Log in there; return the address of the callback with code and state."""
    answer = requests.get(target, allow_redirects=False, timeout=5)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"].removeprefix("http://testserver")


def sign_on(client, address="/login/", **sent):
    return client.get(from_provider(leave(client, address, **sent)))


def is_in(client):
    return "_auth_user_id" in client.session


def refused(answer, client, status=403):
    assert (answer.status_code, is_in(client)) == (status, False)
    assert "Not logged in" in answer.text
    return answer.text


def link(user, subject="u-1"):
    SocialAccount.objects.create(provider="sso", uid=subject, user=user)


def with_groups(settings, idp, *groups, auto=True):
    settings.SHADOWEVAL_OIDC_ROLES_CLAIM = "groups"
    settings.SHADOWEVAL_OIDC_ROLES = {"reviewers": ["rater"], "heads": ["lead", "product"]}
    settings.SHADOWEVAL_OIDC_AUTO_CREATE = auto
    idp.claims["groups"] = list(groups)


# --- who comes in -----------------------------------------------------------------------


def test_an_invited_person_comes_in_and_is_remembered(client, idp, project):
    token, row = people.invite(person("ada", "admin"), ["rater"])
    client.get(f"/join/{token}/")
    answer = sign_on(client, "/join/")
    assert (answer.status_code, answer.url) == (302, "/")
    assert client.get("/", follow=True).redirect_chain[-1][0] == "/rate/"
    eve = User.objects.get(username="eve")
    assert (eve.email, eve.has_usable_password()) == ("eve@example.org", False)
    row.refresh_from_db()
    assert row.accepted_by == eve
    again = Client()
    assert sign_on(again).status_code == 302
    assert again.session["_auth_user_id"] == str(eve.pk)
    assert idp.refusals == []


def test_of_the_claims_only_the_subject_is_kept(client, idp):
    link(person("eve", "rater"))
    sign_on(client)
    account = SocialAccount.objects.get()
    assert (account.uid, account.extra_data) == ("u-1", {})
    assert not SocialToken.objects.exists()


def test_a_verified_address_finds_the_person_and_ends_their_password(client, idp):
    eve = person("eva", "lead", email="Eve@Example.org")
    assert sign_on(client).status_code == 302
    assert client.session["_auth_user_id"] == str(eve.pk)
    assert not User.objects.get(pk=eve.pk).has_usable_password()


def test_who_took_the_address_beforehand_loses_their_session(client, idp, project):
    mallory = Client()
    mallory.force_login(person("mallory", "lead", email="eve@example.org"))
    sign_on(client)
    assert mallory.get("/overview/").status_code == 302
    assert not mallory.login(username="mallory", password="pw-for-tests")


def test_the_page_that_was_asked_for_comes_after_the_login(client, idp):
    link(person("eve", "lead"))
    assert sign_on(client, next="/threshold/").url == "/threshold/"


def test_another_site_does_not_come_after_the_login(client, idp):
    link(person("eve", "lead"))
    assert sign_on(client, next="https://evil.example/").url == "/"


def test_a_mapped_person_is_written_with_their_roles(client, idp, settings):
    with_groups(settings, idp, "heads", "cooks")
    assert sign_on(client).status_code == 302
    assert permissions.roles_of(User.objects.get(username="eve")) == {"lead", "product"}


def test_roles_follow_the_claim_at_each_login(client, idp, settings):
    with_groups(settings, idp, "reviewers")
    eve = person("eve", "lead", "engineering")
    link(eve)
    sign_on(client)
    assert permissions.roles_of(User.objects.get(pk=eve.pk)) == {"rater"}
    idp.claims["groups"] = "heads"
    sign_on(Client())
    assert permissions.roles_of(User.objects.get(pk=eve.pk)) == {"lead", "product"}


def test_who_left_all_groups_loses_their_roles_and_stays_out(client, idp, settings):
    with_groups(settings, idp, "cooks")
    eve = person("eve", "lead")
    link(eve)
    refused(sign_on(client), client)
    assert permissions.roles_of(eve) == set()


def test_without_a_claim_roles_stay_as_they_are(client, idp):
    eve = person("eve", "lead")
    link(eve)
    idp.claims["groups"] = ["reviewers"]
    sign_on(client)
    assert permissions.roles_of(eve) == {"lead"}


def test_a_taken_name_gets_a_number(client, idp, settings):
    with_groups(settings, idp, "reviewers")
    person("EVE", "rater")
    sign_on(client)
    assert SocialAccount.objects.get().user.username == "eve-2"


def test_who_signs_on_counts_as_a_person_who_can_log_in(client, idp, settings):
    with_groups(settings, idp, "reviewers")
    sign_on(client)
    assert [user.username for user in permissions.people_who_can("rate")] == ["eve"]
    settings.SHADOWEVAL_OIDC_URL = ""
    assert not permissions.people_who_can("rate").exists()


# --- who does not -----------------------------------------------------------------------


def test_a_stranger_is_not_signed_up(client, idp):
    refused(sign_on(client), client)
    assert not User.objects.exists()


def test_an_unmapped_person_is_not_signed_up(client, idp, settings):
    with_groups(settings, idp, "cooks")
    refused(sign_on(client), client)
    assert not User.objects.exists()


def test_a_mapped_person_is_not_signed_up_unless_that_is_on(client, idp, settings):
    with_groups(settings, idp, "reviewers", auto=False)
    refused(sign_on(client), client)
    assert not User.objects.exists()


@pytest.mark.parametrize("said", [False, "false", None, 1, "yes", "absent"])
def test_an_unverified_address_finds_nobody(client, idp, said):
    person("eva", "admin", email="eve@example.org")
    idp.claims["email_verified"] = said
    if said == "absent":
        del idp.claims["email_verified"]
    refused(sign_on(client), client)
    assert not SocialAccount.objects.exists()


def test_an_address_of_two_people_finds_nobody(client, idp):
    for name in ("eva", "evo"):
        person(name, "rater", email="eve@example.org")
    assert "Several people" in refused(sign_on(client), client)


@pytest.mark.parametrize("is_linked", [True, False])
def test_a_deactivated_person_stays_out(client, idp, settings, is_linked):
    with_groups(settings, idp, "reviewers")
    eve = person("eva", "rater", email="eve@example.org", is_active=False)
    if is_linked:
        link(eve)
    assert "deactivated" in refused(sign_on(client), client)
    assert User.objects.count() == 1


def test_a_used_invitation_lets_nobody_in_by_sign_on(client, idp):
    token, _ = people.invite(person("ada", "admin"), ["rater"])
    client.get(f"/join/{token}/")
    target = leave(client, "/join/")
    people.accept(token, User(username="other"))
    assert "used already" in refused(client.get(from_provider(target)), client)
    assert not User.objects.filter(username="eve").exists()


def test_an_unmapped_person_does_not_use_up_an_invitation(client, idp, settings):
    with_groups(settings, idp, "cooks")
    token, _ = people.invite(person("ada", "admin"), ["rater"])
    client.get(f"/join/{token}/")
    refused(sign_on(client, "/join/"), client)
    assert people.find(token)


# --- attacks ----------------------------------------------------------------------------


@pytest.fixture
def victim(idp):
    eve = person("eve", "admin")
    link(eve)
    return eve


def changed(address, **values):
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query)) | values
    return urlunsplit(parts._replace(query=urlencode({k: v for k, v in query.items() if v})))


@pytest.mark.parametrize("state", ["wrong", ""])
def test_a_wrong_state(client, victim, state):
    back = from_provider(leave(client))
    refused(client.get(changed(back, state=state)), client)


def test_a_state_of_another_browser(client, victim):
    back = from_provider(leave(Client()))
    refused(client.get(back), client)


def test_a_callback_that_is_played_again(client, victim):
    back = from_provider(leave(client))
    assert client.get(back).status_code == 302
    client.logout()
    refused(client.get(back), client)


def test_a_code_of_another_login(client, victim, idp):
    stolen = parse_qs(urlsplit(from_provider(leave(Client()))).query)["code"][0]
    back = from_provider(leave(client))
    refused(client.get(changed(back, code=stolen)), client)
    assert len(idp.refusals) == 1  # its PKCE verifier is another


@pytest.mark.parametrize("wrong", [{"iss": "https://evil.example"}, {"aud": "another"}, {"exp": 1}])
def test_a_wrong_issuer_audience_or_time(client, victim, idp, wrong):
    idp.token_claims = wrong
    refused(sign_on(client), client)


def test_a_token_signed_by_another_key(client, victim, idp):
    idp.sign_with_another_key()
    refused(sign_on(client), client)


@pytest.mark.parametrize(("algorithm", "key"), [("none", None), ("HS256", "k" * 64)])
def test_a_token_without_the_providers_signature(client, victim, idp, algorithm, key):
    idp.algorithm, idp.signing_key = algorithm, key
    answer = sign_on(client)
    refused(answer, client, answer.status_code)
    assert answer.status_code in (403, 502)


@pytest.mark.parametrize("headers", [{}, {"kid": "k9"}])
def test_a_token_with_a_key_that_is_not_there(client, victim, idp, headers):
    idp.headers = headers
    answer = sign_on(client)
    refused(answer, client, 403 if headers else 502)


def test_userinfo_of_another_person(client, victim, idp):
    idp.claims["sub"] = "u-2"
    idp.userinfo = {"sub": "u-1"}
    assert "do not fit" in refused(sign_on(client), client)


def test_no_one_asks_for_another_process_or_scope(client, victim):
    target = leave(client, "/login/?process=connect&scope=admin&auth_params=x=y")
    asked = dict(parse_qsl(urlsplit(target).query))
    assert (set(asked["scope"].split()), "x" in asked) == ({"openid", "profile", "email"}, False)
    assert client.get(from_provider(target)).url == "/"


def test_who_cancels_is_told_so(client, victim):
    state = parse_qs(urlsplit(leave(client)).query)["state"][0]
    answer = client.get("/oidc/sso/callback/", {"error": "access_denied", "state": state})
    assert "cancelled" in refused(answer, client)


def test_a_start_needs_the_forms_token(idp):
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/login/", {"sign_on": "yes"}).status_code == 403


def test_a_provider_that_is_away_is_said(client, idp):
    back = from_provider(leave(client))
    idp.close()
    refused(client.get(back), client, 502)
    assert client.post("/login/", {"sign_on": "yes"}).status_code == 502


# --- off, and what is not reachable -----------------------------------------------------


def test_without_settings_nothing_of_it_is_there(client):
    SocialApp.objects.create(
        provider="openid_connect", provider_id="sso", client_id="x", secret="y",
        settings={"server_url": "http://127.0.0.1:9"},
    )  # fmt: skip
    assert 'name="sign_on"' not in client.get("/login/").text
    assert client.post("/login/", {"sign_on": "yes"}).status_code == 404
    assert client.get("/oidc/sso/callback/?code=x&state=y").status_code == 404


def test_a_provider_of_another_name_is_not_there(client, idp):
    assert client.get("/oidc/other/callback/?code=x&state=y").status_code == 404


@pytest.mark.parametrize(
    "name",
    ["account_login", "account_signup", "account_email", "account_reset_password",
     "account_change_password", "socialaccount_signup", "socialaccount_connections",
     "openid_connect_login"],
)  # fmt: skip
def test_allauths_own_pages_have_no_address(name):
    with pytest.raises(NoReverseMatch):
        reverse(name)


def test_the_last_admin_stays_one_whatever_the_claim_says(client, idp, settings, victim):
    with_groups(settings, idp, "reviewers")
    sign_on(client)
    assert permissions.roles_of(victim) == {"admin", "rater"}
    with pytest.raises(Conflict):
        people.deactivate(victim, by=victim)
