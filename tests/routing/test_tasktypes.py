"""Task types: what clients say counts, a stored classifier names the rest, doubt has no name."""

import dataclasses
import gzip
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import tasktypes, tasktypes_fit

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "query_types.jsonl.gz"


@pytest.fixture(scope="module")
def model():
    tasktypes.warm()
    return tasktypes.load()


@pytest.mark.parametrize(
    ("query", "task"),
    [
        ("Write a Python function that reverses a linked list.", "coding"),
        ("Solve the equation 2x + 3 = 11 for x.", "math"),
        ("Write a poem about the sea at night.", "writing"),
        ("What is the capital of Portugal?", "factual"),
        ("Hello, how are you today?", "chat"),
        ("Context: The shop opens at nine.\n\nQuestion: When does the shop open?", "rag"),
    ],
)
@pytest.mark.usefixtures("model")
def test_plain_queries_are_named(query, task):
    assert tasktypes.detect(query) == task


@pytest.mark.usefixtures("model")
def test_what_the_client_says_counts():
    assert tasktypes.detect("Write a poem about the sea.", "billing") == "billing"


@pytest.mark.parametrize("query", ["", "   ", "qqqq zzzz", "\ud800", "1"])
@pytest.mark.usefixtures("model")
def test_what_says_nothing_has_one_of_the_names(query):
    assert tasktypes.detect(query) in {*tasktypes.NAMES, tasktypes.UNKNOWN}


@given(st.text(max_size=3000))
@settings(max_examples=60)
def test_any_text_has_finite_features_and_chances(model, query):
    chances = model.chances(query)
    assert np.isfinite(chances).all()
    assert chances.sum() == pytest.approx(1)


def test_under_an_even_chance_the_type_is_unknown(model):
    flat = dataclasses.replace(
        model, coef=np.zeros_like(model.coef), intercept=np.zeros_like(model.intercept)
    )
    assert flat.name("Write a poem about the sea.") == tasktypes.UNKNOWN
    lifted = np.zeros_like(model.intercept)
    lifted[tasktypes.NAMES.index("math")] = 9.0
    assert dataclasses.replace(flat, intercept=lifted).name("anything") == "math"


class Broken:
    """An embedder that fails on every text."""

    def embed(self, text):
        raise RuntimeError("no vector")


def test_a_failing_embedder_names_nothing_and_raises_nothing(model):
    held = tasktypes._Holder()
    held.model = dataclasses.replace(model, embedder=Broken())
    assert held.name("Write a poem.") == tasktypes.UNKNOWN


def test_before_it_is_loaded_nothing_is_named_and_nobody_waits():
    held = tasktypes._Holder()
    assert held.name("Write a poem about the sea.") == tasktypes.UNKNOWN
    held.warm()
    assert held.name("Write a poem about the sea.") == "writing"


@pytest.mark.slow
def test_the_stored_classifier_is_what_its_queries_give(model):
    made = tasktypes_fit.fit()
    with np.load(io.BytesIO(made.artifact), allow_pickle=False) as arrays:
        assert sorted(arrays) == ["coef", "intercept"]
        np.testing.assert_allclose(arrays["coef"], model.coef, atol=5e-3)
        np.testing.assert_allclose(arrays["intercept"], model.intercept, atol=5e-3)
    stored = json.loads(tasktypes.CARD.read_text())
    assert stored["sha256"] == hashlib.sha256(tasktypes.ARTIFACT.read_bytes()).hexdigest()
    assert stored["training_sha256"] == made.card["training_sha256"]
    assert (stored["n"], stored["names"]) == (made.card["n"], made.card["names"])


def test_a_changed_artifact_is_refused(tmp_path):
    changed = tmp_path / "task_types.npz"
    changed.write_bytes(tasktypes.ARTIFACT.read_bytes() + b"x")
    with pytest.raises(ValueError, match="its card"):
        tasktypes.load(changed)


def test_every_query_it_was_fitted_on_is_one_of_the_types():
    rows = tasktypes_fit.rows()
    assert {row["task"] for row in rows} == set(tasktypes.NAMES)
    assert len({row["query"] for row in rows}) == len(rows)


def test_recorded_queries_of_others_are_named_better_than_by_chance(model):
    if not RECORDED.exists():
        pytest.skip("the recorded queries are not beside this checkout")
    with gzip.open(RECORDED, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    # Questions cut out of conversations with documents have no document in them.
    rows = [r for r in rows if r["type"] in tasktypes.NAMES and r["source"] != "mtrag-un"]
    named = [(model.name(row["query"]), row["type"]) for row in rows]
    sure = [(found, true) for found, true in named if found != tasktypes.UNKNOWN]
    right = sum(found == true for found, true in sure)
    print(f"{len(sure)} of {len(rows)} named, {right / len(sure):.3f} of them rightly")
    assert len(sure) / len(rows) > 0.6
    assert right / len(sure) > 0.42
