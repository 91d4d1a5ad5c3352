"""The certificate of a study: recomputed from frozen columns and the plan alone.

Which order and which error belong to which end of a study is decided here. What stands beside the
threshold is in `besides`; the tests are those of `stats.selection`. Rows are read from the database
in `calibration`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from reviews import besides, looks
from reviews.besides import JUDGE
from reviews.inputs import THERE, Columns, Inputs, Taken, has_week, loss, taken
from reviews.looks import Look
from reviews.stats import betting, selection

ENGINE = "fixed sequence of betting tests, version 1"
_USEFUL_SHARE = 0.2
#: Of figures: sums of many rows differ beyond, by processor.
_DIGITS = 9
_FOUND = (
    "degradation", "degradation_high", "adequacy", "adequacy_low", "adequacy_high", "cheap_share",
)  # fmt: skip
_UNKNOWN = {
    "threshold": None, "log_k": 0.0, "certified": False, "cheap_share": None,
    "trivially_safe": False,
}  # fmt: skip
_FIGURES = ("threshold", "deff_w", "most_weight", "saving_share", *_FOUND)


@dataclass(frozen=True)
class Certificate:
    """The largest threshold whose floor holds, and what that rests on.

    None stands for "cannot be said". Shares are of the study's requests.

    Attributes:
        threshold: the largest certified one that routes anything; None when there is none.
        is_final: whether the study is closed; else it says what closing now would say.
        basis: how the study ended; empty while it runs.
        order: "hash": about this window; "arrival": about a stream that stays as it was.
        delta: largest probability of a wrong certificate.
        loss: its name in the plan.
        kind: of rater.
        judge: whether a judge's guesses helped.
        n_frame: requests taken, those whose pair is lost included.
        n_lost: of them, those whose pair is lost.
        n_rated: pairs with a rating.
        n_waiting: pairs due without one, each counted as a loss.
        n_events: rated rows with a loss.
        deff_w: ratings that unequal weights make one out of.
        most_weight: the heaviest row that a threshold routes cheap.
        degradation, adequacy, cheap_share, saving_share: at the threshold, with bounds.
        grid: of each threshold: log_k, certified, its cheap share, and whether it is safe only
            because no more traffic than the floor lies below it.
        is_by_task: whether the error was spent on the thresholds by task type: those are certified
            and `threshold` is none; else those by task type are there to be looked at.
        by_task: by task type: threshold, n_rated, n_events, cheap_share.
        sensitivity: what other tests certify, by name; empty while the study runs.
    """

    threshold: float | None
    is_final: bool
    basis: str
    order: str
    delta: float
    floor: float
    adequacy_floor: float | None
    confidence: float
    loss: str
    kind: str
    engine: str
    judge: bool
    n_frame: int
    n_lost: int
    n_rated: int
    n_waiting: int
    n_events: int
    deff_w: float | None
    most_weight: float | None
    degradation: float | None
    degradation_high: float | None
    adequacy: float | None
    adequacy_low: float | None
    adequacy_high: float | None
    cheap_share: float | None
    saving_share: float | None
    grid: list[dict[str, Any]]
    is_by_task: bool
    by_task: dict[str, dict[str, Any]]
    sensitivity: dict[str, float | None]
    warnings: list[str]
    moment: str
    inputs_sha256: str

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values, the same for the same inputs."""
        plain: dict[str, Any] = _rounded(asdict(self))
        return plain


def _rounded(value: Any) -> Any:
    """Return plain values with as many digits as every processor adds up alike."""
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, _DIGITS) if isinstance(value, float) else value


def of_inputs(inputs: Inputs, plan: dict[str, Any]) -> Certificate:
    """Return the certificate that columns and a plan make, the same wherever it is computed.

    Args:
        inputs: as `calibration.arrays` reads them.
        plan: as `planning.as_json` says it.
    """
    basis = plan["closed"]["basis"]
    before_end, at_end = looks.deltas(plan)
    ends_early = basis in ("early", "by_hand")
    look = Look(
        order="arrival" if ends_early else "hash",
        delta=before_end if ends_early else at_end,
        is_final=bool(basis),
        judge=looks.may_help(inputs, plan),
    )
    rows = taken(inputs, plan, look.order, is_final=look.is_final)
    is_too_early = ends_early and bool(looks.too_early(inputs, plan))
    has_none = basis == "futile" or inputs.about.kind == JUDGE or rows.n_due == rows.n_waiting
    if has_none or is_too_early:
        return _nothing(inputs, plan, look, rows)
    return _found(inputs, plan, look, rows)


def early(inputs: Inputs, plan: dict[str, Any]) -> float | None:
    """Return the threshold that finished days certify with the error of early looks, or None.

    A plan by task type has no early look: its error is spent at the end.
    """
    if plan["by_task"] or not has_week(inputs.columns):
        return None
    look = Look(
        "arrival", looks.deltas(plan)[0], is_final=False, judge=looks.may_help(inputs, plan)
    )
    return looks.threshold(inputs, plan, look)


