import json
from pathlib import Path

import numpy as np
import pytest

from routing import collections, embedders
from routing.embedders import ids
from routing.retrieval import confidence
from routing.types import Source

HANDBOOK = Path(__file__).parents[3] / "reviews" / "data" / "handbook.jsonl"


def embed(text):
    """Two directions: what speaks of printers, and the rest."""
    part = 0.9 if "printer" in text.lower() else 0.1
    return np.array([part, np.sqrt(1 - part**2)])


GOOD = {"dense_max": 0.8, "dense_rise": 0.4, "dense_fall": 0.4, "bm25_cover": 0.8,
        "bm25_fall": 0.6, "unknown": 0.0, "overlap": 0.5, "size": 6.0}  # fmt: skip
BAD = {"dense_max": 0.2, "dense_rise": 0.02, "dense_fall": 0.05, "bm25_cover": 0.15,
       "bm25_fall": 0.2, "unknown": 0.7, "overlap": 0.0, "size": 6.0}  # fmt: skip


#: What can be known together.
PARTS = {"both": ("",), "dense": ("dense", "unknown", "size"), "bm25": ("bm25", "unknown", "size")}


@pytest.mark.parametrize("embedder", collections.LONGEST_CHUNK)
@pytest.mark.parametrize("names", PARTS.values(), ids=PARTS)
def test_good_signals_are_surer_than_bad_ones(names, embedder):
    def part(signals):
        return {name: value for name, value in signals.items() if name.startswith(names)}

    bad, good = (confidence.of(part(signals), embedder) for signals in (BAD, GOOD))
    assert 0 <= bad < 0.5 < good <= 1


def test_cosines_are_judged_by_their_embedder():
    minilm, static = (confidence.of(GOOD, embedder) for embedder in (ids.MINILM, ids.STATIC))
    assert minilm != static
    assert confidence.of(GOOD, ids.MINILM_FP32) == minilm


def test_cosines_of_an_embedder_that_nothing_was_fitted_for_count_for_nothing():
    words = {name: GOOD[name] for name in GOOD if name.startswith(PARTS["bm25"])}
    assert confidence.of(GOOD, "another/1") == confidence.of(words)
    meaning = {name: GOOD[name] for name in GOOD if name.startswith(PARTS["dense"])}
    with pytest.raises(ValueError, match="No confidence from dense_fall"):
        confidence.of(meaning, "another/1")


#: What the demo handbook's lists say by MiniLM.
NAMES = ("dense_max", "dense_rise", "bm25_cover", "bm25_fall", "overlap", "unknown", "size")
LISTS = {
    "What does the Team plan cost?": ("high", 0.5722, 0.2376, 0.2572, 0.7667, 0.3, 0.0, 3.58),
    "Wie kann ich mein Abonnement kündigen?": ("low", 0.2009, 0.1309, 0.0, 0.0, 0.0, 1.0, 3.58),
    "blorf zintle quaxo wemble": ("low", 0.0815, 0.0663, 0.0, 0.0, 0.0, 1.0, 3.58),
}


@pytest.mark.parametrize(
    ("band", "numbers"), [(one[0], one[1:]) for one in LISTS.values()], ids=LISTS
)
def test_other_languages_and_nonsense_are_low(band, numbers):
    signals = dict(zip(NAMES, numbers, strict=True))
    assert confidence.band(confidence.of(signals, ids.MINILM)) == band


@pytest.mark.parametrize(
    ("document", "band"), [("refunds", "high"), ("plans", "low"), ("solo-limits", "low")]
)
def test_a_clients_document_is_judged_as_the_service_does(document, band):
    lines = HANDBOOK.read_text().splitlines()
    texts = {row["id"]: row["text"] for row in map(json.loads, lines)}
    query, embed = "Are monthly renewals refunded in full?", embedders.get(ids.STATIC).embed
    sure, _ = confidence.of_context(query, [Source(1, texts[document])], embed)
    assert confidence.band(sure) == band


def test_no_signal_is_refused():
    with pytest.raises(ValueError, match="No confidence from words"):
        confidence.of({"words": 3.0})


def test_passages_that_speak_of_it_are_surer():
    good = [Source(1, "The printer tray is empty."), Source(2, "Printer paper.")]
    bad = [Source(1, "Holidays begin in July."), Source(2, "Coffee.")]
    sure, signals = confidence.of_context("printer tray", good, embed)
    assert sure > confidence.of_context("printer tray", bad, embed)[0]
    assert signals["context_cover"] == 1
    assert "context_gap" not in signals


def test_a_clients_scores_count_by_shape_alone():
    def of(*scores):
        sources = [Source(n, "The printer tray.", score=s) for n, s in enumerate(scores, start=1)]
        return confidence.of_context("printer tray", sources, embed)

    assert of(3.0, 2.0, 1.0) == of(0.03, 0.02, 0.01)
    assert of(3.0, 2.9, 1.0)[1]["context_gap"] == pytest.approx(0.05)
    assert "context_gap" not in of(3.0, None, 1.0)[1]


@pytest.mark.parametrize("scores", [(1.0, 1.0), (0.0, 0.0), (-5.0, -1.0)])
def test_any_scores_give_a_number(scores):
    sources = [Source(n, "x", score=s) for n, s in enumerate(scores, start=1)]
    sure, signals = confidence.of_context("printer", sources, embed)
    assert 0 <= sure <= 1
    assert 0 <= signals["context_gap"] <= 1


@pytest.mark.parametrize(("query", "sources"), [("", [Source(1, "x")]), ("printer", [])])
def test_nothing_to_go_by_is_no_confidence(query, sources):
    assert confidence.of_context(query, sources, embed) == (0.0, {})


def test_work_is_bounded():
    seen = []

    def counting(text):
        seen.append(len(text))
        return embed(text)

    confidence.of_context("printer", [Source(n, "x" * 10**6) for n in range(100)], counting)
    assert len(seen) == 1 + confidence.MOST
    assert max(seen) == confidence.LONGEST


@pytest.mark.parametrize(
    ("value", "band"), [(0, "low"), (0.49, "low"), (0.5, "middle"), (0.8, "high"), (1, "high")]
)
def test_bands(value, band):
    assert confidence.band(value) == band
