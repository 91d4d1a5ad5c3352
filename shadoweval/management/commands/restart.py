"""Replace the processes of a running `serve`, one after the other, without losing a request."""

from __future__ import annotations

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from shadoweval import running

_LIMIT_S = 600.0


class Command(BaseCommand):
    """`manage.py restart`."""

    help = "Replace the processes of a running `serve`, one after the other; no request is lost."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--timeout", type=float, default=_LIMIT_S, metavar="S")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            problem = running.restart(settings.VAR_DIR, options["timeout"])
        except running.NotRunning as exc:
            raise CommandError(str(exc)) from exc
        except TimeoutError as exc:
            raise CommandError("The restart goes on; its end was not waited for.") from exc
        if problem:
            raise CommandError(f"Not restarted: {problem}")
        self.stdout.write("Restarted.")
