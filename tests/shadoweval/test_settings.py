"""A wrong setting is one sentence that says what to write instead."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shadoweval import env

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DATABASE_URL", "junk", "DATABASE_URL must begin with postgres:// or postgresql://."),
        ("REDIS_URL", "junk", "REDIS_URL must begin with redis:// or rediss:// or unix://."),
        ("SHADOWEVAL_PORT", "abc", "SHADOWEVAL_PORT='abc' must be a number."),
        ("SHADOWEVAL_PORT", "0", "SHADOWEVAL_PORT='0' must lie between 1 and 65535."),
        ("SHADOWEVAL_DEBUG", "perhaps", "SHADOWEVAL_DEBUG='perhaps' must be one of true"),
        ("SHADOWEVAL_EMAIL_URL", "mail.example.org", "SHADOWEVAL_EMAIL_URL must begin with smtp"),
        ("SHADOWEVAL_OIDC_ROLES", "reviewers", "SHADOWEVAL_OIDC_ROLES must read like"),
        ("SHADOWEVAL_SECRET_KEY_FILE", "/nowhere", "SHADOWEVAL_SECRET_KEY_FILE=/nowhere cannot"),
    ],
)
def test_a_wrong_value_is_one_sentence(name, value, expected):
    result = subprocess.run(
        [sys.executable, "manage.py", "doctor"],
        cwd=ROOT, env=os.environ | {name: value}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 1
    assert result.stderr.startswith(expected)
    assert len(result.stderr.splitlines()) == 1


def test_values_are_read_in_their_usual_spellings(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("s3cret\n")
    monkeypatch.setenv("T_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("B", "Off")
    monkeypatch.setenv("W", "a, b,,c ")
    monkeypatch.setenv("N", "2.5")
    assert env.text("T") == "s3cret"
    assert env.boolean("B", True) is False
    assert env.words("W", "") == ["a", "b", "c"]
    assert env.number("N", 1, 0, 3) == 2.5
    assert env.url("T_NOT_SET", {"redis"}) == ""


def test_every_setting_is_in_the_example_and_in_the_operations_page():
    read = set(re.findall(r'env\.\w+\(\s*"(\w+)"', (ROOT / "shadoweval/settings.py").read_text()))
    assert len(read) > 25
    for page in (".env.example", "docs/operations.md"):
        known = set(re.findall(r"[A-Z][A-Z_]+[A-Z]", (ROOT / page).read_text()))
        assert read - known == set(), page


@pytest.mark.parametrize(("content", "expected"), [("k3y\n", "k3y False"), ("", "None True")])
def test_the_providers_key_may_come_as_a_file(tmp_path, content, expected):
    (tmp_path / "key").write_text(content)
    ask = (
        "import os; from django.conf import settings;"
        "print(os.environ.get('ANTHROPIC_API_KEY'), settings.SHADOWEVAL_SIMULATED)"
    )
    said = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-v", "0", "-c", ask],
        cwd=ROOT, env=os.environ | {"ANTHROPIC_API_KEY_FILE": str(tmp_path / "key")},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert said.stdout.strip() == expected