def futile(inputs: Inputs, plan: dict[str, Any]) -> bool:
    """Return whether finished days refute the floor at the smallest threshold of any use.

    That is the first that sends a fifth of the requests, and twice the floor, to the cheap model.
    Above it degradation is larger still, so that more ratings certify nothing of use.
    """
    look = Look("arrival", 1 - plan["confidence"], is_final=False, judge=False)
    rows = taken(inputs, plan, look.order, is_final=False)
    traffic = np.asarray(rows.rows.traffic)
    grid = looks.thresholds(plan)
    if not traffic.size or rows.n_due == rows.n_waiting:
        return False
    fewest = max(_USEFUL_SHARE, 2 * plan["floor"])
    useful = grid[[_share(rows, t) >= fewest for t in grid]][:1]
    if not useful.size:
        return False
    bets = betting.futile(
        rows.rows._replace(judge=None), useful, floor=plan["floor"], delta=look.delta,
        n_plan=rows.n_plan,
    )  # fmt: skip
    return bool(bets.peak[0] >= -math.log(look.delta))


def _share(rows: Taken, threshold: float) -> float:
    traffic = np.asarray(rows.rows.traffic)
    return float(traffic[np.asarray(rows.rows.score) < threshold].sum() / traffic.sum())


def _found(inputs: Inputs, plan: dict[str, Any], look: Look, rows: Taken) -> Certificate:
    """Run the tests."""
    asked = looks.ask(plan, look, rows)
    main = selection.certify(**asked)
    by_task = besides.by_task(inputs, asked, rows)
    found = None if plan["by_task"] else main.found
    threshold = None if plan["by_task"] else main.threshold
    figures: dict[str, Any] = {name: getattr(found, name, None) for name in _FOUND}
    figures |= {
        "threshold": threshold,
        "deff_w": _known(main.deff_weights),
        "most_weight": main.most_weight,
        "saving_share": _saving(inputs.columns, rows, threshold),
    }
    return Certificate(
        **_common(inputs, plan, look, rows),
        **figures,
        grid=[
            {
                "threshold": p.threshold,
                "log_k": p.log_k,
                "certified": p.certified and not plan["by_task"],
                "cheap_share": p.cheap_share,
                "trivially_safe": p.trivially_safe,
            }
            for p in main.grid
        ],
        by_task=by_task,
        sensitivity=besides.sensitivity(inputs, plan, look, asked, by_task)
        if look.is_final
        else {},
        warnings=[*besides.warnings(inputs, plan, look, rows), *main.warnings],
    )


def _nothing(inputs: Inputs, plan: dict[str, Any], look: Look, rows: Taken) -> Certificate:
    """Return the certificate of a study that certifies nothing, without a look at any loss."""
    unknown: dict[str, Any] = dict.fromkeys(_FIGURES)
    grid = looks.thresholds(plan).tolist()
    return Certificate(
        **_common(inputs, plan, look, rows),
        **unknown,
        grid=[dict(_UNKNOWN, threshold=t) for t in grid],
        by_task={},
        sensitivity={},
        warnings=besides.warnings(inputs, plan, look, rows),
    )


def _common(inputs: Inputs, plan: dict[str, Any], look: Look, rows: Taken) -> dict[str, Any]:
    """Return the fields that say what was looked at."""
    is_pair = inputs.columns.lost[rows.places] == THERE
    said = loss(inputs.columns, plan["loss"])[rows.places]
    is_due = is_pair & np.asarray(rows.rows.rated)
    return {
        "is_final": look.is_final,
        "basis": plan["closed"]["basis"],
        "is_by_task": plan["by_task"],
        "order": look.order,
        "delta": look.delta,
        "floor": plan["floor"],
        "adequacy_floor": plan["adequacy_floor"],
        "confidence": plan["confidence"],
        "loss": plan["loss"],
        "kind": inputs.about.kind,
        "engine": ENGINE,
        "judge": look.judge,
        "n_frame": int(rows.places.size),
        "n_lost": int((~is_pair).sum()),
        "n_rated": rows.n_due - rows.n_waiting,
        "n_waiting": rows.n_waiting,
        "n_events": int((is_due & (said > 0)).sum()),
        "moment": inputs.about.moment,
        "inputs_sha256": inputs.sha256,
    }


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _saving(columns: Columns, rows: Taken, threshold: float | None) -> float | None:
    """Return the share of the baseline's cost that is not spent, over rows with both costs."""
    if threshold is None:
        return None
    cheap, expensive, alone = (
        cost[rows.places]
        for cost in (columns.cost_cheap, columns.cost_expensive, columns.cost_baseline)
    )
    known = ~np.isnan(cheap) & ~np.isnan(expensive) & ~np.isnan(alone)
    traffic = np.where(known, np.asarray(rows.rows.traffic), 0.0)
    baseline = float((traffic * np.where(known, alone, 0.0)).sum())
    is_cheap = np.asarray(rows.rows.score) < threshold
    saved = np.where(known, alone - np.where(is_cheap, cheap, expensive), 0.0)
    return float((traffic * saved).sum()) / baseline if baseline > 0 else None
