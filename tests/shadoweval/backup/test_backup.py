"""Backup, wipe, restore: what comes back is what was there, or nothing has changed."""

import json
import tarfile
from io import StringIO

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from reviews.models import SignOff
from routing.models import Project
from shadoweval.backup import archive, dumps, whole
from tests.reviews import certified

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def journal_dir(settings, tmp_path):
    """A journal with one folder of a process that died."""
    settings.SHADOWEVAL_JOURNAL_DIR = tmp_path / "journal"
    folder = tmp_path / "journal" / "died"
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    (folder / "00000000.journal").write_bytes(b"shadoweval journal 1\n" + b"a record")
    return tmp_path / "journal"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "kept.backup"


def run(*command, **options):
    said = StringIO()
    call_command(*command, stdout=said, **options)
    return said.getvalue()


def wipe():
    """Delete every row, as only the server's superuser can: triggers guard most."""
    to = connection.settings_dict
    with psycopg.connect(host=to["HOST"], user="postgres", dbname=to["NAME"]) as superuser:
        superuser.execute("SET session_replication_role = replica")
        for name in dumps.tables():
            superuser.execute(f'DELETE FROM "{name}"')


def triggers():
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname, tgrelid::regclass::text FROM pg_trigger ORDER BY 1, 2")
        return [name for name, _ in cursor.fetchall() if not name.startswith("RI_")]


def test_backup_wipe_restore_brings_back_every_row_and_the_certificates_hash(
    project, journal_dir, file
):
    signed = certified.signed(certified.closed(project))
    before, guarded = dumps.rows(dumps.tables()), triggers()
    said = run("backup", file)
    assert f"{sum(before.values())} rows" in said
    wipe()
    for each in (journal_dir / "died").iterdir():
        each.unlink()
    assert "all tables counted" in run("restore", file)
    assert dumps.rows(dumps.tables()) == before
    assert triggers() == guarded
    again = SignOff.objects.get(pk=signed.pk)
    assert again.evidence.sha256 == signed.evidence.sha256
    assert bytes(again.evidence.inputs) == bytes(signed.evidence.inputs)
    waiting = (journal_dir / "died" / "00000000.journal").read_bytes()
    assert waiting.endswith(b"a record")


def test_data_is_replaced_only_when_that_is_said(project, journal_dir, file):
    run("backup", file)
    Project.objects.create(slug="later", name="Later")
    with pytest.raises(CommandError, match="--replace deletes it"):
        run("restore", file)
    assert Project.objects.filter(slug="later").exists()
    run("restore", file, replace=True)
    assert not Project.objects.filter(slug="later").exists()


def test_a_database_in_use_is_not_replaced(project, file):
    run("backup", file)
    settings = connection.settings_dict
    with (
        psycopg.connect(host=settings["HOST"], user=settings["USER"], dbname=settings["NAME"]),
        pytest.raises(CommandError, match="stop the service first"),
    ):
        run("restore", file, replace=True)


def test_a_backup_is_never_overwritten_and_is_its_owners_alone(project, file):
    run("backup", file)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CommandError, match="exists already"):
        run("backup", file)
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_a_damaged_byte_is_found_before_anything_changes(project, file):
    run("backup", file)
    with tarfile.open(file) as tar:
        place = tar.getmember(archive.DUMP).offset_data + 5000
    raw = bytearray(file.read_bytes())
    raw[place] ^= 1
    file.write_bytes(raw)
    with pytest.raises(CommandError, match=r"damaged: database\.dump"):
        run("restore", file, replace=True)
    assert Project.objects.exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"migrations": ["routing.9999_later"]}, "later Shadoweval"),
        ({"postgres": 99}, "upgrade the server"),
        ({"format": 2}, "format 2"),
        ({"rows": {"routing_project": 7}}, "routing_project has not 7 rows"),
    ],
)
def test_what_does_not_fit_changes_nothing(project, file, tmp_path, change, reason):
    run("backup", file)
    _say_otherwise(file, tmp_path / "apart", change)
    with pytest.raises(CommandError, match=reason):
        run("restore", file, replace=True)
    assert Project.objects.count() == 1


def test_no_backup_is_said_to_be_none(project, file):
    file.write_bytes(b"something else")
    with pytest.raises(CommandError, match="no backup that can be read"):
        run("restore", file, replace=True)


def test_no_secret_is_printed_or_given_on_a_command_line(project, file, settings, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", "hunter2")
    seen = []
    started = dumps._reading
    monkeypatch.setattr(dumps, "_reading", lambda command: seen.extend(command) or started(command))
    said = run("backup", file)
    assert "hunter2" not in said + " ".join(seen)
    assert settings.SECRET_KEY.encode() not in file.read_bytes()


def test_an_older_program_than_the_server_is_passed_over(monkeypatch, tmp_path):
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = whole.dumps.programs.find("pg_dump", dumps.server_major())
    assert found != old


def _say_otherwise(file, folder, change):
    """Pack the same backup with another manifest."""
    with tarfile.open(file) as tar:
        tar.extractall(folder, filter="data")
        names = tar.getnames()
    said = json.loads((folder / archive.MANIFEST).read_text())
    (folder / archive.MANIFEST).write_text(json.dumps(said | change))
    with tarfile.open(file, "w") as tar:
        for name in names:
            tar.add(folder / name, name, recursive=False)
