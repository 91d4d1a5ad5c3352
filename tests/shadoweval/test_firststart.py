"""The first start leaves people and a note of them, or neither."""

import pytest
from django.contrib.auth.models import User

from routing.models import ApiKey
from shadoweval import firststart

pytestmark = pytest.mark.django_db


def test_people_whose_note_cannot_be_written_are_not_made(project, settings, tmp_path):
    (tmp_path / "file").touch()
    settings.VAR_DIR = tmp_path / "file" / "var"
    with pytest.raises(OSError):
        firststart.write_people(project)
    assert not User.objects.exists()
    assert not ApiKey.objects.exists()


def test_the_note_is_private_names_everybody_and_is_written_once(project, settings, tmp_path):
    settings.VAR_DIR = tmp_path
    firststart.write_people(project)
    note = tmp_path / firststart.NOTE
    said = note.read_text()
    assert note.stat().st_mode & 0o077 == 0
    assert all(name in said for name in ("admin", "engineer", "product", "rater", "sk-shadow-"))
    firststart.write_people(project)
    assert note.read_text() == said
    password = next(line.split()[1] for line in said.splitlines() if line.strip()[:5] == "rater")
    assert User.objects.get(username="rater").check_password(password)
