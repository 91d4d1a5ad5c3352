"""The pages of routers in a browser: kinds, a version that is made, and rules with a dry run."""

import pytest

from routing.models import RouterVersion
from tests.e2e.looks import LOOKS
from tests.e2e.people import person
from tests.e2e.test_threshold_page import check
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.browser


@LOOKS
def test_a_hybrid_is_made_and_rules_are_tried_and_saved(visit, project, scheme, width):
    for n in range(3):
        add_pair(project, 0.3, query=f"Please summarise chapter {n} for me")
    person("lena", "lead")
    look = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    page = visit("lena", bypass_csp=True, **look)
    page.goto("/routers/")
    check(page, width, f"routers-{scheme}-{width}")
    page.click("#kind-hybrid a.button")
    check(page, width, f"make-{scheme}-{width}")
    page.fill("#make-low", "0.9")
    page.click("text=Make this version")
    page.wait_for_selector("#problem-low")
    check(page, width, f"make-wrong-{scheme}-{width}")
    page.fill("#make-low", "0.2")
    page.fill("#make-name", "both")
    page.click("text=Make this version")
    page.wait_for_selector("text=both is there and decides nothing")
    check(page, width, f"made-{scheme}-{width}")
    starter = RouterVersion.objects.get(is_starter=True, project=None)
    page.goto(f"/routers/rules/?version={starter.pk}")
    page.click("text=Add a rule")
    last = page.locator("fieldset.rule").last
    last.locator("[name^=name-]").fill("chapters")
    last.locator("[name^=setting-]").fill("(chapter")
    page.fill("#rules-at", "0.5")
    last.locator("[name^=name-]").press("Enter")  # the first button: a dry run
    page.wait_for_selector("text=Rule chapters: the pattern cannot be used")
    check(page, width, f"rules-wrong-{scheme}-{width}")
    page.locator("fieldset.rule").last.locator("[name^=setting-]").fill("chapter [0-9]")
    page.click("text=Dry run")
    page.wait_for_selector("text=These 3 would change, of 3 recorded requests")
    check(page, width, f"rules-{scheme}-{width}")
    page.fill("#rules-name", "strict")
    page.click("text=Save as a new version")
    page.wait_for_selector("text=strict is there and decides nothing")
    assert RouterVersion.objects.get(name="strict").project == project
