"""Trainings: asked for by people, worked on by one worker at a time, ended once.

The table is the queue. A run is claimed by a conditional update, its worker says every few seconds
that it lives, and a run that nobody hears of waits again, a few times. What was asked for twice
gives the same scores. Nothing is deployed: a new version needs its own evidence and sign-off.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone

from reviews import naming, permissions, versions
from reviews.errors import BadInput, Conflict, ReviewError
from reviews.models import TrainingExample, TrainingRun
from reviews.versions import Made, Tell
from routing import embedders, policy, routers
from routing.errors import ModelsMissing
from routing.models import Project, RouterVersion
from routing.routers.kinds import Kind

log = logging.getLogger(__name__)

SOURCES = tuple(TrainingExample.Source.values)
#: A worker that was not heard of for so long is dead, or as good as.
DEAD_AFTER = timedelta(seconds=90)
#: So many workers may die at a training: another one would, as with too little memory.
_MOST_DEATHS = 3
_GIVEN_UP = (
    f"Its worker died {_MOST_DEATHS} times, most likely for want of memory: train with fewer"
    " labels, by the static embedder or another kind, or give the trainer more memory."
)
_BEAT_S = 10.0
#: Progress is written this often at most.
_TELL_S = 1.0
_MOST_SEED = 2**32 - 1
_STATE = TrainingRun.State

#: Set when this process is to end: runs are given back at their next step.
_ending = threading.Event()


class _Stopped(Exception):
    """The run is no longer this worker's: cancelled, or taken for dead and claimed again."""


class _Ending(Exception):
    """This process is to end."""


def trained_kinds() -> dict[str, Kind]:
    """Return the kinds that are fitted on labels, by name."""
    return {name: kind for name, kind in routers.kinds().items() if kind.fit is not None}


def usual() -> dict[str, Any]:
    """Return the options of a training that says nothing else."""
    return {
        "sources": list(SOURCES), "since": None, "until": None, "tasks": [],
        "most": versions.MOST_LABELS, "seed": 7, "kind_options": {},
        "embedder": settings.SHADOWEVAL_EMBEDDER,
    }  # fmt: skip


def ask(
    project: Project,
    *,
    kind: str,
    name: str = "",
    options: Mapping[str, Any] | None = None,
    by: User | None = None,
) -> TrainingRun:
    """Write down a training; a worker takes it up. Running it twice asks twice.

    Args:
        project: whose labels.
        kind: of router.
        name: of the version; made from kind and day when empty.
        options: those of `usual` that are to be others.
        by: who asks; None for whoever runs the server.

    Raises:
        NotAllowed: when the person's roles train no routers.
        BadInput: when what is asked for cannot be, in a sentence.
    """
    if by is not None:
        permissions.check(by, "train_routers")
    chosen = checked(kind, options or {})
    with transaction.atomic():
        policy.lock(project)
        wanted = naming.wanted(name, kind)
        return TrainingRun.objects.create(
            project=project, name=wanted, kind=kind, options=chosen, created_by=by
        )


