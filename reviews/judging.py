"""The LLM judge beside people: made, started, stopped, and asked by workers.

A judge is a rater of a kind of its own. Every pair is asked about in both orders; only a pair with
both answered becomes a verdict. Calls and money: judge_calls.py. Batches: judge_batches.py.
"""

from __future__ import annotations

import asyncio
import json
import logging
from decimal import ROUND_DOWN, Decimal
from queue import SimpleQueue
from threading import Lock, Thread

from django.db import transaction

from reviews import judge_calls, judge_prompt, judge_reply, leaks, sampling
from reviews.errors import BadInput, Conflict
from reviews.judge_calls import Job, Outcome
from reviews.models import JudgeRun, JudgeSpec, SampledPair, Study, Verdict
from routing import pricing, providers, tiers
from routing.errors import NotConnected, ProviderError, ProviderUnreachable, StrangeReply
from routing.types import Dialect, Price, Reply, TierSpec
from routing.wire import translation

log = logging.getLogger(__name__)

_STATES = JudgeRun.State
_TERMS = (
    *JudgeSpec.DECIDES, "key_name", "price", "cap_usd", "share", "allow_tier_model", "use_batch",
)  # fmt: skip
DEFAULT_MAX_TOKENS = 512
#: Of a prompt: it is sent with every call.
_MOST_PROMPT = 20_000
_AT_ONCE = 16
_GROUP = 2_000
#: Nothing but another key, address or model can help.
_STOPPING = {401, 403, 404}
#: Calls take minutes; a worker's other hands are for the rest of its work.
ONE_HAND = Lock()
#: As fine as a cap is stored.
_CENT_PART = Decimal("0.0001")
_FREE = Price(Decimal(0), Decimal(0), source="simulated")


def create(
    study: Study,
    asked: TierSpec,
    *,
    cap_usd: Decimal,
    share: float = 1.0,
    prompt: str = judge_prompt.PROMPT,
    max_tokens: int = DEFAULT_MAX_TOKENS,
    temperature: float | None = 0.0,
    allow_tier_model: bool = False,
    use_batch: bool = False,
) -> JudgeSpec:
    """Write a judge of a study, and start it.

    Args:
        study: whose frame is judged.
        asked: provider, model, address, key and price.
        cap_usd: what all its calls together may cost; never passed.
        share: of the frame's pairs, drawn by the study's seed.
        prompt: what a good answer is; the rules that set answers apart as data are added.
        max_tokens: of an answer.
        temperature: None for models that take none.
        allow_tier_model: let a model judge its own answers.
        use_batch: ask by the provider's batches, at half the price and within a day.

    Raises:
        BadInput: when the judge plays a tier of the study, its price is not known or 0, the prompt
            is too long, or the provider has no batches.
        Conflict: when the same judge is running already.
    """
    price = _price_of(asked)
    if not allow_tier_model:
        check_outsider(study, asked.model)
    if len(prompt) > _MOST_PROMPT:
        raise BadInput(f"A prompt holds at most {_MOST_PROMPT:,} characters.")
    if use_batch and providers.batches(asked.provider) is None:
        raise BadInput(f"The provider {asked.provider} has no batches.")
    spec = JudgeSpec(
        study=study, provider=asked.provider, model=asked.model, base_url=asked.base_url,
        key_name=asked.key_name, price=pricing.to_json(price), prompt=prompt,
        framing=judge_prompt.FRAMING, tool=judge_prompt.TOOL, max_tokens=max_tokens,
        temperature=temperature, cap_usd=cap_usd, share=share, allow_tier_model=allow_tier_model,
        use_batch=use_batch,
    )  # fmt: skip
    return _begin(spec)


def _price_of(asked: TierSpec) -> Price:
    """Return the price by which the cap is kept.

    Raises:
        BadInput: when it is not known, or a part of it is 0.
    """
    if asked.provider == "simulated":
        return _FREE
    if asked.price is None:
        raise BadInput("A judge needs a price: without one its cap cannot be kept.")
    if 0 in {getattr(asked.price, f"{name}_usd") for name in tiers.AMOUNTS}:
        raise BadInput("A judge needs a price above 0: by 0 its cap cannot be kept.")
    return asked.price


@transaction.atomic
def _begin(spec: JudgeSpec) -> JudgeSpec:
    spec.save()
    _check_alone(spec)
    JudgeRun.objects.create(spec=spec)
    return spec


