"""Gold pages: the list of a study, what it suggests, and the form below a pair."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from reviews import gold, rating, revealing
from reviews.errors import BadInput, Conflict
from reviews.models import Gold, Study
from reviews.opinions import Answer
from reviews.views import overview
from reviews.views.frame import page
from reviews.views.study import context, study_or_404
from routing.models import ShadowPair


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


@require_GET
@page("run_studies")
def golds(request: HttpRequest, pk: int) -> HttpResponse:
    """List the gold pairs with how raters did, and pairs that would make good ones."""
    study = get_object_or_404(Study, pk=pk)
    shown = {
        **context(request, study),
        "rows": gold.rows(study, rating.rater_of(_user(request))),
        "suggestions": gold.suggestions(study),
        "uses": Gold.Use.choices,
        "enough": gold.ENOUGH,
    }
    return render(request, "reviews/study_gold.html", shown)


@require_POST
@page("run_studies")
def retire(request: HttpRequest, pk: int, gold_pk: int) -> HttpResponse:
    """Use a gold pair no more."""
    gold.retire(get_object_or_404(Gold, pk=gold_pk, study_id=pk))
    messages.success(request, "Retired: nobody is shown it as gold any more.")
    return redirect("study_gold", pk)


@require_POST
@page("run_studies")
def accept(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a suggested pair gold."""
    study, text = get_object_or_404(Study, pk=pk), request.POST.get("pair", "")
    if not (text.isdecimal() and len(text) < 19):
        raise BadInput("This form names no pair; reload the page.")
    made = gold.accept(study, int(text), _user(request), request.POST.get("use", ""))
    messages.success(request, f"Gold: {made.get_use_display().lower()}.")
    return redirect("study_gold", pk)


@require_POST
@page("run_studies")
def add(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a pair gold that this person has seen; what cannot be comes back with what was typed."""
    pair = get_object_or_404(ShadowPair, pk=pk)
    user = _user(request)
    if not revealing.may_reveal(pair, rating.rater_of(user)):
        raise Conflict("First look at the pair; then say what is known of it.")
    form = request.POST
    study = study_or_404(form.get("study", ""))
    try:
        made = gold.add(
            study, pair, user, use=form.get("use", ""), answer=_answer(form),
            explanation=form.get("explanation", ""),
        )  # fmt: skip
    except (BadInput, Conflict) as exc:
        return overview.show_pair(request, pair, typed=form, gold_problem=str(exc))
    messages.success(request, f"Gold in “{study}”: {made.get_use_display().lower()}.")
    return redirect("study_gold", study.pk)


def _answer(form: Any) -> Answer:
    fits = {"yes": True, "no": False}
    return Answer(
        form.get("preference", ""),
        fits.get(form.get("cheap_adequate", "")),
        fits.get(form.get("expensive_adequate", "")),
    )
