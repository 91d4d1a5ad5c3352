"""Everything the threshold page says of a study beside its curve, gathered in one place.

Each piece is decided in its own module; here they are only asked, and shortened to what a browser
computes with.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from reviews import (
    blame,
    calibration,
    charts,
    corrected,
    headline,
    health,
    lookups,
    needs,
    outcomes,
    parts,
    repeats,
    status,
)
from reviews.blame import Blame
from reviews.certificate import Certificate
from reviews.choice import Thresholds
from reviews.estimation import Estimate
from reviews.health import Check
from reviews.lookups import Lookups
from reviews.models import Rater, Study
from reviews.needs import Needs
from reviews.outcomes import Guardrail, Outcome
from reviews.parts import Part, View
from reviews.repeats import Floor
from reviews.stats import daily
from reviews.status import Status
from routing.models import Policy

#: How a loss of each plan is called: what a request is, and what a figure shows.
HARM = {
    Study.Loss.HARM.value: "made worse",
    Study.Loss.INADEQUATE.value: "not good enough",
    Study.Loss.STRICT_HARM.value: "made worse and not good enough",
}

#: From this difference on, certificate and curve are told apart: less is rounding.
_NOTABLE = 0.0005
#: What the curve with a judge has of each point.
_BESIDE = ("degradation", "low", "high")
#: What a certificate says of each threshold.
_OF_GRID = ("certified", "trivially_safe")


class Outcomes(NamedTuple):
    """What applications told of the answers: by tier, by threshold, and the plan's guardrails."""

    by_tier: list[Outcome]
    by_threshold: dict[str, list[dict[str, Any]]]
    guardrails: list[Guardrail]


class Shown(NamedTuple):
    """What the page shows of a study.

    Attributes:
        study: shown.
        estimate: whose ratings count, and up to when.
        view: the curve of the part that was asked for.
        status: where the study stands.
        checks: of its health.
        certificate: of the whole plan; None where a part is shown, or a judge alone.
        needs: how many ratings it takes; None likewise.
        with_judge: people's curve corrected by a judge, or in words why there is none; None where
            nobody asked.
        floor: how often people see a difference between two answers of one model.
        outcomes: told by applications.
        lookups: what looking up sources took.
        blame: on what worse answers are to be blamed; None without lookups.
    """

    study: Study
    estimate: Estimate
    view: View
    status: Status
    checks: list[Check]
    certificate: Certificate | None
    needs: Needs | None
    with_judge: list[dict[str, Any]] | str | None
    floor: Floor
    outcomes: Outcomes
    lookups: Lookups
    blame: Blame | None

    @property
    def certified(self) -> float | None:
        """Return the certified threshold; None when there is none."""
        return self.certificate.threshold if self.certificate else None

    def start(self, live: Policy | None) -> float:
        """Return where the slider stands at first: the certified threshold, else the live one."""
        if self.certified is not None:
            return self.certified
        return live.threshold if live else 0.0

    def marks(self, live: Policy | None) -> list[charts.Mark]:
        """Return the thresholds that have a name on every figure."""
        named = [charts.Mark("live", live.threshold, "dash")] if live else []
        if self.certified is not None:
            named.append(charts.Mark(self._certified_name(), self.certified, "solid"))
        return named

    def _certified_name(self) -> str:
        is_final = self.certificate is not None and self.certificate.is_final
        return "certified" if is_final else "certified if it ended so"

    def points(self) -> list[dict[str, Any]]:
        """Return the points of the curve, each with its sentence, its certificate and the judge."""
        found = _by_threshold(self.certificate.grid if self.certificate else [])
        beside = _by_threshold(self.with_judge if isinstance(self.with_judge, list) else [])
        plan = self.plan()
        rows = [
            point
            | {name: found.get(_name(point), {}).get(name, False) for name in _OF_GRID}
            | {f"judge_{end}": beside.get(_name(point), {}).get(end) for end in _BESIDE}
            for point in self.view.points
        ]
        return [row | {"sentence": headline.of(row, plan)} for row in rows]

    def tasks(self) -> list[dict[str, Any]]:
        """Return the small curves, each with the threshold certified for its task type alone."""
        found = self.certificate.by_task if self.certificate else {}
        return [
            task | {"certified": found.get(task["name"], {}).get("threshold")}
            for task in self.view.tasks
        ]

    def own(self) -> dict[str, float | None]:
        """Return every task type that can have a threshold of its own, with the certified one."""
        found = self.certificate.by_task if self.certificate else {}
        drawn = {task["name"]: None for task in self.view.tasks}
        return dict(
            sorted((drawn | {name: one["threshold"] for name, one in found.items()}).items())
        )

    def by_task(self) -> str:
        """Return the sentence of a plan by task type; empty for other plans."""
        if self.certificate is None or not self.certificate.is_by_task:
            return ""
        own = self.own()
        named = {task: at for task, at in own.items() if at is not None}
        counts = {"n_certified": len(named), "n_tasks": len(own)}
        routed = parts.routed(self.study, self.estimate, named)
        return headline.by_task(routed._asdict() | counts, self.plan())

    def difference(self) -> tuple[float, float] | None:
        """Return how much is made worse at the certified threshold: by certificate and by curve.

        None where both say the same, or nothing is certified.
        """
        found, at = self.certificate, self.certified
        if found is None or at is None or found.degradation is None:
            return None
        drawn = next((p["degradation"] for p in self.view.points if _name(p) == round(at, 6)), None)
        if drawn is None or abs(drawn - found.degradation) < _NOTABLE:
            return None
        return found.degradation, drawn

    def plan(self) -> dict[str, Any]:
        """Return what the sentences, the figures and the form are made from."""
        study, view, found = self.study, self.view, self.certificate
        return {
            "floor": study.floor,
            "confidence": study.confidence,
            "loss": study.loss,
            "harm": HARM[study.loss],
            "certified_only": study.certified_only,
            "certified": self.certified,
            "is_certifying": found is not None,
            "is_final": bool(found and found.is_final),
            "is_by_task": bool(found and found.is_by_task),
            "n_frame": view.n_frame,
            "n_days": view.n_days,
            "requests_a_month": view.requests_a_month,
            "missing": self.needs.sentence if self.needs else "",
            "no_money": self._no_money(),
        }

    def _no_money(self) -> str:
        """Return why no money a month is named; nothing where it is."""
        points = self.view.points
        if any(point["month_usd"] is not None for point in points):
            return ""
        if points and points[-1]["cost_usd"] is None:
            return "costs are unknown"
        return f"money a month needs {daily.FEWEST_DAYS} full days of traffic"


