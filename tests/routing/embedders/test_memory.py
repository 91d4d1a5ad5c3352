"""Repeated texts are not embedded again; what is remembered is bounded and cannot be changed."""

import threading

import numpy as np
import pytest

from routing import embedders
from routing.embedders import ids
from routing.embedders.memory import MOST_CHARS, Remembering


class Counting:
    """Embeds a text as its length; knows what it was asked."""

    id, dimensions, is_instant = "counting", 1, False

    def __init__(self):
        self.asked = []

    def embed(self, text):
        self.asked.append(text)
        return np.array([len(text)], dtype=np.float32)


@pytest.fixture
def counting():
    return Counting()


def test_a_text_is_embedded_once(counting):
    remembering = Remembering(counting)
    assert [remembering.embed(text)[0] for text in ("a", "bb", "a")] == [1, 2, 1]
    assert counting.asked == ["a", "bb"]
    assert (remembering.id, remembering.dimensions, remembering.is_instant) == (
        "counting",
        1,
        False,
    )


def test_the_text_unused_for_longest_is_forgotten(counting):
    remembering = Remembering(counting, entries=2)
    for text in ("a", "b", "a", "c"):
        remembering.embed(text)
    assert remembering.recall("a") is not None
    assert remembering.recall("b") is None
    assert remembering.recall("c") is not None


def test_recalling_never_embeds(counting):
    assert Remembering(counting).recall("a") is None
    assert counting.asked == []


def test_of_megabytes_only_the_beginning_is_read(counting):
    remembering = Remembering(counting)
    assert remembering.embed("a" * 5_000_000)[0] == MOST_CHARS
    assert remembering.recall("a" * 6_000_000)[0] == MOST_CHARS
    assert len(counting.asked) == 1


def test_a_remembered_vector_cannot_be_written_to(counting):
    vector = Remembering(counting).embed("a")
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 7


def test_half_of_a_surrogate_pair_is_a_text_like_another(counting):
    assert Remembering(counting).embed("\ud800")[0] == 1
    static = embedders.get(ids.STATIC)
    assert np.isfinite(static.embed("half \ud800 of a pair")).all()


def test_threads_get_the_right_vectors_within_the_bound(counting):
    remembering, wrong = Remembering(counting, entries=3), []

    def ask(turn):
        for n in range(300):
            text = "x" * ((n * turn) % 7 + 1)
            if remembering.embed(text)[0] != len(text):
                wrong.append(text)

    threads = [threading.Thread(target=ask, args=(turn,)) for turn in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = [n for n in range(1, 8) if remembering.recall("x" * n) is not None]
    assert (wrong, len(known)) == ([], 3)
