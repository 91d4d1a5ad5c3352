"""The two ends of a single sign-on: leaving for the provider, and coming back.

allauth speaks the protocol (discovery, state, PKCE, code for tokens); none of its pages are used.
"""

from __future__ import annotations

from typing import Any, NoReturn

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from requests import RequestException

from reviews import oidc, rates
from reviews.errors import NotAllowed, ReviewError, TooOften
from routing import reaching

_BACKEND = "django.contrib.auth.backends.ModelBackend"


class Adapter(DefaultSocialAccountAdapter):
    """Tells allauth of the one provider, and takes over once the provider has answered."""

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """Return the provider of the settings; rows of the database are not asked."""
        app = SocialApp(
            provider="openid_connect",
            provider_id=oidc.PROVIDER,
            name=settings.SHADOWEVAL_OIDC_NAME,
            client_id=settings.SHADOWEVAL_OIDC_CLIENT_ID,
            secret=settings.SHADOWEVAL_OIDC_CLIENT_SECRET,
            settings={"server_url": settings.SHADOWEVAL_OIDC_URL, "oauth_pkce_enabled": True},
        )
        is_asked = provider in (None, app.provider, app.provider_id)
        return [app] if oidc.is_on() and is_asked else []

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> NoReturn:
        """Log the person in or refuse; allauth's own sign-up never begins."""
        token = (sociallogin.state.get("data") or {}).get("invitation", "")
        user = oidc.let_in(sociallogin.identity, token)
        login(request, user, backend=_BACKEND)
        raise ImmediateHttpResponse(redirect(sociallogin.state.get("next") or "home"))

    def on_authentication_error(self, request: HttpRequest, provider: Any, **why: Any) -> NoReturn:
        """Say that nothing came of it, whatever it was."""
        raise NotAllowed("The sign-on was cancelled, took too long, or was not valid.")


class Provider(OpenIDConnectOAuth2Adapter):
    """What is asked of the provider, stricter than allauth's own."""

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        """Return the public address; the one that a proxy asks may be another."""
        path = reverse("openid_connect_callback", kwargs={"provider_id": self.provider_id})
        return f"{settings.PUBLIC_URL}{path}"

    def get_access_token_data(self, *args: Any, **kwargs: Any) -> Any:
        """Fetch the tokens, and have the id_token's signature checked although TLS brought it."""
        data = super().get_access_token_data(*args, **kwargs)
        self.did_fetch_access_token = False
        return data

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any
    ) -> SocialLogin:
        """Read who has come; of the claims nothing but the subject is kept with the account."""
        made = super().complete_login(request, app, token, **kwargs)
        said = made.account.extra_data
        made.identity = oidc.read(said.get("id_token", {}), said.get("userinfo", {}))
        made.account.uid, made.account.extra_data = made.identity.subject, {}
        return made


class LogIn(LoginView):
    """The page to log in, by name and password or by single sign-on."""

    template_name = "login.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Leave for the provider when that was asked for, else check the password."""
        if "sign_on" in request.POST:
            return begin(request, next_url=self.get_redirect_url())
        try:
            rates.check_log_in(*self._who(), settings.SHADOWEVAL_LOGIN_TRIES)
        except TooOften as exc:
            answer = self.render_to_response(self.get_context_data(refused=str(exc)), status=429)
            answer.headers["retry-after"] = "900"
            return answer
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Let in, and forget what was typed wrong before."""
        rates.forget_wrong(*self._who())
        return super().form_valid(form)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Count what was typed wrong."""
        rates.count_wrong(*self._who())
        return super().form_invalid(form)

    def _who(self) -> tuple[str, str]:
        return self.request.POST.get("username", ""), str(self.request.META.get("REMOTE_ADDR", ""))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the provider's name."""
        return super().get_context_data(**kwargs) | {"sign_on": name()}


def name() -> str:
    """Return what the provider is called on pages, or "" without one."""
    return settings.SHADOWEVAL_OIDC_NAME if oidc.is_on() else ""


def begin(request: HttpRequest, next_url: str = "", invitation: str = "") -> HttpResponse:
    """Answer a form with a page that goes on to the provider.

    Not with a redirect: Chromium holds the redirects of a form against form-action, and where a
    provider redirects to is not known.
    """
    try:
        provider = Adapter(request).get_provider(request, oidc.PROVIDER)
        provider.oauth2_adapter_class = Provider
        reaching.check_url(settings.SHADOWEVAL_OIDC_URL, private=True)
        data = {"invitation": invitation}
        target = provider.redirect(request, "login", next_url=next_url or None, data=data)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    except (RequestException, LookupError, ValueError):
        return _refused(request, f"{name()} cannot be reached.", 502)
    return render(request, "sign_on.html", {"target": target.url, "sign_on": name()})


@login_not_required
@require_GET
@never_cache
def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Take the person back from the provider."""
    if not oidc.is_on() or provider_id != oidc.PROVIDER:
        raise Http404
    try:
        view = OAuth2CallbackView.adapter_view(Provider(request, provider_id))
        answer: HttpResponse = view(request)
    except ReviewError as exc:
        return _refused(request, str(exc), 403)
    except (RequestException, LookupError, TypeError, ValueError):
        return _refused(request, f"What {name()} answered cannot be read.", 502)
    return answer


def _refused(request: HttpRequest, reason: str, status: int) -> HttpResponse:
    return render(request, "sign_on_refused.html", {"reason": reason}, status=status)
