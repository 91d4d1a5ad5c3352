"""Every setting of the project, read from the environment; names start with SHADOWEVAL_.

`.env.example` lists them with their meaning. Combinations that cannot work are system checks
(checks.py), so that `manage.py doctor` reports them all at once.
"""

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
import plotly
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from shadoweval import embedded, env, logconfig, mail, schedule

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.text("SHADOWEVAL_VAR", str(BASE_DIR / "var"))).resolve()

DEBUG = env.boolean("SHADOWEVAL_DEBUG", False)
HOST = env.text("SHADOWEVAL_HOST", "127.0.0.1")
PORT = int(env.number("SHADOWEVAL_PORT", 8000, 1, 65535))
WEB_PROCESSES = int(env.number("SHADOWEVAL_WEB_PROCESSES", 1, 1, 64))
PUBLIC_URL = env.text("SHADOWEVAL_PUBLIC_URL", f"http://{HOST}:{PORT}").rstrip("/")
BEHIND_TLS = PUBLIC_URL.startswith("https://")


def _secret_key() -> str:
    """Return the configured key, or one made once and kept private beside the data."""
    configured = env.text("SHADOWEVAL_SECRET_KEY")
    if configured:
        return configured
    path = VAR_DIR / "secret_key"
    try:
        if path.exists():
            return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise ImproperlyConfigured(
            f"{path} cannot be read ({exc.strerror}): set SHADOWEVAL_VAR to another folder."
        ) from exc
    return secrets.token_urlsafe(50)  # `serve` and the containers set or keep a lasting one


SECRET_KEY = _secret_key()
ALLOWED_HOSTS = env.words("SHADOWEVAL_ALLOWED_HOSTS", f"localhost,127.0.0.1,[::1],{HOST}")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    # Single sign-on: before our own, whose admin takes away what is not used.
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "shadoweval",
    "routing",
    "reviews",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "ninja",
    "pgtrigger",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "shadoweval.urls"
ASGI_APPLICATION = "shadoweval.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "reviews.views.frame.frame",
            ],
        },
    }
]

# --- stores -------------------------------------------------------------------------------
EMBEDDED_POSTGRES = not env.text("DATABASE_URL")
EMBEDDED_REDIS = not env.text("REDIS_URL")
POSTGRES_DIR = VAR_DIR / "postgres"
VALKEY_DIR = VAR_DIR / "valkey"
DATABASE_URL = env.url("DATABASE_URL", {"postgres", "postgresql"}) or embedded.postgres_url(
    POSTGRES_DIR
)
REDIS_URL = env.url("REDIS_URL", {"redis", "rediss", "unix"}) or embedded.redis_url(VALKEY_DIR)
BROKER_URL = REDIS_URL if not EMBEDDED_REDIS else embedded.broker_url(VALKEY_DIR)
if BROKER_URL.startswith("unix://"):
    BROKER_URL = BROKER_URL.replace("unix://", "redis+socket://", 1).replace(
        "?db=", "?virtual_host="
    )

DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_health_checks=True)}
# Under ASGI each request has a thread of its own: lasting connections pile up, a pool does not.
DATABASES["default"]["CONN_MAX_AGE"] = 0
DATABASES["default"]["OPTIONS"] = {
    # A server that vanished without a word is noticed within half a minute.
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    **DATABASES["default"].get("OPTIONS", {}),
    "pool": {
        "min_size": 1,
        "max_size": int(env.number("SHADOWEVAL_DB_POOL", 10, 2, 100)),
        "timeout": 5,
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
}

# --- workers ------------------------------------------------------------------------------
CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# kombu looks for abandoned messages every interval x throttle seconds, whatever the timeout says.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 2,
}
CELERY_BEAT_SCHEDULE = schedule.BEAT
CELERY_TASK_ROUTES = schedule.ROUTES
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- people -------------------------------------------------------------------------------
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
#: How long the link of an invitation can be used.
SHADOWEVAL_INVITATION_DAYS = int(env.number("SHADOWEVAL_INVITATION_DAYS", 7, 1, 90))

