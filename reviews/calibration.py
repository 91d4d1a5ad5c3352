"""The bridge from rows to the certificate: reads what it is computed from, once a moment.

What the numbers are is decided in `certificate` and `inputs`, which know no database.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from django.db.models import Exists, OuterRef

from reviews import estimation, frames, memo, missing, planning, sampling
from reviews.certificate import Certificate, of_inputs
from reviews.estimation import Moment
from reviews.inputs import NO_CHEAP, NO_EXPENSIVE, THERE, UNASKED, About, Columns, Inputs, loss
from reviews.memo import Memo
from reviews.models import Rater, Study, Verdict

__all__ = ["Certificate", "Inputs", "arrays", "certificate", "moment_of", "of_inputs"]

_KINDS = Rater.Kind
#: The columns of a large study take some 50 MB.
_inputs: Memo[Inputs] = Memo(8)
_certificates: Memo[Certificate] = Memo()


def certificate(study: Study, moment: Moment | None = None) -> Certificate:
    """Return the study's certificate; while it runs, what closing now would say.

    Made once a moment in a process: the same plan, draws and verdicts give the same one.

    Args:
        study: whose plan, draws and verdicts count.
        moment: leave out what came later; that of the end, or now, when None.
    """
    return _certificate(study, moment or moment_of(study), planning.as_json(study))


def if_closed(study: Study, basis: str) -> Certificate:
    """Return the certificate that a running study would have, were it closed now on this basis."""
    plan = planning.as_json(study)
    return _certificate(study, moment_of(study), plan | {"closed": {"basis": basis}})


def _certificate(study: Study, moment: Moment, plan: dict[str, Any]) -> Certificate:
    name = (*_name(study, moment), repr(plan))
    return _certificates.get(name, lambda: of_inputs(arrays(study, moment), plan))


def arrays(study: Study, moment: Moment | None = None) -> Inputs:
    """Return everything the certificate is computed from, up to a moment.

    Every draw of the study is a row, and so is every request whose pair is lost for good.
    """
    at = moment or moment_of(study)
    return _inputs.get(_name(study, at), lambda: _read(study, at))


def moment_of(study: Study) -> Moment:
    """Return the moment at which the study was closed, or now while it runs."""
    if study.closed_draw is None or study.closed_verdict is None:
        return Moment.now(study)
    return Moment(study.closed_draw, study.closed_verdict)


@memo.once
def _name(study: Study, moment: Moment) -> tuple[Any, ...]:
    """Return what the columns depend on."""
    said = estimation.n_verdicts(study, moment)
    lost = missing.rows(study).order.size
    judges = study.judges.count() if study.judge_role == Study.Judge.CERTIFICATE else 0
    others = _n_others(study, moment)
    return study.pk, moment, said, lost, study.loss, study.judge_role, judges, others


def _read(study: Study, moment: Moment) -> Inputs:
    """Return the columns, read."""
    draws = frames.draws(study, moment.draw_id)
    lost = missing.rows(study)
    kind = _kind(study, moment)
    said = frames.said(study, kind, moment.verdict_id, draws)
    task, tasks = _tasks(np.concatenate([draws.task, lost.task]))
    n = draws.score.size
    nothing = np.full(lost.score.size, np.nan)
    no = np.zeros(lost.score.size)
    is_asked = study.judge_role == Study.Judge.CERTIFICATE
    problem = _judge_problem(study) if is_asked else ""
    guesses = _guesses(study, moment, draws) if is_asked and not problem else np.full(n, np.nan)
    both: list[tuple[np.ndarray, np.ndarray]] = [
        (draws.pair_id, no.astype(np.int64)),
        (draws.order, lost.order),
        (draws.received_at, lost.received_at),
        (task[:n], task[n:]),
        (draws.score, lost.score),
        (1 / draws.rate, 1 / lost.rate),
        (draws.pi, no),
        (draws.u, no),
        (draws.selected, no.astype(bool)),
        (
            np.full(n, THERE, np.int8),
            _why(lost),
        ),
        *((column, nothing) for column in (*said, guesses, *_costs(draws))),
    ]
    columns = (np.concatenate(pair) for pair in both)
    from_queue = estimation.is_queued(study, kind, moment)
    return Inputs(
        Columns(*columns),
        About(kind, from_queue, tasks, problem, str(moment), _n_others(study, moment)),
    )


def _costs(draws: frames.Draws) -> tuple[np.ndarray, ...]:
    return draws.cost_cheap, draws.cost_expensive, draws.cost_baseline


@memo.once
def _n_others(study: Study, moment: Moment) -> int:
    """Count the other studies of this traffic with ratings before the newest one of the moment.

    Each had all of its error: whoever starts another when one failed errs more often than stated.
    """
    begin, end = sampling.window(study)
    rated = Verdict.objects.filter(study=OuterRef("pk"), id__lte=moment.verdict_id)
    others = Study.objects.filter(
        Exists(rated.exclude(rater__kind=_KINDS.LLM_JUDGE)),
        project=study.project,
        router=study.router_id,
        policy__in=sampling.policies_of_models(study),
    ).exclude(pk=study.pk)
    windows = (sampling.window(one) for one in others)
    return sum(one_begin < end and begin < one_end for one_begin, one_end in windows)


def _why(lost: missing.Lost) -> np.ndarray:
    """Return which answer is missing, and whether it was asked for: (L,)."""
    expensive = np.where(lost.failed, NO_EXPENSIVE, UNASKED)
    return np.where(lost.cheap, NO_CHEAP, expensive).astype(np.int8)


def _kind(study: Study, moment: Moment) -> str:
    """Return whose verdicts count: people's where there are any, else a key's, else a judge's."""
    there = study.verdicts.filter(id__lte=moment.verdict_id)
    order = (_KINDS.HUMAN, _KINDS.ANSWER_KEY, _KINDS.LLM_JUDGE)
    found = (kind for kind in order if there.filter(rater__kind=kind).exists())
    return next(found, _KINDS.HUMAN).value


def _tasks(numbers: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return each row's index into the sorted names, and the names: the same in every process."""
    names = frames.task_names()
    there = sorted(names[number] for number in np.unique(numbers))
    index = np.zeros(max(len(names), 1), np.int64)
    for place, name in enumerate(there):
        index[names.index(name)] = place
    return index[numbers], tuple(there)


def _judge_problem(study: Study) -> str:
    """Return why the judge's guesses take no part, or nothing.

    A judge that was chosen when ratings were there could have been chosen by them.
    """
    judges = study.judges.order_by("-created_at")
    if study.closed_at:
        judges = judges.filter(created_at__lte=study.closed_at)
    newest = judges.first()
    if newest is None:
        return "The plan wants a judge to help, and the study has none."
    first = study.verdicts.filter(rater__kind=_KINDS.HUMAN).order_by("id").first()
    if first is not None and first.created_at <= newest.created_at:
        return "The judge takes no part: it was set up after the first rating."
    return ""


def _guesses(study: Study, moment: Moment, draws: frames.Draws) -> np.ndarray:
    """Return what the judge takes the plan's loss of each pair for, nan where it said nothing."""
    said = frames.said(study, _KINDS.LLM_JUDGE, moment.verdict_id, draws)
    return loss(said, study.loss)
