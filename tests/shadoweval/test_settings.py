"""A wrong setting is one sentence that says what to write instead."""

import os
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
