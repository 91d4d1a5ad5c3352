"""Load or remove the demo."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from reviews import demo


class Command(BaseCommand):
    """`manage.py demo [--remove]`."""

    help = "Load content to look at, or remove it again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--remove", action="store_true", help="remove the demo")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["remove"]:
            demo.remove()
            self.stdout.write("The demo is gone.")
            return
        project = demo.load()
        self.stdout.write(f"See {settings.PUBLIC_URL}/overview/?project={project.slug}")
