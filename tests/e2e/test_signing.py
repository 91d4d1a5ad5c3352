"""From asking to expiry in a browser: three people, a ramp, a rollback, the end."""

import re
from datetime import timedelta

import pgtrigger
import pytest
from django.utils import timezone

from reviews import expiry, rating, rollout, sampling
from reviews.models import SignOff, Study, Verdict
from routing import policy
from tests.e2e.people import person
from tests.reviews.rows import add_pair
from tests.reviews.signing import approve, ask

pytestmark = pytest.mark.browser


@pytest.fixture
def study(service, project):
    for place in range(8):
        add_pair(project, place / 8)
    live = policy.live(project)
    made = sampling.start(live, name="Story", seed="s", rate=1.0, certified_only=False)
    rita = rating.rater_of(person("rita", "rater"))
    for row in made.sample.filter(selected=True):
        Verdict.objects.create(study=made, pair=row.pair, rater=rita, preference="tie")
    return made


def axe(page):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def open_signoff(page, tab="summary"):
    row = SignOff.objects.get()
    page.goto(f"/signoffs/{row.pk}/?tab={tab}")
    return row


def test_the_whole_way_of_a_sign_off(visit, study, project):
    person("paula", "product", "lead")
    person("pat", "product")
    person("erik", "engineering")
    look = {"bypass_csp": True, "viewport": {"width": 390, "height": 800}}

    paula = visit("paula", **look)
    paula.goto("/threshold/")
    paula.wait_for_selector("#degradation .main-svg")
    paula.fill("#ask", "0.6")
    paula.press("#ask", "Tab")
    paula.check("#acknowledge")
    paula.fill("#reason", "Good enough.")
    paula.click("text=Request sign-off")
    paula.wait_for_selector("text=Waiting for: engineering, product")
    assert paula.query_selector("button[value=approve]") is None

    erik = visit("erik", **look)
    assert erik.inner_text("nav[aria-label=Main] .tag") == "1 needs you"
    open_signoff(erik)
    erik.fill("#comment", "Step by step, please.")
    erik.click("button[value=request_changes]")
    erik.wait_for_selector("h1:has-text('Changes requested')")

    row = open_signoff(paula)
    paula.click("text=Edit")
    paula.fill("#threshold", "0.5")
    paula.check("input[value=ramp]")
    axe(paula)
    paula.click("text=Ask for this instead")
    paula.wait_for_selector("text=revision 2")

    for page in (erik, visit("pat", **look)):
        open_signoff(page)
        page.click("button[value=approve]")
        page.wait_for_selector("text=Stored:")
    erik.reload()
    erik.wait_for_selector("h1:has-text('Approved')")
    erik.wait_for_selector("text=not live yet")

    erik.click("text=Deploy now")
    erik.wait_for_selector("text=live for 10 % of requests")
    assert policy.deployment(project).share == 0.1
    rollout.run_due(timezone.now() + timedelta(hours=25))
    erik.reload()
    erik.wait_for_selector("text=live for 50 % of requests")
    for tab in ("summary", "changes", "evidence", "discussion", "history"):
        open_signoff(erik, tab)
        axe(erik)
    erik.goto("/policies/")
    axe(erik)
    erik.fill("#reason", "Complaints.")
    erik.click("text=/Roll back to policy-1/")
    erik.wait_for_selector("text=rolled back to policy-1")
    row.refresh_from_db()
    assert (row.state, row.way.state) == ("approved", "stopped")
    assert policy.deployment(project).share == 1


def test_what_expired_is_on_every_page_and_goes_back_as_the_plan_says(visit, study, project):
    asks, erik, pat = (
        person("paula", "product"), person("erik", "engineering"), person("pat", "product"),
    )  # fmt: skip
    Study.objects.update(after_expiry="always_expensive")
    study.refresh_from_db()
    row = approve(ask(study, asks), erik, pat)
    rollout.run_due()
    with pgtrigger.ignore("reviews.SignOff:frozen"):
        SignOff.objects.update(expires_at=timezone.now() + timedelta(days=3))
    page = visit("paula")
    for path in ("/overview/", "/threshold/", "/policies/", "/signoffs/"):
        page.goto(path)
        page.wait_for_selector("text=The sign-off of the live policy expires on")
    expiry.run_due(timezone.now() + timedelta(days=4))
    page.goto(f"/signoffs/{row.pk}/")
    page.wait_for_selector("h1:has-text('Expired')")
    page.goto("/policies/")
    page.wait_for_selector("text=everything goes to the expensive tier")
    assert re.search("Sign-off .* expired", page.inner_text("main"))


def test_somebody_alone_is_told_whom_it_takes(visit, study):
    admin = person("ada", "admin", "lead", "engineering")
    ask(study, admin)
    page = visit("ada")
    open_signoff(page)
    page.wait_for_selector("text=Nobody else who can log in is there for: engineering, product")
    page.click("text=Invite somebody")
    page.wait_for_url("**/settings/people/")
