"""Both clients against the real service on a socket."""

import asyncio
import runpy
from pathlib import Path

import pytest

from reviews import monitors
from routing import usage
from routing.models import Request
from shadoweval_client import AsyncClient, Client, Conflict, NotFound, to_pandas, to_polars
from tests.reviews import certified

TOUR = Path(__file__).parents[2] / "examples" / "tour.py"
MODELS = {"cheap": "claude-haiku-5-5", "expensive": "claude-sonnet-5-5"}


def pair(number, models=MODELS):
    sides = {tier: {"model": model, "text": "Four."} for tier, model in models.items()}
    return {"id": f"p{number}", "query": "Two and two?", "score": 0.5, **sides}


@pytest.fixture
def client(service, api_key):
    with Client(service, api_key) as client:
        yield client


def test_asked_answered_and_told_what_became_of_it(client):
    said = client.route("How are you?", task="chat", session="s-1")
    assert said.simulated
    assert said.decision.task == "chat"
    assert client.feedback(said.request_id, thumb="up")
    assert not client.feedback(said.request_id, thumb="up")
    entry = client.request(said.request_id)
    assert entry.served["text"] == said.answer
    assert entry.cost_usd == said.cost_usd
    assert entry.session == "s-1"
    assert [one["thumb"] for one in entry.feedback] == ["up"]


def test_a_key_of_ones_own_gives_the_first_answer_again(client):
    first, second = (client.route("Hello", idempotency_key="k-1") for _ in range(2))
    assert first == second


def test_deciding_records_nothing(client):
    assert client.decide("Hello").model == MODELS["expensive"]
    assert not Request.objects.exists()


def test_an_import_says_how_far_it_is_and_may_be_repeated(client):
    seen = []
    done = client.import_pairs((pair(n) for n in range(5)), batch=2, progress=seen.append)
    assert [so_far.total for so_far in seen] == [2, 4, 5]
    assert (done.imported, done.already_there) == (5, 0)
    assert client.import_pairs([pair(n) for n in range(6)]).imported == 1


def test_pairs_of_other_models_are_a_conflict(client):
    with pytest.raises(Conflict, match="claude-haiku-5-5"):
        client.import_pairs([pair(1, {**MODELS, "cheap": "other"})])


def test_a_study_becomes_frames(client, project):
    study = certified.running(project, n=8)
    assert client.curve(study.pk).raters == "human"
    table = client.export_study(study.pk, texts=True)
    assert table.to_pandas().shape == table.to_polars().shape
    assert len(table.to_polars()) + table.left_out == 8
    with pytest.raises(NotFound):
        client.curve(study.pk + 1)


def test_the_ledger_becomes_frames(client):
    client.import_pairs([pair(n) for n in range(3)])
    assert len(list(client.requests(limit=2))) == 2
    items = list(client.requests())
    assert len(items) == 3
    assert to_polars(items)["tokens_cache_read"].to_list() == [0, 0, 0]
    assert list(to_pandas(items)["tier"]) == ["expensive"] * 3


async def _at_once(service, key):
    async with AsyncClient(service, key) as client:
        said = await asyncio.gather(*(client.route(f"Question {n}") for n in range(4)))
        return [await client.request(one.request_id) for one in said]


def test_usage_and_monitors_are_read_by_group_and_name(client):
    client.request(client.route("Hello").request_id)  # it is written
    usage.roll()
    told = client.usage(by="kind,tier")
    assert ({"kind": "served", "tier": "expensive"}, 1) in [
        (line["group"], line["calls"]) for line in told["lines"]
    ]
    found = client.monitoring()
    assert found["signoff"] is None
    assert [one["name"] for one in found["monitors"]] == [one.name for one in monitors.ALL]


def test_asyncio_asks_at_once(service, api_key):
    entries = asyncio.run(_at_once(service, api_key))
    assert [entry.query for entry in entries] == [f"Question {n}" for n in range(4)]


def test_the_tour_runs(service, api_key, monkeypatch, capsys):
    monkeypatch.setenv("SHADOWEVAL_URL", service)
    monkeypatch.setenv("SHADOWEVAL_API_KEY", api_key)
    runpy.run_path(str(TOUR))
    assert "50 new, 0 known" in capsys.readouterr().out
