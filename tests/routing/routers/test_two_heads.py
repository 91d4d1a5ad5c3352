"""Two heads: what they learn, that they say it the same way each time, and what they refuse."""

import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing import embedders, routers
from routing.embedders import ids
from routing.routers import arrays, features, two_heads, two_heads_fit
from routing.routers.kinds import Examples

SUBJECTS = ("fractions", "whales", "taxes", "poems", "bridges", "cooking", "chess", "rivers")


def examples(n=120, seed=0, **changed):
    """Return requests of which those to prove something are too hard for the cheap model."""
    rng = np.random.default_rng(seed)
    hard = rng.random(n) < 0.5
    queries = tuple(
        f"{'Prove rigorously that' if one else 'Say in a word what'} {rng.choice(SUBJECTS)}"
        f" {rng.integers(10, 99)} {rng.choice(SUBJECTS)} are"
        for one in hard
    )
    values = {"cheap_ok": 1.0 - hard, "expensive_ok": np.ones(n), "weight": np.ones(n)}
    return Examples(queries, **{**values, **changed})


def fit(given, seed=7, **options):
    return two_heads.fit(given, ids.STATIC, seed, options)


@cache
def artifact():
    return fit(examples())


@cache
def router():
    return two_heads.loads(artifact(), ids.STATIC)


def test_it_learns_what_the_cheap_model_fails_on():
    fresh = examples(seed=1)
    scores = np.array([router().score(query).value for query in fresh.queries])
    assert scores[fresh.cheap_ok == 0].min() > scores[fresh.cheap_ok == 1].max()


def test_what_neither_model_can_do_needs_no_expensive_call():
    given = examples(300)
    hopeless = np.array(["whales" in query for query in given.queries])
    known = Examples(
        given.queries,
        np.where(hopeless, 0.0, given.cheap_ok),
        np.where(hopeless, 0.0, 1.0),
        given.weight,
    )
    found = two_heads.loads(fit(known), ids.STATIC)
    lost = found.score("Prove rigorously that whales 12 whales are").value
    assert lost < found.score("Prove rigorously that taxes 12 rivers are").value


def test_the_same_labels_give_the_same_bytes():
    assert fit(examples()) == artifact()
    assert fit(examples(), freedom=0.1) != artifact()
    assert fit(examples(seed=2)) != artifact()


