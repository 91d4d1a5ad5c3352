"""Check the installation and say what to mend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
from django.conf import settings
from django.core.cache import cache
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from routing import policy
from routing.embedders import minilm
from routing.models import Project, RouterVersion
from shadoweval import reach


def _database() -> str:
    if problem := reach.database_problem():
        raise RuntimeError(problem)
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
    found = [(project, policy.live(project)) for project in Project.objects.filter(kind="live")]
    said = [
        f"{project} has {live.name}" + (" (simulated)" if live.is_simulated else "")
        for project, live in found
        if live
    ]
    if not said:
        raise RuntimeError("no live policy yet: start once with `manage.py serve`")
    return ", ".join(said)


def _provider() -> str:
    """Ask for the list of models: it costs nothing and shows whether the key is taken."""
    if settings.SHADOWEVAL_SIMULATED:
        return "simulated in this shell; set ANTHROPIC_API_KEY where it runs to ask real models"
    where = settings.SHADOWEVAL_ANTHROPIC_URL
    try:
        with anthropic.Anthropic(base_url=where, max_retries=0, timeout=10) as client:
            client.models.list(limit=1)
    except anthropic.AuthenticationError as exc:
        raise RuntimeError(f"{where} refuses the ANTHROPIC_API_KEY of this shell") from exc
    except anthropic.APIConnectionError as exc:
        raise RuntimeError(f"{where} cannot be reached: check the network and the URL") from exc
    except anthropic.APIStatusError as exc:
        return f"Anthropic at {where} (its list of models answers {exc.status_code})"
    return f"Anthropic at {where}"


CHECKS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("Database", _database),
    ("Migrations", _migrations),
    ("Redis", _redis),
    ("Embedder", _weights),
    ("Router", _router),
    ("Policy", _policy),
    ("Provider", _provider),
)


_NEED_DATABASE = {_migrations, _router, _policy}


class Command(BaseCommand):
    """`manage.py doctor`."""

    help = "Check the installation and say what to mend."

    def handle(self, *args: Any, **options: Any) -> None:
        failed = 0
        no_database = False
        for name, check in CHECKS:
            if no_database and check in _NEED_DATABASE:
                self.stdout.write(f"  ?   {name}: not checked without the database")
                continue
            try:
                self.stdout.write(f"ok    {name}: {check()}")
            except Exception as exc:
                failed += 1
                no_database = no_database or check is _database
                reason = (
                    str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
                )
                self.stdout.write(f"MEND  {name}: {reason}")
        if failed:
            raise CommandError(
                f"{failed} of {len(CHECKS)} checks failed. Is it running (`make run`)?"
            )
        self.stdout.write("Everything is in order.")
