"""Retrieval measured on judged queries, by page."""

import json
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from reviews import demo_handbook
from reviews.models import RetrievalEvaluation
from routing import indexing
from routing.embedders import ids
from routing.models import CollectionVersion, StrategyVersion

QRELS = demo_handbook.QRELS.read_bytes()

pytestmark = pytest.mark.django_db


@pytest.fixture
def handbook(project):
    made = demo_handbook.write(project)
    made.embedder = ids.STATIC
    made.save()
    indexing.run_due()
    return made


@pytest.fixture
def measure(as_role, handbook):
    def send(content=QRELS, **more):
        client = as_role("engineering")
        file = SimpleUploadedFile("judged.jsonl", content)
        where = reverse("retrieval_evaluations", args=[handbook.pk])
        return client.post(where, {"file": file, **more}, follow=True)

    return send


def test_every_strategy_is_measured_and_shown(measure):
    page = measure()
    row = RetrievalEvaluation.objects.get()
    text = page.content.decode()
    assert page.status_code == 200
    assert (row.n_queries, row.qrels, row.made_by is not None) == (82, "judged.jsonl", True)
    hybrid = row.figures["all"]["values"]["hybrid"]["ndcg"]
    assert hybrid > 0.6
    assert f"{hybrid:.3f}" in text
    assert "Auto went by rules" in text
    times = text.partition("Time to search")[2]
    assert re.findall(r"<dt>(.+?)</dt>", times) == ["BM25", "Dense", "Hybrid (RRF)", "Auto"]
    grid = page.context["charts"]["kinds"]["layout"]
    assert grid["yaxis"]["gridcolor"] == grid["xaxis"]["gridcolor"]  # plotly's own is near white
    assert "82 queries of judged.jsonl on version 1 (35 documents" in text


def test_auto_is_trained_where_that_is_wanted_and_said_to_flatter_itself(measure):
    text = measure(trains="1").content.decode()
    card = StrategyVersion.objects.get().card
    assert card["n"] == 82
    assert "trained on these very queries" in text
    assert "nDCG is 1 where the right documents stand first" in text


def test_what_was_trained_is_compared_with_the_rules_before_it(as_role, handbook):
    gain = {"value": -0.01, "low": -0.04, "high": 0.02}
    card = {"n": 82, "k": 10, "trained": 0.8, "best": 0.9, "rules": 0.81, "gain": gain}
    version = CollectionVersion.objects.get(collection=handbook)
    rows = {"collection": handbook, "version": version, "artifact": b"", "sha256": ""}
    StrategyVersion.objects.create(**rows, card={**card, "gain_over_rules": gain})
    client = as_role("product")
    text = client.get(reverse("retrieval_evaluations", args=[handbook.pk])).content.decode()
    assert "the rules come to 0.810 on the same queries, and it is not shown to be better" in text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x00\x01", "Line 1: this is no JSON"),
        (b"", "no judged query in it"),
        (json.dumps({"qid": "1", "query": "q", "qrels": {"nowhere": 1}}).encode(), "None of the"),
        (b"\n".join([QRELS] * 13), ""),
    ],
)
def test_what_cannot_be_measured_is_said_and_leaves_nothing(measure, content, says):
    text = measure(content).content.decode()
    assert 'role="alert"' in text
    assert says in text
    assert not RetrievalEvaluation.objects.exists()


def test_no_evaluation_is_an_empty_state_and_readers_may_not_measure(as_role, handbook):
    client = as_role("product")
    where = reverse("retrieval_evaluations", args=[handbook.pk])
    text = client.get(where).content.decode()
    assert "None yet" in text
    assert "Measure every strategy" not in text
    assert client.post(where).status_code == 403
