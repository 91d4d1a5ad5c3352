"""Which requests retention must not delete: a curve once drawn stays what it was."""

from __future__ import annotations

from collections.abc import Callable

from django.db.models import Exists, OuterRef

from reviews.models import Reveal, SampledPair, TrainingExample, Verdict


def _drawn() -> Exists:
    """Hold for requests whose pair is in the frame of a study, drawn for rating or not."""
    return Exists(SampledPair.objects.filter(pair__request=OuterRef("pk")))


def _judged() -> Exists:
    """Hold for requests whose pair has a verdict."""
    return Exists(Verdict.objects.filter(pair__request=OuterRef("pk")))


def _revealed() -> Exists:
    """Hold for requests whose pair somebody has seen by tier."""
    return Exists(Reveal.objects.filter(pair__request=OuterRef("pk")))


def _learnt() -> Exists:
    """Hold for requests whose pair a router learnt from: a training can be made again."""
    return Exists(TrainingExample.objects.filter(pair__request=OuterRef("pk")))


CONDITIONS: tuple[Callable[[], Exists], ...] = (_drawn, _judged, _revealed, _learnt)
