"""Delete everything about one end user of a project."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from reviews import forgetting
from reviews.errors import BadInput
from routing.models import Project


class Command(BaseCommand):
    """`manage.py forget --project SLUG --user ID`."""

    help = "Delete everything about one end user: requests, answers, ratings of them, journals."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, help="slug of the project")
        parser.add_argument("--user", required=True, help="as the application names them")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']}.")
        try:
            made = forgetting.forget(project, options["user"], None)
        except BadInput as exc:
            raise CommandError(str(exc)) from exc
        for table, n in made.counts.items():
            self.stdout.write(f"{table}: {n}")
        self.stdout.write(self.style.SUCCESS(f"Forgotten, {sum(made.counts.values())} rows."))
