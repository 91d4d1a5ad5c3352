"""Write a router version that is configured instead of trained."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from routing import routers
from routing.models import RouterVersion
from routing.routers import hybrid


class Command(BaseCommand):
    """`manage.py make_router KIND --name N [--options JSON] [--inner NAME]`."""

    help = "Write a cascade, hybrid, rules or control as a router version. It decides nothing yet."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", help="its name; options and defaults are on its card")
        parser.add_argument("--name", required=True, help="of the version; new")
        parser.add_argument("--options", default="{}", help="a JSON object")
        parser.add_argument("--inner", help="the version that a hybrid asks first")

    def handle(self, *args: Any, **options: Any) -> None:
        name, inner = options["name"], _inner(options["kind"], options["inner"])
        if not name or len(name) > 80 or RouterVersion.objects.filter(name=name).exists():
            raise CommandError("The name must be new, and has at most 80 letters.")
        try:
            artifact = _artifact(options["kind"], json.loads(options["options"]), inner)
            routers.load(options["kind"], artifact, inner.embedder if inner else "")
        except (ValueError, KeyError, TypeError) as exc:
            raise CommandError(f"This router cannot be made: {exc}") from exc
        row = RouterVersion.objects.create(
            name=name,
            kind=options["kind"],
            embedder=inner.embedder if inner else "",
            artifact=artifact,
            sha256=hashlib.sha256(artifact).hexdigest(),
            # What the inner one learnt from, the whole did: its studies begin after that.
            project=inner.project if inner else None,
            trained_until=inner.trained_until if inner else None,
            card={"inner": inner.name} if inner else {},
        )
        self.stdout.write(f"{row} is router version {row.pk}.")


def _inner(kind: str, name: str | None) -> RouterVersion | None:
    if (kind == hybrid.KIND) != bool(name):
        raise CommandError("A hybrid names the version that it asks first by --inner; no other.")
    found = RouterVersion.objects.filter(name=name).first() if name else None
    if name and found is None:
        raise CommandError(f"There is no router version {name!r}.")
    return found


def _artifact(kind: str, said: dict[str, Any], inner: RouterVersion | None) -> bytes:
    if inner is not None:
        first = hybrid.Inner(inner.kind, inner.embedder, bytes(inner.artifact))
        return hybrid.dumps(said, first)
    known = routers.kinds().get(kind)
    if known is None or known.make is None:
        made = ", ".join(name for name, one in routers.kinds().items() if one.make)
        raise ValueError(f"there are {made} and {hybrid.KIND}.")
    return known.make(said)
