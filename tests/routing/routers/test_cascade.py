"""A cascade scores what the cheap model answered; a hybrid asks in its band of doubt only."""

import concurrent.futures
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing import routers
from routing.routers import cascade, constant, gates, hybrid
from routing.routers.asking import Ask, Seen, is_asking
from routing.routers.hybrid import Inner
from routing.types import Score

SHARES = st.floats(0, 1)
OFF = {"gates": ()}


def made(**options):
    return routers.load(cascade.KIND, cascade.dumps(options), "")


def judged(router, *texts, said=(0.8,), **seen):
    before = router.score("a question that no rule knows")
    return router.judge("a question", before, Seen(texts or ("Paris",), said, **seen))


def test_a_cascade_wants_to_see_the_answer_and_could_still_score_zero():
    router = made()
    assert router.score("Which river?") == Score(0.0, needs_answer=True)
    assert router.recall("Which river?") == Score(0.0, needs_answer=True)
    assert is_asking(router)
    assert router.is_instant
    assert router.asks == Ask(confidence=True, samples=1)


def test_a_rule_goes_first_and_asks_nothing():
    assert made().score("thanks!") == Score(0.0, "greeting")


def test_the_score_is_what_is_missing_of_the_confidence():
    result = judged(made(), said=(0.85,))
    assert result.score.value == pytest.approx(0.15)
    assert (result.score.rule, result.confidence) == ("", 0.85)


def test_the_least_sure_sample_counts():
    result = judged(made(samples=2), "Paris", "Paris", said=(0.9, 0.6))
    assert result.score.value == pytest.approx(0.4)
    assert result.confidence == 0.6


@pytest.mark.parametrize(
    ("other", "score", "rule"),
    [
        ('[{"look": {"city": "Paris"}}]', 0.0, ""),
        ('[{"look": {"city": "Lyon"}}]', 1.0, "disagreement"),
        ('[{"find": {"city": "Paris"}}]', 1.0, "disagreement"),
        ("", 1.0, "disagreement"),
    ],
)
def test_samples_that_call_tools_are_compared_by_their_calls(other, score, rule):
    calls = ('[{"look": {"city": "Paris"}}]', other)
    seen = {"calls": calls, "was_asked": False, "stop_reason": "tool_use"}
    result = judged(made(samples=2), "", "", said=(None, None), **seen)
    assert result.score == Score(score, rule)


def test_a_failed_gate_outweighs_confidence_and_names_itself():
    result = judged(made(), "I'm sorry, but I can't help with that.", said=(1.0,))
    assert (result.score, result.confidence) == (Score(1.0, "refusal"), 1.0)


def test_a_gate_that_is_off_stops_nothing():
    refusal = "I'm sorry, but I can't help with that."
    assert judged(made(gates=["empty"]), refusal, said=(1.0,)).score == Score(0.0)


@pytest.mark.parametrize("missing", [1.0, 0.4])
def test_a_line_that_was_asked_for_and_is_not_there(missing):
    result = judged(made(missing=missing), said=(None,))
    assert (result.score, result.confidence) == (Score(missing, "no_confidence"), None)


def test_one_sample_without_its_line_is_missing_too():
    result = judged(made(samples=2), "Paris", "Paris", said=(0.9, None))
    assert (result.score, result.confidence) == (Score(1.0, "no_confidence"), 0.9)


@pytest.mark.parametrize("unasked", [0.5, 0.1])
def test_an_answer_that_could_not_be_asked_goes_by_its_gates(unasked):
    router = made(unasked=unasked)
    assert judged(router, said=(None,), was_asked=False).score == Score(unasked)
    assert judged(router, "", said=(None,), was_asked=False).score == Score(1.0, "empty")


def test_a_line_that_the_clients_stop_sequence_cut_off_counts_as_unasked():
    assert judged(made(), said=(None,), stop_reason="stop_sequence").score == Score(0.5)


