"""The threshold page's figures of a large running study, kept while newer ones are made.

They take a second or two and change with each rating. So that nobody waits for them, such a study
is shown as it was some moments ago, with the time beside it, and a thread makes it anew. Of small
and of closed studies everything is of now. Nothing is signed from what is kept: `evidence.freeze`
reads for itself, at the moment that the page showed.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Lock
from typing import NamedTuple

from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from reviews import estimation, memo, missing, operating, planning
from reviews.estimation import Estimate
from reviews.missing import Decile
from reviews.models import Study
from reviews.operating import Shown
from reviews.parts import Part

log = logging.getLogger(__name__)

#: So old, figures are made anew behind the next look; and so old, the look waits for new ones.
_AGING, _TOO_OLD = timedelta(seconds=5), timedelta(minutes=5)
_MOST_KEPT = 32


class Asked(NamedTuple):
    """What somebody wants to see of a study: whose ratings, which part, whether with the judge."""

    kind: str = ""
    part: Part = Part()
    with_judge: bool = False


class Preview(NamedTuple):
    """The figures of one moment.

    Attributes:
        at: when they were begun.
        estimate: of the curve; its moment is that of all figures.
        deciles: of requests without a pair.
        shown: everything else.
        is_kept: whether newer figures may be there by now.
    """

    at: datetime
    estimate: Estimate
    deciles: list[Decile]
    shown: Shown
    is_kept: bool = False

    @property
    def is_large(self) -> bool:
        """Return whether the figures take so long that they are worth keeping."""
        return self.estimate.n_frame > settings.SHADOWEVAL_PREVIEW_PAIRS


_kept: OrderedDict[Hashable, Preview] = OrderedDict()
_under_way: set[Hashable] = set()
_lock = Lock()
#: One at a time: requests to route share this process.
_maker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="previews")


def of(study: Study, asked: Asked, now: datetime | None = None) -> Preview:
    """Return the figures: of now, or of a large running study those of the last minutes.

    What is kept is forgotten with the plan it was made under. Inside a transaction nothing is kept.
    """
    if connection.in_atomic_block or study.state != Study.State.RUNNING:
        return _made(study, asked)
    name = (study.pk, repr(planning.as_json(study)), asked)
    known = _kept.get(name)
    age = (now or timezone.now()) - known.at if known else _TOO_OLD
    if known is None or age >= _TOO_OLD:
        return _keep(name, _made(study, asked))
    if age >= _AGING:
        _make_behind(name, study, asked)
    return known._replace(is_kept=True)


def _made(study: Study, asked: Asked) -> Preview:
    """Return the figures of now, all of one moment."""
    at = timezone.now()
    with memo.look():
        estimate = estimation.estimate(study, asked.kind)
        shown = operating.of(study, estimate, asked.part, with_judge=asked.with_judge)
        return Preview(at, estimate, missing.by_decile(study), shown)


def _keep(name: Hashable, made: Preview) -> Preview:
    if made.is_large:
        with _lock:
            _kept[name] = made
            _kept.move_to_end(name)
            while len(_kept) > _MOST_KEPT:
                _kept.popitem(last=False)
    return made


def _make_behind(name: Hashable, study: Study, asked: Asked) -> None:
    """Have newer figures made, unless they are already."""
    with _lock:
        if name in _under_way:
            return
        _under_way.add(name)
    _maker.submit(_make_anew, name, study, asked)


def _make_anew(name: Hashable, study: Study, asked: Asked) -> None:
    try:
        _keep(name, _made(study, asked))
    except Error as exc:
        log.warning("figures could not be made ahead: %s", type(exc).__name__)
    finally:
        with _lock:
            _under_way.discard(name)
        connection.close()
