"""The demo's repeats: second answers of its expensive model, some of them rated."""

from collections import Counter

import pytest

from reviews import blinding, demo, demo_repeats, repeats
from reviews.models import Rating, Verdict
from routing.models import Project, RepeatPair

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(starter):
    return demo.load().studies.get(name="Demo study")


def test_all_are_there_and_some_are_rated_as_the_content_says(study):
    content = demo_repeats.rows()
    assert RepeatPair.objects.count() == len(content)
    rated = Rating.objects.filter(presentation__slot__kind="again")
    queries = {row["id"]: row["query"] for row in demo.rows()}
    known = {queries[row["id"]]: row["preference"] for row in content}
    told = {
        row.presentation.slot.pair.request.query: blinding.meaning(row).preference for row in rated
    }
    assert len(told) >= 3
    assert told == {query: known[query] for query in told}
    assert repeats.floor(study).n_rated == len(told)
    assert repeats.floor(study).worse == Counter(told.values())["expensive"] / len(told)


def test_second_answers_differ_from_the_first_and_are_of_the_same_model(study):
    for row in RepeatPair.objects.select_related("pair__expensive", "second"):
        first, second = row.pair.expensive, row.second
        assert (second.model, second.tier, second.ordinal) == (first.model, "expensive", 2)
        assert second.text != first.text


def test_they_go_with_the_demo(study):
    demo.remove()
    assert not Project.objects.exists()
    assert not RepeatPair.objects.exists()
    assert not Verdict.objects.exists()
