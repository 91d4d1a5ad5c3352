"""Write a project whose tiers ask the stand-in, and print its number and key.

A program of its own: the tests' process is bound to another database.

    python -m tests.chaos.prepare '{"name": "a", "url": "http://127.0.0.1:1", "cap_usd": "1.5"}'
"""

import hashlib
import json
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shadoweval.settings")

SMALL, LARGE = "small", "large"
#: Rules alone decide the prompts of these tests: 0 for a greeting, 1 for many code blocks.
THRESHOLD = 0.5
#: USD per million tokens; a thousand times too dear, so that few calls reach a cap.
INPUT_USD, OUTPUT_USD = 1000, 5000


def main(said: dict) -> None:
    import django

    django.setup()
    from decimal import Decimal

    from routing import access, policy
    from routing.models import Project
    from routing.types import Price, TierSpec

    price = Price(
        Decimal(INPUT_USD),
        Decimal(OUTPUT_USD),
        cache_write_usd=Decimal(INPUT_USD),
        cache_read_usd=Decimal(INPUT_USD),
        source="made up",
        date="2026-01-01",
    )
    fields = {"shadow_daily_usd": Decimal(said["cap_usd"])} if said.get("cap_usd") else {}
    project = Project.objects.create(slug=said["name"], name=said["name"], **fields)
    tiers = [
        TierSpec(provider="anthropic", model=model, base_url=said["url"], price=price)
        for model in (SMALL, LARGE)
    ]
    first = policy.create(
        project=project, router=_router(), threshold=THRESHOLD, cheap=tiers[0], expensive=tiers[1]
    )
    policy.deploy(first, by=None, reason="test")
    print(json.dumps({"project": project.pk, "key": access.create_key(project, "load")[0]}))


def _router():
    """Return a router that knows nothing but the rules."""
    from routing.models import RouterVersion
    from routing.routers import constant

    artifact = constant.dumps(1.0)
    sha256 = hashlib.sha256(artifact).hexdigest()
    return RouterVersion.objects.get_or_create(
        name="chaos", defaults={"kind": constant.KIND, "artifact": artifact, "sha256": sha256}
    )[0]


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
