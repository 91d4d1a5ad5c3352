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
    """Have a worker tell its figures to who answers for all, and its traces."""
    from django.conf import settings  # there only now

    from routing import tracing
    from shadoweval import telling

    teller = telling.Teller(sender.hostname.partition("@")[0])
    teller.start()
    tracing.start(teller.name, settings.SHADOWEVAL_OTLP_URL)


@signals.worker_shutdown.connect
def _end(**_: Any) -> None:
    """Have the last spans sent."""
    from routing import tracing

    tracing.stop()
