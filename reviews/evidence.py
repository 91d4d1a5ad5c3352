"""What a sign-off rests on: frozen with its inputs, hashed, and made again from them by anybody.

Evidence holds numbers of pairs, never a prompt or an answer. Whether it may still be approved is
`standing`; who may approve it is `signoff`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from reviews import (
    calibration,
    chain,
    choice,
    columnar,
    covering,
    estimation,
    health,
    outcomes,
    planning,
)
from reviews.choice import Thresholds
from reviews.errors import Conflict, NothingToSign
from reviews.inputs import About, read, stored
from reviews.models import Evidence, Rater, Study
from routing import policy
from routing.models import Policy

VERSION = 2
EARLIER = "This evidence is of an earlier version: its inputs were not kept."
_HERE = Path(__file__).parent
#: What a figure of the evidence can depend on, and what goes along in a pack as it is.
_SOURCES = (
    "besides.py", "calibration.py", "certificate.py", "choice.py", "estimation.py", "frames.py",
    "inputs.py", "looks.py", "missing.py", "pack/README.txt", "pack/recompute.py", "scoring.py",
    "stats/*.py",
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What somebody looked at: whose ratings, up to which moment, and the hash of the inputs."""

    kind: str
    moment: estimation.Moment
    inputs_sha256: str


def freeze(
    study: Study,
    threshold: float,
    thresholds: dict[str, float] | None = None,
    seen: Seen | None = None,
) -> Evidence:
    """Write the evidence of a threshold: certificate, curve, plan, health, and all inputs.

    One row, never changed; running it twice leaves two rows with one hash.

    Args:
        study: whose sample and ratings count.
        threshold: a point of the curve.
        thresholds: others by task type.
        seen: what was looked at; the study's default kind of rater and now when None.

    Raises:
        Conflict: when the inputs are not those that were looked at, or no policy is live.
        NothingToSign: when no pair of the study is rated so, only a judge has spoken, a threshold
            is no point of the curve, more of a task type without pairs would go cheap, or the plan
            lets certified thresholds only be signed and this is none, or its study is unhealthy.
    """
    asked: dict[str, Any] = {"threshold": threshold, "thresholds": thresholds or {}}
    estimate = estimation.estimate(study, *((seen.kind, seen.moment) if seen else ()))
    _check_carries(estimate, seen)
    inputs = calibration.arrays(study, _moment(study, estimate))
    frozen = columnar.parquet(stored(inputs.columns))
    _check_tasks(threshold, thresholds or {}, inputs.about.tasks)
    found = looked_after(study, Thresholds(threshold, thresholds or {}))
    content = {
        "version": VERSION,
        **asked,
        **found,
        **_of_estimate(estimate, asked),
        **_of_study(study),
        **_of_policies(study, estimate, asked),
        **_of_certificate(study, asked, inputs, covering.blocks(found)),
        "inputs": _described(frozen, inputs),
        "code": code(),
    }
    return Evidence.objects.create(
        study=study, content=content, inputs=frozen, sha256=chain.sha256(content)
    )


def _of_certificate(
    study: Study, asked: dict[str, Any], inputs: calibration.Inputs, blocked_by: list[str]
) -> dict[str, Any]:
    """Return plan and certificate, of these very columns and not of a later reading of the tables.

    Raises:
        NothingToSign: when the plan lets certified thresholds only be signed, and this is none, or
            something blocks it.
    """
    plan = planning.as_json(study)
    certificate = calibration.of_inputs(inputs, plan)
    covered = covering.is_certified(certificate.as_json(), blocked_by, **asked)
    if study.certified_only and not covered:
        if blocked_by:
            said = " ".join(blocked_by)
            raise NothingToSign(f"Nothing can be signed until this is clear. {said}")
        raise NothingToSign(_not_certified(certificate))
    return {"plan": plan, "certificate": certificate.as_json(), "is_certified": covered}


def _check_tasks(threshold: float, thresholds: dict[str, float], known: Collection[str]) -> None:
    """Refuse to send more of a task type than of others to CHEAP when no pair is of it."""
    for task, at in thresholds.items():
        if at > threshold and task not in known:
            raise NothingToSign(f"No pair of this study is of the task type {task}.")


def looked_after(study: Study, chosen: Thresholds) -> dict[str, list[dict[str, Any]]]:
    """Return what may stand against a choice of thresholds now."""
    return {
        "health": [_check(one) for one in health.checks(study)],
        "guardrails": [one._asdict() for one in outcomes.guardrails(study, chosen)],
    }


def _check(one: health.Check) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ("name", "label", "level", "text", "n")}


def _moment(study: Study, estimate: estimation.Estimate) -> estimation.Moment:
    """Return the moment of the certificate: the end of a closed study, else what was looked at."""
    return calibration.moment_of(study) if study.closed_at else estimate.moment


def _check_carries(estimate: estimation.Estimate, seen: Seen | None) -> None:
    if estimate.kind == Rater.Kind.LLM_JUDGE:
        raise NothingToSign("A judge alone carries no sign-off; people have to rate.")
    if seen and seen.inputs_sha256 != estimate.inputs_sha256:
        raise Conflict("The numbers moved since you looked at them; look again.")
    if not estimate.n_rated:
        raise NothingToSign("No pair of this study is rated yet, so there is nothing to sign.")


