"""The starter router: one for each embedder, written once, loadable as it is stored."""

import pytest

from routing import embedders, routers, training
from routing.models import RouterVersion

pytestmark = pytest.mark.django_db


def test_a_changed_embedder_writes_another_starter_and_keeps_the_first(starter, settings):
    settings.SHADOWEVAL_EMBEDDER = "static"
    version = training.fit_starter()
    assert training.fit_starter() == version
    assert (version.name, version.embedder) == ("starter-static-1", embedders.NAMES["static"])
    assert RouterVersion.objects.count() == 2
    router = routers.load(version.kind, bytes(version.artifact), version.embedder)
    assert 0 < router.score("Prove that there are infinitely many primes.").value < 1
