"""The Celery application; tasks live in each package's tasks.py."""

import os
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shadoweval.settings")

app = Celery("shadoweval")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.worker_ready.connect
def _begin(sender: Any, **_: Any) -> None:
    """Have a worker tell its figures to who answers for all; it ends with the process."""
    from shadoweval import telling  # its settings are there only now

    telling.Teller(sender.hostname.partition("@")[0]).start()
