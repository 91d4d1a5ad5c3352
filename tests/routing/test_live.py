"""What a process knows of keys and policies, when the database answers and when it does not."""

import hashlib
import threading
import time
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import OperationalError

from routing import access, lastknown, policy
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


class Gone(Live):
    """A process whose database is away until it `is_back`."""

    is_back = False

    def _read(self):
        if not self.is_back:
            raise OperationalError
        super()._read()


@pytest.mark.django_db(transaction=True)
def test_a_start_without_the_database_goes_by_what_was_known_last(project, api_key, settings):
    project.keeps = "redacted"
    project.save()
    known, gone = Live(), Gone()
    known.start()
    known.stop()
    gone.start()
    ramp, key = gone.snapshot.ramps[project.pk], gone.snapshot.keys[access.digest(api_key)]
    try:
        assert (ramp, key) == (known.snapshot.ramps[project.pk], known.snapshot.keys[key_of(gone)])
        assert ramp.target.tier_spec(Tier.CHEAP) == policy.live(project).tier_spec(Tier.CHEAP)
        assert gone.router(ramp.target.router) is not None
        assert (gone.is_fresh, gone.has_read) == (False, False)
        gone.is_back = True
        gone.refresh()
        assert (gone.is_fresh, gone.has_read) == (True, True)
    finally:
        gone.stop()
    assert {path.stat().st_mode & 0o777 for path in settings.SHADOWEVAL_INDEX_DIR.iterdir()} == {
        0o600
    }


def key_of(known):
    """Return the digest of the only key that is known."""
    (digest,) = known.snapshot.keys
    return digest


@pytest.mark.django_db(transaction=True)
def test_what_was_known_last_follows_changes_and_forgets_old_routers(project, starter, api_key):
    known = Live()
    known.start()
    artifact = bytes(starter.artifact) + b" "
    sha256 = hashlib.sha256(artifact).hexdigest()
    router = RouterVersion.objects.create(
        name="test-2", kind="gone", embedder="", artifact=artifact, sha256=sha256
    )
    tiers = {tier.value: policy.live(project).tier_spec(tier) for tier in Tier}
    target = policy.create(project=project, router=router, threshold=0.4, **tiers)
    policy.deploy(target, by=None, reason="test")
    known.refresh()
    known.stop()
    known._write()
    (deployment,), (key,) = lastknown.read()
    assert (deployment.policy, deployment.rest, key.project) == (target, None, project)
    assert deployment.policy.router.artifact == artifact
    (held,) = Path(django_settings.SHADOWEVAL_INDEX_DIR).glob("router-*")
    held.write_bytes(b"another")
    assert lastknown.read()[0][0].policy.router.artifact == b""


@pytest.mark.django_db(transaction=True)
def test_what_found_no_room_is_kept_when_there_is_some(
    project, api_key, settings, tmp_path, caplog
):
    """Else a key that was revoked meanwhile would be accepted by a start without the database."""
    place, blocked = settings.SHADOWEVAL_INDEX_DIR, tmp_path / "blocked"
    blocked.touch()
    known = Live()
    known.refresh()
    settings.SHADOWEVAL_INDEX_DIR = blocked
    known._write()
    known._write()
    assert caplog.text.count("cannot be kept") == 1
    settings.SHADOWEVAL_INDEX_DIR = place
    known._write()
    assert [key.project for key in lastknown.read()[1]] == [project]


def test_what_was_known_last_is_taken_from_nobody_else(settings, caplog):
    lastknown.write([], [])
    settings.SECRET_KEY = "another installation's"
    assert lastknown.read() == ([], [])
    assert "BadSignature" in caplog.text