# Single sign-on, off unless URL, client and secret are set. Of allauth only the protocol is used:
# its own pages have no address here, and who comes in is decided in reviews/oidc.py.
SHADOWEVAL_OIDC_URL = env.url("SHADOWEVAL_OIDC_URL", {"http", "https"}).rstrip("/")
SHADOWEVAL_OIDC_CLIENT_ID = env.text("SHADOWEVAL_OIDC_CLIENT_ID")
SHADOWEVAL_OIDC_CLIENT_SECRET = env.text("SHADOWEVAL_OIDC_CLIENT_SECRET")
SHADOWEVAL_OIDC_NAME = env.text("SHADOWEVAL_OIDC_NAME") or "single sign-on"
SHADOWEVAL_OIDC_ROLES_CLAIM = env.text("SHADOWEVAL_OIDC_ROLES_CLAIM")
SHADOWEVAL_OIDC_ROLES = env.roles("SHADOWEVAL_OIDC_ROLES")
SHADOWEVAL_OIDC_AUTO_CREATE = env.boolean("SHADOWEVAL_OIDC_AUTO_CREATE", False)
SOCIALACCOUNT_ADAPTER = "reviews.views.signon.Adapter"
SOCIALACCOUNT_ONLY = True
ACCOUNT_EMAIL_VERIFICATION = "none"

#: Wrong passwords for one name from one address, within a quarter of an hour.
SHADOWEVAL_LOGIN_TRIES = int(env.number("SHADOWEVAL_LOGIN_TRIES", 10, 1, 1000))
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
#: A year, once people come by https; sub-domains and preload lists are the operator's business.
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# --- mail ---------------------------------------------------------------------------------
_smtp = mail.read("SHADOWEVAL_EMAIL_URL", env.url("SHADOWEVAL_EMAIL_URL", set(mail.PORTS)))
#: Whether mail is sent at all; pages say so where it is not.
SHADOWEVAL_MAIL = _smtp is not None
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if _smtp else 'dummy'}.EmailBackend"
if _smtp:
    EMAIL_HOST, EMAIL_PORT = _smtp.host, _smtp.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _smtp.user, _smtp.password
    EMAIL_USE_TLS, EMAIL_USE_SSL = _smtp.starts_tls, _smtp.is_tls
EMAIL_TIMEOUT = 10
_sender = (
    _smtp.user if _smtp and "@" in _smtp.user else f"shadoweval@{urlsplit(PUBLIC_URL).hostname}"
)
DEFAULT_FROM_EMAIL = env.text("SHADOWEVAL_EMAIL_FROM") or _sender
#: Raters with work who have rated nothing for so long get one mail; another after as long again.
SHADOWEVAL_REMIND_AFTER_DAYS = env.number("SHADOWEVAL_REMIND_AFTER_DAYS", 3, 1, 365)

# --- pages --------------------------------------------------------------------------------
#: What a rating costs, counted against savings; none: pages say how many there were.
SHADOWEVAL_RATING_USD = env.usd("SHADOWEVAL_RATING_USD")
#: The figures of a running study with more pairs take seconds: they are kept while newer ones are
#: made, and the page says from when they are.
SHADOWEVAL_PREVIEW_PAIRS = int(env.number("SHADOWEVAL_PREVIEW_PAIRS", 50_000, 0, 1e9))
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("plotly", Path(plotly.__file__).parent / "package_data"),
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

# --- logs: never a prompt, an answer or a secret --------------------------------------------
LOGGING = logconfig.logging(
    env.choice("SHADOWEVAL_LOG_FORMAT", "line", ("line", "json")),
    env.text("SHADOWEVAL_LOG_LEVEL", "INFO"),
)

