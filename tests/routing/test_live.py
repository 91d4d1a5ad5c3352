"""What a process knows of keys and policies, when the database answers and when it does not."""

import threading
import time

import pytest
from django.db import OperationalError

from routing import access, policy
from routing.live import Live
from routing.models import RouterVersion
from routing.ramp import Ramp
from routing.types import Tier


class Away(Live):
    """A database that takes its time to say no."""

    def __init__(self):
        super().__init__()
        self.reads = 0

    def _read(self):
        self.reads += 1
        time.sleep(0.2)
        raise OperationalError


def test_who_waits_for_a_failing_look_up_shares_it():
    away, failed = Away(), []

    def look():
        try:
            away.refresh(since)
        except OperationalError:
            failed.append(1)

    since = time.monotonic()
    threads = [threading.Thread(target=look) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (away.reads, len(failed), away.is_fresh) == (1, 1, False)


@pytest.mark.django_db(transaction=True)
def test_a_new_key_is_known_after_one_refresh_and_a_revoked_one_is_not(project):
    known = Live()
    key, row = access.create_key(project, "k")
    known.refresh()
    assert (access.digest(key) in known.snapshot.keys, known.is_fresh) == (True, True)
    known.refresh(since=time.monotonic() - 60)  # somebody looked since: nothing to do
    access.revoke(row)
    known.refresh(since=time.monotonic())
    assert access.digest(key) not in known.snapshot.keys


@pytest.mark.django_db(transaction=True)
def test_a_ramp_is_known_after_one_refresh_with_the_routers_of_both(project, starter):
    known, rest = Live(), policy.live(project)
    known.refresh()
    assert known.snapshot.ramps == {project.pk: Ramp(rest)}
    router = RouterVersion.objects.create(
        name="test-2", kind=starter.kind, embedder=starter.embedder, artifact=starter.artifact,
        sha256=starter.sha256,
    )  # fmt: skip
    target = policy.create(
        project=project, router=router, threshold=0.4,
        **{tier.value: rest.tier_spec(tier) for tier in Tier},
    )  # fmt: skip
    policy.deploy(target, by=None, reason="test", share=0.25, rest=rest)
    fresh = Live()
    fresh.refresh()
    assert fresh.snapshot.ramps == {project.pk: Ramp(target, rest, 0.25)}
    assert None not in (fresh.router(router), fresh.router(starter))
    policy.deploy(target, by=None, reason="test")
    fresh.refresh()
    assert fresh.snapshot.ramps == {project.pk: Ramp(target)}


@pytest.mark.django_db(transaction=True)
def test_a_router_that_cannot_be_loaded_is_logged_once(project, starter, caplog):
    known, now = Live(), policy.live(project)
    router = RouterVersion.objects.create(name="test-2", kind="gone", artifact=b"", sha256="0" * 64)
    tiers = {tier.value: now.tier_spec(tier) for tier in Tier}
    target = policy.create(project=project, router=router, threshold=0.4, **tiers)
    policy.deploy(target, by=None, reason="test")
    known.refresh()
    known.refresh()
    assert known.router(router) is None
    assert caplog.text.count("cannot be loaded") == 1