def _name(row: dict[str, Any]) -> float:
    """Return the threshold as a key: grids of several modules are the same decimals."""
    return round(row["threshold"], 6)


def _by_threshold(rows: list[dict[str, Any]]) -> dict[float, dict[str, Any]]:
    return {_name(row): row for row in rows}


def of(study: Study, estimate: Estimate, part: Part, *, with_judge: bool = False) -> Shown:
    """Return what the page shows of a part of the study's traffic.

    Args:
        study: shown.
        estimate: whose ratings count, and up to when.
        part: which traffic.
        with_judge: whether people's curve is shown corrected by a judge, too.
    """
    is_certified = part.is_whole and estimate.kind != Rater.Kind.LLM_JUDGE
    certificate = calibration.certificate(study) if is_certified else None
    return Shown(
        study=study,
        estimate=estimate,
        view=parts.view(study, estimate, part),
        status=status.of(study),
        checks=health.checks(study),
        certificate=certificate,
        needs=needs.of(study) if is_certified else None,
        with_judge=corrected.points(study, estimate.moment) if with_judge else None,
        floor=repeats.floor(study),
        outcomes=_outcomes(study, certificate),
        lookups=lookups.of(study, estimate.moment.draw_id),
        blame=blame.of(study),
    )


def _outcomes(study: Study, certificate: Certificate | None) -> Outcomes:
    """Return what applications told; guardrails are about what is certified."""
    known = outcomes.answers(study)
    chosen = _certified(certificate) if certificate else None
    return Outcomes(
        outcomes.by_tier(study, known),
        outcomes.by_threshold(study, known),
        outcomes.guardrails(study, chosen, known) if chosen else [],
    )


def _certified(certificate: Certificate) -> Thresholds | None:
    """Return the thresholds that a certificate names; None where it names none."""
    if certificate.threshold is not None:
        return Thresholds(certificate.threshold)
    if not certificate.is_by_task:  # of a plan for one threshold, those by task are no promise
        return None
    own = {task: one["threshold"] for task, one in certificate.by_task.items()}
    named = {task: at for task, at in own.items() if at is not None}
    return Thresholds(0.0, named) if named else None
