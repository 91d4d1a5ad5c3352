"""`manage.py list_metrics`: every figure that /metrics tells, as a table for the documentation."""

from typing import Any

from django.core.management.base import BaseCommand

from shadoweval import metrics


class Command(BaseCommand):
    help = "Print a table (Markdown) of every metric, with its kind, labels and meaning."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("| metric | kind | labels | meaning |\n|---|---|---|---|")
        for row in metrics.catalogue():
            labels = ", ".join(f"`{label}`" for label in row.labels)
            self.stdout.write(f"| `{row.name}` | {row.kind} | {labels} | {row.help} |")
