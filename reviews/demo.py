"""The demo: a support desk, two studies that have ended, and one with some pairs left to rate.

It lives in a project of its own, so that nothing in it touches live routing and removing the
project removes all of it.
"""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from itertools import chain, count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils import timezone

from reviews import (
    asking,
    blinding,
    calibration,
    closing,
    demo_costs,
    demo_handbook,
    demo_monitors,
    demo_quarters,
    demo_repeats,
    gold,
    guidance,
    permissions,
    projects,
    rating,
    sampling,
    signoff,
)
from reviews.models import Guideline, Presentation, Rater, Rating, Slot, Study, Verdict
from reviews.opinions import Answer
from routing import policy, pricing, recording, records, routers, shadow
from routing.bootstrap import ensure_project
from routing.models import Completion, Policy, Project, RouterVersion, ShadowJob, ShadowPair
from routing.served import Served
from routing.types import ChatRequest, DecisionValue, Reason, Reply, Tier, Usage

SLUG = "demo-support-desk"
#: Marks the demo's people: only they are removed with it.
GROUP = "demo"
CONTENT = Path(__file__).parent / "data" / "demo_support_desk.jsonl"
#: Of pairs that are rated by the time a person comes: before that they would not be used.
GOLD = CONTENT.with_name("demo_gold.jsonl")
#: Older requests, in no window of the other studies: what a router may learn from.
TRAINING = CONTENT.with_name("demo_training.jsonl")
#: Nearly all of them are drawn to train; a study draws some to calibrate.
_TO_TRAIN: dict[str, Any] = {"rate": 0.05, "train_rate": 0.95}
_LONG_AGO = 30
_PEOPLE = {
    "demo-rater-1": "rater",
    "demo-rater-2": "rater",
    "demo-product": "product",
    "demo-product-2": "product",
}
_NAMESPACE = UUID("7d5f0f6e-57d4-4c0a-9a0c-3c1f3a2f8f10")
_CHOICES = Rating.Choice
_LEFT = {"cheap": _CHOICES.A_SLIGHTLY, "expensive": _CHOICES.B_SLIGHTLY}
_RIGHT = {"cheap": _CHOICES.B_SLIGHTLY, "expensive": _CHOICES.A_SLIGHTLY}
#: A hundred ratings cannot hold 5 %. The window is over from the start: no look comes before it.
_PLAN: dict[str, Any] = {"floor": 0.1, "early_stop": False}
#: Pairs left for a newcomer, after which the study closes.
_UNRATED = 11
#: What a newcomer is asked: those and some of the hidden checks, not the forty of a real study.
_ASKED = 13
#: Pairs shown again with their sides swapped.
_REPEATS = 6
_EITHER = {"tie": _CHOICES.EQUAL, "both_bad": _CHOICES.BOTH_BAD}


def rows() -> list[dict[str, Any]]:
    """Return the support desk's queries with both answers and what two raters said."""
    return _read(CONTENT)


