"""The threshold page in a browser: it keeps up with the slider, and is read at any width."""

import os
import re
from pathlib import Path

import pytest

from reviews import calibration, closing, sampling
from routing import policy
from tests.e2e.looks import LOOKS
from tests.e2e.people import person
from tests.reviews import labelled
from tests.reviews.rated import rate_all, rater
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.browser
TASKS = ("math", "writing", "code")


@pytest.fixture
def study(project):
    """Sixty rated pairs of three task types; high scores are made worse."""
    pairs = {}
    for n in range(60):
        pair = add_pair(project, n / 60, task=TASKS[n % 3], query=f"question {n}")
        pairs[pair.pk] = n
    plan = {"second_share": 0, "check_every": 0, "origin_every": 0, "certified_only": False}
    study = sampling.start(policy.live(project), name="Spring", seed="7", rate=1.0, **plan)
    strong = {"strength": "much"}
    rate_all(
        study,
        rater("ann"),
        lambda pk: (("expensive",), strong) if pairs[pk] % 7 == 6 else (("tie",), {}),
    )
    return study


@pytest.fixture
def closed(project):
    """A hundred labelled pairs of five days, closed: certified up to some threshold."""
    study, _ = labelled.start(project, [n / 100 for n in range(100)], floor=0.2, early_stop=False)
    labelled.spread(study, 5)
    labelled.label(study, harmed=lambda score: score > 0.7)
    labelled.end_window(study)
    return closing.close(study, by=None, basis="window")


@pytest.fixture
def by_task(project):
    """Labelled pairs of two task types, a threshold for each, closed."""
    for n in range(70):
        add_pair(project, n / 70, task="code")
    scores = [n / 70 for n in range(70)]
    plan = {"floor": 0.2, "early_stop": False, "by_task": True}
    study, _ = labelled.start(project, scores, **plan)
    labelled.label(study, harmed=lambda score: score > 0.8)
    labelled.end_window(study)
    return closing.close(study, by=None, basis="window")