def _check_on_curve(estimate: estimation.Estimate, threshold: float) -> None:
    point = estimation.point_at(estimate, threshold)
    if abs(point["threshold"] - threshold) > 1e-9:
        raise NothingToSign(f"Thresholds go in steps of 0.01; {threshold:g} is between two.")
    if point["degradation"] is None:
        raise NothingToSign("Nobody has compared the answers yet: what gets worse is not known.")


def _not_certified(certificate: calibration.Certificate) -> str:
    if not certificate.is_final:
        return "This plan lets certified thresholds only be signed, and the study is not closed."
    if certificate.threshold is None:
        return "Nothing is certified: only always expensive can be signed."
    if certificate.adequacy_floor is not None:
        return "With a floor for adequacy only a threshold that was tested alone can be signed."
    return f"Certified is everything up to {certificate.threshold:.2f}, and not what is asked for."


def _of_study(study: Study) -> dict[str, Any]:
    """Return what is studied."""
    return {
        "study": {
            "id": study.pk,
            "name": study.name,
            "seed": study.seed,
            "rate": study.rate,
            "is_challenge": study.is_challenge,
        },
        "project": {"slug": study.project.slug, "name": study.project.name},
        "router": {"name": study.router.name, "sha256": study.router.sha256},
        "models": study.policy.identity,
        "floor": study.floor,
    }


def _of_policies(
    study: Study, estimate: estimation.Estimate, asked: dict[str, Any]
) -> dict[str, Any]:
    """Return what is live while it is signed, and the figures of it and of what is asked for."""
    live = policy.live(study.project)
    if live is None:
        raise Conflict("This project has no policy yet.")
    found = estimation.rows(study, estimate.kind, estimate.moment)
    return {
        "policy": _policy(live),
        "point_live": choice.live_point(study, found, live),
        "point": choice.point(found, asked_of(asked)),
    }


def asked_of(content: dict[str, Any]) -> Thresholds:
    """Return the thresholds that evidence is about."""
    return Thresholds(content["threshold"], content["thresholds"])


def _policy(row: Policy) -> dict[str, Any]:
    return {
        "id": row.pk,
        "name": row.name,
        "threshold": row.threshold,
        "thresholds": row.thresholds,
        "router": row.router.sha256,
        "router_name": row.router.name,
        "models": row.identity,
    }


def _of_estimate(estimate: estimation.Estimate, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the curve; the thresholds that are asked for have to lie on it."""
    names = (
        "n_frame", "n_selected", "n_rated", "n_waiting", "n_newer", "n_without_score", "missing",
        "inputs_sha256", "level", "points",
    )  # fmt: skip
    told = {name: getattr(estimate, name) for name in names}
    for at in (asked["threshold"], *asked["thresholds"].values()):
        _check_on_curve(estimate, at)
    return {"raters": estimate.kind, "moment": str(estimate.moment), **told}


def _described(frozen: bytes, inputs: calibration.Inputs) -> dict[str, Any]:
    """Return which file the inputs are, and the hash that makes it part of the evidence."""
    return {
        "format": "parquet",
        "sha256": hashlib.sha256(frozen).hexdigest(),
        "rows": int(inputs.columns.score.size),
        "columns": list(stored(inputs.columns)),
        "about": vars(inputs.about),
    }


@cache
def code() -> dict[str, str]:
    """Return the version of the package, and the hash of the sources that make the figures."""
    digest = hashlib.sha256()
    for path in sorted(path for glob in _SOURCES for path in _HERE.glob(glob)):
        name = path.relative_to(_HERE).as_posix()
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return {"version": metadata.version("shadoweval"), "sha256": digest.hexdigest()}


def inputs_of(frozen: bytes, content: dict[str, Any]) -> calibration.Inputs:
    """Return what a certificate was computed from, out of the file and what evidence says of it.

    Raises:
        ValueError: when the file is none, or holds other columns.
    """
    columns = read(columnar.read_parquet(frozen))
    about = content["inputs"]["about"]
    return calibration.Inputs(columns, About(**(about | {"tasks": tuple(about["tasks"])})))


def remade(frozen: bytes, content: dict[str, Any]) -> bytes:
    """Return evidence with everything made again that follows from its inputs and its plan."""
    inputs = inputs_of(frozen, content)
    certificate = calibration.of_inputs(inputs, content["plan"]).as_json()
    asked = {name: content[name] for name in ("threshold", "thresholds")}
    made = {
        "certificate": certificate,
        "is_certified": covering.is_certified(certificate, covering.blocks(content), **asked),
        "inputs": _described(frozen, inputs),
    }
    return chain.canonical(content | made)


def recompute(row: Evidence) -> bytes:
    """Return the evidence made again from its own inputs and plan: the bytes whose hash it has.

    Another hash than the row's says that inputs or content were changed, or that this version of
    the code comes to another certificate.

    Raises:
        Conflict: for evidence of an earlier version, whose inputs were not kept.
    """
    return remade(frozen_inputs(row), row.content)


def frozen_inputs(row: Evidence) -> bytes:
    """Return the file of inputs as it was frozen.

    Raises:
        Conflict: for evidence of an earlier version, which has none.
    """
    if row.inputs is None:
        raise Conflict(EARLIER)
    return bytes(row.inputs)
