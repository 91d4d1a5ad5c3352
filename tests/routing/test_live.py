"""What a process knows of keys and policies, when the database answers and when it does not."""

import threading
import time

import pytest
from django.db import OperationalError

from routing import access
from routing.live import Live


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
