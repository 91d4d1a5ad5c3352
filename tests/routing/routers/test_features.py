"""What is read off a text: the same everywhere, at any length, of any characters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.routers import features

TEXTS = st.text(max_size=300)


def looks(text):
    return dict(zip(features.NAMES, features.surface(text), strict=True))


def test_hashes_are_the_same_in_every_process():
    # An artifact stores them: another value makes every stored router forget what it knows.
    assert features.char_grams("a").hashes.tolist() == [
        824143994629071306,
        5183484142803383317,
        14812863259752013827,
    ]
    assert features.word_grams("Hi 7!").hashes[:2].tolist() == [
        535359942235376470,
        6418827170720300858,
    ]


def test_runs_of_characters_stay_inside_words():
    # " ab ": three pairs, two threes, one four; a word twice counts twice.
    assert features.char_grams("ab").hashes.size == 6
    assert features.char_grams("ab ab").counts.tolist() == [2] * 6
    assert (
        features.char_grams("ab\n  AB").hashes.tolist() == features.char_grams("ab").hashes.tolist()
    )


def test_words_and_marks_and_their_pairs():
    assert features.word_grams("one two").hashes.size == 3
    assert features.word_grams("one, two").hashes.size == 5
    assert features.word_grams("\u00e9t\u00e9 fini").hashes.size == 3


def test_ascii_is_read_as_any_other_text_is():
    # A letter beyond ASCII, and nothing else, takes the slower way.
    for text in ("a\x1c12b \x1f c_3!", "x=7, don't"):
        slow = features.word_grams(text + " \u00e9").hashes
        assert np.isin(features.word_grams(text).hashes, slow).all()


def test_numbers_of_as_many_digits_are_one_word():
    one, other, longer = (features.word_grams(f"pay {n} now").hashes for n in (12, 98, 123))
    assert one.tolist() == other.tolist()
    assert one.tolist() != longer.tolist()


def test_the_order_of_letters_and_words_counts():
    hashes = [
        features.word_grams(text).hashes.tolist() for text in ("dog bit", "god bit", "bit dog")
    ]
    assert len({tuple(each) for each in hashes}) == 3


def test_what_a_text_looks_like():
    found = looks("If Ann has 12.5% of $1,250, how much is it?\nTell me.")
    assert found["log numbers"] == pytest.approx(np.log1p(2))
    assert found["log largest number"] == pytest.approx(np.log1p(1250))
    assert found["log decimal numbers"] == pytest.approx(np.log1p(1))
    assert found["log large numbers"] == pytest.approx(np.log1p(1))
    assert found["log percent signs"] == found["log dollar signs"] == pytest.approx(np.log(2))
    assert found["question marks"] == 1
    assert found["log lines"] == pytest.approx(np.log(2))
    assert found["log sentences"] == pytest.approx(np.log1p(2))
    assert found["log conditional words"] == pytest.approx(np.log(2))
    assert found["capitalised words"] > 0
    assert found["looks like code"] == 0
    assert looks("```\nx\n```")["looks like code"] == 1


@given(TEXTS)
def test_any_text_has_finite_features(text):
    found = features.surface(text)
    assert found.shape == (len(features.NAMES),)
    assert np.isfinite(found).all()
    for counted in (features.char_grams(text), features.word_grams(text)):
        assert (np.diff(counted.hashes.astype(object)) > 0).all()
        assert (counted.counts > 0).all()


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "\ud800", "9" * 5000, "a" * 5000, "\U0001f600" * 3]
)
def test_strange_texts_are_read_too(text):
    assert np.isfinite(features.surface(text)).all()
    features.char_grams(text)
    features.word_grams(text)


def test_the_rest_of_a_long_text_is_not_read():
    start = "word " * 1000
    one, other = start[: features.MAX_CHARS], start[: features.MAX_CHARS] + " entirely different?"
    assert features.surface(one).tolist() == features.surface(other).tolist()
    assert features.char_grams(one).hashes.tolist() == features.char_grams(other).hashes.tolist()
    assert features.word_grams(one).counts.tolist() == features.word_grams(other).counts.tolist()
