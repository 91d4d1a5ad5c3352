"""Words of a query in a passage: marked, and nothing else becomes markup."""

from reviews.marking import mark


def test_other_forms_of_a_word_are_marked_and_stop_words_are_not():
    assert mark("The Invoice is due", "the invoices") == "The <mark>Invoice</mark> is due"


def test_markup_in_passage_and_query_stays_text():
    shown = mark("<script>alert(1)</script> & alerts", "<script> alert")
    assert "<script>" not in shown
    assert shown.count("<mark>") == 4
    assert shown.endswith("&amp; <mark>alerts</mark>")
