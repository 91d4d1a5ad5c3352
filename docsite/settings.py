"""The page of settings: names of .env.example with what docs/operations.md says of each."""

from __future__ import annotations

import re

from docsite.paths import DOCS, ROOT

_NAME = re.compile(r"^# ?([A-Z][A-Z0-9_]+)=", re.MULTILINE)
_ROW = re.compile(r"^\| (`[A-Z].+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
_NAMES = re.compile(r"`([A-Z][A-Z0-9_]+)`")


def page() -> str:
    """Return the page, in Markdown."""
    meanings = told()
    rows = [f"| `{name}` | {' | '.join(meanings[name])} |" for name in sorted(meanings)]
    head = [
        "# Settings",
        "",
        "Read from the environment. Texts and lists can also come from a file: `NAME_FILE`.",
        "How they go together stands under [Operations](../operations.md#settings).",
        "",
        "| name | default | meaning |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def told() -> dict[str, tuple[str, str]]:
    """Return default and meaning by name, of every row of the tables of settings."""
    found: dict[str, tuple[str, str]] = {}
    for page in ("operations.md", *(f"guides/{one.name}" for one in DOCS.glob("guides/*.md"))):
        for names, default, meaning in _ROW.findall((DOCS / page).read_text()):
            for name in _NAMES.findall(names):
                found.setdefault(name, (default, re.sub(r"\]\((?!http)", "](../", meaning)))
    return found


def exampled() -> list[str]:
    """Return the names that .env.example shows."""
    return _NAME.findall((ROOT / ".env.example").read_text())
