"""Put a backup in place of the database and the journal."""

from pathlib import Path
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from shadoweval.backup import stores, whole
from shadoweval.backup.errors import BackupError
from shadoweval.embedded import EmbeddedError


class Command(BaseCommand):
    """`manage.py restore FILE [--replace]`."""

    help = "Put a backup in place of the database and the journal; stop the service first."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="what `backup` wrote")
        parser.add_argument("--replace", action="store_true", help="delete the data that is there")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(file=cast("IO[str]", self.stdout))
        try:
            with stores.database():
                with Progress(console=console) as bars:
                    bar = bars.add_task("Tables", total=None)
                    manifest = whole.put(
                        options["file"].resolve(),
                        lambda table: bars.advance(bar),
                        replace=options["replace"],
                    )
                is_older = whole.unapplied()
        except (BackupError, EmbeddedError) as exc:
            raise CommandError(str(exc)) from exc
        except OSError as exc:
            raise CommandError(f"The restore failed: {exc.strerror} ({exc.filename}).") from exc
        rows = sum(manifest.rows.values())
        self.stdout.write(f"{rows} rows of {manifest.made_at} are restored, all tables counted.")
        if is_older:
            self.stdout.write("It is of an earlier version: run `manage.py migrate` now.")
