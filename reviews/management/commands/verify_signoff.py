"""Check a decision pack, the live audit trail of a project, or one against the other."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from reviews import audit, pack
from reviews.pack import comparing
from routing.models import Project


class Command(BaseCommand):
    help = "Check a decision pack (no database needed) and, with --project, the live audit trail."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own way to ask for none

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("pack", nargs="?", type=Path, help="a pack.zip of a sign-off")
        parser.add_argument("--project", help="slug of the project whose live trail is checked")

    def handle(self, *args: Any, **options: Any) -> None:
        path, slug = options["pack"], options["project"]
        if path is None and slug is None:
            raise CommandError("Name a pack, or a project with --project.")
        faults = [] if path is None else pack.check(path)
        if slug is not None:
            faults += self._of_project(slug, path)
        for fault in faults:
            self.stdout.write(f"FAULT  {fault}")
        if faults:
            raise CommandError(
                "1 fault." if len(faults) == 1 else f"{len(faults)} faults.", returncode=1
            )
        for remark in [] if path is None else pack.remarks(path):
            self.stdout.write(f"NOTE  {remark}")
        self.stdout.write("OK  all of it fits together")

    def _of_project(self, slug: str, path: Path | None) -> list[str]:
        project = Project.objects.filter(slug=slug).first()
        if project is None:
            raise CommandError(f"There is no project {slug}. {_known()}", returncode=2)
        found = [f"trail of {slug}: {fault}" for fault in audit.verify(project)]
        return found if path is None else found + comparing.faults(project, path)


def _known() -> str:
    """Return which projects can be named instead."""
    slugs = Project.objects.order_by("slug").values_list("slug", flat=True)
    return f"There are: {', '.join(slugs)}." if slugs else "There is none at all."
