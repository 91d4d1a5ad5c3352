import json

import pytest

from routing import strategies
from routing.models import StrategyVersion
from routing.retrieval import choosing
from routing.retrieval.judgements import Qrels
from tests.routing import stacks

WORDS = ("printer", "invoice", "holiday", "laptop", "parking", "coffee", "badge", "travel")


def texts():
    return {f"{word}-{n}": f"The {word} number {n} is on floor {n}." for word in WORDS
            for n in range(10)}  # fmt: skip


def qrels(n=70, document="{word}-{n}"):
    rows = (
        {"qid": f"{i}<::>1", "query": f"where is {WORDS[i % 8]} number {i // 8}",
         "qrels": {document.format(word=WORDS[i % 8], n=i // 8): 1}}
        for i in range(n)
    )  # fmt: skip
    return Qrels.read("\n".join(map(json.dumps, rows)).encode())


@pytest.fixture
def collection(project):
    made = stacks.collection(project)
    stacks.indexed(made, texts())
    return made


def test_trained_strategy_is_what_auto_goes_by(collection):
    assert strategies.chooser_of(strategies.newest(collection)).name == "rules"
    made = strategies.train(collection, qrels(), "floors.jsonl")
    assert strategies.newest(collection) == made
    assert strategies.chooser_of(made).name == "trained"
    assert choosing.loads(bytes(made.artifact))
    assert made.version.number == 1


def test_card_says_what_was_gained_on_queries_it_did_not_learn_from(collection):
    card = strategies.train(collection, qrels(), "floors.jsonl").card
    assert (card["n"], card["groups"], card["unknown_documents"]) == (70, 70, 0)
    assert card["gain"]["low"] <= card["gain"]["value"] <= card["gain"]["high"]
    assert 0 <= card["trained"] <= 1
    assert card["qrels"] == "floors.jsonl"


def test_few_queries_are_refused(collection):
    with pytest.raises(ValueError, match="59 judged queries of 59 conversations are too few"):
        strategies.train(collection, qrels(59), "floors.jsonl")
    assert not StrategyVersion.objects.exists()


def test_judgements_of_another_collection_are_refused(collection):
    with pytest.raises(ValueError, match="None of the judged documents is in the collection"):
        strategies.train(collection, qrels(document="page-{n}"), "floors.jsonl")


def test_empty_collection_is_refused(project):
    with pytest.raises(ValueError, match="“bare” holds nothing yet"):
        strategies.train(stacks.collection(project, "bare"), qrels(), "floors.jsonl")


def test_unknown_documents_are_counted(collection):
    some = qrels(69)
    other = qrels(70, document="{word}-{n}x").queries[-1]
    both = Qrels((*some.queries, other), some.sha256, 0)
    assert strategies.attempt(collection, both).unknown == 1
