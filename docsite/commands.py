"""The page of commands: each says of itself what it does."""

from __future__ import annotations

import re
from pathlib import Path

from django.core.management import get_commands, load_command_class

from docsite.paths import ROOT

_OURS = ("shadoweval", "routing", "reviews")
_TARGET = re.compile(r"^([\w-]+):.*?## (.+)$", re.MULTILINE)
#: Django's own options, the same for every command.
_USUAL = (
    "version", "verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color",
    "skip_checks", "help",
)  # fmt: skip


def page() -> str:
    """Return the page, in Markdown."""
    ours = sorted(name for name, app in get_commands().items() if app in _OURS)
    parts = ["# Commands", "## make", _targets(ROOT / "Makefile")]
    parts += ["## manage.py", "Each is run as `.venv/bin/python manage.py NAME`."]
    return "\n\n".join([*parts, *(_command(name) for name in ours)]) + "\n"


def _targets(makefile: Path) -> str:
    rows = [f"| `make {name}` | {what} |" for name, what in _TARGET.findall(makefile.read_text())]
    return "\n".join(["| target | what it does |", "|---|---|", *rows])


def _command(name: str) -> str:
    command = load_command_class(get_commands()[name], name)
    parser = command.create_parser("manage.py", name)
    rows = [
        f"| `{', '.join(one.option_strings) or one.metavar or one.dest}` | {_words(one.help)} |"
        for one in parser._actions
        if one.dest not in _USUAL
    ]
    table = ["| argument | meaning |", "|---|---|", *rows] if rows else []
    return "\n\n".join([f"### {name}", command.help or "", "\n".join(table)]).rstrip()


def _words(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("%%", "%")