def _read(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@transaction.atomic
def load() -> Project:
    """Write the demo project; when it is there already, return it."""
    if known := Project.objects.filter(kind=Project.Kind.DEMO).first():
        return known
    version = RouterVersion.objects.filter(is_starter=True).earliest("id")
    taken = Project.objects.filter(slug__startswith=SLUG).values_list("slug", flat=True)
    slug = _free(SLUG, set(taken))
    project = ensure_project(slug, "Demo: support desk", version, Project.Kind.DEMO)
    content = rows()
    live = policy.live(project)
    assert live is not None
    people = _people()
    _write_labels(live, people)
    _write_requests(project, version, content)
    open_study = _study(live, "Ten pairs to rate", content, people, unrated=_UNRATED)
    _write_gold(open_study, content, people["demo-product"])
    study = _study(live, "Demo study", content, people)
    pairs = ShadowPair.objects.filter(project=project).in_bulk(field_name="request_id")
    by_id = {row["id"]: pairs[uuid5(_NAMESPACE, row["id"])] for row in content}
    demo_repeats.write(study, by_id, _raters(people))
    closing.close(study, by=None, basis=Study.Basis.WINDOW)
    _request_signoff(study, people["demo-product"], people["demo-product-2"])
    demo_monitors.write(project)
    demo_handbook.write(project)
    demo_costs.write(project, _read(TRAINING), _reply)
    return project


def _write_labels(live: Policy, people: dict[str, User]) -> None:
    """Write older requests with a study that draws them to train, all rated."""
    earlier = _read(TRAINING)
    _write_requests(live.project, live.router, earlier, ended=_LONG_AGO)
    name = "Pairs to train on"
    study = sampling.start(live, name=name, seed=name, **_TO_TRAIN, **_PLAN)
    _end_window(study, ended=_LONG_AGO)
    sampling.extend(study)
    _rate(study, earlier, people, unrated=0)
    closing.close(study, by=None, basis=Study.Basis.WINDOW)


def _study(
    live: Policy,
    name: str,
    content: list[dict[str, Any]],
    people: dict[str, User],
    unrated: int = 0,
) -> Study:
    """Start a study whose window is over, rated but for some pairs."""
    asked: dict[str, Any] = {"rater_target": _ASKED} if unrated else {}
    study = sampling.start(live, name=name, seed=name, rate=1.0, **asked, **_PLAN)
    _end_window(study)
    _rate(study, content, people, unrated)
    return study


def _free(name: str, taken: set[str]) -> str:
    """Return the name, or with a number when it is somebody's."""
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(free for free in names if free not in taken)


@transaction.atomic
def remove() -> None:
    """Delete the demo project with all that belongs to it, and the demo's people."""
    for project in Project.objects.filter(kind=Project.Kind.DEMO):
        projects.delete(project)
    people = User.objects.filter(groups__name=GROUP)
    Rater.objects.filter(user__in=people).delete()
    people.delete()


def _write_requests(
    project: Project, version: RouterVersion, content: list[dict[str, Any]], ended: int = 0
) -> None:
    """Record each query as served by EXPENSIVE, with its cheap shadow, over ten days.

    Args:
        project: the demo.
        version: whose scores they get.
        content: the queries with their answers.
        ended: so many days ago.
    """
    router = routers.load(version.kind, bytes(version.artifact), version.embedder)
    live = policy.live(project)
    assert live is not None
    step = timedelta(days=10) / len(content)
    start = timezone.now() - timedelta(days=10 + ended)
    served = []
    for place, row in enumerate(content):
        score = router.score(row["query"])
        decision = DecisionValue(
            Tier.EXPENSIVE, Reason.AT_OR_ABOVE_THRESHOLD, 0.0, score.value, score.rule, row["task"]
        )
        served.append(_served(project, live.pk, row, decision, start + place * step))
    recording.write(served)
    by_id = {uuid5(_NAMESPACE, row["id"]): row for row in content}
    jobs = ShadowJob.objects.filter(request__in=list(by_id))
    jobs = jobs.select_related("request__decision__policy")
    for job in jobs:
        _pair(job, by_id[job.request_id]["cheap"])
    jobs.update(state=ShadowJob.State.DONE, reason="", finished_at=timezone.now(), attempts=1)


def _reply(text: str, model: str, query: str) -> Reply:
    message = {"type": "message", "role": "assistant", "model": model}
    body = {**message, "content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}
    usage = Usage(len(query) // 4 + 20, len(text) // 4)
    return Reply(json.dumps(body).encode(), text, model, "end_turn", usage, 900.0)


def _served(
    project: Project, policy_id: int, row: dict[str, Any], decision: DecisionValue, at: Any
) -> Served:
    body = {"messages": [{"role": "user", "content": row["query"]}], "max_tokens": 1024}
    request = ChatRequest(body, row["query"], "auto", row["task"])
    reply = _reply(row["expensive"], "demo-large", row["query"])
    return Served(
        request_id=uuid5(_NAMESPACE, row["id"]),
        received_at=at,
        project_id=project.pk,
        api_key_id=None,
        policy_id=policy_id,
        wire="native",
        request=request,
        decision=decision,
        status=200,
        error="",
        provider="demo",
        reply=reply,
        cost_usd=_cost(reply, "claude-sonnet-5-5"),
        shadow_rate=1.0,
        overhead_ms=4.0,
        latency_ms=904.0,
    )


def _cost(reply: Reply, priced_as: str) -> Decimal | None:
    return pricing.cost_usd(pricing.LIST_PRICES[priced_as], reply.usage)


def _pair(job: ShadowJob, text: str) -> None:
    reply = _reply(text, "demo-small", job.request.query)
    fields = records.completion_fields(reply, "demo", _cost(reply, "claude-haiku-5-5"))
    cheap = Completion.objects.create(
        request_id=job.request_id, tier=Tier.CHEAP.value, is_shadow=True, **fields
    )
    expensive = Completion.objects.get(request_id=job.request_id, tier=Tier.EXPENSIVE.value)
    shadow.pair(job, expensive, cheap)


def _people() -> dict[str, User]:
    """Write the demo's people; they have no usable password and cannot log in."""
    permissions.ensure_roles()
    group, _ = Group.objects.get_or_create(name=GROUP)
    people = {}
    for name, role in _PEOPLE.items():
        taken = User.objects.filter(username__startswith=name).values_list("username", flat=True)
        user = User.objects.create_user(_free(name, set(taken)))
        permissions.give(user, role)
        user.groups.add(group)
        people[name] = user
    return people


def _end_window(study: Study, ended: int = 0) -> None:
    """Let the study have begun so long ago that its window ended some days ago, or ends now."""
    begun = timezone.now() - timedelta(days=study.window_days + ended)
    Study.objects.filter(pk=study.pk).update(created_at=begun)
    study.refresh_from_db()


def _raters(people: dict[str, User]) -> list[Rater]:
    return [rating.rater_of(people[name]) for name in ("demo-rater-1", "demo-rater-2")]


def _rate(
    study: Study, content: list[dict[str, Any]], people: dict[str, User], unrated: int
) -> None:
    """Let two raters rate the queue in its order, second slots and some repeats included.

    Written in bulk, as `rating` would write it one by one.
    """
    raters = _raters(people)
    sample = study.slots.filter(kind=Slot.Kind.SAMPLE).select_related("pair__request")
    first = list(sample.filter(ordinal=1).order_by("order"))
    first = first[: len(first) - unrated]
    again = list(sample.filter(ordinal=2, pair__in=[slot.pair for slot in first]))
    turns = {slot.pair_id: turn % 2 for turn, slot in enumerate(first)}
    repeats = [_repeat(slot, raters[turns[slot.pair_id]]) for slot in first[:_REPEATS]]
    for slot in first + again:
        slot.rater = raters[(turns[slot.pair_id] + slot.ordinal - 1) % 2]
        slot.state = Slot.State.DONE
    Slot.objects.bulk_update(first + again, ["rater", "state"])
    _say(first + again + Slot.objects.bulk_create(repeats), content, guidance.current(study))


def _repeat(slot: Slot, rater: Rater) -> Slot:
    return Slot(
        study=slot.study, pair=slot.pair, rater=rater, kind=Slot.Kind.REPEAT, ordinal=0,
        order=_REPEATS, state=Slot.State.DONE,
    )  # fmt: skip


def _say(slots: list[Slot], content: list[dict[str, Any]], guideline: Guideline) -> None:
    """Rate pairs as the content says that the first or the second rater did."""
    rows = {row["query"]: row for row in content}
    shown = Presentation.objects.bulk_create([_shown(slot, guideline) for slot in slots])
    said = []
    for one in shown:
        row = rows[one.slot.pair.request.query]
        is_second = one.rater.name.endswith("2") and row["second"]
        answers = _answers(row["second"] if is_second else row, one.left)
        seconds = 12 + 58 * sampling.uniform("seconds", one.slot_id)
        said.append(Rating(presentation=one, seconds=seconds, **answers))
    ratings = Rating.objects.bulk_create(said)
    evidence = [row for row in ratings if row.presentation.slot.kind == Slot.Kind.SAMPLE]
    Verdict.objects.bulk_create([blinding.verdict(row) for row in evidence])


def _shown(slot: Slot, guideline: Guideline) -> Presentation:
    """Return a showing with its side drawn by a hash; of a repeat, the other side."""
    is_cheap = sampling.uniform("left", slot.pair_id) < 0.5
    left = Tier.CHEAP if is_cheap != (slot.kind == Slot.Kind.REPEAT) else Tier.EXPENSIVE
    return Presentation(
        token=uuid4(), slot=slot, rater=slot.rater, left=left.value, guideline=guideline
    )


def _write_gold(study: Study, content: list[dict[str, Any]], by: User) -> None:
    """Make a calibration round and two hidden checks, with the answers of the content."""
    answers = {row["id"]: row for row in content}
    for row in _read(GOLD):
        known = answers[row["id"]]
        pair = ShadowPair.objects.get(request_id=uuid5(_NAMESPACE, row["id"]))
        fits = (bool(known["cheap_adequate"]), bool(known["expensive_adequate"]))
        answer = Answer(known["preference"], *fits)
        gold.add(study, pair, by, use=row["use"], answer=answer, explanation=row["explanation"])


def _answers(said: dict[str, Any], left: str) -> dict[str, Any]:
    """Return a verdict in the words of a blind rating."""
    fit = {tier: bool(said[f"{tier}_adequate"]) for tier in ("cheap", "expensive")}
    sides = _LEFT if left == Tier.CHEAP else _RIGHT
    right = Tier(left).other.value
    choice = {**_EITHER, **sides}[said["preference"]]
    return {"choice": choice, "left_adequate": fit[left], "right_adequate": fit[right]}


def _request_signoff(study: Study, asks: User, approves: User) -> None:
    """Ask, and approve for Product: whoever looks at the demo as Engineering gives the last one."""
    row = signoff.request(
        study=study,
        user=asks,
        threshold=calibration.certificate(study).threshold or 0.0,
        reason="Demo: send the plain account questions to the small model.",
        rollout=list(asking.RAMP),
    )
    text = "These questions are short, and raters found both answers good enough."
    signoff.comment(row, user=asks, text=text)
    signoff.decide(row, user=approves, decision="approve", comment="Fine for Product.")
    demo_quarters.write(row)
