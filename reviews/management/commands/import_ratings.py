"""Import what people said in another tool."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from reviews.errors import BadInput
from reviews.exchange import imports, labels
from reviews.exchange.labels import Names
from reviews.models import Study

_NAMES = (
    "left", "right", "preference", "left_adequate", "right_adequate", "left_supported",
    "right_supported",
)  # fmt: skip


class Command(BaseCommand):
    """`manage.py import_ratings STUDY FILE --from TOOL [--dry-run] [--skip-bad] [names]`."""

    help = "Import ratings that people gave in Label Studio or Argilla."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", type=int, help="number of the study")
        parser.add_argument("file", type=Path, help="JSON as the tool exports it")
        parser.add_argument("--from", dest="tool", choices=list(imports.TOOLS), required=True)
        parser.add_argument("--dry-run", action="store_true", help="say what would be added")
        parser.add_argument("--skip-bad", action="store_true", help="import the good rows")
        for name in _NAMES:
            option = f"--{name.replace('_', '-')}"
            parser.add_argument(option, default=getattr(Names(), name), help="its name there")
        parser.add_argument("--adequate-from", type=float, help="rating that is good enough")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(pk=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']}.")
        given = {name: options[name] for name in (*_NAMES, "adequate_from")}
        how = {"dry_run": options["dry_run"], "skip_bad": options["skip_bad"]}
        try:
            content = _content(options["file"])
            outcome = imports.run(study, content, options["tool"], Names(**given), **how)
        except BadInput as exc:
            raise CommandError(str(exc)) from exc
        for one in outcome.refused:
            self.stderr.write(f"row {one.row}: {one.reason}")
        self.stdout.write(str(outcome))
        self.stdout.write(f"{outcome.n_covered} of {outcome.n_drawn} drawn pairs are spoken about.")
        if not outcome.written and not options["dry_run"]:
            raise CommandError("Nothing was imported; --skip-bad imports the good rows.")


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(labels.MOST_BYTES + 1)  # enough to see that it is too large
    except OSError as exc:
        raise BadInput(f"{path} cannot be read: {type(exc).__name__}.") from exc
