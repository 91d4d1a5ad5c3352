"""How far the raters of a study agree, and whether they were blind: for the lead."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from reviews import confusions, panels, votes
from reviews.models import Rater
from reviews.views.frame import page
from reviews.views.study import context, study_or_404


@require_GET
@page("see_raters")
def agreement(request: HttpRequest, pk: int) -> HttpResponse:
    """Show agreement by question and task type, blinding, sides, length and leaks."""
    study = study_or_404(pk)
    said = votes.of(study)
    found = confusions.of(said)
    names = dict(
        Rater.objects.filter(pk__in=[r for r, _ in found.rows if r]).values_list("pk", "name")
    )
    position, n_position = panels.position(said)
    length, n_length = panels.length(said)
    known = {
        "n_votes": sum(vote.is_sample for vote in said),
        "asked": panels.agreements(study, said),
        "blinding": panels.blinding(study),
        "position": position,
        "n_position": n_position,
        "length": length,
        "n_length": n_length,
        "leaks": panels.leaks(study),
        "confusions": found,
        "errors": [(names.get(r or 0, "Raters with few pairs"), row) for r, row in found.rows],
        "fewest": confusions.FEWEST_PAIRS,
    }
    return render(request, "reviews/raters/agreement.html", context(request, study) | known)
