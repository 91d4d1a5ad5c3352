"""Names of router versions: each has one, and keeps it for good."""

from __future__ import annotations

import re
from itertools import chain, count

from django.utils import timezone

from reviews.errors import BadInput
from reviews.models import TrainingRun
from routing.models import RouterVersion

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,79}")


def wanted(name: str, base: str) -> str:
    """Return the name that somebody wants, or a free one of base and day when it is empty.

    Two who ask at once may be told the same one; the table refuses the second.

    Raises:
        BadInput: when it cannot be one, or is taken.
    """
    name = name.strip() or free(base)
    if not _NAME.fullmatch(name):
        raise BadInput("A name has up to 80 letters, digits, dots, dashes, + and underscores.")
    if _is_taken(name):
        raise BadInput(f"The name “{name}” is taken: a version keeps its name for good.")
    return name


def free(base: str) -> str:
    """Return a name that no version and no open training has."""
    begin = f"{base}-{timezone.now():%Y-%m-%d}"[:70]
    names = chain([begin], (f"{begin}-{number}" for number in count(2)))
    return next(name for name in names if not _is_taken(name))


def _is_taken(name: str) -> bool:
    asked = TrainingRun.objects.filter(name=name, state__in=TrainingRun.OPEN)
    return RouterVersion.objects.filter(name=name).exists() or asked.exists()
