"""A rater's whole session by keyboard, wide and on a phone; what is lost on the way comes back."""

import pytest

from reviews import guidance, sampling
from reviews.models import (
    Gold,
    GuidelineRead,
    OriginGuess,
    Presentation,
    Rating,
    Skip,
    Slot,
    Verdict,
)
from routing import policy
from tests.e2e.people import person, wait_for
from tests.reviews.rows import add_pair, add_retrieval

pytestmark = pytest.mark.browser

ANSWER = """Invoice {n} is due **14 days** after its date.

| invoice | due |
|---|---|
| {n} | day 14 |

```python
def due(date):
    return date + timedelta(days=14)
```

- Pay by card or transfer.
- Late payment costs 2 %.
"""
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture
def pairs(service, project):
    return [
        add_pair(
            project,
            n / 20,
            query=f"When is invoice number {n} due, and how can I pay it?",
            cheap=ANSWER.format(n=n) * (15 if n % 4 == 0 else 1),
            expensive=f"Invoice {n} is due in two weeks. " * (120 if n % 4 == 0 else 3),
        )
        for n in range(14)
    ]


def start(project, **plan):
    plan = {"check_every": 0, "origin_every": 0, "second_share": 0} | plan
    return sampling.start(policy.live(project), name="Room", seed="s", rate=1.0, **plan)


def rater(visit, **options):
    person("rita", "rater")
    page = visit("rita", **options)
    page.goto("/rate/")
    return page


def step(page):
    return page.get_attribute("[data-step]", "data-step")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def rate(page, choice="2"):
    token = page.get_attribute("#rating", "data-token")
    press(page, choice, "q", "p", "Enter")
    page.wait_for_selector(f"[data-saved='{token}']")
    return token


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_ten_pairs_with_the_keyboard_alone(visit, project, pairs, viewport):
    study = start(project, origin_every=2, rater_target=10, largest_threshold=0.6)
    for row in pairs[-2:]:  # not drawn: gold waits for the ratings of the sample
        Gold.objects.create(
            study=study, pair=row, use="practice", preference="tie", explanation="Both say so."
        )
    page = rater(visit, viewport=viewport)
    assert step(page) == "briefing"
    press(page, "Enter")
    page.wait_for_selector("#rating")
    done = 0
    while done < 10:
        if step(page) == "pair":
            is_real = page.locator("text=Practice:").count() == 0
            rate(page, "123450"[done % 6])
            done += is_real
        elif step(page) == "origin":
            press(page, "3")
            page.wait_for_selector("[data-step=pair]")
        else:
            assert step(page) == "feedback"
            press(page, "Enter")
            page.wait_for_selector("[data-step=pair]")
    assert Slot.objects.filter(kind="practice", state="done").count() == 2
    assert Verdict.objects.count() == 10
    if step(page) == "origin":
        press(page, "3")
        page.wait_for_selector("[data-step=pair]")
    assert OriginGuess.objects.count() == _asked_for_origin()
    assert "10/10 mine" in page.inner_text(".progress")


def _asked_for_origin():
    rated = Presentation.objects.filter(ratings__isnull=False)
    return rated.filter(asks_origin=True).distinct().count()


def test_every_key_does_what_its_button_says(visit, project, pairs):
    start(project)
    person("bob", "rater")  # or nobody could take what is skipped, and it would be given up
    page = rater(visit, viewport=WIDE)
    press(page, "Enter")
    page.wait_for_selector("#rating")
    press(page, "?")
    assert page.locator("#keys").is_visible()
    press(page, "4")  # not a verdict while the sheet is open
    press(page, "Escape")
    assert page.locator("input[name=choice]:checked").count() == 0
    press(page, "d")
    page.wait_for_selector("#answer-a.differs ins, #answer-a.differs del")
    press(page, "d", "g")
    assert page.locator("#answer-a.differs").count() == 0
    assert page.get_attribute("#guidelines", "open") is None
    press(page, "b")
    assert page.evaluate("document.activeElement.id") == "answer-b"
    press(page, "2", "c")
    page.keyboard.type("q4 and u: only words")  # no key means anything while typing
    press(page, "Escape", "q", "q", "p")
    token = page.get_attribute("#rating", "data-token")
    press(page, "c", "Control+Enter")
    page.wait_for_selector(f"[data-saved='{token}']")
    said = Rating.objects.get()
    assert (said.choice, said.left_adequate, said.right_adequate, said.comment) == (
        "a_slightly", False, True, "q4 and u: only words",
    )  # fmt: skip
    press(page, "u")
    page.wait_for_selector(f"#rating[data-token='{token}']")
    press(page, "5", "Enter")
    page.wait_for_selector(f"[data-saved='{token}']")
    assert list(Rating.objects.order_by("id").values_list("choice", flat=True)) == [
        "a_slightly",
        "b_much",
    ]
    press(page, "m")
    page.wait_for_selector("#mine li")
    assert "B much better" in page.inner_text("#mine")
    press(page, "Escape")
    skipped = page.get_attribute("#rating", "data-token")
    press(page, "s", "1")
    page.wait_for_selector(f"#rating:not([data-token='{skipped}'])")
    assert Skip.objects.get().reason == "cannot_judge"
    press(page, "u")
    page.wait_for_selector(f"#rating[data-token='{skipped}']")
    rate(page)
    assert Rating.objects.filter(presentation__token=skipped).exists()
    press(page, "u")
    page.wait_for_selector(f"#rating[data-token='{skipped}']")
    press(page, "s")
    page.wait_for_selector(f"#rating:not([data-token='{skipped}'])")


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_sources_are_read_on_demand_and_what_they_support_is_said_by_key(
    visit, service, project, viewport
):
    cited = "It is due in 14 days [1, 3], see `list[2]` and [99]."
    add_retrieval(add_pair(project, 0.1, cheap=cited, expensive=cited), ["Due <b>"] * 20)
    start(project)
    page = rater(visit, viewport=viewport)
    press(page, "Enter")
    page.wait_for_selector("#rating")
    assert not page.locator("#source-1").is_visible()
    assert page.locator("a.cited").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.set_viewport_size({"width": 640, "height": 400})  # 200 % zoom
    assert page.evaluate("getComputedStyle(document.querySelector('.bar')).position") == "static"
    page.set_viewport_size(viewport)
    press(page, "n")
    page.wait_for_selector("#answer-a a.cited")
    assert page.evaluate("document.activeElement.id") == "source-1"  # arrow keys scroll the list
    assert page.inner_text("#source-1 pre") == "Due <b>"
    assert page.locator("#answer-a a.cited").all_inner_texts() == ["1", "3"]
    assert page.inner_text("#answer-a").strip() == cited.replace("`", "")
    page.locator("#answer-a a.cited").nth(1).click()
    assert page.evaluate("location.hash") == "#source-3"
    press(page, "n")
    page.wait_for_selector("#answer-a:not(:has(a.cited))")
    press(page, "w", "o", "o", "2", "q", "p")
    page.reload()  # the draft keeps what was said
    page.wait_for_selector("input[name=right_supported][value=no]:checked")
    press(page, "w", "w", "Enter")
    page.wait_for_selector("[data-saved]")
    said = Rating.objects.get()
    assert (said.left_supported, said.right_supported) == (None, False)


