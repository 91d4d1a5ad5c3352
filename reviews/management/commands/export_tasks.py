"""Write a study's pairs as blind tasks for another tool."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from reviews.exchange import blindtasks, imports
from reviews.models import Study


class Command(BaseCommand):
    """`manage.py export_tasks STUDY --for TOOL [--out FILE] [--limit N]`."""

    help = "Write the drawn pairs of a study as blind tasks for Label Studio or Argilla."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", type=int, help="number of the study")
        parser.add_argument("--for", dest="tool", choices=list(imports.TOOLS), required=True)
        parser.add_argument("--out", type=Path, help="default: tasks-N-TOOL.json")
        parser.add_argument("--limit", type=int, help="only the first N of the queue")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(pk=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']}.")
        tool, limit = options["tool"], options["limit"]
        if limit is not None and limit < 1:
            raise CommandError("--limit is 1 or more.")
        out = options["out"] or Path(f"tasks-{study.pk}-{tool}.json")
        try:
            with out.open("w", encoding="utf-8") as file:
                file.writelines(blindtasks.write(study, tool, limit))
        except OSError as exc:
            raise CommandError(f"{out} cannot be written: {type(exc).__name__}.") from exc
        n = blindtasks.count(study)
        self.stdout.write(f"{min(n, limit or n)} tasks are in {out}.")
