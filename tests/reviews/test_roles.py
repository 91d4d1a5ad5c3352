"""Who may read and do what, over every address there is.

A new address needs a row in PAGES (or PUBLIC, KEYED, HOT): `route: (method, who may)`, and another
in ALSO for each further method. What has no row is answered by nobody. Routes are as the
resolver spells them; numbers and tokens are filled in, and need not exist: whoever may not is
refused before anything is looked for, whoever may gets any answer but a refusal.
"""

import re
from uuid import UUID

import httpx2 as httpx
import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.urls import URLPattern, get_resolver

from reviews import permissions
from routing import access, serving
from routing.live import live
from routing.types import Scope

pytestmark = pytest.mark.django_db

EVERYBODY = frozenset(permissions.ROLES)
SEE = EVERYBODY - {"rater"}
MANAGE = {"lead", "engineering", "admin"}

PAGES = {
    "": ("GET", EVERYBODY | {"no role"}),
    "overview/": ("GET", SEE),
    "demo/": ("POST", {"admin"}),
    "pairs/": ("GET", SEE),
    "pairs/<int:pk>/": ("GET", SEE),
    "rate/": ("GET", {"rater", "lead"}),
    "rate/<uuid:token>/": ("POST", {"rater", "lead"}),
    "rate/<uuid:token>/again/": ("GET", {"rater", "lead"}),
    "rate/<uuid:token>/after/": ("GET", {"rater", "lead"}),
    "rate/<uuid:token>/differences/": ("GET", {"rater", "lead"}),
    "rate/<uuid:token>/origin/": ("POST", {"rater", "lead"}),
    "rate/<uuid:token>/renew/": ("POST", {"rater", "lead"}),
    "rate/<uuid:token>/skip/": ("POST", {"rater", "lead"}),
    "rate/guidelines/": ("POST", {"rater", "lead"}),
    "rate/mine/": ("GET", {"rater", "lead"}),
    "rate/next/": ("GET", {"rater", "lead"}),
    "rate/reminders/": ("GET", {"rater", "lead"}),
    "judge/": ("GET", SEE),
    "judge/new/": ("POST", {"lead", "admin"}),
    "judge/<int:pk>/switch/": ("POST", {"lead", "admin"}),
    "cost/": ("GET", SEE),
    "cost.csv": ("GET", SEE),
    "cost/budget/": ("POST", {"lead", "admin"}),
    "cost/reconcile/": ("POST", {"lead", "admin"}),
    "threshold/": ("GET", SEE),
    "threshold/curve.csv": ("GET", SEE),
    "threshold/switches/": ("GET", SEE),
    "threshold/what-if/<int:pk>/": ("GET", SEE),
    "routers/": ("GET", SEE),
    "routers/<int:pk>/": ("GET", SEE),
    "routers/make/": ("GET", {"lead", "engineering", "admin"}),
    "routers/rules/": ("GET", SEE),
    "routers/train/": ("GET", SEE),
    "routers/train/<int:pk>/": ("GET", SEE),
    "routers/train/<int:pk>/cancel/": ("POST", {"lead", "engineering", "admin"}),
    "routers/labels/": ("GET", SEE),
    "routers/labels.<str:fmt>": ("GET", SEE),
    "routers/challengers/": ("GET", SEE),
    "routers/challengers/start/": ("POST", {"lead", "engineering", "admin"}),
    "routers/challengers/<int:pk>/stop/": ("POST", {"lead", "engineering", "admin"}),
    "routers/challengers/<int:pk>/study/": ("POST", {"lead", "admin"}),
    "routers/challengers/<int:pk>/compare/": ("GET", SEE),
    "routers/decide/": ("POST", {"engineering", "admin"}),
    "collections/": ("GET", SEE),
    "collections/<int:pk>/": ("GET", SEE),
    "collections/<int:pk>/settings/": ("POST", MANAGE),
    "collections/<int:pk>/delete/": ("POST", MANAGE),
    "collections/<int:pk>/try/": ("GET", SEE),
    "collections/<int:pk>/evaluations/": ("GET", SEE),
    "collections/<int:pk>/evaluations/<int:evaluation_pk>/": ("GET", SEE),
    "collections/<int:pk>/uploads/": ("POST", MANAGE),
    "collections/<int:pk>/uploads/<int:upload_pk>/cancel/": (
        "POST",
        {"lead", "engineering", "admin"},
    ),
    "collections/<int:pk>/uploads/<int:upload_pk>/retry/": (
        "POST",
        {"lead", "engineering", "admin"},
    ),
    "collections/<int:pk>/documents/": ("GET", SEE),
    "collections/<int:pk>/documents/<int:document_pk>/": ("GET", SEE),
    "collections/<int:pk>/documents/<int:document_pk>/remove/": (
        "POST",
        {"lead", "engineering", "admin"},
    ),
    "pairs/<int:pk>/gold/": ("POST", {"lead", "admin"}),
    "adjudicate/": ("GET", {"lead"}),
    "adjudicate/<uuid:token>/": ("POST", {"lead"}),
    "adjudicate/<uuid:token>/differences/": ("GET", {"lead"}),
    "adjudicate/<uuid:token>/renew/": ("POST", {"lead"}),
    "adjudicate/<uuid:token>/skip/": ("POST", {"lead"}),
    "studies/": ("GET", SEE),
    "studies/new/": ("GET", {"lead", "admin"}),
    "studies/<int:pk>/": ("GET", SEE),
    "studies/<int:pk>/plan/": ("GET", {"lead", "admin"}),
    "studies/<int:pk>/close/": ("POST", {"lead", "admin"}),
    "studies/<int:pk>/agreement/": ("GET", {"lead"}),
    "studies/<int:pk>/gold/": ("GET", {"lead", "admin"}),
    "studies/<int:pk>/gold/<int:gold_pk>/retire/": ("POST", {"lead", "admin"}),
    "studies/<int:pk>/gold/accept/": ("POST", {"lead", "admin"}),
    "studies/<int:pk>/guidelines/": ("GET", SEE),
    "studies/<int:pk>/guidelines/new/": ("POST", {"lead", "admin"}),
    "studies/<int:pk>/progress/": ("GET", {"lead"}),
    "studies/<int:pk>/questions/": ("POST", {"lead", "admin"}),
    "studies/<int:pk>/raters/": ("GET", {"lead"}),
    "studies/<int:pk>/raters/<int:rater_pk>/": ("GET", {"lead"}),
    "studies/<int:pk>/raters/<int:rater_pk>/pause/": ("POST", {"lead"}),
    "studies/<int:pk>/remind/<int:user_pk>/": ("POST", {"lead"}),
    "studies/<int:pk>/raters/<int:rater_pk>/resume/": ("POST", {"lead"}),
    "studies/<int:pk>/export.<str:fmt>": ("GET", SEE),
    "studies/<int:pk>/export/size/": ("GET", SEE),
    "studies/<int:pk>/import/": ("GET", {"lead", "admin"}),
    "alarms/": ("GET", SEE),
    "alarms/<int:pk>/": ("GET", SEE),
    "alarms/<int:pk>/acknowledge/": ("POST", MANAGE),
    "alarms/<int:pk>/close/": ("POST", MANAGE),
    "settings/alerts/": ("POST", {"admin"}),
    "quarters/": ("GET", SEE),
    "quarters/<int:pk>/": ("GET", SEE),
    "signoffs/": ("GET", SEE),
    "signoffs/<int:pk>/": ("GET", SEE),
    "signoffs/<int:pk>/decide/": ("POST", {"engineering", "product"}),
    "signoffs/<int:pk>/withdraw/": ("POST", {"engineering", "product"}),
    "signoffs/<int:pk>/edit/": ("GET", {"engineering", "product"}),
    "signoffs/<int:pk>/comment/": ("POST", SEE),
    "signoffs/<int:pk>/rollout/": ("POST", {"engineering", "admin"}),
    "signoffs/<int:pk>/report/": ("GET", SEE),
    "signoffs/<int:pk>/report.pdf": ("GET", SEE),
    "signoffs/<int:pk>/pack.zip": ("GET", SEE),
    "audit/": ("GET", SEE),
    "audit.jsonl": ("GET", SEE),
    "monitors/": ("GET", SEE),
    "monitors/<slug:name>/": ("GET", SEE),
    "policies/": ("GET", SEE),
    "policies/rules/": ("POST", {"engineering", "admin"}),
    "policies/roll-back/": ("POST", {"engineering", "admin"}),
    "settings/": ("GET", {"admin"}),
    "settings/shadow/": ("POST", {"lead", "admin"}),
    "settings/shares/": ("POST", {"admin"}),
    "settings/privacy/": ("POST", {"admin"}),
    "settings/erase/": ("POST", {"admin"}),
    "settings/keys/": ("POST", {"admin"}),
    "settings/keys/<int:pk>/revoke/": ("POST", {"admin"}),
    "settings/projects/": ("POST", {"admin"}),
    "settings/projects/delete/": ("POST", {"admin"}),
    "settings/people/": ("GET", {"lead", "admin"}),
    "settings/people/<int:pk>/roles/": ("POST", {"admin"}),
    "settings/people/<int:pk>/active/": ("POST", {"admin"}),
    "settings/people/invitations/": ("POST", {"lead", "admin"}),
    "settings/people/invitations/<int:pk>/revoke/": ("POST", {"lead", "admin"}),
}
#: What a page lets be done by POST beside being read.
ALSO = {
    "collections/": ("POST", MANAGE),
    "collections/<int:pk>/evaluations/": ("POST", MANAGE),
    "collections/<int:pk>/try/": ("POST", SEE),
    "studies/new/": ("POST", {"lead", "admin"}),
    "studies/<int:pk>/plan/": ("POST", {"lead", "admin"}),
    "studies/<int:pk>/import/": ("POST", {"lead", "admin"}),
    "quarters/": ("POST", {"lead", "admin"}),
    "routers/make/": ("POST", {"lead", "engineering", "admin"}),
    "routers/rules/": ("POST", {"lead", "engineering", "admin"}),
    "routers/train/": ("POST", {"lead", "engineering", "admin"}),
    "signoffs/": ("POST", {"engineering", "product"}),
    "signoffs/<int:pk>/edit/": ("POST", {"engineering", "product"}),
    "pairs/<int:pk>/": ("POST", SEE),
    "rate/reminders/": ("POST", {"rater", "lead"}),
}
#: What else is open, by method.
ALSO_PUBLIC = {
    "login/": {"POST", "PUT"},  # as Django's own form view
    "join/": {"POST"},
}
#: Answered with 404 whatever is asked: an address that is none.
NOWHERE = {r"^api(?:/|\Z)", "api/v1/"}
#: Open to nobody in particular; what else they ask for is their own tests' matter.
PUBLIC = {
    "healthz": "GET",
    "metrics": "GET",
    "login/": "GET",
    "logout/": "POST",
    "join/": "GET",
    "join/<str:token>/": "GET",
    "oidc/<str:provider_id>/callback/": "GET",
    "api/v1/openapi.json": "GET",
    "api/v1/docs": "GET",
    "api/v1/": "GET",
    r"^api(?:/|\Z)": "GET",
}
#: Only an API key's scope counts, nobody's login.
KEYED = {
    "api/v1/requests": ("GET", "read"),
    "api/v1/usage": ("GET", "read"),
    "api/v1/requests/<request_id>": ("GET", "read"),
    "api/v1/requests/<request_id>/feedback": ("POST", "route"),
    "api/v1/pairs": ("POST", "import"),
    "api/v1/labels": ("GET", "read"),
    "api/v1/labels/export": ("GET", "read"),
    "api/v1/studies/<study_id>/curve": ("GET", "read"),
    "api/v1/studies/<study_id>/export": ("GET", "read"),
    "api/v1/monitoring": ("GET", "read"),
    "api/v1/collections": ("GET", "read"),
    "api/v1/collections/<name>": ("GET", "read"),
    "api/v1/collections/<name>/search": ("POST", "read"),
    "api/v1/collections/<name>/versions": ("GET", "read"),
    "api/v1/collections/<name>/uploads": ("POST", "import"),
    "api/v1/collections/<name>/uploads/<upload_id>": ("GET", "read"),
    "api/v1/collections/<name>/documents": ("GET", "read"),
    "api/v1/collections/<name>/documents/<path:key>": ("GET", "read"),
}
#: What else a key may do at an address.
ALSO_KEYED = {
    "api/v1/collections": [("POST", "import")],
    "api/v1/collections/<name>": [("PATCH", "import"), ("DELETE", "import")],
    "api/v1/collections/<name>/uploads/<upload_id>": [("DELETE", "import")],
    "api/v1/collections/<name>/documents/<path:key>": [("PUT", "import"), ("DELETE", "import")],
}
#: Django's own, for superusers. Its login and logout are as public as ours.
ADMIN = "admin/"
ADMIN_PUBLIC = {"admin/login/", "admin/logout/"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: The hot routes, which Django never sees: who may is who has a key that may route.
HOT = {
    "/v1/messages": "POST",
    "/v1/messages/count_tokens": "POST",
    "/v1/chat/completions": "POST",
    "/api/v1/route": "POST",
    "/api/v1/decide": "POST",
    "/v1/models": "GET",
    "/v1/models/auto": "GET",
}
VISITORS = (None, "inactive", "no role", *permissions.ROLES)


def routes(resolver=None, prefix=""):
    for pattern in (resolver or get_resolver()).url_patterns:
        here = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield here
        else:
            yield from routes(pattern, here)


ADMIN_ROUTES = sorted(r for r in set(routes()) - ADMIN_PUBLIC if r.startswith(ADMIN))


def address(route):
    """Return an address of the route."""
    filled = {r"^api(?:/|\Z)": "api/nothing"}.get(route, route)
    filled = re.sub(r"\^\(\?P<app_label>(\w+).*", r"\1/", filled)
    filled = filled.replace("(?P<url>.*)$", "nothing/")
    for kind, value in (("int:pk", "999999"), ("uuid:token", UUID(int=7)), (r"[\w:]+", "7")):
        filled = re.sub(f"<{kind}>", str(value), filled)
    return f"/{filled}"


@pytest.fixture
def visit(client, project):
    """Ask for a route as somebody."""
    permissions.ensure_roles()
    cache.clear()

    sessions = {None: {}}

    def log_in(who):
        user, _ = User.objects.get_or_create(username=who, is_active=who != "inactive")
        permissions.give(
            user, *{"inactive": permissions.ROLES, "all": permissions.ROLES}.get(who, (who,))
        )
        client.force_login(user)
        sessions[who] = {name: morsel.value for name, morsel in client.cookies.items()}

    def ask(route, method, who, **headers):
        client.cookies.clear()
        if who not in sessions:
            log_in(who)
        client.cookies.load(sessions[who])
        client.raise_request_exception = False
        return client.generic(method, address(route), headers=headers)

    return ask


def outcome(answer):
    """Return whether the answer lets in, refuses, or asks for a login."""
    assert answer.status_code < 500
    if answer.status_code == 302 and answer.url.startswith(("/login/", "/admin/login/")):
        return "login"
    return "refused" if answer.status_code in (401, 403) else "in"


def expected(who, allowed):
    if who in (None, "inactive"):
        return "login"
    return "in" if who in allowed else "refused"


def test_every_address_has_a_row_and_every_row_an_address():
    there = {route for route in routes() if not route.startswith(ADMIN)}
    assert there == {*PAGES, *PUBLIC, *KEYED}
    assert set(ALSO) <= set(PAGES)
    assert set(ALSO_KEYED) <= set(KEYED)


@pytest.mark.parametrize(
    ("route", "method", "allowed"),
    [(route, *row) for table in (PAGES, ALSO) for route, row in table.items()],
)
def test_pages(visit, route, method, allowed):
    found = {who: outcome(visit(route, method, who)) for who in VISITORS}
    assert found == {who: expected(who, allowed) for who in VISITORS}


def test_a_rater_reaches_the_rating_pages_alone():
    for table in (PAGES, ALSO):
        theirs = {route for route, (_, allowed) in table.items() if "rater" in allowed}
        assert theirs - {""} == {route for route in table if route.startswith("rate/")}


@pytest.mark.parametrize(("route", "method"), PUBLIC.items())
def test_what_is_public_asks_nobody_to_log_in(visit, route, method):
    found = {outcome(visit(route, method, who)) for who in VISITORS}
    assert found == ({"login"} if route == "logout/" else {"in"})  # logout leads to the login


@pytest.mark.parametrize(
    ("route", "method", "scope"),
    [(route, *row) for route, row in KEYED.items()]
    + [(route, *row) for route, rows in ALSO_KEYED.items() for row in rows],
)
def test_the_api_asks_for_a_key_whoever_is_logged_in(visit, project, route, method, scope):
    for who in VISITORS:
        assert visit(route, method, who).status_code == 401
    for held in ("route", "read", "import"):
        key, row = access.create_key(project, held)
        row.scopes = [held]
        row.save()
        answer = visit(route, method, "admin", **{"x-api-key": key})
        assert (held, outcome(answer)) == (held, "in" if held == scope else "refused")


@pytest.mark.parametrize("forwarded", ["", "203.0.113.7"])
def test_metrics_need_a_token_from_elsewhere_whoever_is_logged_in(visit, forwarded):
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    found = {outcome(visit("metrics", "GET", who, **headers)) for who in VISITORS}
    assert found == {"refused" if forwarded else "in"}


def methods_of(route):
    """Return what the tables say that an address answers to."""
    rows = [table[route] for table in (PAGES, ALSO, KEYED) if route in table]
    rows += ALSO_KEYED.get(route, [])
    public = {PUBLIC[route]} if route in PUBLIC else set()
    return {method for method, _ in rows} | public | ALSO_PUBLIC.get(route, set())


@pytest.mark.parametrize("method", METHODS)
def test_no_address_answers_to_a_method_without_a_row(visit, method):
    """Whoever has every role gets nothing by it, nor does a key, nor a visitor."""
    found = {}
    for route in (*PAGES, *PUBLIC, *KEYED):
        if method in methods_of(route) or route in NOWHERE:
            continue
        for who in (None, "all"):
            answer = visit(route, method, who)
            if answer.status_code != 405 and (who, outcome(answer)) != (None, "login"):
                found[route, who] = answer.status_code
    assert found == {}


INLINE = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*json)|\bstyle=|\son[a-z]+=|javascript:", re.I)
SECRETS = {
    name: f"planted-{name.lower()}"
    for name in ("SHADOWEVAL_WEBHOOK_SECRET", "SHADOWEVAL_OIDC_CLIENT_SECRET",
                 "SHADOWEVAL_METRICS_TOKEN", "EMAIL_HOST_PASSWORD")
}  # fmt: skip


