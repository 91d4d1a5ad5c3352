"""What the first start leaves: an admin, people to sign with, an API key, and a note of them."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from reviews import permissions
from routing import access, bootstrap, training
from routing.models import Project

NOTE = "first-start.txt"


def keep_secret_key() -> None:
    """Write the key that signs sessions once, readable by its owner alone."""
    path = settings.VAR_DIR / "secret_key"
    if not path.exists():
        _write_private(path, settings.SECRET_KEY)


def prepare() -> Path:
    """Write what a database needs to serve: roles, starter router, project, and the first people.

    Returns the note with the login and the key; a second run changes nothing.
    """
    note = settings.VAR_DIR / NOTE
    permissions.ensure_roles()
    router = training.fit_starter()
    project = bootstrap.ensure_project(bootstrap.DEFAULT_PROJECT, "Default", router)
    for live in Project.objects.filter(kind=Project.Kind.LIVE):
        bootstrap.follow_provider(live)
    write_people(project)
    return note


@transaction.atomic
def write_people(project: Project) -> None:
    """Write the first people and the note of them, unless there is an admin already.

    Raises:
        OSError: when the note cannot be written; then the people are not there either.
    """
    if not User.objects.filter(Q(is_superuser=True) | Q(groups__name="admin")).exists():
        _write_private(settings.VAR_DIR / NOTE, _first_people(project))


def _first_people(project: Project) -> str:
    """Write admin, a rater and who else a sign-off takes; return the note that tells how to begin.

    Admin may ask as Engineering; two others then sign, one for each role.
    """
    lines = ["Logins (change the passwords, or remove the people you do not need):"]
    for name, roles in (
        ("admin", ("admin", "lead", "engineering")),
        ("engineer", ("engineering",)),
        ("product", ("product",)),
        ("rater", ("rater",)),
    ):
        password = secrets.token_urlsafe(9)
        user = User.objects.create_user(name, password=password)
        user.is_superuser = user.is_staff = name == "admin"
        user.save()
        permissions.give(user, *roles)
        lines.append(f"  {name:<8} {password}   ({', '.join(roles)})")
    key, _ = access.create_key(project, "first key")
    curl = (
        f"curl {settings.PUBLIC_URL}/v1/messages -H 'x-api-key: {key}' "
        "-H 'content-type: application/json' -d '"
        '{"model": "auto", "max_tokens": 300, '
        '"messages": [{"role": "user", "content": "What is a VAT return?"}]}'
        "'"
    )
    return "\n".join(
        [*lines, "", f"API key of project Default: {key}", "", "Try it:", f"  {curl}", ""]
    )


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
