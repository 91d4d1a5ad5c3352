"""What an invitation's link opens: choose a name and a password, or single sign-on."""

from __future__ import annotations

from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from reviews import people, rates
from reviews.errors import Conflict, ReviewError, TooOften
from reviews.models import Invitation
from reviews.views import signon

_BACKEND = "django.contrib.auth.backends.ModelBackend"
_SESSION = "invitation"
_PER_MINUTE = 20


@login_not_required
@require_GET
@never_cache
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Take the token out of the address, where logs and other sites could see it, and go on."""
    try:
        people.find(token)
    except Invitation.DoesNotExist:
        return _unknown(request)
    except Conflict as exc:
        return _closed(request, str(exc), 410)
    request.session[_SESSION] = token
    return redirect("join")


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def join(request: HttpRequest) -> HttpResponse:
    """Show the form of the invitation, take it, and log the person in."""
    token = request.session.get(_SESSION, "")
    try:
        row = people.find(token)
        if request.method == "POST" and not request.user.is_authenticated:
            rates.check("join", _address(request), _PER_MINUTE)
            return _take(request, row, token)
    except Invitation.DoesNotExist:
        return _closed(request, "Open the link of your invitation once more.", 404)
    except TooOften as exc:
        return _closed(request, str(exc), 429)
    except ReviewError as exc:
        return _closed(request, str(exc), 410)
    return _form(request, row, UserCreationForm())


def _take(request: HttpRequest, row: Invitation, token: str) -> HttpResponse:
    if "sign_on" in request.POST:
        return signon.begin(request, invitation=token)
    form: UserCreationForm[User] = UserCreationForm(request.POST)
    if not form.is_valid():
        return _form(request, row, form)
    people.accept(token, form.save(commit=False))
    login(request, form.instance, backend=_BACKEND)
    request.session.pop(_SESSION, None)
    return redirect("home")


def _form(request: HttpRequest, row: Invitation, form: UserCreationForm[User]) -> HttpResponse:
    context = {"invitation": row, "form": form, "sign_on": signon.name()}
    return render(request, "join.html", context)


def _unknown(request: HttpRequest) -> HttpResponse:
    """Answer a link that was never given out; guesses are counted."""
    try:
        rates.check("invitation", _address(request), _PER_MINUTE)
    except TooOften as exc:
        return _closed(request, str(exc), 429)
    return _closed(request, "There is no such invitation. Is the link whole?", 404)


def _closed(request: HttpRequest, reason: str, status: int) -> HttpResponse:
    answer = render(request, "join_closed.html", {"reason": reason}, status=status)
    if status == 429:
        answer.headers["retry-after"] = "60"
    return answer


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))
