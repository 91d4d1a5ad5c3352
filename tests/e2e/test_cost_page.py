"""The Cost page: drawn, and readable at any width."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from reviews import permissions
from routing import usage
from tests.e2e.looks import LOOKS
from tests.reviews.saved import add_days

pytestmark = pytest.mark.browser


@LOOKS
def test_cost_is_drawn_and_a_budget_set(visit, project, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    add_days(project, timezone.now(), days=5)
    usage.roll()
    permissions.ensure_roles()
    permissions.give(User.objects.create_user("ada", password="pw-for-tests"), "lead")
    page = visit(
        "ada", color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True
    )
    page.goto("/cost/")
    page.wait_for_selector("#by-day .barlayer .point", state="attached")
    assert Axe().run(page).violations_count == 0, Axe().run(page).generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.fill("#monthly-usd", "0.01")
    page.click("button:text-is('Set')")
    page.wait_for_selector("text=budget of 0.01 USD is spent")
