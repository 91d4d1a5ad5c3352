"""Folds, nested subsets and scores that no label had a part in."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviews import fitting
from routing.routers import arrays, assembled
from routing.routers.kinds import Examples, Kind, Outcomes
from routing.routers.weighing import Weighing

QUERIES = tuple(f"question {n}" for n in range(200))


class Memory:
    """A router that knows what it learnt: 1 for what it has seen, .5 for the rest."""

    is_instant = True

    def __init__(self, learnt):
        self.learnt = learnt

    def score(self, query):
        from routing.types import Score

        return Score(1.0 if query in self.learnt else 0.5)

    def recall(self, query):
        return None


def kind(learnt):
    """Return a kind that writes down what each of its routers learnt from."""

    def fit(examples, embedder, seed, options):
        learnt.append(examples.queries)
        return str(len(learnt) - 1).encode()

    return Kind("memory", "", "", "", "", loads=lambda a, e: Memory(learnt[int(a)]), fit=fit)


def examples(queries=QUERIES):
    ok = np.arange(len(queries)) % 2
    return Examples(queries, ok.astype(float), np.ones(len(queries)), np.ones(len(queries)))


@given(st.lists(st.text(max_size=20), max_size=50), st.integers(0, 2**32 - 1))
def test_equal_queries_are_in_the_same_fold(queries, seed):
    found = fitting.folds([*queries, *(f"  {q.upper()} " for q in queries)], seed)
    for query, first, second in zip(queries, found, found[len(queries) :], strict=False):
        if query.upper().casefold() == query.casefold():  # not so of every letter there is
            assert first == second
    assert set(found) <= set(range(fitting.FOLDS))


def test_folds_are_about_equal_and_follow_the_seed():
    found = np.bincount(fitting.folds([f"q{n}" for n in range(5000)], 7))
    assert (abs(found - 1000) < 120).all()
    assert (fitting.folds(QUERIES, 7) != fitting.folds(QUERIES, 8)).any()


def test_no_router_scores_what_it_learnt_from():
    learnt = []
    recipe = fitting.Recipe(kind(learnt), "", 7)
    fold = fitting.folds(QUERIES, 7)
    assert (fitting.unseen(examples(), fold, recipe) == 0.5).all()
    assert len(learnt) == 5
    for n, queries in enumerate(learnt):
        assert set(queries) == {q for q, f in zip(QUERIES, fold, strict=True) if f != n}


def test_fewer_labels_are_among_more():
    learnt = []
    recipe = fitting.Recipe(kind(learnt), "", 7)
    fold = fitting.folds(QUERIES, 7)
    found = fitting.learning(examples(), fold, recipe)
    assert [size.n for size in found] == [50, 100]
    for few, many in zip(learnt[:5], learnt[5:], strict=True):
        assert (len(few), len(many)) == (50, 100)
        assert set(few) < set(many)


def test_a_size_that_cannot_be_learnt_from_is_left_out():
    def fit(examples, embedder, seed, options):
        if len(examples.queries) < 100:
            raise ValueError("too few")
        return b""

    made = Kind("k", "", "", "", "", loads=lambda a, e: Memory(()), fit=fit)
    fold = fitting.folds(QUERIES, 7)
    found = fitting.learning(examples(), fold, fitting.Recipe(made, "", 7))
    assert [size.n for size in found] == [100]


def test_a_router_without_a_score_fails_the_training():
    class Broken(Memory):
        def score(self, query):
            from routing.types import Score

            return Score(float("nan"))

    made = Kind("k", "", "", "", "", loads=lambda a, e: Broken(()), fit=lambda *a: b"")
    with pytest.raises(ValueError, match="outside"):
        fitting.unseen(examples(), fitting.folds(QUERIES, 7), fitting.Recipe(made, "", 7))


def test_taken_rows_keep_what_several_models_did():
    quality = np.arange(400.0).reshape(200, 2)
    whole = Examples(
        QUERIES, np.zeros(200), np.ones(200), np.ones(200), Outcomes(("a", "b"), quality, "a", "b")
    )
    part = fitting.take(whole, np.array([3, 5]))
    assert part.queries == (QUERIES[3], QUERIES[5])
    assert part.outcomes.quality.tolist() == [[6, 7], [10, 11]]


def test_the_weight_of_a_confidence_is_fitted_where_labels_have_one():
    rng = np.random.default_rng(5)
    queries = tuple(f"question {n}" for n in range(600))
    sure = rng.uniform(size=600)
    ok = (rng.uniform(size=600) < sure).astype(float)
    plain = Examples(queries, ok, np.ones(600), np.ones(600))
    made = Kind("m", "", "", "", "", loads=lambda a, e: Memory(()), fit=lambda *a: arrays.dumps({}))
    recipe = fitting.Recipe(made, "", 7)
    known = fitting.fit(replace(plain, confidence=sure), recipe)
    lines = assembled.parts(known.artifact).weighing
    assert lines.low > 1 > -1 > lines.high
    assert np.corrcoef(known.score, sure)[0, 1] < -0.9
    assert len(set(known.bare)) == 1
    unknown = fitting.fit(plain, recipe)
    assert assembled.parts(unknown.artifact).weighing is None
    # One label with a confidence is too few to learn from, and is scored beside it all the same.
    one = np.full(600, np.nan)
    one[3] = 1.0
    few = fitting.fit(replace(plain, confidence=one), recipe)
    assert assembled.parts(few.artifact).weighing == Weighing()
    assert np.flatnonzero(few.score != unknown.score).tolist() == [3]


def test_taken_rows_keep_their_confidence():
    whole = replace(examples(), confidence=np.arange(200.0))
    assert fitting.take(whole, np.array([3, 5])).confidence.tolist() == [3, 5]
