"""Write everything rated in a study to a file."""

from pathlib import Path
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from reviews.exchange import blindness
from reviews.exchange.columns import columns
from reviews.exchange.exports import Export
from reviews.exchange.formats import FORMATS, encode
from reviews.models import Study


class Command(BaseCommand):
    """`manage.py export STUDY [--format F] [--out FILE] [--texts] [--names]`."""

    help = "Write everything rated in a study to a file; nothing is left out."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", type=int, help="number of the study")
        parser.add_argument("--format", choices=list(FORMATS), default="csv")
        parser.add_argument("--out", type=Path, help="default: study-N.FORMAT")
        parser.add_argument("--texts", action="store_true", help="with question and answers")
        parser.add_argument("--names", action="store_true", help="raters by name")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(pk=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']}.")
        hidden = blindness.hidden_from_nobody()
        export = Export(study, hidden, texts=options["texts"], names=options["names"])
        fmt = options["format"]
        out = options["out"] or Path(f"study-{study.pk}.{fmt}")
        total, _ = export.count()
        console = Console(file=cast("IO[str]", self.stdout))
        try:
            _write(export, fmt, out, total, console)
        except OSError as exc:
            raise CommandError(f"{out} cannot be written: {type(exc).__name__}.") from exc
        self.stdout.write(f"{total} rows are in {out}.")


def _write(export: Export, fmt: str, out: Path, total: int, console: Console) -> None:
    with out.open("wb") as file, Progress(console=console) as bars:
        bar = bars.add_task("Rows", total=total)

        def counted() -> Any:
            for rows in export.chunks():
                yield rows
                bars.advance(bar, len(rows))

        for piece in encode(counted(), fmt, columns(texts=export.texts)):
            file.write(piece)
