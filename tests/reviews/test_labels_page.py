"""The Labels page, its files and the API: counts, conflicts, and nobody's blindness lost."""

import csv
import io

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User

from reviews import label_files
from routing import access
from routing.models import Request
from tests.reviews import training_draws
from tests.reviews.rated import rater
from tests.reviews.rows import add_pair
from tests.reviews.training_draws import judge, person, spoken

pytestmark = pytest.mark.django_db
REFUSAL = "I'm sorry, but I can't help with that."
LABELS = "/api/v1/labels"


@pytest.fixture
def pairs(project):
    return [add_pair(project, 0.5, cheap=REFUSAL, query=f"question {n}") for n in range(3)]


def rated_by(study, pairs, who):
    """Let a person rate the pairs, so that no study waits for them."""
    study.slots.filter(pair__in=pairs).update(state="done", rater=who)
    for pair in pairs:
        spoken(study, pair, who, "tie", True, True)


def test_no_label_says_what_to_do(as_role, project):
    answer = as_role("lead").get("/routers/labels/").content.decode()
    assert "No label yet" in answer
    assert "/studies/new/" in answer
    assert "/judge/" in answer


def test_counts_agreement_and_conflicts_are_shown(as_role, project, pairs):
    study = training_draws.start(project)
    rated_by(study, pairs[:2], person())
    spoken(study, pairs[0], judge(study), "tie", True, True)
    answer = as_role("engineering").get("/routers/labels/")
    assert {line.title: line.n for line in answer.context["lines"]} == {
        "People": 2, "LLM judge": 0, "Heuristics": 1,
    }  # fmt: skip
    assert [row.pair_id for row in answer.context["conflicts"]] == [pairs[1].pk, pairs[0].pk]
    text = answer.content.decode()
    assert f"/pairs/{pairs[0].pk}/" in text
    assert "Heuristic refusal" in text
    assert "3 pairs with a label" in text


def test_who_may_still_be_asked_sees_no_label_of_the_pair(as_role, project, pairs):
    study = training_draws.start(project)
    spoken(study, pairs[0], judge(study), "tie", True, True)  # a conflict with the refusal
    client = as_role("lead")
    answer = client.get("/routers/labels/")
    assert (answer.context["conflicts"], answer.context["n_hidden"]) == ([], 1)
    assert f"/pairs/{pairs[0].pk}/" not in answer.content.decode()
    mine = rater("mine")
    mine.user = User.objects.get(username="lead")
    mine.save()
    rated_by(study, pairs, mine)
    assert [row.pair_id for row in client.get("/routers/labels/").context["conflicts"]] == [
        pair.pk for pair in reversed(pairs)
    ]


def test_conflicts_come_page_by_page(as_role, project):
    pairs = [add_pair(project, 0.5, cheap=REFUSAL) for _ in range(27)]
    rated_by(training_draws.start(project), pairs, person())
    client = as_role("product")
    sizes = [len(client.get(f"/routers/labels/?page={n}").context["conflicts"]) for n in (1, 2)]
    assert sizes == [25, 2]


def listed(client, key, **asked):
    return client.get(LABELS, asked, headers={"x-api-key": key})


def test_the_api_lists_labels_the_newest_first_by_cursor(client, project, pairs, api_key):
    first = listed(client, api_key, limit=2).json()
    second = listed(client, api_key, limit=2, cursor=first["next_cursor"]).json()
    ids = [row["pair_id"] for row in first["items"] + second["items"]]
    assert ids == [pair.pk for pair in reversed(pairs)]
    assert second["next_cursor"] is None
    row = first["items"][0]
    assert (row["source"], row["how"], row["cheap_ok"], row["query"]) == (
        "proxy", "refusal", 0.0, None,
    )  # fmt: skip
    assert listed(client, api_key, texts=1, limit=1).json()["items"][0]["query"] == "question 2"


def test_the_api_asks_the_sources_that_are_named(client, project, pairs, api_key):
    rated_by(training_draws.start(project), pairs[:1], person())
    human = listed(client, api_key, source="human").json()["items"]
    assert [(row["source"], row["overruled"]) for row in human] == [("human", [])]
    everything = listed(client, api_key, since=_received(pairs[0])).json()["items"]
    # Pairs that wait for a rating are left out; the rated one is not.
    assert [(row["source"], row["overruled"][0]["how"]) for row in everything] == [
        ("human", "refusal")
    ]


def _received(pair):
    return Request.objects.get(pk=pair.request_id).received_at.isoformat()


@pytest.mark.parametrize("cursor", ["x", "bm9uZQ==", "MjAyNi0wMS0wMVQwMDowMHzCsg=="])
def test_a_cursor_that_is_none_of_ours_is_refused(client, api_key, cursor):
    assert listed(client, api_key, cursor=cursor).status_code == 400


def test_a_key_reads_no_pair_that_waits_for_a_rating(client, project, pairs, api_key):
    study = training_draws.start(project)
    assert listed(client, api_key).json()["items"] == []
    rated_by(study, pairs, person())
    assert len(listed(client, api_key).json()["items"]) == 3


def test_another_project_has_its_own_labels(client, project, pairs):
    other = access.create_key(type(project).objects.create(slug="b", name="B"), "b")[0]
    assert listed(client, other).json() == {"items": [], "next_cursor": None}


def read(answer):
    async def joined():
        return b"".join([piece async for piece in answer.streaming_content])

    return list(csv.DictReader(io.StringIO(async_to_sync(joined)().decode())))


def test_the_file_has_every_label_that_may_be_read(client, project, pairs, api_key):
    study = training_draws.start(project)
    rated_by(study, pairs[:2], person())
    answer = client.get(f"{LABELS}/export?format=csv", headers={"x-api-key": api_key})
    rows = read(answer)
    assert list(rows[0]) == [column.name for column in label_files.COLUMNS]
    assert [row["pair_id"] for row in rows] == [str(pair.pk) for pair in pairs[:2]]
    assert rows[0]["overruled"] == '["proxy: refusal"]'
    assert answer["x-shadoweval-left-out"] == "1"


def test_the_page_hands_out_the_file(as_role, project, pairs):
    client = as_role("engineering")
    answer = client.get("/routers/labels.csv?texts=1")
    assert [row["query"] for row in read(answer)] == ["question 0", "question 1", "question 2"]
    assert client.get("/routers/labels.txt").status_code == 404
