"""The rating page: one pair at a time, blind. Only a token stands for what is shown.

Between pairs come other steps: guidelines to read, what was agreed on a practice pair, and the
question which model answered. Each is a fragment that takes the place of the pair.
"""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from reviews import blinding, checks, guidance, practice, progress, rating, rendering, worddiff
from reviews.errors import BadInput, Conflict
from reviews.models import (
    Guideline,
    OriginGuess,
    Presentation,
    Rater,
    Rating,
    Skip,
    Slot,
    Study,
)
from reviews.views.frame import View, notices, page

_KEYS = ("1", "2", "3", "4", "5", "0")
#: Anything else is no answer: nobody has to say it.
_SUPPORTED = {"yes": True, "no": False}
_SHORT = ("A much", "A slightly", "Equal", "B slightly", "B much", "Both bad")


def rater_of(request: HttpRequest) -> Rater:
    """Return the rater that the person is."""
    assert isinstance(request.user, User)
    return rating.rater_of(request.user)


def _shown(token: UUID, rater: Rater) -> Presentation:
    """Return the rater's showing, or answer 404; adjudications have a page of their own."""
    try:
        shown = rating.shown_to(token, rater)
    except Presentation.DoesNotExist:
        raise Http404 from None
    if shown.slot.kind == Slot.Kind.ADJUDICATION:
        raise Http404
    return shown


def _studies() -> list[Study]:
    running = Study.objects.filter(
        Exists(Slot.objects.filter(study=OuterRef("pk"))), state=Study.State.RUNNING
    )
    rows = running.exclude(project__kind="replay").select_related("project")
    return list(rows.order_by("project__kind", "-id"))


def _study(request: HttpRequest, studies: list[Study]) -> Study | None:
    wanted = request.GET.get("study") or request.session.get("rate_study")
    chosen = next((s for s in studies if str(s.pk) == str(wanted)), None)
    chosen = chosen or next((s for s in studies if s.project.kind == "live"), None)
    chosen = chosen or (studies[0] if studies else None)
    if chosen:
        request.session["rate_study"] = chosen.pk
    return chosen


# --- steps: which fragment comes next, with what it needs ---------------------------------


def _next(study: Study | None, rater: Rater) -> dict[str, Any]:
    """Return the next step: guidelines to read, a pair, or why there is none."""
    if study is None:
        return {"step": "empty"}
    if briefing := guidance.briefing(study, rater):
        return {"step": "briefing", "briefing": briefing, "study": study}
    shown = rating.hand_out(study, rater)
    return _pair(shown, rater) if shown else _end(study, rater)


def _end(study: Study, rater: Rater) -> dict[str, Any]:
    return {
        "step": "empty",
        "study": study,
        "rater": rater,
        "progress": progress.of(study, rater),
        "next_end": progress.next_lease_end(study, rater),
    }


def choices() -> list[tuple[str, str, str, str]]:
    """Return key, short name, value and label of each choice."""
    values = zip(*Rating.Choice.choices, strict=True)
    return list(zip(_KEYS, _SHORT, *values, strict=True))


def _pair(shown: Presentation, rater: Rater) -> dict[str, Any]:
    study, slot = shown.slot.study, shown.slot
    said = progress.last_said(shown)
    is_practice = slot.kind == Slot.Kind.PRACTICE
    return {
        "step": "pair",
        "study": study,
        "pair": blinding.blind(shown),
        "progress": progress.of(study, rater),
        "choices": choices(),
        "skip_reasons": list(enumerate(Skip.Reason.choices, 1)),
        "said": said,
        "practice_left": checks.practice_left(study, rater) if is_practice else 0,
        "lease_s": rating.lease_left_s(slot),
        "guideline_html": rendering.markdown(guidance.current(study).body),
    }


def _after(shown: Presentation, rater: Rater) -> dict[str, Any]:
    """Return the step after a rating: what was agreed, whose answer it was, or the next pair."""
    if shown.slot.kind == Slot.Kind.PRACTICE and (told := practice.feedback(shown)):
        return {"step": "feedback", "feedback": told, "study": shown.slot.study}
    if _asks_origin(shown) and not OriginGuess.objects.filter(presentation=shown).exists():
        guesses = list(enumerate(OriginGuess.Guess.choices, 1))
        return {"step": "origin", "token": shown.token, "guesses": guesses}
    return _next(shown.slot.study, rater)


def _asks_origin(shown: Presentation) -> bool:
    return shown.asks_origin and shown.ratings.exists()


def _fragment(request: HttpRequest, step: dict[str, Any], **more: Any) -> HttpResponse:
    return render(request, "reviews/rate/_step.html", step | more)


def _whole(request: HttpRequest, rater: Rater, study: Study | None, step: Any) -> HttpResponse:
    last = progress.last_rated(study, rater) if study else None
    context = {"study": study, "studies": _studies(), "last": last, **step}
    context |= notices(study.project, study.policy) if study else {}
    return render(request, "reviews/rate/rate.html", context)


def _answer(request: HttpRequest, shown: Presentation, rater: Rater, saved: str) -> HttpResponse:
    """Go on after something was stored; a browser without JavaScript by a page of its own."""
    if request.headers.get("x-requested-with") != "fetch":
        return redirect("rate_after", shown.token)
    return _fragment(request, _after(shown, rater), saved=saved)


# --- pages --------------------------------------------------------------------------------


def _get(view: View) -> View:
    return require_GET(never_cache(page("rate")(view)))


def _post(view: View) -> View:
    return require_POST(page("rate")(view))


