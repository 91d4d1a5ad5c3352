"""Write the database and the journal to one file."""

from pathlib import Path
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from shadoweval.backup import dumps, stores, whole
from shadoweval.backup.errors import BackupError
from shadoweval.embedded import EmbeddedError


class Command(BaseCommand):
    """`manage.py backup FILE`."""

    help = "Write the database and the journal to one file, while the service runs or not."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="made; must not be there yet")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        console = Console(file=cast("IO[str]", self.stdout))
        try:
            with stores.database(), Progress(console=console) as bars:
                bar = bars.add_task("Tables", total=len(dumps.tables()))
                manifest = whole.take(file.resolve(), lambda table: bars.advance(bar))
        except (BackupError, EmbeddedError) as exc:
            raise CommandError(str(exc)) from exc
        except OSError as exc:
            raise CommandError(f"{file} cannot be written: {exc.strerror}.") from exc
        size = file.stat().st_size / 1e6
        self.stdout.write(f"{sum(manifest.rows.values())} rows are in {file} ({size:.1f} MB).")
        self.stdout.write("It holds what people wrote, and no secret key: keep that apart.")