def check(page, width, name):
    from axe_playwright_python.sync_playwright import Axe

    if folder := os.environ.get("SHADOWEVAL_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    found = Axe().run(page)
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"


def open_page(visit, scheme="light", width=1280, path="/threshold/", **options):
    page = visit("lena", color_scheme=scheme, viewport={"width": width, "height": 900}, **options)
    page.goto(path)
    page.wait_for_selector("#cost .proposed")
    return page


@LOOKS
def test_it_is_read_at_any_width_in_light_and_dark(visit, study, scheme, width):
    person("lena", "lead", "product")
    page = open_page(visit, scheme, width, "/threshold/?at=0.5", bypass_csp=True)
    page.wait_for_selector("#sentence:has-text('At 0.50, 50 %')")
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    page.wait_for_selector("#w-from:has-text('60 pairs')")
    check(page, width, f"threshold-{scheme}-{width}")
    page.click("#switches")
    page.wait_for_selector("h1:has-text('What switches')")
    check(page, width, f"switches-{scheme}-{width}")


@LOOKS
def test_a_closed_study_says_its_certificate_with_money(visit, closed, scheme, width):
    person("lena", "lead", "product")
    page = open_page(visit, scheme, width, bypass_csp=True)
    at = calibration.certificate(closed).threshold
    sentence = page.inner_text("#sentence")
    assert sentence.startswith(f"At {at:.2f}, {100 * at:.0f} % of requests go to the cheap model;")
    assert "we are 95 % sure that at most 20 % of all requests get a worse answer;" in sentence
    assert re.search(r"about \$[\d.,]+ a month saved \(\$[\d.,]+ to \$[\d.,]+, from", sentence)
    page.click("#how summary")
    assert page.locator("#how li").count() == 6
    check(page, width, f"closed-{scheme}-{width}")


def test_without_a_script_the_sentence_stands_there_too(visit, closed):
    person("lena", "lead", "product")
    page = visit("lena", java_script_enabled=False)
    page.goto("/threshold/")
    at = calibration.certificate(closed).threshold
    assert f"At {at:.2f}, " in page.inner_text("#sentence")
    assert "a month saved" in page.inner_text("#sentence")
    assert page.input_value("#t-value") == f"{at:.2f}"


def test_thresholds_by_task_type_go_into_the_curves_the_link_and_the_form(visit, by_task):
    person("lena", "lead", "product")
    page = open_page(visit)
    own = {name: one["threshold"] for name, one in calibration.certificate(by_task).by_task.items()}
    page.wait_for_selector("#by-task:has-text('for 2 of 2 task types')")
    assert page.input_value("[data-task=code]") == f"{own['code']:.2f}"
    assert f"threshold_code={own['code']:g}" in page.get_attribute("#switches", "href")
    assert page.is_enabled("#ask-button")
    page.fill("[data-task=code]", "0.99")
    page.wait_for_selector("#tasks-drawn :text('At 0.99: ')")
    page.wait_for_selector("#ask-refused:has-text('only certified')")
    page.click("#take-certified")
    page.wait_for_selector("#ask-refused", state="hidden")
    page.click("#switches")
    page.wait_for_selector(f".sentence:has-text('code to {own['code']:.2f}')")


def test_the_slider_moves_every_figure_without_asking_the_server(visit, study):
    person("lena", "lead", "product")
    page = open_page(visit)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    shapes = "JSON.stringify(document.getElementById('degradation').layout.shapes)"
    before = page.evaluate(shapes)
    page.focus("#t")
    at = float(page.input_value("#t-value"))
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    text = f"{at + 0.03:.2f}"
    page.wait_for_selector(f"#sentence:has-text('At {text}')")
    assert page.get_attribute("#t", "aria-valuetext") == text
    assert (page.input_value("#t-value"), page.input_value("#ask")) == (text, text)
    assert page.locator("#cost .proposed").inner_text() == f"proposed {text}"
    assert f"at={text.rstrip('0')}" in page.get_attribute("#switches", "href")
    page.keyboard.press("End")
    page.wait_for_selector("#f-share:has-text('100.0 %')")
    assert "8 / 60 rated" in page.inner_text("#f-worse-n")
    assert (asked, page.evaluate(shapes) == before) == ([], True)


def test_every_frame_shows_where_the_slider_is(visit, study):
    person("lena", "lead", "product")
    page = open_page(visit)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    shown, took = page.evaluate(
        """async () => {
            const slider = document.getElementById("t");
            const frame = () => new Promise(requestAnimationFrame);
            const shown = [], spent = [];
            for (let i = 0; i < 90; i += 1) {
                slider.value = i;
                slider.dispatchEvent(new Event("input"));
                const begun = performance.now();
                await frame();
                document.body.getBoundingClientRect();
                spent.push(performance.now() - begun);
                shown.push(document.getElementById("sentence").innerText);
            }
            return [shown, spent.sort((a, b) => a - b)];
        }"""
    )
    print(f"frame: median {took[45]:.1f} ms, 95 % {took[85]:.1f} ms")
    late = [said for i, said in enumerate(shown) if f"At {i / 100:.2f}" not in said]
    assert (late, asked) == ([], [])


def test_a_number_is_typed_and_the_nearest_threshold_chosen(visit, study):
    person("lena", "lead", "product")
    page = open_page(visit, path="/threshold/?at=0.5")
    page.wait_for_selector("#sentence:has-text('At 0.50')")
    page.fill("#t-value", "0.724")
    page.keyboard.press("Tab")
    page.wait_for_selector("#sentence:has-text('At 0.72')")


def test_what_is_not_certified_is_acknowledged_or_not_asked_for(visit, study):
    person("lena", "lead", "product")
    page = open_page(visit, path="/threshold/?at=0.9")
    page.wait_for_selector("#sentence:has-text('Not certified')")
    assert "13.3 %" not in page.inner_text("#sentence")  # no estimate in place of a certificate
    assert page.is_visible("#acknowledge")
    assert page.is_enabled("#ask-button")
    type(study).objects.filter(pk=study.pk).update(certified_only=True)
    page.reload()
    page.wait_for_selector("#ask-refused:has-text('only certified')")
    assert not page.is_visible("#acknowledge")
    assert page.is_disabled("#ask-button")


def test_a_part_of_the_traffic_is_in_the_address_and_is_not_signed(visit, study):
    person("lena", "lead", "product")
    page = open_page(visit)
    page.select_option("#task", "code")
    page.click("form.inline button:has-text('Show')")
    page.wait_for_selector("text=A certificate is only ever of the whole plan")
    assert "task=code" in page.url
    assert page.locator("#ask-form").count() == 0
    page.click("text=The whole traffic")
    page.wait_for_selector("#ask-form")


def test_what_if_computes_with_other_prices_mixes_and_floors(visit, study):
    person("lena", "lead", "product")
    page = open_page(visit, path="/threshold/?at=0.5")
    page.wait_for_selector("#sentence:has-text('At 0.50')")
    page.click("#what-if summary")
    page.wait_for_selector("#w-from:has-text('60 pairs')")
    for name, value in (("cheap", "1"), ("expensive", "4")):
        page.fill(f"#w-{name}-input", value)
        page.fill(f"#w-{name}-output", value)
    # Five tokens a request, half of them cheap: 2.5 of 4 dollars, 37.5 % less.
    page.wait_for_selector("#w-cost:has-text('37.5 % less')")
    page.fill("#w-floor", "99")
    page.wait_for_selector("#w-largest:has-text('1.01')")
    for row, share in enumerate(("100", "0", "0")):
        page.fill(f"#mix-{row}", share)
    page.wait_for_selector("#w-worse:has-text('5.0 %')")
