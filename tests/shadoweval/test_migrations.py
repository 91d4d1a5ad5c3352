"""Models and migrations say the same; processes of the version before bear each migration."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django_migration_linter import MigrationLinter

#: Landed before anything looked: changed afterwards, a migration would no longer say what is in the
#: databases that have it. What an upgrade across them does is in docs/guides/upgrade.md.
_EXEMPT = {"routing": 12, "reviews": 19, "shadoweval": 0}


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


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
