"""Send recorded answers of two models through the running service and import their labels.

Everything that live traffic passes is passed: the API, the router, the recording, the shadow jobs
and the workers. Only the provider is a stand-in, so that costs and labels are those on record.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import anthropic
from django.db import transaction
from django.db.models import Sum

from reviews import sampling
from reviews.models import Rater, Study, Verdict
from reviews.recordings import Content, ReplayError, Row, answers, read
from reviews.standin import serving
from routing import access, policy, pricing
from routing.bootstrap import DEFAULT_PROJECT
from routing.models import Project, Request, RouterVersion, ShadowJob, ShadowPair
from routing.types import AUTO, TierSpec

_GROUP = 1_000
_POLL_S = 0.5
_STALL_S = 120.0
_START_IT = "start it with `make run`"
_KINDS = {
    "auto": Rater.Kind.ANSWER_KEY,
    "llm_judge": Rater.Kind.LLM_JUDGE,
    "human": Rater.Kind.HUMAN,
}
_PREFERENCES = Verdict.Preference
#: A split comes of a judge's two orders, never of one label.
_SAYABLE = set(_PREFERENCES.values) - {_PREFERENCES.SPLIT.value}
_BY_CORRECTNESS = {
    (True, True): _PREFERENCES.TIE,
    (False, False): _PREFERENCES.BOTH_BAD,
    (True, False): _PREFERENCES.CHEAP,
    (False, True): _PREFERENCES.EXPENSIVE,
}

#: Called with what is done and how much there is.
Progress = Callable[[int, int], None]


@dataclass
class Sent:
    """How the queries went: rows by request id, and failures by type."""

    by_id: dict[UUID, Row] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)


@dataclass
class Result:
    """What a replay did, counted."""

    slug: str
    content: Content
    sent: Sent
    recorded: int
    pairs: int
    jobs: Counter[str]
    verdicts: Counter[str]
    not_imported: int

    @property
    def complete(self) -> bool:
        """Tell whether every query was answered, recorded and paired."""
        queries = len(self.content.rows)
        return queries == len(self.sent.by_id) == self.recorded == self.pairs


# --- sending ------------------------------------------------------------------------------


def check_service(url: str) -> None:
    """Ask the service without a valid key: only the service refuses the way it does.

    Raises:
        ReplayError: when nothing, or something else, answers there.
    """
    sentence = f"The service does not answer at {url}; {_START_IT}."
    try:
        with anthropic.Anthropic(base_url=url, api_key="none", max_retries=0, timeout=10) as client:
            _ask(client, "hello", "")
    except anthropic.APIStatusError as exc:
        if "x-shadoweval-request-id" not in exc.response.headers:
            raise ReplayError(sentence) from exc
    except anthropic.APIError as exc:
        raise ReplayError(sentence) from exc


def _ask(client: anthropic.Anthropic, query: str, task: str) -> UUID:
    """Send one query and return the id under which it is recorded."""
    response = client.messages.with_raw_response.create(
        model=AUTO,
        max_tokens=1024,
        messages=[{"role": "user", "content": query}],
        extra_headers={"x-shadoweval-task": _header(task)},
    )
    return UUID(response.headers["x-shadoweval-request-id"])


def _header(value: str) -> str:
    return " ".join(value.encode("ascii", "replace").decode().split())


def send(rows: Sequence[Row], url: str, api_key: str, workers: int, progress: Progress) -> Sent:
    """Send every query through the service; failures are counted, not raised."""
    sent = Sent()
    with (
        anthropic.Anthropic(base_url=url, api_key=api_key, max_retries=0) as client,
        ThreadPoolExecutor(workers, "replay") as pool,
    ):
        ends = pool.map(lambda row: _try(client, row), rows)
        for done, (row, end) in enumerate(zip(rows, ends, strict=True), 1):
            if isinstance(end, UUID):
                sent.by_id[end] = row
            else:
                sent.failures[end] += 1
            progress(done, len(rows))
    return sent


def _try(client: anthropic.Anthropic, row: Row) -> UUID | str:
    """Return the request's id, or the type of the failure."""
    try:
        return _ask(client, row.query, row.task)
    except anthropic.APIStatusError as exc:
        return f"{type(exc).__name__} {exc.status_code}"
    except (anthropic.APIError, KeyError, ValueError) as exc:
        return type(exc).__name__


def wait(project: Project, expected: int, progress: Progress, stall_s: float = _STALL_S) -> None:
    """Wait until all requests are recorded and no shadow job is open.

    Raises:
        ReplayError: when nothing moved for `stall_s`.
    """
    last: tuple[int, ...] = ()
    moved = time.monotonic()
    while True:
        recorded, ended, attempts = _state(project)
        progress(ended, expected)
        if recorded >= expected and ended >= expected:
            return
        if (recorded, ended, attempts) != last:
            last, moved = (recorded, ended, attempts), time.monotonic()
        elif time.monotonic() - moved > stall_s:
            raise ReplayError(
                f"Nothing moved for {stall_s:.0f} s: {recorded} of {expected} requests are "
                f"recorded and {ended} shadow jobs ended. Is the worker running?"
            )
        time.sleep(_POLL_S)


def _state(project: Project) -> tuple[int, int, int]:
    """Return answered requests recorded, their shadow jobs that ended, and attempts made."""
    jobs = ShadowJob.objects.filter(project=project, request__status=200)
    open_states = [ShadowJob.State.PENDING, ShadowJob.State.RUNNING]
    attempts = jobs.aggregate(n=Sum("attempts"))["n"] or 0
    return _recorded(project), jobs.exclude(state__in=open_states).count(), attempts


