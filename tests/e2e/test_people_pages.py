"""Inviting, joining and signing on in a browser, readable and reachable at any width."""

import re

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache

from reviews import people, permissions
from reviews.models import Invitation
from tests.e2e.looks import LOOKS

pytestmark = pytest.mark.browser


def person(name, *roles):
    permissions.ensure_roles()
    user = User.objects.create_user(name, password="pw-for-tests", email=f"{name}@example.org")
    permissions.give(user, *roles)
    return user


def check_look(page, width):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.fixture
def anybody(chromium, service, settings):
    """Open pages without a login; what the browser refuses or reports fails the test."""
    settings.PUBLIC_URL = service
    cache.clear()
    contexts, errors = [], []

    def open_page(**options):
        contexts.append(chromium.new_context(base_url=service, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@LOOKS
def test_an_invited_rater_comes_in(visit, anybody, scheme, width):
    person("ada", "admin")
    look = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    page = visit("ada", bypass_csp=True, **look)
    page.goto("/settings/people/")
    page.fill("#invite-email", "eve@example.org")
    page.click("text=Invite >> nth=-1")
    link = re.search(r"http\S+/join/\S+/", page.inner_text(".message.success"))[0]
    check_look(page, width)

    guest = anybody(bypass_csp=True, **look)
    guest.goto(link)
    assert guest.url.endswith("/join/")
    check_look(guest, width)
    guest.fill("#id_username", "eve")
    for field in ("#id_password1", "#id_password2"):
        guest.fill(field, "short")
    guest.click("text=Come in")
    guest.wait_for_selector(".message.error")
    check_look(guest, width)
    for field in ("#id_password1", "#id_password2"):
        guest.fill(field, "long-enough-37")
    guest.click("text=Come in")
    guest.wait_for_url("**/rate/")
    guest.goto("/rate/reminders/")
    check_look(guest, width)

    page.reload()
    assert page.locator("td", has_text="accepted by eve").count() == 1
    page.click("button[aria-label='Deactivate eve']")
    page.wait_for_selector("text=eve cannot log in any more")
    guest.goto("/rate/")
    assert "/login/" in guest.url


@LOOKS
def test_signing_on_at_another_origin_under_the_strict_policy(anybody, idp, service, scheme, width):
    from django.conf import settings

    settings.PUBLIC_URL = service
    idp.redirect_uris.add(f"{service}/oidc/sso/callback/")
    token, _ = people.invite(person("ada", "admin"), ["rater"])
    page = anybody(color_scheme=scheme, viewport={"width": width, "height": 900})
    page.goto(f"/join/{token}/")
    page.click("text=Come in by Keycloak")
    page.wait_for_url("**/rate/")
    page.click("text=Log out")
    page.wait_for_url("**/login/")
    page.click("text=Log in by Keycloak")
    page.wait_for_url("**/rate/")
    assert Invitation.objects.get().accepted_by.username == "eve"
    assert idp.refusals == []


@LOOKS
def test_the_login_and_what_is_refused(chromium, service, idp, settings, scheme, width):
    settings.PUBLIC_URL = service
    idp.redirect_uris.add(f"{service}/oidc/sso/callback/")
    look = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    context = chromium.new_context(base_url=service, bypass_csp=True, **look)
    page = context.new_page()
    page.goto("/login/")
    check_look(page, width)
    page.click("text=Log in by Keycloak")
    page.wait_for_selector("text=You are not known here")
    check_look(page, width)
    page.goto("/join/never-given-out/")
    check_look(page, width)
    context.close()
