"""Which recorded requests would switch between two routers: counted by hand."""

from dataclasses import dataclass

import pytest

from reviews import differences
from reviews.choice import Thresholds
from reviews.errors import CannotTell
from routing.models import Request
from routing.routers import assembled, rules
from routing.routers.assembled import Parts
from routing.types import Reason, Score, Tier
from tests.reviews.rows import add_pair, add_request
from tests.routing import libraries

pytestmark = pytest.mark.django_db


@dataclass
class ByText:
    """Scores a text as a table says; fails on what it does not know."""

    scores: dict
    is_instant = True

    def score(self, query):
        said = self.scores[query]
        return said if isinstance(said, Score) else Score(said)

    def recall(self, query):
        return None


@pytest.fixture
def texts(project):
    for n, task in enumerate(("math", "math", "code", "code")):
        add_pair(project, 0.5, query=f"q{n}", task=task)
    return [f"q{n}" for n in range(4)]


def asked(switch):
    return Request.objects.get(pk=switch.request_id).query


def between(project, old, new, threshold=0.5, by_task=None, **more):
    tables = (ByText(dict(zip([f"q{n}" for n in range(4)], t, strict=True))) for t in (old, new))
    return differences.between(project, *tables, Thresholds(threshold, by_task or {}), **more)


def test_the_newest_come_first_with_both_scores(project, texts):
    found = between(project, (0.1, 0.9, 0.1, 0.9), (0.2, 0.4, 0.6, 0.8))
    assert found.n == 4
    assert [(asked(s), s.old_score, s.new_score, s.to) for s in found.switched] == [
        ("q2", 0.1, 0.6, Tier.EXPENSIVE),
        ("q1", 0.9, 0.4, Tier.CHEAP),
    ]
    assert [s.task for s in found.switched] == ["code", "math"]


def test_the_same_router_switches_nothing(project, texts):
    assert between(project, (0.1, 0.9, 0.1, 0.9), (0.1, 0.9, 0.1, 0.9)).switched == []


def test_a_task_type_goes_by_its_own_threshold(project, texts):
    moved = ((0.3, 0.3, 0.3, 0.3), (0.6, 0.6, 0.6, 0.6))
    assert {asked(s) for s in between(project, *moved).switched} == set(texts)
    found = between(project, *moved, by_task={"code": 0.2})
    assert {asked(s) for s in found.switched} == {"q0", "q1"}


def test_where_nothing_is_cheap_each_router_is_taken_at_its_median(project, texts):
    scores = (0.1, 0.2, 0.8, 0.9), (0.91, 0.92, 0.98, 0.93)
    found = between(project, *scores, threshold=0.0)
    assert (found.at_medians, found.switched) == (True, [])
    found = between(project, scores[0], scores[1][::-1], threshold=0.0)
    assert [(asked(s), s.to) for s in found.switched] == [
        ("q3", Tier.CHEAP), ("q2", Tier.CHEAP), ("q1", Tier.EXPENSIVE), ("q0", Tier.EXPENSIVE),
    ]  # fmt: skip
    assert not between(project, *scores, threshold=0.0, by_task={"code": 0.5}).at_medians


@pytest.mark.parametrize("broken", [None, Score(float("nan")), Score(1.7), Score(-0.1)])
def test_a_router_that_fails_sends_to_expensive(project, texts, broken):
    old = ByText(dict.fromkeys(texts, 0.1))
    new = ByText({**dict.fromkeys(texts, 0.1), "q3": broken})
    if broken is None:
        del new.scores["q3"]
    (switch,) = differences.between(project, old, new, Thresholds(0.5)).switched
    assert (asked(switch), switch.new_score, switch.to) == ("q3", None, Tier.EXPENSIVE)


def test_a_router_that_asks_first_cannot_be_told(project, texts):
    old = ByText(dict.fromkeys(texts, 0.1))
    asks = ByText(dict.fromkeys(texts, Score(0.0, needs_answer=True)))
    with pytest.raises(CannotTell, match="cheap answer"):
        differences.between(project, old, asks, Thresholds(0.5))


@pytest.mark.parametrize("reason", [Reason.FORCED, Reason.STICKY, Reason.BYPASSED, Reason.TOOLS])
def test_what_no_score_decides_is_not_looked_at(project, texts, reason):
    add_request(project, 0.5, Tier.CHEAP, threshold=0.5, reason=reason)
    assert between(project, (0.1,) * 4, (0.9,) * 4).n == 4


def test_only_so_many_are_looked_at_with_progress(project, texts, demo):
    told = []
    found = between(
        project, (0.1,) * 4, (0.9,) * 4, most=3, progress=lambda *said: told.append(said)
    )
    assert (found.n, len(found.switched), told) == (3, 3, [(1, 3), (2, 3), (3, 3)])


def test_queries_do_not_grow_with_requests(project, texts, django_assert_num_queries):
    with django_assert_num_queries(2):
        between(project, (0.1,) * 4, (0.9,) * 4)


def test_both_routers_are_asked_beside_what_was_looked_up(project):
    sure, plain = (add_pair(project, 0.5, query=f"q{n}") for n in range(2))
    libraries.looked_up(sure.request_id, 1.0)
    old, new = (
        assembled.assemble(ByText({"q0": value, "q1": value}), Parts(rules=rules.NONE), None)
        for value in (0.9, 0.55)
    )
    found = differences.between(project, old, new, Thresholds(0.5))
    assert [asked(s) for s in found.switched] == ["q0"]
    assert found.switched[0].new_score == new.weighing.of(0.55, 1.0)
