"""Passwords are not guessed: one name from one address has few tries, and nobody else fewer."""

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from redis.exceptions import ConnectionError as Away

from reviews import rates

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def people(settings, project):
    cache.clear()
    settings.SHADOWEVAL_LOGIN_TRIES = 3
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for name in ("ann", "bob"):
        User.objects.create_user(name, password="right")


def log_in(client, name, password, address="203.0.113.7", path="/login/"):
    said = {"username": name, "password": password}
    return client.post(path, said, REMOTE_ADDR=address)


def test_a_name_has_few_tries_from_one_address_and_the_right_password_helps_no_more(client):
    for _ in range(3):
        assert log_in(client, "ann", "wrong").status_code == 200
    answer = log_in(client, "ANN ", "right")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "900")
    assert b"wait 15 minutes" in answer.content
    assert log_in(client, "ann", "right", path="/admin/login/").status_code == 429


def test_neither_the_office_nor_the_person_elsewhere_is_locked_out(client):
    for _ in range(4):
        log_in(client, "ann", "wrong")
    assert log_in(client, "bob", "right").status_code == 302
    assert log_in(client, "ann", "right", address="198.51.100.2").status_code == 302


def test_who_gets_in_begins_anew(client):
    for _ in range(2):
        log_in(client, "ann", "wrong")
    assert log_in(client, "ann", "right").status_code == 302
    client.logout()
    for _ in range(2):
        assert log_in(client, "ann", "wrong").status_code == 200
    assert log_in(client, "ann", "right").status_code == 302


def test_django_admins_own_form_is_ours_and_is_counted(client):
    for _ in range(3):
        log_in(client, "ann", "wrong", path="/admin/login/")
    assert log_in(client, "ann", "right").status_code == 429


class _Away:
    def __getattr__(self, name):
        def fail(*args, **kwargs):
            raise Away("Redis is away")

        return fail


def test_with_redis_away_people_come_in_and_the_log_says_so(monkeypatch, caplog):
    monkeypatch.setattr(rates, "cache", _Away())
    rates.check_log_in("ann", "x", 1)
    rates.count_wrong("ann", "x")
    rates.forget_wrong("ann", "x")
    assert "not counted" in caplog.text
    assert "ann" not in caplog.text
