"""Django's admin shows operators every row that routing and reviews keep, and changes none.

What changes anything is on the pages, which check roles and leave a trace. What people asked,
answered or wrote is there too, for whom it is meant: here it is left out, as secrets are, and
what would tell a rater which tier is on which side. Single sign-on is set up by the environment,
not by rows. Who may do what is changed on the People page alone; nobody is renamed.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, cast

import django.contrib.auth.admin  # noqa: F401  # registers two of them, later than this otherwise
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core.paginator import Paginator
from django.db import connection, models
from django.http import HttpRequest

#: By model: what is not shown beside texts and files.
HIDDEN: dict[str, set[str]] = {
    "ApiKey": {"digest"},
    "CollectionVersion": {"digest"},
    "Completion": {"body"},
    "Document": {"key", "metadata", "title"},
    "Erasure": {"end_user"},
    "Evidence": {"content"},
    "Feedback": {"digest"},
    "Invitation": {"digest", "email"},
    "JudgeBatch": {"token"},
    "Notice": {"fields"},
    "Presentation": {"left", "token"},
    "QuarterReview": {"content"},
    "Request": {"end_user", "headers", "metadata", "payload", "session", "url_query"},
    "Retrieval": {"sources"},
    "RetrievalPair": {"sources"},
    "Upload": {"refused"},
}
_LONG = (models.TextField, models.BinaryField)
_WIDE = (models.JSONField,)
_COLUMNS = 8
#: Smaller tables are counted.
_MANY = 10_000


class Estimated(Paginator):
    """Pages of a table that takes long to count: Postgres knows about how many rows it has."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, about."""
        rows = cast("models.QuerySet[Any]", self.object_list)
        table = rows.model._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [table])
            about = int(cursor.fetchone()[0])
        return about if about >= _MANY and not rows.query.where else rows.count()


class ReadOnly(admin.ModelAdmin):
    """Rows to be looked at."""

    ordering = ("-pk",)
    paginator = Estimated
    show_full_result_count = False
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nothing is added here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is changed here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is deleted here."""
        return False


def shown(model: type[models.Model]) -> list[str]:
    """Return the names of the fields that operators see."""
    hidden = HIDDEN.get(model.__name__, set())
    fields = [each for each in model._meta.concrete_fields if not isinstance(each, _LONG)]
    return [each.name for each in fields if each.name not in hidden]


def register(model: type[models.Model]) -> None:
    """Show a model: short columns in its list, all that operators may see of one row."""
    short = [
        each
        for each in model._meta.concrete_fields
        if each.name in shown(model) and not isinstance(each, _WIDE)
    ]
    said = {
        "fields": shown(model),
        "list_display": [each.attname for each in short[:_COLUMNS]],
        "list_filter": [each.name for each in short if each.choices],
    }
    admin.site.register(model, type(f"{model.__name__}Admin", (ReadOnly,), said))


for _unused in (EmailAddress, Group, SocialAccount, SocialApp, SocialToken, User):
    admin.site.unregister(_unused)
for _app in ("routing", "reviews"):
    for _model in apps.get_app_config(_app).get_models():
        if not _model._meta.proxy:
            register(_model)
