"""Routers that are configured: written by a command, and refused in a sentence."""

import json
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from routing import routers
from routing.models import RouterVersion
from routing.routers import constant

pytestmark = pytest.mark.django_db


def make(kind, name="mine", inner=None, **options):
    call_command("make_router", kind, name=name, inner=inner, options=json.dumps(options))
    row = RouterVersion.objects.get(name=name)
    return row, routers.load(row.kind, bytes(row.artifact), row.embedder)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("cascade", {"samples": 2}), ("rules", {"score": 0.2}), ("constant", {}), ("random", {})],
)
def test_each_kind_is_written_and_can_be_loaded(kind, options):
    row, router = make(kind, **options)
    assert row.kind == kind
    assert 0 <= router.score("Why is the sky blue?").value <= 1


def test_a_hybrid_is_of_its_inner_router_s_project_and_time(project):
    until = datetime(2026, 1, 2, tzinfo=UTC)
    RouterVersion.objects.create(
        name="inner", kind="rules", artifact=constant.dumps(0.5), sha256="x",
        project=project, trained_until=until,
    )  # fmt: skip
    row, router = make("hybrid", inner="inner", low=0.2)
    assert (row.project, row.trained_until) == (project, until)
    assert router.score("Why is the sky blue?").needs_answer


@pytest.mark.parametrize(
    ("kind", "inner", "options", "said"),
    [
        ("cascade", None, {"samples": 9}, "compares 1 to 3"),
        ("two-heads", None, {}, "there are"),
        ("nothing", None, {}, "there are"),
        ("hybrid", None, {}, "--inner"),
        ("hybrid", "missing", {}, "no router version"),
        ("cascade", "missing", {}, "--inner"),
    ],
)
def test_what_cannot_be_made_is_said(kind, inner, options, said):
    with pytest.raises(CommandError, match=said):
        make(kind, inner=inner, **options)
    assert not RouterVersion.objects.filter(name="mine").exists()
