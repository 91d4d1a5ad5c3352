"""The doctor names what is missing and what to do about it."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from routing.models import Deployment

pytestmark = pytest.mark.django_db


def ask_doctor():
    out = StringIO()
    try:
        call_command("doctor", stdout=out)
    except CommandError as exc:
        out.write(f"failed: {exc}")
    return out.getvalue()


def test_a_whole_installation_is_in_order(project):
    said = ask_doctor()
    assert "Everything is in order." in said
    assert "MEND" not in said
    assert "Postgres" in said


def test_what_is_missing_is_named_with_the_remedy(db):
    said = ask_doctor()
    assert "MEND  Router: no router yet: start once with `manage.py serve`" in said
    assert "MEND  Policy" in said
    assert "failed: 2 of 7 checks failed" in said


def test_redis_away_is_one_line_among_the_others(project, settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1",
        }
    }
    said = ask_doctor()
    assert "MEND  Redis: " in said
    assert "ok    Policy" in said
    assert Deployment.objects.count() == 1