def test_without_the_line_and_with_one_sample_the_gates_decide_alone():
    router = made(confidence=False)
    assert router.asks == Ask(confidence=False, samples=1)
    assert judged(router, said=(None,), was_asked=False).score == Score(0.0)


def test_two_answers_that_differ_escalate_however_sure_they_are():
    router = made(samples=2)
    assert judged(router, "41", "42", said=(0.9, 0.9)).score == Score(1.0, "disagreement")
    assert judged(router, "42", "42.0", said=(0.9, 0.9)).score.value == pytest.approx(0.1)


def test_agreement_stands_in_for_a_line_that_could_not_be_asked():
    router = made(samples=2)
    assert judged(router, "42", "42", said=(None, None), was_asked=False).score == Score(0.0)


@given(SHARES, SHARES)
def test_more_confidence_never_means_a_higher_score(one, other):
    low, high = sorted((one, other))
    router = made()
    assert judged(router, said=(high,)).score.value <= judged(router, said=(low,)).score.value


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"samples": 0}, "compares 1 to 3 answers, not 0"),
        ({"samples": True}, "compares 1 to 3 answers, not True"),
        ({"missing": 1.2}, "missing must be a number from 0 to 1, not 1.2"),
        ({"unasked": float("nan")}, "unasked must be a number from 0 to 1"),
        ({"unasked": "0.5"}, "unasked must be a number from 0 to 1"),
        ({"gates": ["beauty"]}, "The gates are truncated, empty"),
        ({"gates": "empty"}, "The gates are"),
        ({"gates": 3}, "The gates are"),
        ({"confidence": 1}, "must be true or false"),
        ({"tries": 3}, "no option tries"),
    ],
)
def test_options_out_of_range_are_refused_with_a_sentence(said, expected):
    with pytest.raises(ValueError, match=expected):
        cascade.dumps(said)


def test_every_option_is_kept_and_the_same_ones_make_the_same_bytes():
    said = {"confidence": False, "samples": 3, "missing": 0.9, "unasked": 0.2, "gates": ["empty"]}
    artifact = cascade.dumps(said)
    assert artifact == cascade.dumps(dict(reversed(said.items())))
    kept = dataclasses.asdict(cascade.loads(artifact).options)
    assert kept == {**said, "gates": ("empty",)}
    assert set(routers.kinds()[cascade.KIND].defaults) == set(kept)


@pytest.mark.parametrize("kind", [cascade.KIND, hybrid.KIND])
def test_an_artifact_of_another_kind_is_refused(kind):
    with pytest.raises(ValueError, match="not of a cascade or hybrid"):
        routers.load(kind, constant.dumps(0.5), "")
    with pytest.raises(ValueError, match="artifact"):
        routers.load(kind, b"nothing", "")


def test_a_cascade_that_names_an_embedder_is_refused():
    with pytest.raises(ValueError, match="no embedder"):
        cascade.loads(cascade.dumps({}), "static")


