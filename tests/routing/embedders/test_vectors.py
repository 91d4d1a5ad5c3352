"""Vectors are what their id names: unit length, cut where it is said, the same in every thread."""

import threading
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model2vec import StaticModel
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from routing import embedders
from routing.embedders import files, ids, minilm
from routing.embedders.pieces import Pieces
from routing.embedders.static import Static

#: What word pieces are cut from, and what only the tokenizer understands.
PARTS = (
    *"aB9 \t\n\x0b\x0c\x1c\x00\x7f_-[]'\u00e9\u0301\u00df\u4e2d\u200b\xa0\u2028\ufffd\u0130",
    *("[CLS]", "[UNK]", "[cls]", "##", "Running", "antidisestablishment", "q" * 100, "q" * 101),
)
LIMIT = 64


@cache
def _tokenizer():
    tokenizer = Tokenizer.from_file(str(files.folder() / files.TOKENIZER))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LIMIT)
    return tokenizer


@cache
def _pieces():
    return Pieces(Tokenizer.from_file(str(files.folder() / files.TOKENIZER)), LIMIT)


EVERY = [ids.MINILM, ids.MINILM_FP32, ids.STATIC]
#: From sentence-transformers 6.2.0 with the packaged weights: its first six coordinates.
GOLDEN = {
    "What is a VAT return?": [-0.053155, 0.06881, 0.027301, -0.014449, -0.014165, 0.039522],
    "word " * 400: [-0.008124, -0.095586, -0.038673, 0.049662, -0.043794, 0.02372],
}


@pytest.mark.parametrize("id", EVERY)
def test_every_embedder_is_what_it_says(built, id):
    embedder = embedders.get(id)
    vector = embedder.embed("What is a VAT return?")
    assert (embedder.id, vector.shape, vector.dtype) == (id, (embedder.dimensions,), np.float32)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert embedders.get(id) is embedder


def test_only_the_static_one_is_instant(built):
    assert [embedders.get(id).is_instant for id in EVERY] == [False, False, True]


def test_an_unknown_id_is_answered_with_the_known_ones():
    with pytest.raises(KeyError, match=r"no embedder 'word2vec'; there are .*onnx-int8"):
        embedders.get("word2vec")


def test_the_old_id_still_means_the_vectors_of_sentence_transformers(built):
    for text, first in GOLDEN.items():
        assert embedders.get(ids.MINILM_FP32).embed(text)[:6] == pytest.approx(first, abs=1e-5)


@pytest.mark.parametrize("id", [ids.MINILM, ids.MINILM_FP32])
def test_minilm_is_cut_at_256_tokens(built, id):
    embedder = minilm.MiniLM(id, built)
    whole = embedder.embed("cat " * 254)
    assert (embedder.embed("cat " * 254 + "dog") == whole).all()
    assert not (embedder.embed("cat " * 253 + "dog") == whole).all()


@settings(max_examples=300)
@given(st.text(max_size=60) | st.lists(st.sampled_from(PARTS), max_size=60).map("".join))
def test_word_pieces_are_those_of_the_tokenizer(built, text):
    tokenizer, pieces = _tokenizer(), _pieces()
    for read in (text, text * 20):
        assert pieces.of(read) == tokenizer.encode(read, add_special_tokens=False).ids


def test_the_static_one_is_cut_at_512_tokens_and_4096_characters(built):
    embedder = Static(ids.STATIC, built)
    whole = embedder.embed("cat " * 512)
    assert (embedder.embed("cat " * 512 + "dog") == whole).all()
    assert not (embedder.embed("cat " * 511 + "dog") == whole).all()
    assert (embedder.embed("cat" + " " * 4093 + "dog") == embedder.embed("cat")).all()


@pytest.mark.parametrize("text", ["", "   ", "\u0378"])
def test_a_text_without_known_tokens_is_zeros_in_the_static_space(built, text):
    assert not Static(ids.STATIC, built).embed(text).any()


@pytest.mark.parametrize("id", EVERY)
@pytest.mark.parametrize("text", ["", "\x00", "a" * 20_000, "😀 👍", "\n\n\t"])
def test_no_text_is_too_strange(built, id, text):
    assert np.isfinite(embedders.get(id).embed(text)).all()


def test_model2vec_reads_the_same_vectors_from_the_table(built):
    table = load_file(built / files.TABLE)["embeddings"].astype(np.float32)
    tokenizer = Tokenizer.from_file(str(built / files.TOKENIZER))
    theirs = StaticModel(table, tokenizer, normalize=True, max_length=512)
    for text in ("What is a VAT return?", "hi", "Où est la gare ?"):
        ours = Static(ids.STATIC, built).embed(text)
        assert ours == pytest.approx(theirs.encode(text), abs=1e-5)


@pytest.mark.parametrize("id", EVERY)
def test_threads_get_the_vectors_that_one_gets(built, id):
    kind = Static if id == ids.STATIC else minilm.MiniLM
    embedder, wrong = kind(id, built), []
    texts = ["short", "a text of some more words " * 3, "longer " * 60]
    alone = [embedder.embed(text) for text in texts]

    def ask():
        for _ in range(5):
            for text, expected in zip(texts, alone, strict=True):
                if not np.allclose(embedder.embed(text), expected, atol=1e-6):
                    wrong.append(text)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