def test_every_page_has_the_strict_policy_no_inline_code_and_no_secret(visit, project, settings):
    for name, secret in SECRETS.items():
        setattr(settings, name, secret)
    key, row = access.create_key(project, "test")
    for route in (*PAGES, "login/", "admin/login/", "api/v1/docs"):
        if "GET" not in methods_of(route) and not route.startswith("admin"):
            continue
        answer = visit(route, "GET", "all")
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy, route
        assert "default-src 'none'" in policy, route
        assert answer.headers["x-content-type-options"] == "nosniff", route
        if answer.streaming or not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        body = answer.content.decode()
        assert INLINE.findall(body) == [], route
        assert not [s for s in (*SECRETS.values(), key, row.digest) if s in body], route


def test_every_hot_address_has_a_row():
    assert set(HOT) == {*serving.ROUTES, "/v1/models", "/v1/models/auto"}


def test_the_hot_addresses_ask_for_a_key_that_may_route_and_have_one_method(service, project):
    keys = {scope: access.create_key(project, scope, scopes=[scope])[0] for scope in Scope}
    live.refresh()
    found, wanted = {}, {}
    with httpx.Client(base_url=service, timeout=20) as client:
        for path, answered in HOT.items():
            for method in METHODS:
                for held in (None, *keys):
                    headers = {"x-api-key": keys[held]} if held else {}
                    said = client.request(method, path, headers=headers).status_code
                    found[path, method, held] = {401: 401, 403: 403, 405: 405}.get(said, "in")
                    may = {None: 401, "route": "in"}.get(held, 403)
                    wanted[path, method, held] = may if method == answered else 405
    assert found == wanted


@pytest.mark.parametrize("method", METHODS)
def test_djangos_admin_is_for_superusers(visit, client, method):
    # Who holds every role is asked for every method: the guard looks at people before methods.
    for who in (None, "inactive", "no role", "all") if method == "GET" else ("all",):
        found = {route for route in ADMIN_ROUTES if outcome(visit(route, method, who)) == "in"}
        assert found == set(), who
    client.force_login(User.objects.create_superuser("root"))
    assert client.get("/admin/").status_code == 200
