"""Models and migrations say the same; processes of the version before bear each migration."""

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.commands import migrate as django_migrate
from django.db import OperationalError, connection
from django.db.migrations import AddField, CreateModel
from django.db.migrations.loader import MigrationLoader
from django_migration_linter import MigrationLinter
from psycopg.errors import AdminShutdown, DeadlockDetected

from benchmarks import migrate_under_load
from routing.models import Request, ShadowPair
from shadoweval.management.commands import migrate

#: Landed before anything looked: changed afterwards, a migration would no longer say what is in the
#: databases that have it. What an upgrade across them does is in docs/guides/upgrade.md.
_EXEMPT = {"routing": 12, "reviews": 19, "shadoweval": 0}
#: Nothing is served by it: a study begun while the first release's pages stand is refused.
_REFUSED = {"study"}


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def _added(app):
    """Give each column that a table got after it was made."""
    for migration in MigrationLoader(None).disk_migrations.values():
        made = {each.name_lower for each in migration.operations if isinstance(each, CreateModel)}
        for each in migration.operations:
            is_added = isinstance(each, AddField) and each.model_name_lower not in made
            if migration.app_label == app and is_added:
                yield each


@pytest.mark.parametrize("app", _EXEMPT)
def test_a_process_that_knows_no_column_since_the_first_release_can_write_its_rows(app):
    assert not [
        f"{column.model_name}.{column.name}"
        for column in _added(app)
        if column.model_name_lower not in _REFUSED
        and not (column.field.null or column.field.has_db_default() or column.field.many_to_many)
    ]


@pytest.mark.django_db
def test_rows_that_a_process_of_the_first_release_writes_are_taken(project):
    with connection.cursor() as cursor:
        for statement in migrate_under_load.ROWS:
            cursor.execute(statement.format(n=2))
    written = Request.objects.filter(session="", headers={}, is_stream=False)
    assert written.count() == ShadowPair.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("app", _EXEMPT)
def test_a_database_has_the_defaults_of_its_models(app):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND column_default IS NOT NULL"
        )
        found = set(cursor.fetchall())
    assert not [
        str(field)
        for model in apps.get_app_config(app).get_models()
        for field in model._meta.local_fields
        if field.has_db_default() and (model._meta.db_table, field.column) not in found
    ]


def _later():
    found = MigrationLoader(None).disk_migrations.values()
    return [
        each
        for each in sorted(found, key=lambda migration: (migration.app_label, migration.name))
        if each.app_label in _EXEMPT and int(each.name[:4]) > _EXEMPT[each.app_label]
    ]


@pytest.mark.django_db(transaction=True)  # an index is built outside of any
@pytest.mark.parametrize("migration", _later(), ids=str)
def test_processes_of_the_version_before_bear_a_migration(migration, capsys):
    linter = MigrationLinter(no_cache=True, database=connection.alias)
    linter.lint_migration(migration)
    assert not linter.nb_erroneous, capsys.readouterr().out


def _blocked(times, monkeypatch, why=DeadlockDetected):
    """Let Django's own command fail so often; return the list of its runs."""
    runs = []

    def handle(command, *args, **options):
        runs.append(args)
        if len(runs) <= times:
            raise OperationalError("in the way") from why()

    monkeypatch.setattr(django_migrate.Command, "handle", handle)
    monkeypatch.setattr(migrate, "_PAUSE_S", 0)
    return runs


def test_a_migration_that_the_service_blocks_is_done_anew(monkeypatch, capsys):
    runs = _blocked(2, monkeypatch)
    call_command("migrate")
    assert len(runs) == 3
    assert "begins again" in capsys.readouterr().err


def test_what_else_stops_a_migration_is_told_at_once(monkeypatch):
    runs = _blocked(1, monkeypatch, AdminShutdown)
    with pytest.raises(OperationalError):
        call_command("migrate")
    assert len(runs) == 1
