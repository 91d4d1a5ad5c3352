"""Training on the page: what it would learn from, how far it is, and the card that comes of it."""

import re

import pytest

from reviews import sampling, training
from reviews.models import TrainingRun
from routing import policy
from routing.models import Request
from tests.reviews.planted import plant, query

pytestmark = pytest.mark.django_db
KIND = "rules+embedding-logistic"
FORM = {"project": "default", "kind": KIND, "sources": ["human"], "embedder": "static", "seed": "7"}


def text(answer):
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def pairs(project):
    return plant(project)


@pytest.fixture
def run(project, pairs):
    options = {"sources": ["human"], "embedder": "static"}
    run = training.ask(project, kind=KIND, name="mine", options=options)
    training.run_due()
    run.refresh_from_db()
    return run


def test_the_form_describes_kinds_and_counts_labels(as_role, pairs):
    page = text(as_role("lead").get("/routers/train/"))
    for kind in training.trained_kinds().values():
        assert kind.title in page
    assert 'People <span class="muted">120</span>' in page
    assert "None yet." in page


def test_labels_are_counted_before_anybody_starts(as_role, pairs):
    client = as_role("lead")
    page = text(client.post("/routers/train/", {**FORM, "action": "count"}))
    assert "120 labels of 120 different questions" in page
    assert "Enough to train on" in page
    few = text(client.post("/routers/train/", {**FORM, "action": "count", "sources": ["judge"]}))
    assert "There are labels of 0 different questions, and a training takes 50" in few
    math = text(client.post("/routers/train/", {**FORM, "action": "count", "tasks": " math, "}))
    assert "60 labels of 60 different questions" in math
    assert not TrainingRun.objects.exists()


def test_a_training_is_asked_for_and_shown(as_role, pairs):
    client = as_role("engineering")
    answer = client.post("/routers/train/", {**FORM, "name": "first"})
    run = TrainingRun.objects.get()
    assert answer.url == f"/routers/train/{run.pk}/"
    assert (run.name, run.options["sources"], run.options["seed"]) == ("first", ["human"], 7)
    assert run.created_by.username == "engineering"
    page = text(client.get(answer.url))
    assert "Waiting for the trainer." in page
    assert 'hx-trigger="every 2s"' in page
    assert f'href="/routers/train/{run.pk}/"' in page  # without a script
    training.claim(run)
    TrainingRun.objects.filter(pk=run.pk).update(stage="Fitting, in five parts", done=3, total=11)
    page = text(client.get(answer.url))
    assert "Fitting, in five parts: 3 of 11." in page
    assert 'value="3" max="11"' in page


def test_what_cannot_be_comes_back_as_it_was_typed(as_role, pairs):
    answer = as_role("lead").post("/routers/train/", {**FORM, "seed": "lucky", "since": "monday"})
    page = text(answer)
    assert "“monday” is no date" in page
    assert 'value="lucky"' in page
    assert not TrainingRun.objects.exists()


def test_a_training_is_cancelled_once(as_role, project):
    client = as_role("lead")
    run = training.ask(project, kind=KIND)
    there = f"/routers/train/{run.pk}/"
    assert client.post(f"{there}cancel/").url == there
    assert "Cancelled." in text(client.get(there))
    assert "ended already" in text(client.post(f"{there}cancel/", follow=True))


def test_who_only_looks_is_offered_nothing(as_role, project, run):
    client = as_role("product")
    page = text(client.get("/routers/train/"))
    assert "mine" in page
    assert "Kind of router" not in page
    waiting = training.ask(project, kind=KIND)
    assert "Cancel" not in text(client.get(f"/routers/train/{waiting.pk}/"))


def test_a_failure_says_why(as_role, project):
    run = training.ask(project, kind=KIND)
    training.run_due()
    page = text(as_role("lead").get(f"/routers/train/{run.pk}/"))
    assert "Failed at “Collecting labels”." in page
    assert "and a training takes 50" in page
    assert "hx-trigger" not in page


def test_the_card_says_first_whether_it_ranks(as_role, run):
    page = text(as_role("product").get(f"/routers/{run.router.pk}/"))
    assert "Ranks better than chance: AUROC ." in page
    assert "on 120 labels." in page
    assert "Not deployed: it needs its own evidence and sign-off." in page
    for id_ in ("reliability", "tradeoff", "learning"):
        assert f'id="{id_}"' in page
    assert "of 120 recorded requests would switch" in page
    assert "each router was taken at its own median score" in page
    assert run.router.sha256 in page
    assert run.router.card["training_sha256"] in page
    assert query(16) in page  # a turned label: nobody could be right about it


def test_requests_that_are_gone_are_not_missed(as_role, run):
    wrong = run.router.card["wrong"][0]["request_id"]
    run.examples.filter(pair__request_id=wrong).delete()
    Request.objects.filter(pk=wrong).delete()
    assert "deleted since" in text(as_role("product").get(f"/routers/{run.router.pk}/"))


def test_who_may_still_be_asked_is_not_told_what_others_said(as_role, project, run):
    """A lead rates too: the study draws its pairs while the card stands."""
    there = f"/routers/{run.router.pk}/"
    sampling.start(policy.live(project), name="more", seed="9", rate=1.0)
    page = text(as_role("lead").get(there))
    assert "left out: you may still be asked about them" in page
    assert query(16) not in page
    assert query(16) in text(as_role("product").get(there))


def test_what_nobody_measured_says_so(as_role, project, starter):
    page = text(as_role("product").get(f"/routers/{starter.pk}/"))
    assert "No measured card." in page
    assert "fitted on a person’s guesses" in page
    assert "AUROC" not in page
    assert "plotly" not in page


def test_the_card_takes_as_many_queries_as_it_is_long(as_role, run, django_assert_max_num_queries):
    client = as_role("product")
    client.get(f"/routers/{run.router.pk}/")
    with django_assert_max_num_queries(29):
        client.get(f"/routers/{run.router.pk}/")


def test_what_was_unticked_stays_so_and_the_part_of_the_site_is_marked(as_role, project):
    client = as_role("lead")
    assert text(client.get("/routers/train/?kind=two-heads")).count('name="sources"') == 3
    assert len(ticked(client.get("/routers/train/?kind=two-heads"))) == 3
    refused = client.post("/routers/train/", FORM | {"sources": []})
    assert "Choose sources" in text(refused)
    assert ticked(refused) == []
    card = f"/routers/{policy.live(project).router_id}/"
    for page in ("/routers/train/", "/routers/labels/", card):
        assert '<a href="/routers/" aria-current="page">Routers</a>' in text(client.get(page))


def ticked(answer):
    """The sources that a form has chosen."""
    return re.findall(r'name="sources" value="(\w+)" checked', text(answer))
