"""The whole story in a browser: rate blind, read the curve, sign, and routing changes."""

import re

import anthropic
import pytest

from reviews import rollout, sampling
from reviews.models import Rating, SignOff, Verdict
from routing import policy, shifts
from routing.models import Request, ShadowPair
from tests.e2e.looks import LOOKS
from tests.e2e.people import person, wait_for

pytestmark = pytest.mark.browser

QUERIES = [f"Question number {n}: when is invoice {n} due?" for n in range(4)]


def ask(service, api_key, query):
    client = anthropic.Anthropic(base_url=service, api_key=api_key, max_retries=0)
    messages = [{"role": "user", "content": query}]
    raw = client.messages.with_raw_response.create(model="auto", max_tokens=50, messages=messages)
    return raw.headers["x-shadoweval-tier"]


@pytest.fixture
def study(service, project, api_key):
    assert [ask(service, api_key, query) for query in QUERIES] == ["expensive"] * 4
    wait_for(lambda: Request.objects.count() == 4)
    wait_for(lambda: shifts.run() == 0)
    assert ShadowPair.objects.count() == 4
    return sampling.start(
        policy.live(project),
        name="Story", seed="s", rate=1.0, origin_every=0, certified_only=False,
    )  # fmt: skip


def rate_three(page):
    page.goto("/rate/")
    page.keyboard.press("Enter")  # the guidelines, once
    page.wait_for_selector("#rating")
    for choice in ("2", "3", "4"):
        token = page.get_attribute("#rating", "data-token")
        for key in (choice, "q", "p", "Enter"):
            page.keyboard.press(key)
        page.wait_for_selector(f"[data-saved='{token}']")


def test_from_rating_to_another_tier(service, visit, study, api_key):
    person("rita", "rater")
    person("paula", "product")
    person("erik", "engineering")
    person("pat", "product")

    rate_three(visit("rita"))
    assert Rating.objects.count() == 3
    assert Verdict.objects.filter(cheap_adequate=True, expensive_adequate=True).count() == 3

    page = visit("paula")
    page.goto("/threshold/")
    page.wait_for_selector("#degradation .main-svg")
    page.fill("#ask", "1.01")
    page.press("#ask", "Tab")
    page.wait_for_selector("text=of requests go to the cheap model")
    page.check("#acknowledge")
    page.fill("#reason", "Every answer was good enough.")
    page.click("text=Request sign-off")
    page.wait_for_selector("text=Waiting for: engineering, product")
    assert page.query_selector("button[value=approve]") is None

    for name in ("erik", "pat"):
        page = visit(name)
        page.goto(f"/signoffs/{SignOff.objects.get().pk}/")
        page.click("button[value=approve]")
        page.wait_for_selector("text=Stored:")
    page.wait_for_selector("h1:has-text('Approved')")
    rollout.run_due()
    wait_for(lambda: ask(service, api_key, QUERIES[0]) == "cheap", 3)


def test_nothing_that_loads_tells_the_tiers_apart(visit, study, service):
    person("rita", "rater")
    page = visit("rita")
    seen = []
    page.on("response", lambda r: seen.append((r.url, str(r.all_headers()), r.text())))
    page.goto("/rate/")
    page.wait_for_load_state("networkidle")
    assert len(seen) >= 3
    words = ["cheap", "expensive", "haiku", "sonnet", "claude", "cost", "latency", "tokens", "tier"]
    pairs = [str(value) for row in ShadowPair.objects.all() for value in (row.request_id,)]
    for url, headers, body in seen:
        told = [
            word
            for word in words + pairs
            if word in re.findall(r"[\w-]+", (url + headers + body).lower())
        ]
        assert not told, url


def test_the_overview_keeps_itself_up_to_date(service, visit, study, api_key):
    person("lena", "lead")
    page = visit("lena")
    page.goto("/overview/")
    page.wait_for_selector("#now :text('4 requests recorded')")
    ask(service, api_key, "One more question?")
    page.wait_for_selector("#now :text('5 requests recorded')")


def test_the_rater_sees_the_rating_page_only(visit, study):
    person("rita", "rater")
    page = visit("rita")
    for path in ("/overview/", "/pairs/", "/threshold/", "/signoffs/", "/policies/", "/settings/"):
        assert page.request.get(path).status == 403


@LOOKS
def test_pages_have_no_violations_of_accessibility(visit, study, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    person("lena", "lead", "product")
    page = visit(
        "lena", color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True
    )
    for path in ("/rate/", "/overview/", "/pairs/", "/threshold/", "/signoffs/", "/policies/"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