def test_the_first_fit_of_a_process_gives_the_bytes_of_any_other():
    code = """
import numpy as np
from routing.embedders import ids
from routing.routers import two_heads
from routing.routers.kinds import Examples

rng = np.random.default_rng(0)
signs = list("abcdefghijklmnopqrstuvwxyz")
words = ["".join(rng.choice(signs, rng.integers(2, 9))) for _ in range(3000)]
queries = tuple(" ".join(rng.choice(words, int(rng.integers(8, 80)))) for _ in range(800))
y, z = (rng.random(800) < share for share in (0.4, 0.8))
given = Examples(queries, 1.0 - y, 1.0 * z, np.ones(800))
assert two_heads.fit(given, ids.STATIC, 0, {}) == two_heads.fit(given, ids.STATIC, 0, {})
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_vectors_that_came_along_change_nothing():
    given = examples()
    made = np.stack([embedders.get(ids.STATIC).embed(query) for query in given.queries])
    with_them = Examples(
        given.queries, given.cheap_ok, given.expensive_ok, given.weight, vectors=made
    )
    assert fit(with_them) == artifact()


def test_half_a_label_twice_is_both_labels():
    given = examples(60)
    soft = Examples(
        (*given.queries, *given.queries[:10]),
        np.append(given.cheap_ok, np.full(10, 0.5)),
        np.ones(70),
        np.append(np.ones(60), np.full(10, 2.0)),
    )
    hard = Examples(
        (*given.queries, *given.queries[:10], *given.queries[:10]),
        np.concatenate([given.cheap_ok, np.zeros(10), np.ones(10)]),
        np.ones(80),
        np.ones(80),
    )
    one, other = (two_heads.loads(fit(each), ids.STATIC) for each in (soft, hard))
    query = "Prove rigorously that chess 11 chess are"
    assert one.score(query).value == pytest.approx(other.score(query).value, abs=0.05)


def test_weights_count():
    given = examples(40)
    mixed = np.arange(40) % 2 == 0

    def odds(weight):
        labels = Examples(given.queries, mixed * 1.0, np.ones(40), np.where(mixed, 1.0, weight))
        return arrays.loads(fit(labels))["intercept"][0]

    assert odds(9.0) > odds(1.0) + 1


def test_an_artifact_is_numbers_and_no_text():
    held = arrays.loads(artifact())
    assert all(array.dtype.kind in "fu" for array in held.values())
    content = b"".join(array.tobytes() for array in held.values())
    for word in ("rigorously", "whales"):
        assert word.encode() not in content
        assert word.encode("utf-32-le") not in content


def test_loaded_as_the_service_does_it_has_rules_and_is_instant():
    served = routers.load(two_heads.KIND, artifact(), ids.STATIC)
    assert served.is_instant
    assert served.score("thanks!").rule == "greeting"
    query = "Prove rigorously that poems 31 taxes are"
    assert served.score(query).value == router().score(query).value


def test_recall_embeds_nothing():
    fresh = "Prove rigorously that nobody asked 77 this before"
    assert router().recall(fresh) is None
    assert router().score(fresh) == router().recall(fresh)


@given(st.text(max_size=200))
def test_any_query_has_a_score_between_0_and_1(query):
    assert 0.0 <= router().score(query).value <= 1.0


@pytest.mark.parametrize("query", ["", "x" * 100_000, "9" * 100_000, "\x00"])
def test_strange_queries_have_one_too(query):
    assert 0.0 <= router().score(query).value <= 1.0


@given(
    st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(0, 1), st.floats(0, 5), st.floats(0, 5)
)
def test_the_score_rises_with_either_head(fails, holds, harm, more, longer):
    low = two_heads.gained(np.array([fails, holds]), harm)
    high = two_heads.gained(np.array([fails + more, holds + longer]), harm)
    assert -harm <= low <= high + 1e-12 <= 1 + 1e-12


def test_no_harm_is_the_product_and_all_of_it_the_difference():
    logits = np.array([[0.3, -1.0], [0.2, 2.0]])
    fails, holds = 1 / (1 + np.exp(-logits))
    assert two_heads.gained(logits, 0.0) == pytest.approx(fails * holds)
    assert two_heads.gained(logits, 1.0) == pytest.approx(fails + holds - 1)


@pytest.mark.parametrize("harm", two_heads_fit._HARMS)
def test_a_mean_query_scores_a_half_whatever_the_harm(harm):
    gains = two_heads.gained(np.random.default_rng(0).normal(0, 1, (2, 500)), harm)
    ranking = two_heads_fit._scaled(harm, gains, np.ones(500))
    assert (ranking.low + ranking.high) / 2 == pytest.approx(gains.mean())
    assert ranking.high - ranking.low == pytest.approx(6 * gains.std())


def test_an_artifact_without_a_range_keeps_its_scores():
    held = {**arrays.loads(artifact()), "harm": np.float64(0.5)}
    del held["low"], held["high"]
    found = two_heads.loads(arrays.dumps(held), ids.STATIC)
    assert (found.low, found.high) == (-0.5, 1.0)


def test_what_ranks_alike_counts_the_least_harm():
    # Every expensive answer is good: only rounding tells one harm from another.
    given = examples(60)
    assert {float(arrays.loads(fit(given, seed))["harm"]) for seed in (7, 8)} == {0.0}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (examples(19), "too few"),
        (examples(cheap_ok=np.ones(120)), "does well on nearly all"),
        (examples(cheap_ok=np.zeros(120)), "fails on nearly all"),
    ],
)
def test_labels_that_teach_nothing_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        fit(given)


@pytest.mark.parametrize("freedom", [0, -1, "much", True, float("nan")])
def test_an_impossible_freedom_is_refused(freedom):
    with pytest.raises(ValueError, match="freedom"):
        fit(examples(), freedom=freedom)


def test_an_option_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="no option 'neighbours'"):
        fit(examples(), neighbours=3)


def changed(name, value):
    return arrays.dumps({**arrays.loads(artifact()), name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mean", np.zeros(3)),
        ("scale", np.zeros(len(features.NAMES))),
        ("dense", np.zeros((2, 400))),
        ("intercept", np.array([0.0, np.nan])),
        ("chars_hashes", np.arange(3)),
        ("words_coef", np.zeros((1, 2))),
        ("harm", np.float64(2)),
        ("harm", np.float64("nan")),
        ("low", np.float64(9)),
        ("high", np.float64("inf")),
    ],
)
def test_arrays_that_are_no_heads_are_refused(name, value):
    with pytest.raises(ValueError, match="artifact"):
        two_heads.loads(changed(name, value), ids.STATIC)


def test_what_is_missing_is_named():
    held = arrays.loads(artifact())
    del held["words_rarity"]
    with pytest.raises(ValueError, match="lacks words_rarity"):
        two_heads.loads(arrays.dumps(held), ids.STATIC)
    with pytest.raises(ValueError, match="no artifact"):
        two_heads.loads(b"nothing", ids.STATIC)
