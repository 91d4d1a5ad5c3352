"""Pause a rater and let them go on. What they said stays; only new pairs are not handed out."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from reviews.errors import BadInput, Conflict
from reviews.models import Rater

_FIELDS = ["paused_at", "paused_by", "pause_reason"]
_LONGEST = 200


@transaction.atomic
def pause(rater: Rater, by: User, reason: str) -> None:
    """Hand the rater no more pairs, in any study; the pair in hand may still be rated.

    Raises:
        BadInput: without a reason.
        Conflict: when they are paused already.
    """
    if not reason.strip():
        raise BadInput("Say why: whoever reads it later has nothing else.")
    row = Rater.objects.select_for_update(no_key=True).get(pk=rater.pk)
    if row.paused_at is not None:
        raise Conflict(f"{row.name} is paused already.")
    row.paused_at, row.paused_by = timezone.now(), by
    row.pause_reason = reason.strip()[:_LONGEST]
    row.save(update_fields=_FIELDS)


@transaction.atomic
def resume(rater: Rater) -> None:
    """Hand the rater pairs again.

    Raises:
        Conflict: when they are not paused.
    """
    row = Rater.objects.select_for_update(no_key=True).get(pk=rater.pk)
    if row.paused_at is None:
        raise Conflict(f"{row.name} is not paused.")
    row.paused_at, row.paused_by, row.pause_reason = None, None, ""
    row.save(update_fields=_FIELDS)
