"""What leads set up, in a browser: readable at any width, in light and dark, by keyboard."""

import os
from pathlib import Path

import pytest

from reviews import guidance, sampling
from reviews.models import Adjudication, Gold, Study
from routing import policy
from tests.e2e.looks import LOOKS
from tests.reviews.rated import lead, rate_all, rater
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.browser


@pytest.fixture
def study(project):
    """A disagreement with strong words, and gold in both uses."""
    pairs = [add_pair(project, n / 4) for n in range(4)]
    plan = {"ratings_per_pair": 2, "second_share": 0, "check_every": 0, "origin_every": 0}
    study = sampling.start(policy.live(project), name="Spring", seed="7", rate=1.0, **plan)
    says = {pairs[0].pk: (("expensive",), {"strength": "much", "comment": "No postcode."})}
    rate_all(study, rater("ann"), lambda pair: (("cheap",), {"reasons": ["correct", "clear"]}))
    rate_all(study, rater("bob"), lambda pair: says.get(pair, (("cheap",), {})))
    for pair, use in zip(pairs[1:3], ("practice", "hidden"), strict=True):
        Gold.objects.create(
            study=study, pair=pair, use=use, preference="cheap", cheap_adequate=True,
            explanation="The first one answers.",
        )  # fmt: skip
    guidance.publish(study, guidance.DEFAULT + "\nBe fair to short answers.", lead("lars").user)
    return study


def check(page, width, name):
    from axe_playwright_python.sync_playwright import Axe

    if folder := os.environ.get("SHADOWEVAL_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    found = Axe().run(page)
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"


@LOOKS
def test_a_study_is_planned_started_and_read(visit, study, scheme, width):
    lead("lena")
    page = visit(
        "lena", color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True
    )
    page.goto("/studies/new/")
    page.fill("#plan-name", "Second")
    page.click("summary:has-text('Sampling')")
    page.fill("#plan-rate", "7")
    page.click("text=Start >> nth=-1")
    page.wait_for_selector("#problem-rate")  # its group is open by itself
    page.fill("#plan-rate", "0.2")
    page.fill("#plan-tilt", "3.5")
    page.click("text=What would it draw?")
    page.wait_for_selector("#preview")
    check(page, width, f"new-{scheme}-{width}")
    page.check("input[name=accept]")
    page.click("button[value=start]")
    page.wait_for_selector("h1:has-text('Second')")
    assert Study.objects.get(name="Second").tilt == 3.5
    for name, path in (
        ("studies", "/studies/"),
        ("study", f"/studies/{study.pk}/"),
        ("change", f"/studies/{study.pk}/plan/"),
        ("guidelines", f"/studies/{study.pk}/guidelines/"),
        ("gold", f"/studies/{study.pk}/gold/"),
    ):
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        check(page, width, f"{name}-{scheme}-{width}")
    page.goto(f"/pairs/{study.golds.first().pair_id + 2}/")
    page.click("main form button >> nth=0")
    page.wait_for_selector("text=Make it gold")
    check(page, width, f"pair-{scheme}-{width}")


@LOOKS
def test_a_disagreement_is_settled_by_keyboard(visit, study, scheme, width):
    lead("lena")
    page = visit(
        "lena", color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True
    )
    page.goto("/adjudicate/")
    page.wait_for_selector("[data-step=pair]")
    check(page, width, f"adjudicate-{scheme}-{width}")
    for key in ("3", "q", "p", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("[data-step=settle]")
    page.wait_for_selector("text=No postcode.")
    check(page, width, f"settle-{scheme}-{width}")
    page.keyboard.press("Enter")
    page.wait_for_selector("#problem:has-text('why raters disagree')")
    page.keyboard.press("r")
    page.keyboard.press("c")
    page.keyboard.type("Neither is better.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("[data-step=empty]")
    done = Adjudication.objects.get()
    assert (done.preference, done.cause, done.note) == ("tie", "guideline", "Neither is better.")
    assert page.locator("text=Raters agree on 3 pairs").count() == 1
    check(page, width, f"settled-{scheme}-{width}")
