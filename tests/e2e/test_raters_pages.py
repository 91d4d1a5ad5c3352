"""The lead's pages about raters: readable and reachable at any width, light and dark."""

import pytest
from django.contrib.auth.models import User

from reviews import permissions
from reviews.models import Gold, Rater
from tests.e2e.looks import LOOKS
from tests.reviews.showings import guess, pairs_of, rate, rater, study_of

pytestmark = pytest.mark.browser


@pytest.fixture
def study(service, project):
    """Two raters on twelve pairs: one always left and in no time."""
    study = study_of(project, [n / 12 for n in range(12)])
    ann, bob = rater("ann"), rater("bob")
    pairs = pairs_of(study)
    for nth, pair in enumerate(pairs):
        shown = rate(study, ann, pair, "a_much", left="expensive", seconds=0.1).presentation
        rate(study, bob, pair, "a_slightly" if nth % 3 else "both_bad", seconds=30.0)
        guess(shown, "left" if nth % 2 else "unsure")
    Gold.objects.create(study=study, pair=pairs[0], use="hidden", preference="cheap")
    rate(study, ann, pairs[0], "a_much", left="expensive", kind="gold")
    return study


@LOOKS
def test_pages_have_no_violations_and_no_sideways_scroll(visit, study, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    permissions.ensure_roles()
    permissions.give(User.objects.create_user("lena", password="pw-for-tests"), "lead")
    page = visit(
        "lena", color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True
    )
    ann = Rater.objects.get(name="ann")
    one = f"/studies/{study.pk}"
    paths = ("raters", f"raters/{ann.pk}", "agreement", "progress")
    for path in (*(f"{one}/{path}/" for path in paths), "/threshold/"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_lead_finds_who_does_not_read_and_pauses_them(visit, study):
    permissions.ensure_roles()
    permissions.give(User.objects.create_user("lena", password="pw-for-tests"), "lead")
    page = visit("lena")
    page.click("nav >> text=Studies")
    page.click("td a >> nth=0")
    page.click(".study-tabs >> text=Raters")
    page.wait_for_selector("text=12 of 13 faster than reading allows")
    page.click("th >> text=Median time")
    assert page.locator("tbody th a").first.inner_text() == "ann"
    page.click("tbody th a >> nth=0")
    page.wait_for_selector("text=without ann")
    page.fill("#reason", "Does not read.")
    page.click("button.danger")
    page.wait_for_selector("text=by lena: Does not read.")
    page.click("text=Resume")
    page.wait_for_selector("text=ann gets pairs again")
    for tab in ("Agreement", "Progress"):
        page.click(f".study-tabs >> text={tab}")
        page.wait_for_selector(f"h1:has-text('{tab}')")