def _recorded(project: Project) -> int:
    return Request.objects.filter(project=project, status=200).count()


# --- labels -------------------------------------------------------------------------------


def opinion(label: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a label as the fields of a verdict, or None for a kind that a verdict cannot hold.

    Example:
        >>> opinion({"kind": "preference", "value": "tie"})
        {'preference': 'tie'}
    """
    kind, value = label.get("kind"), label.get("value")
    if kind == "preference" and value in _SAYABLE:
        return {"preference": value}
    if kind != "correct" or not isinstance(value, dict):
        return None
    sides = value.get("cheap"), value.get("expensive")
    if any(side not in (0, 1) for side in sides):
        return None
    cheap, expensive = bool(sides[0]), bool(sides[1])
    return {
        "preference": _BY_CORRECTNESS[cheap, expensive].value,
        "cheap_adequate": cheap,
        "expensive_adequate": expensive,
    }


@transaction.atomic
def import_labels(study: Study, by_id: Mapping[UUID, Row]) -> tuple[Counter[str], int]:
    """Write the labels of all pairs as verdicts; return verdicts by kind and labels left out."""
    counts: Counter[str] = Counter()
    left_out = 0
    verdicts = []
    raters: dict[tuple[str, str], Rater] = {}
    pairs = ShadowPair.objects.filter(project=study.project).values_list("id", "request_id")
    for pair_id, request_id in pairs.order_by("id"):
        for label in by_id[request_id].labels if request_id in by_id else []:
            kind, fields = _KINDS.get(str(label.get("rater_type"))), opinion(label)
            if kind is None or fields is None:
                left_out += 1
                continue
            rater = _rater(study.project, kind.value, label, raters)
            verdicts.append(Verdict(study=study, pair_id=pair_id, rater=rater, **fields))
            counts[kind.label] += 1
    Verdict.objects.bulk_create(verdicts, batch_size=_GROUP)
    return counts, left_out


def _rater(
    project: Project, kind: str, label: Mapping[str, Any], known: dict[tuple[str, str], Rater]
) -> Rater:
    name = str(label.get("rater") or "unnamed")[:150]
    if (kind, name) not in known:
        known[kind, name], _ = Rater.objects.get_or_create(kind=kind, name=name, project=project)
    return known[kind, name]


# --- the whole ----------------------------------------------------------------------------


def newest_router() -> RouterVersion:
    """Return the default project's live router, or else the newest version.

    Raises:
        ReplayError: when there is none, as before the first start.
    """
    default = Project.objects.filter(slug=DEFAULT_PROJECT).first()
    live = policy.live(default) if default else None
    version = live.router if live else RouterVersion.objects.order_by("-id").first()
    if version is None:
        raise ReplayError(f"The service has no router yet; {_START_IT}.")
    return version


@transaction.atomic
def create_project(path: Path, row: Row, router: RouterVersion, base_url: str) -> Project:
    """Write a project whose provider is the stand-in; every query goes to EXPENSIVE."""
    stem = path.name.removesuffix(".gz").removesuffix(".jsonl")
    project = Project.objects.create(
        slug=_free_slug(stem), name=f"Replay: {stem}"[:120], kind=Project.Kind.REPLAY
    )
    first = policy.create(
        project=project,
        router=router,
        threshold=policy.ALWAYS_EXPENSIVE,
        cheap=_spec(row.cheap_model, base_url),
        expensive=_spec(row.expensive_model, base_url),
        note="Replay of recorded answers",
    )
    policy.deploy(first, by=None, reason="Replay of recorded answers")
    return project


def _spec(model: str, base_url: str) -> TierSpec:
    return TierSpec("anthropic", model, base_url, price=pricing.LIST_PRICES.get(model))


def _free_slug(stem: str) -> str:
    base = "replay-" + (re.sub(r"[^a-z0-9_]+", "-", stem.lower()).strip("-") or "file")[:36]
    taken = set(Project.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    names = (base if n == 1 else f"{base}-{n}" for n in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def run(
    path: Path,
    *,
    url: str,
    limit: int | None = None,
    workers: int = 8,
    on_sent: Progress = lambda done, total: None,
    on_paired: Progress = lambda done, total: None,
) -> Result:
    """Replay a file; see the module.

    Raises:
        ReplayError: when the file, the service or the worker is not what it must be.
    """
    content = read(path, limit)
    router = newest_router()
    check_service(url)
    with serving(answers(content.rows)) as base_url:
        project = create_project(path, content.rows[0], router, base_url)
        secret, key_row = access.create_key(project, "replay")
        try:
            sent = send(content.rows, url, secret, workers, on_sent)
        finally:
            access.revoke(key_row)
        wait(project, len(sent.by_id), on_paired)
    live = policy.live(project)
    assert live is not None
    study = sampling.start(
        live, name=f"Replay of {path.name}"[:120], seed=project.slug[:40], rate=1.0,
        early_stop=False,  # all labels come at once: nobody looks before
    )  # fmt: skip
    verdicts, not_imported = import_labels(study, sent.by_id)
    jobs = ShadowJob.objects.filter(project=project).values_list("state", "reason")
    return Result(
        slug=project.slug,
        content=content,
        sent=sent,
        recorded=_recorded(project),
        pairs=ShadowPair.objects.filter(project=project).count(),
        jobs=Counter(f"{state}: {reason}" if reason else state for state, reason in jobs),
        verdicts=verdicts,
        not_imported=not_imported,
    )