@_get
def rate(request: HttpRequest) -> HttpResponse:
    """Show the rater's next step, or what there is to choose from."""
    rater, study = rater_of(request), _study(request, _studies())
    last = progress.last_rated(study, rater) if study else None
    step = _after(last, rater) if last and last.asks_origin else _next(study, rater)
    return _whole(request, rater, study, step)


@_get
def after(request: HttpRequest, token: UUID) -> HttpResponse:
    """Show the step after a rating as a page."""
    rater = rater_of(request)
    shown = _shown(token, rater)
    return _whole(request, rater, shown.slot.study, _after(shown, rater))


@_get
def following(request: HttpRequest) -> HttpResponse:
    """Return the next step as a fragment."""
    return _fragment(request, _next(_study(request, _studies()), rater_of(request)))


@_post
def submit(request: HttpRequest, token: UUID) -> HttpResponse:
    """Take a rating and answer with what comes next."""
    rater = rater_of(request)
    shown = _shown(token, rater)
    try:
        said = said_in(request)
    except ValueError as exc:
        return HttpResponse(str(exc), status=400, content_type="text/plain")
    _check_newest(request, shown)
    rating.submit(token, rater, **said)
    return _answer(request, shown, rater, str(token))


def _check_newest(request: HttpRequest, shown: Presentation) -> None:
    """Refuse a form that was shown before the pair was rated in another tab."""
    last = progress.last_said(shown)
    if request.POST.get("corrects", "") not in ("", str(last.pk if last else "")):
        raise Conflict("You changed this rating in another tab meanwhile; reload the page.")
    if last is not None and request.POST.get("corrects") == "":
        raise Conflict("You rated this pair in another tab meanwhile; reload the page.")


@_post
def skip(request: HttpRequest, token: UUID) -> HttpResponse:
    """Take the reason why a pair cannot be judged, and go on."""
    rater, reason = rater_of(request), request.POST.get("reason", "")
    shown = _shown(token, rater)
    if reason not in Skip.Reason.values:
        return HttpResponse("Say why: one of the reasons.", status=400, content_type="text/plain")
    rating.skip(token, rater, reason=reason, comment=request.POST.get("comment", "")[:1000])
    return _answer(request, shown, rater, "")


@_post
def origin(request: HttpRequest, token: UUID) -> HttpResponse:
    """Take the guess which answer came from the costlier model, and go on."""
    rater, guess = rater_of(request), request.POST.get("guess", "")
    shown = _shown(token, rater)
    if guess not in OriginGuess.Guess.values or not _asks_origin(shown):
        return HttpResponse("Choose A, B or can’t tell.", status=400, content_type="text/plain")
    rating.guess_origin(token, rater, guess)
    return _answer(request, shown, rater, "")


@_post
def renew(request: HttpRequest, token: UUID) -> HttpResponse:
    """Keep a pair that is being looked at; answer with the seconds it is kept for."""
    rater = rater_of(request)
    _shown(token, rater)
    rating.renew(token, rater)
    return JsonResponse({"lease_s": rating.lease_left_s(_shown(token, rater).slot)})


@_post
def read(request: HttpRequest) -> HttpResponse:
    """Note that the guidelines were read, and go on."""
    rater, study = rater_of(request), _study(request, _studies())
    version = request.POST.get("version", "")
    if study is None or not version.isdecimal() or len(version) > 9:
        raise BadInput("These guidelines are gone; reload the page.")
    try:
        guidance.mark_read(study, rater, int(version))
    except Guideline.DoesNotExist:
        raise BadInput("These guidelines are gone; reload the page.") from None
    if request.headers.get("x-requested-with") != "fetch":
        return redirect("rate")
    return _fragment(request, _next(study, rater))


@_get
def again(request: HttpRequest, token: UUID) -> HttpResponse:
    """Show a pair once more for a correction, sides as they were."""
    rater = rater_of(request)
    _shown(token, rater)
    rating.take_back(token, rater)
    shown = _shown(token, rater)
    step = _pair(shown, rater)
    if request.headers.get("x-requested-with") != "fetch":
        return _whole(request, rater, shown.slot.study, step)
    return _fragment(request, step)


@_get
def mine(request: HttpRequest) -> HttpResponse:
    """Return the rater's last ten ratings, to go back to."""
    study = _study(request, _studies())
    rows = progress.recent(study, rater_of(request)) if study else []
    return render(request, "reviews/rate/_mine.html", {"rows": rows})


@_get
def differences(request: HttpRequest, token: UUID) -> HttpResponse:
    """Return both answers with the words in which they differ marked."""
    found = worddiff.compare(*blinding.sides(_shown(token, rater_of(request))))
    return render(request, "reviews/rate/_differences.html", {"found": found})


def said_in(request: HttpRequest) -> dict[str, Any]:
    """Read the form of a rating.

    Raises:
        ValueError: when an answer is missing or is none of the choices.
    """
    post = request.POST
    if post.get("choice") not in Rating.Choice.values:
        raise ValueError("Choose which answer is better, 1 to 5, or 0 for both bad.")
    fit = [post.get("left_adequate"), post.get("right_adequate")]
    if not set(fit) <= {"yes", "no"}:
        raise ValueError("Say for each answer whether it is good enough to send (q and p).")
    return {
        "choice": post["choice"],
        "left_adequate": fit[0] == "yes",
        "right_adequate": fit[1] == "yes",
        "left_supported": _SUPPORTED.get(post.get("left_supported", "")),
        "right_supported": _SUPPORTED.get(post.get("right_supported", "")),
        "reasons": post.getlist("reasons"),
        "comment": post.get("comment", "")[:5000],
        "seconds": _seconds(post.get("seconds", "")),
    }


def _seconds(text: str) -> float:
    """Return the time the browser counted, within a day; 0 when it is no number."""
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), 86_400.0) if math.isfinite(seconds) else 0.0
