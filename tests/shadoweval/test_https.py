"""Where people come by https, cookies and browsers stay with it."""

import json
import os
import subprocess
import sys

import pytest

SAID = """
import json, django
from django.conf import settings as s
print(json.dumps([s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY,
    s.SESSION_COOKIE_SAMESITE, s.SECURE_HSTS_SECONDS, s.SHADOWEVAL_PROVIDER_PRIVATE]))
"""


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://shadow.example.org", [True, True, True, "Lax", 31_536_000, False]),
        ("http://127.0.0.1:8000", [False, False, True, "Lax", 0, True]),
    ],
)
def test_settings_follow_the_public_address(url, wanted):
    stores = {"DATABASE_URL": "postgres://x/y", "REDIS_URL": "redis://x"}
    named = {"SHADOWEVAL_PUBLIC_URL": url, "DJANGO_SETTINGS_MODULE": "shadoweval.settings"}
    env = os.environ | stores | named
    said = subprocess.run([sys.executable, "-c", SAID], env=env, stdout=subprocess.PIPE, check=True)
    assert json.loads(said.stdout) == wanted


@pytest.mark.django_db
def test_a_browser_that_came_by_https_is_told_to_stay(client, settings):
    settings.SECURE_HSTS_SECONDS = 31_536_000
    assert client.get("/login/", secure=True).headers["strict-transport-security"]
    assert "strict-transport-security" not in client.get("/login/").headers
