"""Check the installation and say what to mend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.cache import cache
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from routing import policy, providers
from routing.embedders import files
from routing.errors import ModelsMissing, ProviderError, ProviderUnreachable
from routing.models import Project, RouterVersion
from routing.types import Tier, TierSpec
from shadoweval import reach

_PROBE_S = 10.0


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


def _models() -> str:
    try:
        noted = files.check(files.folder())
    except ModelsMissing as exc:
        remedy = f"run `python -m routing.embedders.build {files.folder()}`"
        raise RuntimeError(f"{exc}: {remedy}") from exc
    cosine = noted["agreement"]["int8_mean_cosine"]
    return (
        f"models are there and intact (int8 agrees with the original by a cosine of {cosine:.3f})"
    )


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
    """Ask each tier's provider for its models: that costs nothing and shows if the key is taken."""
    live = [policy.live(project) for project in Project.objects.filter(kind="live")]
    specs = [made.tier_spec(tier) for made in live if made for tier in Tier]
    places = {(spec.provider, spec.base_url, spec.key_name): spec for spec in specs}
    return "; ".join(_probe(spec) for spec in places.values())


def _probe(spec: TierSpec) -> str:
    if spec.provider == "simulated":
        return "simulated: name a provider, or set ANTHROPIC_API_KEY where it runs"
    where = f"{spec.provider} at {spec.base_url or 'its own address'}"
    key = f"the key {spec.key_name}" if spec.key_name else "a call without a key"
    try:
        providers.get(spec.provider).probe(spec, _PROBE_S)
    except ProviderError as exc:
        if exc.status in (401, 403):
            raise RuntimeError(f"{where} refuses {key} of this shell") from exc
        return f"{where} (its list of models answers {exc.status})"
    except ProviderUnreachable as exc:
        raise RuntimeError(f"{where} cannot be reached: check the network and the URL") from exc
    return where


CHECKS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("Database", _database),
    ("Migrations", _migrations),
    ("Redis", _redis),
    ("Embedder", _models),
    ("Router", _router),
    ("Policy", _policy),
    ("Provider", _provider),
)


_NEED_DATABASE = {_migrations, _router, _policy, _provider}


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
