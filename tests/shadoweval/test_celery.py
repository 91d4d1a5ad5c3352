"""Every process sends its tasks to the configured broker, not to Celery's default."""

import subprocess
import sys
from pathlib import Path

from django.conf import settings

_ASK = "from routing.tasks import run_shadow_jobs as t; print(t.app.main, t.app.conf.broker_url)"


def test_a_web_process_knows_the_broker():
    said = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-v", "0", "-c", _ASK],
        cwd=Path(__file__).parents[2], check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert said.stdout.split() == ["shadoweval", settings.CELERY_BROKER_URL]