def test_one_router_judges_in_many_threads():
    router = made(samples=2)
    confidences = [n / 100 for n in range(100)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        scores = pool.map(lambda c: judged(router, "a", "a", said=(c, c)).score.value, confidences)
    assert list(scores) == pytest.approx([1 - c for c in confidences])


# --- hybrid


def banded(value, low=0.3, high=0.7, **options):
    inner = Inner(constant.KIND, "", constant.dumps(value))
    artifact = hybrid.dumps({"low": low, "high": high, **options}, inner)
    return routers.load(hybrid.KIND, artifact, "")


@pytest.mark.parametrize("value", [0.0, 0.29, 0.7, 1.0])
def test_outside_its_band_the_inner_router_decides(value):
    assert banded(value).score("a question") == Score(value)
    assert banded(value).recall("a question") == Score(value)


@pytest.mark.parametrize("value", [0.3, 0.5, 0.69])
def test_inside_its_band_the_answer_is_wanted_from_the_low_end_on(value):
    router = banded(value)
    assert router.score("a question") == Score(0.3, needs_answer=True)
    assert router.recall("a question") == Score(0.3, needs_answer=True)


@given(SHARES, SHARES, SHARES)
def test_a_judged_score_stays_in_its_band(one, other, confidence):
    low, high = sorted((one, other))
    if low == high:
        return
    score = judged(banded(low, low, high), said=(confidence,)).score
    assert low <= score.value <= high


def test_the_band_s_ends_are_exact():
    router = banded(0.5, 0.1, 0.7)
    assert judged(router, said=(1.0,)).score == Score(0.1)
    assert judged(router, "", said=(1.0,)).score == Score(0.7, "empty")


def test_what_a_rule_said_is_never_asked_about():
    router = banded(0.5, 0.0, 1.0)
    assert router.score("thanks!") == Score(0.0, "greeting")
    assert router.score("") == Score(1.0, "no_text")
    inner = hybrid.HybridRouter(Ruled(), 0.0, 1.0, cascade.CascadeRouter())
    assert inner.score("q") == Score(0.5, "templated")


class Ruled:
    is_instant = False

    def score(self, query):
        return Score(0.5, "templated")

    def recall(self, query):
        return None


def test_a_hybrid_is_as_fast_as_its_inner_router():
    slow = hybrid.HybridRouter(Ruled(), 0.0, 1.0, cascade.CascadeRouter())
    assert not slow.is_instant
    assert slow.recall("q") is None
    assert banded(0.5).is_instant


def test_a_hybrid_asks_as_its_cascade_does():
    router = banded(0.5, samples=2, confidence=False)
    assert router.asks == Ask(confidence=False, samples=2)
    assert is_asking(router)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"low": 0.7, "high": 0.3}, "a low end below its high end"),
        ({"low": 0.5, "high": 0.5}, "a low end below its high end"),
        ({"low": -0.1}, "The low end of the band must be a number from 0 to 1"),
        ({"high": 1.1}, "The high end of the band must be a number from 0 to 1"),
        ({"samples": 9}, "compares 1 to 3"),
        ({"width": 9}, "no option width"),
    ],
)
def test_a_band_that_is_none_is_refused(said, expected):
    with pytest.raises(ValueError, match=expected):
        hybrid.dumps(said, Inner(constant.KIND, "", constant.dumps(0.5)))


@pytest.mark.parametrize("kind", [cascade.KIND, hybrid.KIND])
def test_a_router_that_asks_is_no_inner_router(kind):
    inner = Inner(constant.KIND, "", constant.dumps(0.5))
    artifact = cascade.dumps({}) if kind == cascade.KIND else hybrid.dumps({}, inner)
    with pytest.raises(ValueError, match="ask"):
        routers.load(hybrid.KIND, hybrid.dumps({}, Inner(kind, "", artifact)), "")


def test_an_inner_router_that_cannot_be_loaded_is_named():
    with pytest.raises(KeyError, match="no kind of router 'oracle'"):
        routers.load(hybrid.KIND, hybrid.dumps({}, Inner("oracle", "", b"")), "")


def test_another_embedder_than_the_inner_router_s_is_refused():
    artifact = hybrid.dumps({}, Inner(constant.KIND, "", constant.dumps(0.5)))
    with pytest.raises(ValueError, match="embedder"):
        hybrid.loads(artifact, "static")


def test_the_inner_version_can_be_read_back():
    inner = Inner(constant.KIND, "", constant.dumps(0.5))
    assert hybrid.inner_of(hybrid.dumps({}, inner)) == inner


def test_the_cards_name_every_option():
    kinds = routers.kinds()
    assert set(kinds[hybrid.KIND].defaults) == {"low", "high", *kinds[cascade.KIND].defaults}
    assert tuple(kinds[cascade.KIND].defaults["gates"]) == tuple(gates.GATES)
    assert kinds[cascade.KIND].asks
    assert kinds[hybrid.KIND].asks
