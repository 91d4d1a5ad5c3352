"""The Overview: how far shadow work is behind, readable at any width."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from reviews import permissions
from routing.models import ShadowJob
from tests.e2e.looks import LOOKS
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.browser


@LOOKS
def test_backlog_and_lag_are_figures_of_their_own(visit, project, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    permissions.ensure_roles()
    permissions.give(User.objects.create_user("lena", password="pw-for-tests"), "lead")
    page = visit(
        "lena", color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True
    )
    page.goto("/overview/")
    page.wait_for_selector("#now :text('nothing is behind')")
    for _ in range(3):
        add_pair(project, 0.2)
    waiting = timezone.now() - timedelta(seconds=200)
    jobs = ShadowJob.objects.order_by("id")
    open_ids = list(jobs.values_list("pk", flat=True)[:2])
    jobs.filter(pk__in=open_ids).update(
        state="pending", reason="", not_before=waiting, finished_at=None
    )
    page.goto("/overview/")
    page.wait_for_selector("#now :text('oldest waiting 3 min')")
    assert page.locator(".figures .card", has_text="Shadow backlog").inner_text().startswith("2")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert Axe().run(page).violations_count == 0, Axe().run(page).generate_report()
