"""Router versions, and what they say as challengers, without anybody training or waiting."""

import hashlib

from reviews import permissions
from routing.models import Challenger, ChallengerScore, RouterVersion
from routing.routers import assembled, constant, rules
from tests.reviews.signing import person


def version(name="router-2", value=0.5, project=None, kind=constant.CONTROL, **fields):
    """Write a version that gives everything the same score."""
    artifact = assembled.dumps(constant.dumps(value), rules=rules.NONE)
    return RouterVersion.objects.create(
        name=name, kind=kind, embedder="", artifact=artifact, project=project,
        sha256=hashlib.sha256(artifact).hexdigest(), **fields,
    )  # fmt: skip


def challenger(project, router):
    """Let a router challenge, whoever may."""
    return Challenger.objects.create(project=project, router=router)


def say(router, pairs, score):
    """Write what a router says of pairs: `score` of each pair's own score."""
    rows = [
        ChallengerScore(request_id=pair.request_id, router=router, score=score(pair.score))
        for pair in pairs
    ]
    return ChallengerScore.objects.bulk_create(rows)


def people():
    """Make who trains, who runs studies and who deploys; all of them one lead and one engineer."""
    permissions.ensure_roles()
    return person("lena", "lead"), person("emil", "engineering")
