"""The address of a mail server becomes settings; a wrong one is never shown."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from shadoweval import mail

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail", ("mail", 25, "", "", False, False)),
        ("smtp+tls://me:p%40ss%3A@mail:2525", ("mail", 2525, "me", "p@ss:", True, False)),
        ("smtps://me:p@mail", ("mail", 465, "me", "p", False, True)),
        ("", None),
    ],
)
def test_addresses(url, expected):
    assert mail.read("X", url) == expected


@pytest.mark.parametrize("url", ["smtp://", "smtp://me:s3cret@mail:x", "smtp://me:s3cret@:25"])
def test_a_wrong_address_is_not_shown(url):
    with pytest.raises(ImproperlyConfigured) as caught:
        mail.read("X", url)
    assert "s3cret" not in str(caught.value)


def test_settings_follow_the_address():
    ask = (
        "from django.conf import settings as s;"
        "print(s.SHADOWEVAL_MAIL, s.EMAIL_HOST, s.EMAIL_PORT, s.EMAIL_USE_TLS, s.EMAIL_USE_SSL,"
        "s.EMAIL_HOST_PASSWORD, s.DEFAULT_FROM_EMAIL, s.EMAIL_BACKEND)"
    )
    name, url = "SHADOWEVAL_EMAIL_URL", "smtp+tls://me%40example.org:p@mail:2525"
    said = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-v", "0", "-c", ask],
        cwd=ROOT, env=os.environ | {name: url}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    backend = "django.core.mail.backends.smtp.EmailBackend"
    assert said.stdout.strip() == f"True mail 2525 True False p me@example.org {backend}"
