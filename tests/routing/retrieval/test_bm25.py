import math

import numpy as np
import pytest

from routing.retrieval import bm25

TEXTS = [
    "Invoices\nInvoices are paid within 30 days.",
    "Error E-1042\nThe printer says E-1042 when its tray is empty.",
    "Holidays\nWho leaves early hands over the printer.",
    "",
    "Invoices\nInvoices are paid within 30 days.",
]


@pytest.fixture
def built(tmp_path):
    bm25.build(TEXTS, tmp_path)
    return bm25.BM25.open(tmp_path)


def test_rows_come_best_first_and_equal_ones_by_row(built):
    found = built.search("paying an invoice within days", 10)
    assert found.rows.tolist() == [0, 4]
    assert found.scores[0] == found.scores[1] > 0


def test_equal_rows_at_the_edge_go_by_row(built):
    assert built.search("invoice", 1).rows.tolist() == [0]


def test_score_is_lucenes(tmp_path):
    bm25.build(["cat cat dog", "dog"], tmp_path, k1=1.2, b=0.5, stem=False)
    found = bm25.BM25.open(tmp_path).search("cat", 5)
    idf = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    assert found.scores.tolist() == pytest.approx([idf * 2 / (2 + 1.2 * (0.5 + 0.5 * 3 / 2))])


def test_adds_up_what_bm25s_adds_up(built, tmp_path):
    import bm25s

    theirs = bm25s.BM25.load(tmp_path).get_scores(built.terms("the printer and its tray"))
    found = built.search("the printer and its tray", len(TEXTS))
    np.testing.assert_allclose(found.scores, np.sort(theirs[theirs > 0])[::-1], rtol=1e-6)


def test_stems_are_an_option_that_the_files_keep(tmp_path):
    bm25.build(TEXTS, tmp_path, stem=False)
    assert bm25.BM25.open(tmp_path).search("invoice", 5).rows.size == 0


def test_lone_digits_are_words_and_lone_letters_are_not(tmp_path):
    bm25.build(["type 1 and a b", "type 2 and a b"], tmp_path)
    opened = bm25.BM25.open(tmp_path)
    assert opened.search("2", 5).rows.tolist() == [1]
    assert opened.search("b", 5).rows.size == 0


def test_frequency_counts_texts(built):
    assert [built.frequency(term) for term in built.terms("invoice printer unheard")] == [2, 2, 0]


def test_rows_that_are_gone_are_not_found_and_others_take_their_place(built):
    first, second, *_ = built.search("invoice printer", 9).rows.tolist()
    left = built.without(np.array([first]))
    assert left.search("invoice printer", 1).rows.tolist() == [second]
    assert left.frequency("invoice") == built.frequency("invoice")
    assert left.without(np.arange(built.size)).search("invoice printer", 9).rows.size == 0


@pytest.mark.parametrize(
    "query", ["", "the of", "Wo bleibt die Rechnung", "请问发票在哪里", "\x00"]
)
def test_what_shares_no_term_finds_nothing(built, query):
    assert built.search(query, 5).rows.size == 0


def test_megabytes_are_cut(built):
    assert len(built.terms("printer " * 1_000_000)) == bm25.MAX_QUERY // len("printer ")


@pytest.mark.parametrize("texts", [[], ["", "the"]])
def test_collection_without_terms_finds_nothing(tmp_path, texts):
    bm25.build(texts, tmp_path)
    opened = bm25.BM25.open(tmp_path)
    assert opened.size == len(texts)
    assert opened.search("printer", 3).rows.size == 0
    assert opened.frequency("printer") == 0


def test_files_are_mapped_and_hold_no_objects(built, tmp_path):
    assert isinstance(built._rows.base, np.memmap)
    for path in tmp_path.glob("*.npy"):
        assert not np.load(path, mmap_mode="r", allow_pickle=False).dtype.hasobject
