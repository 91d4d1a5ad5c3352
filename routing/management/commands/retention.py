"""Delete old requests now, or say which would go."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from routing import retention
from routing.models import Project


class Command(BaseCommand):
    """`manage.py retention [--dry-run]`."""

    help = "Delete requests that are older than their project keeps them, as a worker does."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")

    def handle(self, *args: Any, **options: Any) -> None:
        for project in Project.objects.order_by("pk"):
            before = retention.cutoff(project)
            if before is None:
                self.stdout.write(f"{project}: everything is kept")
                continue
            n = retention.due(project, before).count()
            would = "would go" if options["dry_run"] else "go"
            self.stdout.write(f"{project}: {n} requests before {before:%Y-%m-%d %H:%M} {would}")
        while not options["dry_run"] and retention.run():
            pass
