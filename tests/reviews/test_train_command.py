"""`manage.py train`: the card as a table, and a sentence with an exit code where there is none."""

import io

import pytest
from django.core.management import CommandError, call_command

from reviews import training
from reviews.models import TrainingRun
from routing.models import RouterVersion
from tests.reviews.planted import plant, query

pytestmark = pytest.mark.django_db
KIND = "rules+embedding-logistic"


def train(**said):
    out = io.StringIO()
    options = {"kind": KIND, "sources": "human", "embedder": "static", "project": "default"}
    call_command("train", stdout=out, **{**options, **said})
    return out.getvalue()


def test_it_trains_and_prints_the_card(project):
    plant(project)
    said = train(name="mine", seed="11")
    version = RouterVersion.objects.get(name="mine")
    assert version.card["seed"] == 11
    for word in ("Card of mine", "AUROC", "APGR", "CPT(80)", "of 120 recorded requests"):
        assert word in said
    assert f"/routers/{version.pk}/" in said
    assert "Not deployed" in said
    assert not [n for n in range(120) if query(n) in said]


def test_too_little_is_an_error_in_a_sentence(project):
    with pytest.raises(CommandError, match="and a training takes 50"):
        train()
    assert TrainingRun.objects.get().state == TrainingRun.State.FAILED


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"project": "nowhere"}, "Name a project by --project: default"),
        ({"project": None}, "Name a project"),
        ({"kind": "rules"}, "nothing to train"),
        ({"sources": "dreams"}, "Choose sources"),
        ({"since": "soon"}, "no date"),
    ],
)
def test_what_cannot_be_is_refused(project, said, sentence):
    with pytest.raises(CommandError, match=sentence):
        train(**said)


def test_another_training_comes_first(project):
    first = training.ask(project, kind=KIND)
    assert training.claim(first)
    with pytest.raises(CommandError, match="comes after it"):
        train()


def test_kinds_are_listed_without_a_project(db):
    out = io.StringIO()
    call_command("train", "--list-kinds", stdout=out)
    for name in training.trained_kinds():
        assert name.split("-")[0] in out.getvalue()
