"""The judge page: judges of a study, how far they are, and whether they are any good."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings as django_settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from reviews import judge_prompt, judge_quality, judging, permissions
from reviews.errors import BadInput
from reviews.judge_quality import Report
from reviews.models import JudgeRun, JudgeSpec, Study
from reviews.views.frame import current_project, notices, page
from reviews.views.policies import check_base_url
from reviews.views.study import chosen, study_or_404
from routing import tiers
from routing.types import TierSpec

_SIMULATED = TierSpec("simulated", "simulated-judge")
#: What an administrator alone may say of who is asked.
_RESERVED = ("url", "key_name", "input", "output", "source", "date")
_FIELDS = ("provider", "model", *_RESERVED)
_MOST_USD = 1_000_000


@require_safe
@page("see_results")
def judges(request: HttpRequest) -> HttpResponse:
    """Show the judges of the chosen study."""
    project = current_project(request)
    studies, study = chosen(request, project)
    context: dict[str, Any] = {
        "studies": studies,
        "study": study,
        "can_name": permissions.can(request.user, "administer"),
        "can_run": permissions.can(request.user, "run_studies"),
        "providers": tiers.PROVIDERS,
        "prompt": judge_prompt.PROMPT,
    }
    if study is not None:
        rows = study.judges.select_related("run", "study")
        context |= {"judges": [_shown(spec) for spec in rows], **notices(project, study.policy)}
    return render(request, "reviews/judges.html", context)


def _shown(spec: JudgeSpec) -> dict[str, Any]:
    """Return what the page says of one judge."""
    answered = judge_quality.rows(spec)
    whole = judge_quality.report(spec, answered)
    tasks = judge_quality.by_task(spec, answered)
    return {
        "spec": spec,
        "run": spec.run,
        "is_running": spec.run.state == JudgeRun.State.RUNNING,
        "progress": judge_quality.progress(spec),
        "whole": whole,
        "tasks": [("all", whole), *tasks] if len(tasks) > 1 else [("all", whole)],
        "table": whole.quality.table.tolist(),
        "worth": _worth(whole),
    }


def _worth(about: Report) -> str:
    """Return in a sentence what one rating is worth with this judge beside it."""
    value, low = about.quality.worth.value, about.quality.worth.interval.low
    if math.isnan(value):
        return "What it is worth is not known yet: people and judge must both have seen harm."
    said = "without limit" if math.isinf(value) else f"{value:.1f}"
    least = f" (at least {low:.1f})" if math.isfinite(low) else ""
    return f"This judge is worth {said} ratings per rating{least}."


@require_POST
@page("run_studies")
def create(request: HttpRequest) -> HttpResponse:
    """Make a judge of a study and start it."""
    study, said = study_or_404(request.POST.get("study", "")), request.POST
    spec = judging.create(
        study,
        _asked(request),
        cap_usd=_usd(said.get("cap_usd", "")),
        share=_number(said.get("share", ""), "The share of pairs", 0, 1),
        prompt=said.get("prompt", "").strip() or judge_prompt.PROMPT,
        temperature=_temperature(said.get("temperature", "")),
        allow_tier_model="allow_tier_model" in said,
        use_batch="use_batch" in said,
    )
    messages.success(request, f"{spec.name} begins within half a minute.")
    return _to(study)


def _asked(request: HttpRequest) -> TierSpec:
    """Read who is asked; another address, key or price is an administrator's to name.

    Whoever may name address and key may send any key of this server anywhere; whoever may name a
    price may spend more than the cap.
    """
    given = {name: request.POST.get(name, "") for name in _FIELDS}
    if any(given[name].strip() for name in _RESERVED):
        permissions.check(request.user, "administer")
    defaults = {
        "anthropic": TierSpec(
            "anthropic", "", django_settings.SHADOWEVAL_ANTHROPIC_URL, "ANTHROPIC_API_KEY"
        ),
        "openai": TierSpec("openai", "", key_name="OPENAI_API_KEY"),
        "simulated": _SIMULATED,
    }
    try:
        spec = tiers.read(given, defaults.get(given["provider"].strip(), _SIMULATED))
    except ValueError as exc:
        raise BadInput(str(exc).replace("A tier needs", "A judge needs")) from exc
    if given.get("url", "").strip():
        check_base_url(spec.base_url)
    return spec


def _usd(text: str) -> Decimal:
    try:
        value = round(Decimal(text), 4)
    except (InvalidOperation, ValueError, OverflowError):
        value = Decimal(-1)
    if not (value.is_finite() and 0 <= value <= _MOST_USD):
        raise BadInput(f"The cap must be a number of USD from 0 to {_MOST_USD:,}.")
    return value


def _number(text: str, what: str, above: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not above < value <= most:
        raise BadInput(f"{what} must lie above {above:g} and at most at {most:g}.")
    return value


def _temperature(text: str) -> float | None:
    """Return the temperature; empty is for models that take none."""
    return _number(text, "The temperature", -0.001, 2) if text.strip() else None


@require_POST
@page("run_studies")
def switch(request: HttpRequest, pk: int) -> HttpResponse:
    """Start or stop a judge."""
    spec = get_object_or_404(JudgeSpec.objects.select_related("study"), pk=pk)
    if request.POST.get("action") == "start":
        judging.start(spec)
    else:
        judging.stop(spec, f"stopped by {request.user.get_username()}")
    return _to(spec.study)


def _to(study: Study) -> HttpResponse:
    asked = {"project": study.project.slug, "study": str(study.pk)}
    return redirect(f"{reverse('judge')}?{urlencode(asked)}")
