"""Documents cut into passages."""

import time

import pytest
from tokenizers import Tokenizer

from routing.embedders import files
from routing.retrieval import chunking

PROSE = "\n\n".join(
    f"Paragraph {number} tells of cats. They purr, and they sleep all day long.\nThen they eat."
    for number in range(200)
)


@pytest.fixture(scope="module")
def tokens():
    """Return a function that counts a text's word pieces."""
    tokenizer = Tokenizer.from_file(str(files.folder() / files.TOKENIZER))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("is_markdown", [False, True])
@pytest.mark.parametrize("most", [16, 128])
def test_passages_are_short_enough_and_know_where_they_begin(tokens, most, is_markdown):
    pieces = chunking.cut(PROSE, most, is_markdown=is_markdown)
    assert all(tokens(piece.text) <= most for piece in pieces)
    assert all(PROSE[at : at + len(text)] == text for at, text in pieces)


def test_nothing_is_lost():
    pieces = chunking.cut(PROSE, 64)
    assert "".join("".join(text.split()) for _, text in pieces) == "".join(PROSE.split())


def test_what_fits_stays_whole(tokens):
    text = PROSE[:1500]
    assert tokens(text) < 500
    assert [piece.text for piece in chunking.cut(text, 500)] == [text.strip()]


def test_headings_are_seams_of_markdown():
    text = "# One\n\n" + "Cats purr. " * 12 + "\n\n# Two\n\n" + "Dogs bark. " * 12
    pieces = chunking.cut(text, 60, is_markdown=True)
    assert [piece.text[:5] for piece in pieces] == ["# One", "# Two"]


STRANGE = ["x" * 100_000, "猫" * 9_000, "a.b," * 3_000, "\n" * 9_000 + "a"]


@pytest.mark.parametrize("text", STRANGE)
def test_strange_texts_are_cut_in_time(text):
    start = time.process_time()
    pieces = chunking.cut(text, 128)
    assert time.process_time() - start < 5
    assert all(len(piece.text) <= 128 * 16 for piece in pieces)
