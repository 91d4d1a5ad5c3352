import json

import pytest
from django.core.management import CommandError, call_command

from reviews import evaluating
from reviews.models import RetrievalEvaluation
from routing import strategies
from routing.models import StrategyVersion
from routing.retrieval.judgements import Qrels
from tests.routing import stacks
from tests.routing.test_strategies import qrels, texts


@pytest.fixture
def collection(project):
    made = stacks.collection(project)
    stacks.indexed(made, texts())
    return made


@pytest.fixture
def file(tmp_path):
    def written(rows):
        place = tmp_path / "judged.jsonl"
        place.write_text("\n".join(json.dumps(row) for row in rows))
        return str(place)

    return written


def row(n, **more):
    said = {"qid": f"{n}<::>1", "query": f"printer number {n}", "qrels": {f"printer-{n}": 1}}
    return said | more


def test_every_strategy_is_measured_and_kept(collection):
    made = evaluating.evaluate(collection, qrels(), name="floors.jsonl")
    assert RetrievalEvaluation.objects.get() == made
    assert (made.n_queries, made.version.number, made.qrels) == (70, 1, "floors.jsonl")
    values = made.figures["all"]["values"]
    assert list(values) == ["bm25", "dense", "hybrid", "auto"]
    assert values["bm25"]["ndcg"] > 0.9
    assert set(made.figures["all"]["against"]) == {"bm25", "dense", "auto"}
    assert made.figures["all"]["best"]["ndcg"] >= max(
        values[name]["ndcg"] for name in ("bm25", "dense", "hybrid")
    )
    assert sum(made.figures["chosen"].values()) == 70
    assert made.figures["chooser"] == "rules"
    assert json.loads(json.dumps(made.figures)) == made.figures


def test_figures_are_cut_by_the_files_kinds(collection):
    rows = [row(n, kind="short" if n < 6 else "rare") for n in range(10)]
    judged = Qrels.read("\n".join(map(json.dumps, rows)).encode())
    assert list(evaluating.evaluate(collection, judged).figures["kinds"]) == ["short"]


def test_what_auto_learnt_from_is_said(collection):
    strategies.train(collection, qrels(), "floors.jsonl")
    assert evaluating.evaluate(collection, qrels()).figures["is_in_sample"]
    assert not evaluating.evaluate(collection, qrels(65)).figures["is_in_sample"]


def test_the_same_judgements_give_the_same_figures(collection):
    one, other = (evaluating.evaluate(collection, qrels(20)).figures for _ in range(2))
    assert one["all"] == other["all"]


def test_command_prints_what_it_keeps(collection, file, capsys):
    place = file([row(n) for n in range(9)] + [row(9, qrels={"gone": 1}), row(10, qrels={})])
    call_command("evaluate_retrieval", "handbook", place, project=collection.project.slug)
    said = capsys.readouterr().out
    assert "all queries: 10 of 10 conversations" in said
    assert "1 judged documents are not in the collection" in said
    assert "1 queries without a relevant document left out" in said
    assert RetrievalEvaluation.objects.get().qrels == "judged.jsonl"


def test_command_trains(collection, tmp_path, capsys):
    place = tmp_path / "judged.jsonl"
    place.write_text("\n".join(
        json.dumps({"qid": q.qid, "query": q.query, "qrels": q.grades}) for q in qrels().queries
    ))  # fmt: skip
    call_command("train_strategy", "handbook", str(place), project=collection.project.slug)
    said = capsys.readouterr().out
    assert "goes by it from now on" in said
    is_shown = StrategyVersion.objects.get().card["gain_over_rules"]["low"] > 0
    assert ("Not shown to be better than the rules" in said) != is_shown


@pytest.mark.parametrize("command", ["evaluate_retrieval", "train_strategy"])
@pytest.mark.parametrize(
    ("rows", "name", "says"),
    [
        ([], "handbook", "no judged query"),
        ([{"qid": "1"}], "handbook", "Line 1: it has no query."),
        ([row(1)], "nowhere", "nowhere"),
        ([row(n, qrels={"gone": 1}) for n in range(60)], "handbook", "None of the judged"),
    ],
)
def test_what_cannot_be_is_a_sentence(collection, file, command, rows, name, says):
    with pytest.raises(CommandError, match=says):
        call_command(command, name, file(rows), project=collection.project.slug)


def test_file_that_is_not_there_is_a_sentence(collection):
    with pytest.raises(CommandError, match=r"nofile.jsonl cannot be read: No such file"):
        call_command(
            "evaluate_retrieval", "handbook", "nofile.jsonl", project=collection.project.slug
        )