@transaction.atomic
def carry_on(spec: JudgeSpec, study: Study) -> JudgeSpec | None:
    """Let a judge go on with another study on its own terms, for what is left of its cap.

    It stops where it was, so that both together never pass the cap that a person gave it. Where
    nothing is left it goes on where it is; None is returned. So it is of one that somebody stopped
    meanwhile.

    Its share is spread over the days of the new study, so that the cap lasts for all of them.

    Raises:
        Conflict: when it is running there already.
    """
    run = JudgeRun.objects.select_for_update().get(spec=spec)
    left = (spec.cap_usd - run.spent_usd - run.reserved_usd).quantize(_CENT_PART, ROUND_DOWN)
    if run.state != _STATES.RUNNING or left <= 0:
        return None
    stop(spec, f"It goes on with “{study.name}”."[:200])
    lasting = {"cap_usd": left, "share": _spread(spec, study)}
    terms = {name: getattr(spec, name) for name in _TERMS} | lasting
    return _begin(JudgeSpec(study=study, **terms))


def _spread(spec: JudgeSpec, study: Study) -> float:
    """Return the share of a longer study's pairs that are as many as the judge's study had."""
    before, after = spec.study.policy, study.policy
    pairs = max(before.shadow_rate_cheap, before.shadow_rate_expensive) * spec.study.window_days
    later = max(after.shadow_rate_cheap, after.shadow_rate_expensive) * study.window_days
    return min(spec.share * pairs / later, 1.0) if pairs and later else spec.share


def _check_alone(spec: JudgeSpec) -> None:
    """Refuse a judge that runs already with other terms.

    Call it in the transaction that starts the judge: the study's lock lets one start after another.
    """
    Study.objects.select_for_update(no_key=True).get(pk=spec.study_id)
    same = JudgeSpec.objects.filter(
        study=spec.study_id, sha256=spec.sha256, run__state=_STATES.RUNNING
    )
    if same.exclude(pk=spec.pk).exists():
        raise Conflict("The same judge is running already; stop it to start it with other terms.")


def check_outsider(study: Study, model: str) -> None:
    """Refuse a judge of its own answers, by whichever id of the model.

    Raises:
        BadInput: naming the tier that the model plays.
    """
    for tier, identity in study.policy.identity.items():
        if _bare(identity["model"]) == _bare(model):
            raise BadInput(
                f"{model} plays the {tier} tier of this study: it would judge its own answers. "
                "Choose another model, or say that you allow it."
            )


def _bare(model: str) -> str:
    """Return what all ids of one model share: no vendor, no date, no `latest`, one separator."""
    return ".".join(leaks.words(model)).casefold().removesuffix(".latest") or model.casefold()


@transaction.atomic
def start(spec: JudgeSpec) -> None:
    """Let calls be made again.

    Raises:
        Conflict: when the same judge is running with other terms.
    """
    _check_alone(spec)
    _switch(spec, _STATES.RUNNING, "")


def stop(spec: JudgeSpec, reason: str) -> None:
    """Make no more calls; those under way still end."""
    _switch(spec, _STATES.STOPPED, reason)


def _switch(spec: JudgeSpec, state: str, reason: str) -> None:
    runs = JudgeRun.objects.filter(spec=spec)
    runs.update(state=state, reason=reason[:200], paused_until=None)


# --- which pairs


def extend(spec: JudgeSpec) -> int:
    """Put the pairs that came into the frame since the last look into the queue; return how many.

    Runs any number of times, also at once: a call is written once. A share is drawn by the study's
    seed; pairs on which the same judge has spoken are left out.
    """
    total = 0
    while (n := _extend(spec)) is not None:
        total += n
    return total


@transaction.atomic
def _extend(spec: JudgeSpec) -> int | None:
    """Put one group into the queue; None when there is none, or the judge was deleted."""
    run = JudgeRun.objects.select_for_update().filter(spec=spec).first()
    if run is None:
        return None
    new = spec.study.sample.filter(pk__gt=run.looked_to).order_by("pk").select_related("pair")
    draws = list(new[:_GROUP])
    if not draws:
        return None
    mine = {"study": spec.study, "rater": judge_calls.rater_of(spec)}
    spoken = Verdict.objects.filter(**mine, pair__in=[draw.pair_id for draw in draws])
    known = set(spoken.values_list("pair_id", flat=True))
    run.looked_to = draws[-1].pk
    run.save(update_fields=["looked_to"])
    return judge_calls.put(spec, [pk for pk in _drawn(spec, draws) if pk not in known])