def test_a_lost_connection_loses_nothing(visit, project, pairs):
    study = start(project)
    page = rater(visit, viewport=WIDE)
    press(page, "Enter")
    page.wait_for_selector("#rating")
    token = page.get_attribute("#rating", "data-token")
    press(page, "4", "p", "c")
    page.keyboard.type("half a thought")
    page.route("**/rate/**", lambda route: route.abort())
    press(page, "Escape", "q", "Enter")
    page.wait_for_selector("#problem:has-text('connection is away')")
    page.unroute("**/rate/**")
    assert {error.split(": ")[-1] for error in visit.errors} == {"net::ERR_FAILED"}
    visit.errors.clear()
    page.reload()
    page.wait_for_selector(f"#rating[data-token='{token}']")
    assert page.input_value("#comment") == "half a thought"
    press(page, "Enter")
    page.wait_for_selector(f"[data-saved='{token}']")
    assert Rating.objects.get().choice == "b_slightly"
    assert study.slots.filter(state="done").count() == 1


def test_scrolling_one_answer_scrolls_the_other_and_long_ones_fold_together(visit, project, pairs):
    start(project)
    page = rater(visit, viewport=WIDE)
    press(page, "Enter")
    page.wait_for_selector("#rating")
    while page.locator("[data-does=fold]").count() == 0:
        rate(page)
    heights = "[...document.querySelectorAll('.answer')].map((one) => one.clientHeight)"
    folded = page.evaluate(heights)
    press(page, "f")
    assert folded[0] == folded[1] <= min(page.evaluate(heights))
    page.hover("#answer-a")
    page.mouse.wheel(0, 300)
    tops = "[...document.querySelectorAll('.answer')].map((one) => one.scrollTop)"
    wait_for(lambda: min(page.evaluate(tops)) > 0)
    press(page, "y")
    before = page.evaluate(tops)
    page.mouse.wheel(0, 300)
    wait_for(lambda: page.evaluate(tops)[0] > before[0])
    assert page.evaluate(tops)[1] == before[1]


def test_changed_guidelines_are_shown_before_the_next_pair(visit, project, pairs):
    study = start(project)
    lead = person("lena", "lead")
    page = rater(visit, viewport=WIDE)
    press(page, "Enter")
    page.wait_for_selector("#rating")
    guidance.publish(study, guidance.DEFAULT + "\nDates must be right.\n", lead)
    rate_token = page.get_attribute("#rating", "data-token")
    press(page, "3", "q", "p", "Enter")
    page.wait_for_selector("[data-step=briefing]")
    assert page.locator(".changes ins").count() > 0
    press(page, "Enter")
    page.wait_for_selector("#rating")
    versions = Rating.objects.get(presentation__token=rate_token).presentation.guideline.version
    assert (versions, GuidelineRead.objects.count()) == (1, 2)


@pytest.mark.parametrize(("scheme", "viewport"), [("light", WIDE), ("dark", PHONE)])
def test_every_step_is_accessible(visit, project, pairs, scheme, viewport, tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    study = start(project, origin_every=1, largest_threshold=0.6)
    Gold.objects.create(study=study, pair=pairs[-1], use="practice", preference="tie")
    page = rater(visit, viewport=viewport, color_scheme=scheme, bypass_csp=True)

    def look(name):
        found = Axe().run(page)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        page.screenshot(path=tmp_path / f"{name}.png")

    look("briefing")
    press(page, "Enter")
    page.wait_for_selector("#rating")
    look("pair")
    press(page, "d")
    page.wait_for_selector(".differs")
    look("differences")
    for key, opened in (("?", "#keys"), ("s", "#skip"), ("m", "#mine")):
        press(page, key)
        page.wait_for_selector(f"{opened}[open]")
        look(opened[1:])
        press(page, "Escape")
        page.wait_for_selector(f"{opened}:not([open])", state="attached")
    rate(page)
    assert step(page) == "feedback"
    look("feedback")
    press(page, "Enter")
    page.wait_for_selector("#rating")
    rate(page)
    assert step(page) == "origin"
    look("origin")
    study.slots.filter(state="open").update(state="done")
    press(page, "1")
    page.wait_for_selector("[data-step=empty]")
    look("empty")
