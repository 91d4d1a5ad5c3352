"""A training in a browser: asked for, followed, and read as a card at any width."""

import pytest

from reviews import training
from reviews.models import TrainingRun
from tests.e2e.looks import LOOKS
from tests.e2e.people import person
from tests.e2e.test_threshold_page import check
from tests.reviews.planted import plant

pytestmark = pytest.mark.browser
KIND = "rules+embedding-logistic"


@pytest.fixture
def pairs(project):
    return plant(project)


def read(page, path, width, name):
    page.goto(path)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    check(page, width, name)


@LOOKS
def test_a_training_is_asked_for_followed_and_read(visit, pairs, scheme, width):
    person("lena", "lead")
    look = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    page = visit("lena", bypass_csp=True, **look)
    read(page, "/routers/train/", width, f"train-{scheme}-{width}")
    page.check(f"input[value='{KIND}']")
    page.select_option("#embedder", "static")
    page.fill("#name", "mine")
    page.click("text=Count the labels")
    page.wait_for_selector("text=120 labels of 120 different questions")
    check(page, width, f"counted-{scheme}-{width}")
    page.click("button.primary")
    page.wait_for_selector("text=Waiting for the trainer")
    run = TrainingRun.objects.get()
    training.claim(run)
    TrainingRun.objects.filter(pk=run.pk).update(stage="Fitting, in five parts", done=3, total=11)
    page.wait_for_selector("text=3 of 11")  # a script asked again
    check(page, width, f"training-{scheme}-{width}")
    training.work(run)
    card = page.get_attribute("#training a:has-text('the card of mine')", "href")
    page.goto(card, wait_until="commit")
    for id_ in ("reliability", "tradeoff", "learning"):
        page.wait_for_selector(f"#{id_} .main-svg", timeout=60_000)
        assert page.locator(f"#{id_}").bounding_box()["width"] > 280  # room for its words
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    check(page, width, f"router-{scheme}-{width}")


def test_a_card_is_drawn_under_the_policy_of_the_page(visit, pairs, project):
    """No style or script of the page's own: the browser would say so, and fail the test."""
    person("lena", "lead")
    options = {"sources": ["human"], "embedder": "static"}
    run = training.ask(project, kind=KIND, name="mine", options=options)
    training.run_due()
    run.refresh_from_db()
    page = visit("lena")
    page.goto(f"/routers/{run.router.pk}/")
    for id_ in ("reliability", "tradeoff", "learning"):
        page.wait_for_selector(f"#{id_} .main-svg")