def _drawn(spec: JudgeSpec, draws: list[SampledPair]) -> list[int]:
    """Return the pairs below the share, by their draw: where money ends, no hour is preferred.

    Of a living sample only those that may be drawn: what EXPENSIVE serves breaks no floor.
    """
    seed = f"{spec.study.seed}|judge"
    mine = [one for one in draws if one.inclusion_probability or not spec.study.watches_id]
    at = {draw.pair_id: sampling.uniform(seed, draw.pair.request_id) for draw in mine}
    return sorted((pk for pk, u in at.items() if u < spec.share), key=at.__getitem__)


def extend_all() -> None:
    """Extend the queues of all judges that run."""
    for spec in JudgeSpec.objects.filter(run__state=_STATES.RUNNING).select_related("study"):
        extend(spec)


# --- asking


def run(limit: int = _AT_ONCE) -> int:
    """Claim calls, ask them at once, and write each as it ends; return how many were claimed.

    Safe to run anywhere, any number of times at once: a second run in one process leaves the work
    to the first. Killed, it loses at most these calls, which come back when their leases end.
    """
    if not ONE_HAND.acquire(blocking=False):
        return 0
    try:
        return _run(limit)
    finally:
        ONE_HAND.release()


def _run(limit: int) -> int:
    jobs = judge_calls.claim(limit)
    if not jobs:
        return 0
    ended: SimpleQueue[tuple[Job, Outcome]] = SimpleQueue()
    asking = Thread(target=lambda: asyncio.run(_ask_all(jobs, ended)), name="judge", daemon=True)
    asking.start()
    for _ in jobs:
        job, outcome = ended.get()
        try:
            judge_calls.finish(job, outcome)
        except Exception as exc:  # its lease brings it back
            log.error("judge call %s is not stored: %s", job.pk, type(exc).__name__)
    asking.join()
    return len(jobs)


async def _ask_all(jobs: list[Job], ended: SimpleQueue[tuple[Job, Outcome]]) -> None:
    async def ask(job: Job) -> None:
        ended.put((job, await _ask(job)))

    await asyncio.gather(*(ask(job) for job in jobs))
    for name in {job.spec.provider for job in jobs}:
        await providers.get(name).close_clients()


async def _ask(job: Job) -> Outcome:
    """Ask once; every end has a reason."""
    try:
        asked, provider = job.spec.asked, providers.get(job.spec.provider)
        limit_field = provider.limit_field(asked)
        source, target = Dialect.MESSAGES, provider.dialect
        payload = translation.payload(job.payload, source, target, limit_field)
        return heard(job.spec, await provider.ask(asked, payload, {}, "", judge_calls.timeout_s()))
    except Exception as exc:
        return failed(exc)


def heard(spec: JudgeSpec, reply: Reply) -> Outcome:
    """Return what a reply says; one that says nothing was paid, and is not asked again."""
    request_id = reply.headers.get("request-id") or reply.headers.get("x-request-id") or ""
    try:
        message = json.loads(translation.reply(reply.body, reply.dialect, Dialect.MESSAGES))
        said = judge_reply.read(message, spec.tool["name"])
    except (ValueError, LookupError, TypeError, AttributeError) as exc:
        said = f"malformed: {type(exc).__name__}"
    if isinstance(said, str):
        return Outcome(reason=said, usage=reply.usage, request_id=request_id)
    return Outcome(said, usage=reply.usage, request_id=request_id)


def failed(error: Exception) -> Outcome:
    """Return how a call ended without a reply."""
    if isinstance(error, ProviderError):
        return Outcome(
            reason=f"provider_error: {error.status}",
            retryable=error.retryable,
            status=error.status,
            retry_after_s=error.retry_after_s,
            is_free=error.status not in (500, 502, 504),
            stops=error.status in _STOPPING,
        )
    if isinstance(error, StrangeReply):
        return Outcome(reason="malformed: not a message")
    if isinstance(error, ProviderUnreachable):
        is_free = isinstance(error, NotConnected)
        return Outcome(reason=f"provider_unreachable: {error}", retryable=True, is_free=is_free)
    log.error("judge call failed: %s", type(error).__name__)
    return Outcome(reason=f"error: {type(error).__name__}")
