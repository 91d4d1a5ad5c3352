"""The Settings page: keys and tiers by form, readable and reachable at any width."""

import pytest
from django.contrib.auth.models import User

from reviews import permissions
from routing import policy
from routing.models import Project
from tests.e2e.looks import LOOKS

pytestmark = pytest.mark.browser


@LOOKS
def test_a_project_with_its_own_tiers_and_a_limited_key(visit, project, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    permissions.ensure_roles()
    permissions.give(User.objects.create_user("ada", password="pw-for-tests"), "admin")
    page = visit(
        "ada", color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True
    )
    page.goto("/settings/")
    page.click("text=Its two tiers")
    assert Axe().run(page).violations_count == 0, Axe().run(page).generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.fill("#project-name", "Shop")
    page.select_option("#cheap-provider", "openai")
    page.fill("#cheap-model", "llama")
    page.fill("#cheap-url", "http://127.0.0.1:11434/v1")
    page.click("text=Create project")
    live = policy.live(Project.objects.get(slug="shop"))
    assert (live.cheap["model"], live.cheap["price"]) == ("llama", None)
    page.fill("#key-name", "app")
    page.fill("#key-rate", "60")
    page.click("text=Create key")
    assert page.locator("td", has_text="60 a minute").count() == 1
    page.goto("/policies/")
    assert page.locator("text=price unknown").count() == 1
