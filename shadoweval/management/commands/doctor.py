"""Check the installation and say what to mend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from routing.embedders import minilm
from routing.models import Deployment, RouterVersion


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        version: str = cursor.fetchone()[0]
    return f"Postgres {version}"


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        raise RuntimeError(f"{len(plan)} migrations are missing: run `manage.py migrate`")
    return "all applied"


def _redis() -> str:
    cache.set("doctor", 1, 10)
    return "answers"


def _weights() -> str:
    weights = minilm.weights_dir() / "model.safetensors"
    if not weights.exists():
        raise RuntimeError("the MiniLM weights are missing: run `make install`")
    return "MiniLM weights are there"


def _router() -> str:
    if not RouterVersion.objects.exists():
        raise RuntimeError("no router yet: start once with `manage.py serve`")
    return f"{RouterVersion.objects.count()} version(s)"


def _policy() -> str:
    if not Deployment.objects.exists():
        raise RuntimeError("no live policy yet: start once with `manage.py serve`")
    return str(Deployment.objects.select_related("policy").first())


def _provider() -> str:
    if settings.SHADOWEVAL_SIMULATED:
        return "simulated; set ANTHROPIC_API_KEY to ask real models"
    return f"Anthropic at {settings.SHADOWEVAL_ANTHROPIC_URL}"


CHECKS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("Database", _database),
    ("Migrations", _migrations),
    ("Redis", _redis),
    ("Embedder", _weights),
    ("Router", _router),
    ("Policy", _policy),
    ("Provider", _provider),
)


class Command(BaseCommand):
    """`manage.py doctor`."""

    help = "Check the installation and say what to mend."

    def handle(self, *args: Any, **options: Any) -> None:
        failed = 0
        for name, check in CHECKS:
            try:
                self.stdout.write(f"ok    {name}: {check()}")
            except Exception as exc:
                failed += 1
                reason = (
                    str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
                )
                self.stdout.write(f"MEND  {name}: {reason}")
        if failed:
            raise CommandError(
                f"{failed} of {len(CHECKS)} checks failed. Is it running (`make run`)?"
            )
        self.stdout.write("Everything is in order.")