# --- routing ------------------------------------------------------------------------------
#: Whether a base URL that is typed into a page may lead into a private network, such as to a model
#: on this machine. Where others reach the service, the operator has to say so.
SHADOWEVAL_PROVIDER_PRIVATE = env.boolean("SHADOWEVAL_PROVIDER_PRIVATE", not BEHIND_TLS)
SHADOWEVAL_ANTHROPIC_URL = env.text("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
if env.text("ANTHROPIC_API_KEY"):
    # A policy names the variable that holds its key; one given as a file is put there once.
    os.environ["ANTHROPIC_API_KEY"] = env.text("ANTHROPIC_API_KEY")
#: Whether a tier whose provider nobody named is simulated.
SHADOWEVAL_SIMULATED = not env.text("ANTHROPIC_API_KEY")
if env.text("OPENAI_API_KEY"):
    os.environ["OPENAI_API_KEY"] = env.text("OPENAI_API_KEY")
SHADOWEVAL_CHEAP_MODEL = env.text("SHADOWEVAL_CHEAP_MODEL", "claude-haiku-5-5")
SHADOWEVAL_EXPENSIVE_MODEL = env.text("SHADOWEVAL_EXPENSIVE_MODEL", "claude-sonnet-5-5")
#: What the environment says of each tier, as texts; routing.tiers reads them.
SHADOWEVAL_TIERS = {
    "cheap": {
        "model": SHADOWEVAL_CHEAP_MODEL,
        "provider": env.text("SHADOWEVAL_CHEAP_PROVIDER"),
        "url": env.text("SHADOWEVAL_CHEAP_URL"),
        "key_name": env.text("SHADOWEVAL_CHEAP_KEY_NAME"),
        **env.pairs("SHADOWEVAL_CHEAP_PRICE"),
    },
    "expensive": {
        "model": SHADOWEVAL_EXPENSIVE_MODEL,
        "provider": env.text("SHADOWEVAL_EXPENSIVE_PROVIDER"),
        "url": env.text("SHADOWEVAL_EXPENSIVE_URL"),
        "key_name": env.text("SHADOWEVAL_EXPENSIVE_KEY_NAME"),
        **env.pairs("SHADOWEVAL_EXPENSIVE_PRICE"),
    },
}
SHADOWEVAL_MAX_BODY_BYTES = int(env.number("SHADOWEVAL_MAX_BODY_MB", 10, 0.001, 1000) * 1_000_000)
DATA_UPLOAD_MAX_MEMORY_SIZE = SHADOWEVAL_MAX_BODY_BYTES
SHADOWEVAL_PROVIDER_TIMEOUT_S = env.number("SHADOWEVAL_PROVIDER_TIMEOUT_S", 600, 1, 3600)
SHADOWEVAL_BODY_TIMEOUT_S = env.number("SHADOWEVAL_BODY_TIMEOUT_S", 60, 0.1, 3600)
SHADOWEVAL_STREAM_IDLE_TIMEOUT_S = env.number("SHADOWEVAL_STREAM_IDLE_TIMEOUT_S", 120, 0.1, 3600)
SHADOWEVAL_SHADOW_MEDIA_BYTES = int(env.number("SHADOWEVAL_SHADOW_MEDIA_MB", 2, 0, 1000) * 1e6)
SHADOWEVAL_CHEAP_TIMEOUT_S = env.number("SHADOWEVAL_CHEAP_TIMEOUT_S", 300, 1, 3600)
SHADOWEVAL_SHADOW_TIMEOUT_S = env.number("SHADOWEVAL_SHADOW_TIMEOUT_S", 180, 1, 3600)
SHADOWEVAL_ROUTER_TIMEOUT_S = env.number("SHADOWEVAL_ROUTER_TIMEOUT_S", 2.0, 0.01, 60)
SHADOWEVAL_RETRIEVAL_TIMEOUT_S = env.number("SHADOWEVAL_RETRIEVAL_TIMEOUT_S", 2.0, 0.01, 60)
#: Whether the cheap model makes the last turn of a conversation self-contained for the search.
SHADOWEVAL_REWRITES = env.boolean("SHADOWEVAL_REWRITES", True)
SHADOWEVAL_REWRITE_TIMEOUT_S = env.number("SHADOWEVAL_REWRITE_TIMEOUT_S", 3.0, 0.01, 60)
SHADOWEVAL_SHADOW_CONCURRENCY = int(env.number("SHADOWEVAL_SHADOW_CONCURRENCY", 200, 1, 1000))
SHADOWEVAL_SHADOW_LANE_CONCURRENCY = int(
    env.number("SHADOWEVAL_SHADOW_LANE_CONCURRENCY", 100, 1, 1000)
)
#: Of all processes together, to one address; 0 is no limit.
SHADOWEVAL_SHADOW_RPM = int(env.number("SHADOWEVAL_SHADOW_RPM", 0, 0, 1_000_000))
#: What the shadow calls of a new project may cost in a day; None is no cap.
SHADOWEVAL_SHADOW_DAILY_USD = env.usd("SHADOWEVAL_SHADOW_DAILY_USD")
SHADOWEVAL_REPEAT_RATE = env.number("SHADOWEVAL_REPEAT_RATE", 0.02, 0, 1)
#: Of the requests that a signed policy decides, so many are still asked of both models.
SHADOWEVAL_LIVE_SHADOW_RATE = env.number("SHADOWEVAL_LIVE_SHADOW_RATE", 0.05, 0, 1)
#: Of the requests that a signed policy sends to CHEAP, so many are rated after go-live; 0 is none.
SHADOWEVAL_LIVING_RATE = env.number("SHADOWEVAL_LIVING_RATE", 0.01, 0, 1)
SHADOWEVAL_RETRIEVAL_RATE = env.number("SHADOWEVAL_RETRIEVAL_RATE", 0.1, 0, 1)
SHADOWEVAL_SHADOW_ATTEMPTS = int(env.number("SHADOWEVAL_SHADOW_ATTEMPTS", 5, 1, 20))
SHADOWEVAL_SHADOW_DEADLINE_S = env.number("SHADOWEVAL_SHADOW_DEADLINE_S", 86_400, 1, 10_000_000)
SHADOWEVAL_CONCURRENCY = int(env.number("SHADOWEVAL_CONCURRENCY", 1000, 1, 100_000))
SHADOWEVAL_SHADOW_BACKLOG = int(env.number("SHADOWEVAL_SHADOW_BACKLOG", 50_000, 1, 10_000_000))
#: An event loop that comes this late has no time left for anything.
SHADOWEVAL_SHADOW_LATE_MS = env.number("SHADOWEVAL_SHADOW_LATE_MS", 100, 1, 1_000_000)
SHADOWEVAL_JOURNAL_DIR = Path(env.text("SHADOWEVAL_JOURNAL_DIR", str(VAR_DIR / "journal")))
SHADOWEVAL_JOURNAL_BYTES = int(env.number("SHADOWEVAL_JOURNAL_MB", 1000, 1, 1_000_000) * 1e6)
SHADOWEVAL_RECORD_QUEUE_BYTES = int(env.number("SHADOWEVAL_RECORD_QUEUE_MB", 256, 1, 100_000) * 1e6)
SHADOWEVAL_RETENTION_DAYS = int(env.number("SHADOWEVAL_RETENTION_DAYS", 180, 0, 36_500))
#: Dotted paths of further redactors; see routing/redaction.py.
SHADOWEVAL_REDACTORS = env.words("SHADOWEVAL_REDACTORS", "")
SHADOWEVAL_METRICS_TOKEN = env.text("SHADOWEVAL_METRICS_TOKEN")

#: Of a collector that takes OpenTelemetry's traces over HTTP; empty is no tracing, unless
#: OpenTelemetry's own variables name one.
SHADOWEVAL_OTLP_URL = env.url("SHADOWEVAL_OTLP_URL", {"http", "https"})

#: Where the embedders' files are. They know no Django: what is built or served below looks there.
SHADOWEVAL_MODELS_DIR = Path(env.text("SHADOWEVAL_MODELS", str(VAR_DIR / "models"))).resolve()
os.environ["SHADOWEVAL_MODELS"] = str(SHADOWEVAL_MODELS_DIR)
#: The embedder of the starter router; docs/adr/0012-default-embedder.md says why.
SHADOWEVAL_EMBEDDER = env.choice("SHADOWEVAL_EMBEDDER", "minilm", ("minilm", "static"))

#: Indexes of collections as files; all processes of a machine share them.
SHADOWEVAL_INDEX_DIR = Path(env.text("SHADOWEVAL_INDEX_DIR", str(VAR_DIR / "indexes"))).resolve()
SHADOWEVAL_UPLOAD_MAX_BYTES = int(env.number("SHADOWEVAL_UPLOAD_MAX_MB", 20, 0.001, 1000) * 1e6)
SHADOWEVAL_COLLECTION_MAX_CHUNKS = int(
    env.number("SHADOWEVAL_COLLECTION_MAX_CHUNKS", 200_000, 1, 10_000_000)
)
#: Where neighbours are looked for off the hot path; docs/adr/0041 says why not on it.
SHADOWEVAL_VECTOR_INDEX = env.choice(
    "SHADOWEVAL_VECTOR_INDEX", "auto", ("auto", "numpy", "pgvector")
)

# --- reviews ------------------------------------------------------------------------------
SHADOWEVAL_LEASE_S = env.number("SHADOWEVAL_LEASE_S", 900, 5, 86_400)
SHADOWEVAL_SIGNOFF_ROLES = env.words("SHADOWEVAL_SIGNOFF_ROLES", "engineering,product")
#: Where events of sign-offs are posted as signed JSON; empty is nowhere.
SHADOWEVAL_WEBHOOK_URL = env.url("SHADOWEVAL_WEBHOOK_URL", {"http", "https"})
SHADOWEVAL_WEBHOOK_SECRET = env.text("SHADOWEVAL_WEBHOOK_SECRET")
#: Whether the webhook's name may lead to an address inside a private network.
SHADOWEVAL_WEBHOOK_PRIVATE = env.boolean("SHADOWEVAL_WEBHOOK_PRIVATE", False)
