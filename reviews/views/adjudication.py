"""The adjudication page: blind like the rating page; what raters said follows one's own choice."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from reviews import adjudication, blinding, guidance, progress, rating, rendering, worddiff
from reviews.models import Adjudication, Gold, Presentation, Rater, Skip, Study, Verdict
from reviews.views.frame import View, notices, page
from reviews.views.rating import choices, rater_of, said_in

#: Of each cause, the key that chooses it.
_CAUSE_KEYS = ("l", "r", "t", "k", "i", "x")
_GOLD = [("", "No"), *Gold.Use.choices]


def _studies() -> list[Study]:
    """Return the studies that people rated, live ones first."""
    rated = Verdict.objects.filter(study=OuterRef("pk"), rater__kind=Rater.Kind.HUMAN)
    rows = Study.objects.filter(Exists(rated)).select_related("project")
    return sorted(rows, key=lambda study: study.project.kind != "live")


def _study(request: HttpRequest, studies: list[Study]) -> Study | None:
    wanted = str(request.GET.get("study") or request.session.get("adjudicate_study"))
    chosen = next((s for s in studies if str(s.pk) == wanted), studies[0] if studies else None)
    if chosen:
        request.session["adjudicate_study"] = chosen.pk
    return chosen


def _shown(token: UUID, rater: Rater) -> Presentation:
    """Return the adjudicator's showing, or answer 404."""
    try:
        return adjudication.shown_to(token, rater)
    except Presentation.DoesNotExist:
        raise Http404 from None


def _step(study: Study | None, rater: Rater) -> dict[str, Any]:
    """Return the next step: a pair, what raters said of it, or that there is none."""
    if study is None:
        return {"step": "empty"}
    shown = adjudication.hand_out(study, rater)
    if shown is None:
        return {"step": "empty", "study": study, "queue": adjudication.queue(study, rater)}
    return _pair(shown) | {"left_over": len(adjudication.queue(study, rater).pairs)}


def _pair(shown: Presentation) -> dict[str, Any]:
    study = shown.slot.study
    step = {
        "step": "pair",
        "study": study,
        "pair": blinding.blind(shown),
        "choices": choices(),
        "skip_reasons": list(enumerate(Skip.Reason.choices, 1)),
        "said": progress.last_said(shown),
        "lease_s": rating.lease_left_s(shown.slot),
        "guideline_html": rendering.markdown(guidance.current(study).body),
    }
    return step | _settling(shown) if adjudication.is_chosen(shown) else step


def _settling(shown: Presentation) -> dict[str, Any]:
    causes = zip(_CAUSE_KEYS, *zip(*Adjudication.Cause.choices, strict=True), strict=True)
    said = adjudication.said_by_raters(shown)
    return {"step": "settle", "raters": said, "causes": list(causes), "uses": _GOLD}


def _answer(request: HttpRequest, step: dict[str, Any], saved: str = "") -> HttpResponse:
    return render(request, "reviews/adjudicate/_step.html", step | {"saved": saved})


def _get(view: View) -> View:
    return require_GET(never_cache(page("adjudicate")(view)))


def _post(view: View) -> View:
    return require_POST(page("adjudicate")(view))


@_get
def adjudicate(request: HttpRequest) -> HttpResponse:
    """Show the pair most in dispute, or how many agree."""
    studies = _studies()
    study = _study(request, studies)
    step = _step(study, rater_of(request))
    context = {"study": study, "studies": studies, **step}
    context |= notices(study.project, study.policy) if study else {}
    return render(request, "reviews/adjudicate/adjudicate.html", context)


@_post
def submit(request: HttpRequest, token: UUID) -> HttpResponse:
    """Take the blind choice, and answer with what raters said; then take the settlement."""
    rater = rater_of(request)
    shown = _shown(token, rater)
    try:
        said = said_in(request)
    except ValueError as exc:
        return HttpResponse(str(exc), status=400, content_type="text/plain")
    if adjudication.is_chosen(shown):
        note, form = said.pop("comment"), request.POST
        adjudication.settle(
            token, rater, said, cause=form.get("cause", ""), note=note, use=form.get("gold", "")
        )
    else:
        adjudication.choose(token, rater, said)
    return _go_on(request, shown, rater, str(token))


def _go_on(request: HttpRequest, shown: Presentation, rater: Rater, saved: str) -> HttpResponse:
    if request.headers.get("x-requested-with") != "fetch":
        return redirect("adjudicate")
    return _answer(request, _step(shown.slot.study, rater), saved)


@_post
def skip(request: HttpRequest, token: UUID) -> HttpResponse:
    """Leave a pair to another adjudicator."""
    rater, reason = rater_of(request), request.POST.get("reason", "")
    shown = _shown(token, rater)
    if reason not in Skip.Reason.values:
        return HttpResponse("Say why: one of the reasons.", status=400, content_type="text/plain")
    rating.skip(token, rater, reason=reason, comment=request.POST.get("comment", "")[:1000])
    return _go_on(request, shown, rater, "")


@_post
def renew(request: HttpRequest, token: UUID) -> HttpResponse:
    """Keep a pair that is being looked at; answer with the seconds it is kept for."""
    rater = rater_of(request)
    _shown(token, rater)
    rating.renew(token, rater)
    return JsonResponse({"lease_s": rating.lease_left_s(_shown(token, rater).slot)})


@_get
def differences(request: HttpRequest, token: UUID) -> HttpResponse:
    """Return both answers with the words in which they differ marked."""
    found = worddiff.compare(*blinding.sides(_shown(token, rater_of(request))))
    return render(request, "reviews/rate/_differences.html", {"found": found})
