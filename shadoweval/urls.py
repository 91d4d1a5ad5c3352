"""Every address outside the hot routes."""

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.http import HttpRequest, JsonResponse
from django.urls import include, path, re_path
from django.views.decorators.http import require_safe

from reviews import api as studies
from reviews.views.signon import LogIn
from routing.api import app
from shadoweval.metrics import metrics


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer that the process is up."""
    return JsonResponse({"status": "ok"})


app.api.add_router("", studies.router)

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("metrics", metrics, name="metrics"),
    path("login/", LogIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/login/", LogIn.as_view()),  # one place where passwords are tried
    path("admin/", admin.site.urls),
    path("api/v1/", app.api.urls),
    re_path(r"^api(?:/|\Z)", app.no_such_address),
    path("", include("reviews.urls")),
]

# What Django refuses before any view: below /api/ that is no page either.
handler400 = "routing.api.problems.bad_request"
handler500 = "routing.api.problems.server_error"
