"""Write what a new database needs: roles, starter router, project, first people and key."""

from typing import Any

from django.core.management.base import BaseCommand

from shadoweval import firststart


class Command(BaseCommand):
    """`manage.py first_start`; `serve` does this by itself."""

    help = "Prepare a new database: roles, starter router, project, first people and key."

    def handle(self, *args: Any, **options: Any) -> None:
        note = firststart.prepare()
        if note.exists():
            self.stdout.write(f"Logins and the first API key are in {note}; read and remove it.")
