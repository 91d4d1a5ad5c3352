"""Django's admin: every row can be looked at, none changed, and no text or secret is shown."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models
from django.urls import reverse

from reviews import permissions
from routing import access
from shadoweval.admin import Estimated, shown
from tests.reviews.rows import add_pair

OURS = [
    model
    for app in ("routing", "reviews")
    for model in apps.get_app_config(app).get_models()
    if not model._meta.proxy
]
SECRET = re.compile(r"digest|password|secret|(?<!input_)(?<!output_)token(?!s)", re.I)
WRITTEN = re.compile(r"payload|query|body|text|headers|metadata|sources|content|comment|email")


@pytest.fixture
def operator(db, client):
    client.force_login(User.objects.create_superuser("root"))
    return client


def name(model, view):
    return f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}"


def test_every_model_has_a_list(operator, rf):
    request = rf.get("/")
    request.user = User.objects.get(username="root")
    for model in OURS:
        listed = admin.site._registry[model].get_changelist_instance(request)
        assert list(listed.result_list) == list(model.objects.order_by("-pk"))
    assert operator.get(reverse("admin:routing_project_changelist")).status_code == 200


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_nothing_secret_or_written_by_people_is_shown(model):
    long = (models.TextField, models.BinaryField)
    fields = [field for field in model._meta.concrete_fields if field.name in shown(model)]
    assert not [field.name for field in fields if SECRET.search(field.name)]
    assert not [
        field.name for field in fields if WRITTEN.search(field.name) or isinstance(field, long)
    ]


def test_nothing_can_be_added_changed_or_deleted(operator, rf):
    request = rf.get("/")
    request.user = User.objects.get(username="root")
    for its in map(admin.site._registry.get, OURS):
        assert its.has_view_permission(request)
        assert not its.has_add_permission(request)
        assert not its.has_change_permission(request)
        assert not its.has_delete_permission(request)


def test_one_row_is_shown_without_what_was_asked_and_answered(operator, project):
    add_pair(project, 0.2, query="platypus venom", cheap="a cheap secret")
    key, row = access.create_key(project, "app")
    for model in (type(row), *(m for m in OURS if m.__name__ in ("Request", "Completion"))):
        page = reverse(name(model, "change"), args=[model.objects.latest("pk").pk])
        said = operator.get(page).content.decode()
        assert "platypus venom" not in said
        assert "a cheap secret" not in said
        assert row.digest not in said
        assert operator.post(page, {"name": "changed"}).status_code == 403
    listed = operator.get(reverse(name(type(row), "changelist"))).content.decode()
    assert row.prefix in listed
    assert key not in listed


def test_people_groups_and_sign_ons_stay_out_whoever_asks(db, client):
    assert {model._meta.app_label for model in admin.site._registry} & {
        "auth",
        "account",
        "socialaccount",
    } == set()
    permissions.ensure_roles()
    boss = User.objects.create_user("boss", is_staff=True)
    permissions.give(boss, *permissions.ROLES)
    client.force_login(boss)
    assert client.get(reverse("admin:routing_request_changelist")).status_code == 403


def test_a_large_table_is_not_counted_and_a_part_of_it_is(monkeypatch, project):
    add_pair(project, 0.2)
    rows = type(project)._meta.apps.get_model("routing.Request").objects.order_by("pk")
    assert Estimated(rows, 10).count == 1
    monkeypatch.setattr("shadoweval.admin._MANY", -5)
    assert Estimated(rows, 10).count != 1  # never analysed: Postgres says -1
    assert Estimated(rows.filter(wire="anthropic"), 10).count == 1
