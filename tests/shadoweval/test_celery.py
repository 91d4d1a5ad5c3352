"""Every process sends its tasks to the configured broker, and some stand back for others."""

import socket
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from shadoweval.management.commands import serve

_ASK = "from routing.tasks import run_shadow_jobs as t; print(t.app.main, t.app.conf.broker_url)"


def test_a_web_process_knows_the_broker():
    said = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-v", "0", "-c", _ASK],
        cwd=Path(__file__).parents[2], check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert said.stdout.split() == ["shadoweval", settings.CELERY_BROKER_URL]


def test_whom_people_wait_for_stands_back_least():
    with socket.socket() as listener:
        nice = {service.name: service.nice for service in serve._services(listener)}
    assert nice["web"] < nice["indexer"] < nice["worker"] < nice["trainer"]
