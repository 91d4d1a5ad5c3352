"""Matrix factorisation: who succeeds at what, how a model joins, and recorded models ranked."""

import gzip
import hashlib
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from routing import embedders, routers
from routing.embedders import ids
from routing.routers import arrays, assembled, factors, rules
from routing.routers import matrix_factorization as mf
from routing.routers.kinds import Examples, Outcomes

FILE = Path(__file__).parents[4] / "shared" / "data" / "zeroeval_matrix.jsonl.gz"
CHEAP, EXPENSIVE = "claude-3-haiku-20240307", "claude-3-opus-20240229"
D = 256


def made_up(n, seed, models=6):
    """Queries with a difficulty and a topic; models of rising strength, the last topic-blind."""
    rng = np.random.default_rng(seed)
    made = rng.normal(size=(n, D))
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    hard, topic = made[:, 0] * np.sqrt(D), made[:, 1] * np.sqrt(D)
    level = np.linspace(-0.5, 1.5, models)
    z = level - 1.5 * hard[:, None] + np.outer(topic, np.linspace(2, 0, models))
    quality = (rng.uniform(size=z.shape) < 1 / (1 + np.exp(-z))).astype(float)
    names = tuple(f"m{i}" for i in range(models))
    outcomes = Outcomes(names, quality, "m0", f"m{models - 1}")
    needs = (quality[:, 0], quality[:, -1])
    queries = tuple(f"q{i}" for i in range(n))
    vectors = made.astype(np.float32)
    return Examples(queries, *needs, np.ones(n), outcomes, vectors), 1 / (1 + np.exp(-z))


def told(learnt, examples, model):
    return np.array([learnt.success(vector, (model,))[0] for vector in examples.vectors])


def test_it_finds_who_succeeds_at_what():
    train, _ = made_up(1500, 1)
    test, truth = made_up(500, 2)
    router = mf.loads(mf.fit(train, ids.STATIC, 7, {"rank": 4, "ridge": 1.0}), ids.STATIC)
    for i in (0, 5):
        assert np.corrcoef(told(router.factors, test, f"m{i}"), truth[:, i])[0, 1] > 0.8


def test_the_score_is_cheap_fails_times_expensive_succeeds():
    artifact = mf.fit(made_up(100, 1)[0], ids.STATIC, 7, {})
    router = routers.load(mf.NAME, assembled.dumps(artifact, rules=rules.NONE), ids.STATIC)
    text = "Why is the sky blue?"
    cheap, expensive = router.inner.factors.success(
        embedders.get(ids.STATIC).embed(text), ("m0", "m5")
    )
    assert router.score(text).value == pytest.approx((1 - cheap) * expensive)
    assert router.recall(text) == router.score(text)


def test_a_pair_alone_is_two_models_and_the_same_inputs_give_the_same_bytes():
    examples, _ = made_up(200, 1)
    pair = Examples(
        examples.queries, examples.cheap_ok, examples.expensive_ok, examples.weight,
        vectors=examples.vectors,
    )  # fmt: skip
    first = mf.fit(pair, ids.STATIC, 7, {})
    assert first == mf.fit(pair, ids.STATIC, 7, {})
    assert first != mf.fit(pair, ids.STATIC, 8, {})
    assert mf.loads(first, ids.STATIC).factors.models == ("cheap", "expensive")


def test_what_was_not_asked_is_not_learnt_from():
    examples, _ = made_up(300, 1)
    holes, filled = examples.outcomes.quality.copy(), examples.outcomes.quality.copy()
    holes[:150, 2] = np.nan
    filled[:150, 2] = 0.0
    names = examples.outcomes.models
    fits = [
        factors.fit(examples.vectors, Outcomes(names, q, "m0", "m5"), np.ones(300), 4, 10.0, 1)
        for q in (examples.outcomes.quality, holes, filled)
    ]
    whole, holed, wrong = (told(one, examples, "m2").mean() for one in fits)
    assert abs(whole - holed) < 0.08 < whole - wrong


