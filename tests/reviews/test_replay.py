"""A replayed file passes the real service, ends in pairs, and keeps its labels."""

import gzip
import json

import pytest
from django.core.management import CommandError, call_command

from reviews import estimation, recordings, replay, standin
from reviews.models import Rater, Study, Verdict
from routing.models import ApiKey, Completion, Project, Request, ShadowPair

# The SDK warns of models that are no longer served; recordings are of such models.
pytestmark = pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")

CHEAP, EXPENSIVE = "claude-3-5-haiku-20241022", "claude-3-5-sonnet-20241022"
_CORRECT = [(1, 1), (0, 1), (1, 0), (0, 0), (1, 1), (1, 1)]


def _row(n):
    cheap, expensive = _CORRECT[n]
    labels = [
        {
            "kind": "correct",
            "rater": "the key",
            "rater_type": "auto",
            "value": {"cheap": cheap, "expensive": expensive},
        }
    ]
    if n == 0:
        labels += [
            {"kind": "preference", "rater": "p1", "rater_type": "human", "value": "expensive"},
            {"kind": "score", "rater": "p1", "rater_type": "human", "value": {"cheap": 3}},
        ]
    return {
        "query": f"Query {n} of a caf\u00e9?",
        "task": "qa",
        "cheap_model": CHEAP,
        "expensive_model": EXPENSIVE,
        "cheap_response": "" if n == 5 else f"small {n}",
        "expensive_response": f"large {n}",
        "labels": labels,
        "tokens_est": {"prompt": 100 + n, "cheap": 10, "expensive": 20},
    }


def _write(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


@pytest.fixture
def recording(tmp_path):
    lacking = {**_row(0), "query": "no answer", "cheap_response": None}
    return _write(tmp_path / "six.jsonl", [*map(_row, range(6)), lacking])


@pytest.mark.django_db(transaction=True)
def test_each_query_ends_as_a_pair_of_its_recorded_answers(service, worker, recording):
    result = replay.run(recording, url=service)
    assert result.complete
    assert (len(result.sent.by_id), result.content.skipped.total()) == (6, 1)
    for pair in ShadowPair.objects.select_related("request", "cheap", "expensive"):
        row = result.sent.by_id[pair.request_id]
        assert pair.request.query == row.query
        assert (pair.cheap.text, pair.expensive.text) == (row.cheap.text, row.expensive.text)
        assert (pair.cheap.model, pair.expensive.model) == (CHEAP, EXPENSIVE)
        expected_usd = (row.cheap.input_tokens * 0.8 + 10 * 4) / 1e6
        assert float(pair.cheap.cost_usd) == pytest.approx(expected_usd, abs=1e-12)
        assert (pair.task, pair.score) == ("qa", 0.5)


@pytest.mark.django_db(transaction=True)
def test_labels_become_verdicts_of_their_own_kind(service, worker, recording):
    result = replay.run(recording, url=service)
    assert result.complete, result.jobs
    study = Study.objects.get(project__slug=result.slug)
    assert estimation.rated_by_kind(study) == {"answer_key": 6, "human": 1}
    assert result.not_imported == 1
    keyed = Verdict.objects.filter(rater__kind=Rater.Kind.ANSWER_KEY)
    said = [
        (v.cheap_adequate, v.expensive_adequate, v.preference)
        for v in keyed.order_by("pair__request__query")
    ]
    assert said[:4] == [
        (True, True, "tie"),
        (False, True, "expensive"),
        (True, False, "cheap"),
        (False, False, "both_bad"),
    ]
    assert estimation.estimate(study, "answer_key").points[-1]["adequacy"] == pytest.approx(4 / 6)


@pytest.mark.django_db(transaction=True)
def test_command_counts_and_shows_no_content(service, worker, recording, capsys):
    call_command("replay", str(recording), url=service, limit=2)
    call_command("replay", str(recording), url=service, limit=1)
    printed = capsys.readouterr().out
    assert "/threshold/?project=replay-six-2" in printed
    assert "caf" not in printed
    assert "small" not in printed
    assert Request.objects.count() == 3
    assert Completion.objects.count() == 6
    assert not ApiKey.objects.filter(project__kind="replay", revoked_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_failed_queries_are_counted_and_the_command_fails(service, worker, recording, tmp_path):
    too_long = {**_row(5), "query": "x" * 11_000_000}
    path = _write(tmp_path / "long.jsonl", [_row(0), too_long])
    with pytest.raises(CommandError, match="Not every query"):
        call_command("replay", str(path), url=service)
    assert ShadowPair.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_missing_worker_is_said(service, recording):
    rows = recordings.read(recording).rows
    with standin.serving(recordings.answers(rows)) as base_url:
        project = replay.create_project(recording, rows[0], replay.newest_router(), base_url)
        with pytest.raises(recordings.ReplayError, match="Is the worker running"):
            replay.wait(project, 1, lambda done, total: None, stall_s=0.1)


@pytest.mark.django_db
def test_a_missing_service_is_one_sentence_and_writes_nothing(starter, recording):
    with pytest.raises(CommandError, match="make run"):
        call_command("replay", str(recording), url="http://127.0.0.1:9")
    assert not Project.objects.filter(kind="replay").exists()


@pytest.mark.parametrize("broken", ["{", "[1]", json.dumps({**_row(0), "query": ""})])
def test_a_malformed_row_is_named_by_its_line(tmp_path, broken):
    path = tmp_path / "bad.jsonl.gz"
    path.write_bytes(gzip.compress(f"{json.dumps(_row(0))}\n{broken}\n".encode()))
    with pytest.raises(recordings.ReplayError, match="line 2"):
        recordings.read(path)


def test_rarer_models_and_repeated_queries_are_left_out(tmp_path):
    other = {**_row(3), "cheap_model": "another"}
    path = _write(tmp_path / "mixed.jsonl", [_row(0), _row(1), _row(0), other])
    content = recordings.read(path)
    assert [row.query for row in content.rows] == [_row(0)["query"], _row(1)["query"]]
    assert content.skipped == {"of other models": 1, "with a repeated query": 1}


def test_a_file_without_answers_is_one_sentence(tmp_path):
    path = _write(tmp_path / "none.jsonl", [{"query": "q"}])
    with pytest.raises(recordings.ReplayError, match="no row with"):
        recordings.read(path)