def checked(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a training's options as its run keeps them, the usual ones where nothing is said.

    Raises:
        BadInput: when they cannot be, in a sentence.
    """
    options = {**usual(), **options}
    known = routers.kinds().get(kind)
    if known is None:
        raise BadInput(f"There is no kind of router “{kind}”: {', '.join(trained_kinds())}.")
    if known.fit is None:
        raise BadInput(f"“{known.title}” learns from no labels: there is nothing to train.")
    unknown = set(options) - set(usual())
    unknown |= {f"{kind} {name}" for name in set(options["kind_options"]) - set(known.defaults)}
    if unknown:
        raise BadInput(f"Unknown options: {', '.join(sorted(unknown))}.")
    since, until = (_date(options[name]) for name in ("since", "until"))
    if since and until and since >= until:
        raise BadInput("The labels' first day must come before their last.")
    return {
        **options,
        "sources": _sources(options["sources"]),
        "since": since and since.isoformat(),
        "until": until and until.isoformat(),
        "tasks": sorted(options["tasks"]),
        "most": _whole(options["most"], versions.LEAST, 100_000, "Labels at most"),
        "seed": _whole(options["seed"], 0, _MOST_SEED, "The seed"),
        "embedder": _embedder(options["embedder"]) if known.has_embedder else "",
    }


def _sources(names: list[str]) -> list[str]:
    if not names or not set(names) <= set(SOURCES):
        raise BadInput(f"Choose sources of labels among {', '.join(SOURCES)}.")
    return [name for name in SOURCES if name in names]


def _date(value: str | datetime | None) -> datetime | None:
    if not value:
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except ValueError as exc:
        raise BadInput(f"“{value}” is no date: write it like 2026-01-31.") from exc
    return moment if moment.tzinfo else timezone.make_aware(moment)


def _whole(value: int | str, least: int, most: int, what: str) -> int:
    text = str(value).strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and least <= int(text) <= most):
        raise BadInput(f"{what} must be a whole number from {least} to {most:,}.")
    return int(text)


def _embedder(name: str) -> str:
    if name not in embedders.NAMES and name not in embedders.NAMES.values():
        raise BadInput(f"There is no embedder “{name}”: {', '.join(embedders.NAMES)}.")
    return embedders.NAMES.get(name, name)


def cancel(run: TrainingRun, by: User | None = None) -> None:
    """End a run that waits or is worked on; its worker stops at its next step.

    Raises:
        NotAllowed: when the person's roles train no routers.
        Conflict: when it has ended.
    """
    if by is not None:
        permissions.check(by, "train_routers")
    open_one = TrainingRun.objects.filter(pk=run.pk, state__in=TrainingRun.OPEN)
    if not open_one.update(state=_STATE.CANCELLED, finished_at=timezone.now()):
        raise Conflict("This training has ended already.")


def run_due() -> bool:
    """Work on the training that has waited longest; say whether there was one."""
    recover()
    waiting = TrainingRun.objects.filter(state=_STATE.WAITING).order_by("id")
    for run in waiting.select_related("project"):
        if claim(run):
            work(run)
            return True
    return False


def recover() -> int:
    """Let the runs of workers that died wait again, but for those that cost too many; count them.

    What it was at when the last one died stays to be seen.
    """
    now = timezone.now()
    dead = TrainingRun.objects.filter(state=_STATE.RUNNING, heard_at__lt=now - DEAD_AFTER)
    died = {"deaths": F("deaths") + 1}
    last = dead.filter(deaths__gte=_MOST_DEATHS - 1)
    failed = last.update(**died, state=_STATE.FAILED, error=_GIVEN_UP, finished_at=now)
    return failed + dead.update(**died, state=_STATE.WAITING, stage="", done=0, total=0)


@transaction.atomic
def claim(run: TrainingRun) -> bool:
    """Take a waiting run; False when another got it, or another of its project is worked on."""
    policy.lock(run.project)
    if TrainingRun.objects.filter(project=run.project, state=_STATE.RUNNING).exists():
        return False
    now = timezone.now()
    mine = TrainingRun.objects.filter(pk=run.pk, state=_STATE.WAITING)
    is_mine = mine.update(state=_STATE.RUNNING, started_at=now, heard_at=now, stage="", done=0)
    run.refresh_from_db()
    return bool(is_mine)


def work(run: TrainingRun, show: Tell = lambda stage, done, total: None) -> None:
    """Work on a claimed run to its end, and write what became of it.

    Everything a training writes is one transaction: the version, what it learnt from, and that the
    run is done. Whoever lost the run meanwhile writes nothing.

    Args:
        run: claimed by this process.
        show: told of progress too, as often as there is some.
    """
    with _Hold(run, show) as hold:
        try:
            made = versions.make(run.project, run.kind, run.options, hold.tell)
            hold.keep(made)
        except _Stopped:
            log.info("training %s is no longer this worker's", run.pk)
        except _Ending:
            hold.end(state=_STATE.WAITING, stage="", done=0, total=0)
        except Exception as exc:
            hold.end(state=_STATE.FAILED, error=_said(exc)[:400], finished_at=timezone.now())


def stop(*, is_ending: bool = True) -> None:
    """Let runs of this process wait for another one: it is to end, or is not after all."""
    if is_ending:
        _ending.set()
    else:
        _ending.clear()


def _said(exc: Exception) -> str:
    """Return a failure in a sentence; what nobody foresaw is logged, without any text."""
    if isinstance(exc, (ReviewError, ValueError, ModelsMissing)):
        return str(exc)
    if isinstance(exc, IntegrityError):
        return "The name was taken meanwhile: train again by another."
    if isinstance(exc, DatabaseError) and "drawn to calibrate" in str(exc):
        return "A study drew one of these pairs to calibrate meanwhile: train again without it."
    at = traceback.extract_tb(exc.__traceback__)[-1]
    log.error("a training failed: %s at %s:%s", type(exc).__name__, at.filename, at.lineno)
    return f"Something went wrong ({type(exc).__name__}); the worker's log says where."


class _Hold:
    """A worker's hold on a run: its word that it lives, its progress, and the end."""

    def __init__(self, run: TrainingRun, show: Tell) -> None:
        # Who claims it again writes another start: from then on nothing here finds the row.
        self._mine = TrainingRun.objects.filter(
            pk=run.pk, state=_STATE.RUNNING, started_at=run.started_at
        )
        self._run, self._show = run, show
        self._told: tuple[str, float] = ("", 0.0)
        self._over = threading.Event()
        self._beat = threading.Thread(target=self._live, name="training-heartbeat", daemon=True)

    def __enter__(self) -> _Hold:
        self._beat.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None
    ) -> None:
        self._over.set()
        self._beat.join()

    def _live(self) -> None:
        """Say that the worker lives, also during a long fit."""
        while not self._over.wait(_BEAT_S):
            try:
                self._mine.update(heard_at=timezone.now())
            except Exception as exc:
                log.warning("a training's heartbeat failed: %s", type(exc).__name__)
            finally:
                connection.close()  # back to the pool

    def tell(self, stage: str, done: int, total: int) -> None:
        """Write progress, seldom; stop the work when the run is no longer ours."""
        if _ending.is_set():
            raise _Ending
        self._show(stage, done, total)
        now = time.monotonic()
        if stage == self._told[0] and done < total and now - self._told[1] < _TELL_S:
            return
        self._told = (stage, now)
        said = {"stage": stage, "done": done, "total": total, "heard_at": timezone.now()}
        if not self._mine.update(**said):
            raise _Stopped

    @transaction.atomic
    def keep(self, made: Made) -> None:
        """Write the version, its examples and the end of the run: all of them or none."""
        version = RouterVersion.objects.create(
            name=self._run.name, project=self._run.project, **made.fields
        )
        TrainingExample.objects.bulk_create(
            TrainingExample(
                run=self._run, pair_id=label.pair_id, source=label.source,
                cheap_ok=label.cheap_ok, expensive_ok=label.expensive_ok,
                provenance=label.provenance, score=score,
            )
            for label, score in zip(made.labels, made.scores, strict=True)
        )  # fmt: skip
        done = {"state": _STATE.DONE, "router": version, "done": F("total"), "stage": ""}
        if not self._mine.update(**done, finished_at=timezone.now()):
            raise _Stopped

    def end(self, **fields: Any) -> None:
        """Write another end than a version, if the run is still ours."""
        self._mine.update(**fields)