def test_a_model_joins_and_nothing_else_moves():
    examples, _ = made_up(1500, 1)
    few, _ = made_up(50, 3)
    test, truth = made_up(500, 2)
    five = Outcomes(examples.outcomes.models[:-1], examples.outcomes.quality[:, :-1], "m0", "m4")
    before = factors.fit(examples.vectors, five, np.ones(1500), 4, 1.0, 7)
    artifact = assembled.dumps(mf.dumps(before, "m0", "m4"), rules=rules.NONE)
    grown = mf.add_model(artifact, ids.STATIC, "m5", few, few.outcomes.quality[:, -1])
    after = mf.loads(grown, ids.STATIC)
    assert (after.cheap, after.expensive) == ("m0", "m4")
    assert np.array_equal(after.factors.projection, before.projection)
    assert np.array_equal(after.factors.vectors[:-1], before.vectors)
    assert np.corrcoef(told(after.factors, test, "m5"), truth[:, 5])[0, 1] > 0.6
    assert assembled.parts(grown).rules == rules.NONE
    chosen = mf.choose(grown, ids.STATIC, "m0", "m5")
    assert mf.loads(chosen, ids.STATIC).expensive == "m5"
    for pair in (("m0", "m9"), ("m0", "m0")):
        with pytest.raises(ValueError, match="pair is two of the models"):
            mf.choose(grown, ids.STATIC, *pair)
    with pytest.raises(ValueError, match="among the models already"):
        mf.add_model(grown, ids.STATIC, "m5", few, few.outcomes.quality[:, 0])


@pytest.mark.parametrize(
    "options", [{"rank": 0}, {"rank": 2.0}, {"ridge": 0}, {"ridge": float("nan")}, {"x": 1}]
)
def test_options_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError):
        mf.fit(made_up(20, 1)[0], ids.STATIC, 7, options)


def test_too_few_outcomes_are_refused_by_name():
    with pytest.raises(ValueError, match="m0 has 9 outcomes"):
        mf.fit(made_up(9, 1)[0], ids.STATIC, 7, {})


@pytest.mark.parametrize(
    "change",
    [
        {"pair": np.array(["m0", "m0"])},
        {"projection": np.zeros((8, 255))},
        {"projection": np.full((8, D), np.nan)},
        {"model_vectors": np.zeros((6, 8))},
    ],
)
def test_a_damaged_artifact_is_refused(change):
    held = arrays.loads(mf.fit(made_up(50, 1)[0], ids.STATIC, 7, {}))
    with pytest.raises(ValueError):
        mf.loads(arrays.dumps({**held, **change}), ids.STATIC)


@cache
def recorded():
    """Embedded prompts, models with nearly all outcomes, and what is held out by query hash."""
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    models = sorted({model for row in rows for model in row["correct"]})
    quality = np.array([[row["correct"].get(one, np.nan) for one in models] for row in rows], float)
    embed = embedders.get(ids.STATIC).embed
    vectors = np.stack([embed(row["query"]) for row in rows])
    held = [hashlib.blake2b(row["query"].encode(), digest_size=4).digest()[0] < 77 for row in rows]
    return vectors, models, quality, np.array(held)


def apgr(score, cheap, expensive):
    """Return the area under the share of the gap that is won, by the share sent to expensive."""
    won = (expensive - cheap)[np.argsort(-score, kind="stable")]
    return np.trapezoid(np.append(0, won.cumsum()) / won.sum(), np.linspace(0, 1, len(won) + 1))


@pytest.mark.skipif(not FILE.exists(), reason=f"no recorded outcomes at {FILE}")
def test_recorded_models_are_ranked_on_prompts_held_out_and_one_joins_with_fifty():
    vectors, known_models, quality, held = recorded()
    picked = [CHEAP, EXPENSIVE, *known_models[::3]]
    models = list(dict.fromkeys(picked))
    quality = quality[:, [known_models.index(one) for one in models]]
    train = np.flatnonzero(~held)
    without = [model for model in models if model != EXPENSIVE]

    def fit(names):
        columns = [models.index(name) for name in names]
        outcomes = Outcomes(tuple(names), quality[np.ix_(train, columns)], CHEAP, names[-1])
        return factors.fit(vectors[train], outcomes, np.ones(len(train)), 4, 10.0, 1)

    full, fewer = fit(models), fit(without)
    fifty = np.random.default_rng(1).choice(train, 50, replace=False)
    actual = quality[:, models.index(EXPENSIVE)]
    joined = factors.join(fewer, vectors[fifty], EXPENSIVE, actual[fifty], np.ones(50))
    for learnt, least in ((full, 0.55), (joined, 0.53)):
        said = np.array([learnt.success(one, (CHEAP, EXPENSIVE)) for one in vectors[held]])
        score = (1 - said[:, 0]) * said[:, 1]
        assert apgr(score, quality[held, models.index(CHEAP)], actual[held]) > least
    known, new = (
        roc_auc_score(actual[held], [one.success(v, (EXPENSIVE,))[0] for v in vectors[held]])
        for one in (full, joined)
    )
    assert new > 0.6
    assert new > known - 0.06
