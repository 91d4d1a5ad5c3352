"""Alarms as `monitoring` opens them, without any monitor."""

from django.utils import timezone

from reviews.models import Alarm


def alarm(project, monitor="cheap_share", level="alarm", **fields):
    """Open an alarm."""
    now = timezone.now()
    usual = {"sentence": "The cheap share rose from 40 % to 52 %.", "opened_at": now}
    usual |= {"last_at": now, "figures": {"value": 7.2, "limit": 5.0, "n": 1200}}
    return Alarm.objects.create(project=project, monitor=monitor, level=level, **(usual | fields))
