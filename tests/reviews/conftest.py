"""Fixtures of the review tests."""

import threading

import pytest
from django.db import connection

from routing import shifts


@pytest.fixture
def worker(transactional_db):
    """Run shadow jobs all the time, as a worker would."""
    stop = threading.Event()

    def work():
        while not stop.wait(0.05):
            shifts.run()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()
