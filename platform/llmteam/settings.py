"""All settings. Nothing else reads the environment, and reading this module needs no server."""

from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

from kernel.egress.policy import build_policy
from llmteam import environment
from llmteam.console_navigation import NAVIGATION
from llmteam.logs import logging_config
from llmteam.loopback import is_loopback
from tenants.entitlements.tiers import TIERS

BASE_DIR = Path(__file__).resolve().parents[2]

DEBUG = environment.flag("DEBUG", default=False)
DEVELOPMENT = environment.flag("LLMTEAM_DEVELOPMENT", default=False)
_BUILT_IN_SECRET = "development-only-" * 4
SECRET_KEY = environment.secret(
    "SECRET_KEY", _BUILT_IN_SECRET if DEVELOPMENT or DEBUG else "", weak_allowed=DEVELOPMENT or DEBUG
)
HAS_BUILT_IN_SECRET = SECRET_KEY == _BUILT_IN_SECRET
SECRET_KEYS = environment.keys("SECRET_KEYS", derived_from=SECRET_KEY if DEVELOPMENT or DEBUG else "")
LICENCE_KEYS = environment.verifier_keys("LICENCE_KEYS")  # of the vendors whose licences count here
SELF_SERVICE_TRIAL = environment.flag("SELF_SERVICE_TRIAL", default=False)
ALLOWED_HOSTS = environment.hosts("ALLOWED_HOSTS") or ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "llmteam.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "corsheaders",
    "django_htmx",
    "foundation",
    "tenants",
    "audit",
    "segments",
    "runs",
    "humantasks",
    "llmteam",
    *environment.packages("EXTRA_APPS"),
]

MIDDLEWARE = [
    "llmteam.metrics.count_requests",
    "llmteam.api.middleware.request_context",
    "llmteam.api.paths.without_trailing_slash",
    "llmteam.api.cors.Cors",
    "llmteam.browser_policy.browser_policy",
    "llmteam.api.inline.Security",
    "llmteam.static.static_files",
    "llmteam.api.inline.Session",
    "llmteam.api.inline.Locale",
    "llmteam.api.inline.Common",
    "llmteam.api.inline.Csrf",
    "llmteam.api.inline.Authentication",
    "llmteam.api.inline.InlineMessage",
    "llmteam.api.inline.XFrameOptions",
]
# The checks look for the names of Django's own middleware; ours are these, without their changes of thread. The last
# two want HSTS for subdomains and browsers' built-in lists, which only whoever owns the domain may promise.
SILENCED_SYSTEM_CHECKS = ["security.W001", "security.W002", "security.W003", "security.W005", "security.W021"]

CORS_ALLOW_HEADERS = [
    "authorization", "content-type", "idempotency-key", "if-match", "if-none-match", "last-event-id", "prefer",
    "traceparent", "x-api-key",
]  # fmt: skip
CORS_ALLOW_METHODS = ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"]
CORS_EXPOSE_HEADERS = [
    "etag", "idempotent-replayed", "location", "ratelimit", "ratelimit-policy", "retry-after", "traceparent",
    "x-request-id",
]  # fmt: skip
CORS_PREFLIGHT_MAX_AGE = 600

PUBLIC_URL = environment.base_url("PUBLIC_URL", "http://127.0.0.1:8000")  # what links in mails begin with
if HAS_BUILT_IN_SECRET and not all(map(is_loopback, [*ALLOWED_HOSTS, urlsplit(PUBLIC_URL).hostname or ""])):
    raise ImproperlyConfigured(
        "SECRET_KEY is the built-in one of development, which everybody knows, but ALLOWED_HOSTS or PUBLIC_URL name "
        "more than this machine. Set SECRET_KEY to 50 random characters."
    )
# Not set, development makes a key there. The names of logs begin with the origin, and a log keeps its name.
AUDIT_SIGNING_KEY = environment.key("AUDIT_SIGNING_KEY", needed=not (DEVELOPMENT or DEBUG))
AUDIT_OLD_SIGNING_KEYS = environment.old_keys("AUDIT_OLD_SIGNING_KEYS")
AUDIT_DEVELOPMENT_KEY_FILE = BASE_DIR / ".data" / "audit_key"
AUDIT_ORIGIN = environment.log_origin("AUDIT_ORIGIN", urlsplit(PUBLIC_URL).netloc)
AUDIT_CHECKPOINT_FILE = environment.text("AUDIT_CHECKPOINT_FILE", "")

DEFAULT_FROM_EMAIL = environment.mailbox("DEFAULT_FROM_EMAIL", "llmteam@localhost")
EMAIL_HOST = environment.text("EMAIL_HOST", "")
EMAIL_PORT = environment.whole("EMAIL_PORT", 25, least=1, most=65535)
EMAIL_HOST_USER = environment.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = environment.text("EMAIL_HOST_PASSWORD", "")
if bool(EMAIL_HOST_USER) != bool(EMAIL_HOST_PASSWORD) or (EMAIL_HOST_USER and not EMAIL_HOST):
    raise ImproperlyConfigured(
        "EMAIL_HOST_USER, EMAIL_HOST_PASSWORD and EMAIL_HOST go together: one of them is missing."
    )
EMAIL_USE_TLS = environment.flag("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = environment.number("EMAIL_TIMEOUT", 10, least=1, most=120)
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"

WEBSOCKET_ORIGINS = environment.origins("WEBSOCKET_ORIGINS")

ROOT_URLCONF = "llmteam.urls"
ASGI_APPLICATION = "llmteam.asgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASE_POOLED = environment.flag("DATABASE_POOLED", default=False)
DATABASES = {"default": environment.database("DATABASE_URL", pooled=DATABASE_POOLED)}
# For the commands that make tables and roles. None: there is one login only, which they are given as DATABASE_URL.
DATABASE_OWNER = environment.database("DATABASE_OWNER_URL") if environment.text("DATABASE_OWNER_URL", "") else None
DATABASE_LOGIN = DATABASES["default"]["USER"] if DATABASE_OWNER else None  # of the processes, beside an owner
# Where a session lasts longer than a transaction. None: at DATABASE_URL, unless that is a pooler's.
DATABASE_DIRECT = environment.database("DATABASE_DIRECT_URL") if environment.text("DATABASE_DIRECT_URL", "") else None
REDIS_URL = environment.redis("REDIS_URL", "redis://127.0.0.1:1/0")

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "tenants.User"
# The first is for operators, who have a password; the second knows the sessions of people who signed in elsewhere.
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "tenants.sign_in.backend.ProviderBackend"]
OIDC_ISSUER = environment.issuer("OIDC_ISSUER", plain_allowed=DEVELOPMENT or DEBUG)
OIDC_CLIENT_ID = environment.text("OIDC_CLIENT_ID", "")
OIDC_CLIENT_SECRET = environment.text("OIDC_CLIENT_SECRET", "")
OIDC_SCOPES = environment.text("OIDC_SCOPES", "openid email profile")
if "openid" not in OIDC_SCOPES.split():
    raise ImproperlyConfigured("OIDC_SCOPES must have openid among them: without it no provider gives an ID token.")
OIDC_EMAILS_VERIFIED = environment.flag("OIDC_EMAILS_VERIFIED", default=False)
if OIDC_ISSUER and not (OIDC_CLIENT_ID and OIDC_CLIENT_SECRET):
    raise ImproperlyConfigured("OIDC_ISSUER needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET.")
OPERATOR_SIGN_IN = environment.choice("OPERATOR_SIGN_IN", "password", of=["password", "oidc", "either"])
OPERATOR_ACR = environment.words("OPERATOR_ACR")  # one of these, as the provider's ID token says
OPERATOR_AMR = environment.words("OPERATOR_AMR")
if OPERATOR_SIGN_IN != "password" and not OIDC_ISSUER:
    raise ImproperlyConfigured(f"OPERATOR_SIGN_IN={OPERATOR_SIGN_IN} needs OIDC_ISSUER, whose accounts operators have.")
if OPERATOR_SIGN_IN == "password" and (OPERATOR_ACR or OPERATOR_AMR):
    raise ImproperlyConfigured("OPERATOR_ACR and OPERATOR_AMR need OPERATOR_SIGN_IN=oidc, or either.")
SIGN_IN_HOURS = environment.number("SIGN_IN_HOURS", 12, least=0.01, most=720)
LOGIN_REDIRECT_URL = "/inbox/"
LOGIN_DELAY_SECONDS = environment.whole("LOGIN_DELAY_SECONDS", 30, least=1, most=600)
LOGIN_LOCK_SECONDS = environment.whole("LOGIN_LOCK_SECONDS", 900, least=1, most=86_400)
if LOGIN_LOCK_SECONDS < LOGIN_DELAY_SECONDS:
    raise ImproperlyConfigured("LOGIN_LOCK_SECONDS must be at least LOGIN_DELAY_SECONDS.")
WRONG_CREDENTIALS_PER_MINUTE = environment.whole("WRONG_CREDENTIALS_PER_MINUTE", 60, least=1, most=1_000_000)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGES = [("en", "English"), ("ru", "Russian")]
LANGUAGE_CODE = environment.choice("LANGUAGE_CODE", "en", of=[code for code, _ in LANGUAGES])  # of mails, for one
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["llmteam.formats"]
STATIC_URL = "/static/"
STATIC_ROOT = None if DEVELOPMENT or DEBUG else BASE_DIR / "static"  # collected for production only
WHITENOISE_USE_FINDERS = DEVELOPMENT or DEBUG
WHITENOISE_AUTOREFRESH = False

SECURE_SSL_REDIRECT = environment.flag("HTTPS", default=not (DEVELOPMENT or DEBUG))
SESSION_COOKIE_SECURE = SECURE_SSL_REDIRECT
SESSION_ENGINE = "tenants.members.session_store"
CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT
SECURE_REDIRECT_EXEMPT = [r"^metrics$"]
# A browser that has once heard of it lets nobody take these back, so the wider two are the operator's to ask for.
SECURE_HSTS_SECONDS = environment.whole(
    "HSTS_SECONDS", 2_592_000 if SECURE_SSL_REDIRECT else 0, least=0, most=63_072_000
)
SECURE_HSTS_INCLUDE_SUBDOMAINS = environment.flag("HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = environment.flag("HSTS_PRELOAD", default=False)
if SECURE_HSTS_PRELOAD and not (SECURE_HSTS_INCLUDE_SUBDOMAINS and SECURE_HSTS_SECONDS >= 31_536_000):
    raise ImproperlyConfigured("HSTS_PRELOAD needs HSTS_INCLUDE_SUBDOMAINS=1 and HSTS_SECONDS of 31536000 or more.")
TRUSTED_PROXIES = environment.networks("TRUSTED_PROXIES")  # whose X-Forwarded-For and X-Forwarded-Proto are believed

WEB_GRACE_SECONDS = environment.number("WEB_GRACE_SECONDS", 20, least=0, most=600)
HTTP_CONNECTIONS = environment.whole("HTTP_CONNECTIONS", 8_000, least=10, most=1_000_000)
HTTP_CONNECTIONS_PER_ADDRESS = environment.whole("HTTP_CONNECTIONS_PER_ADDRESS", 1_000, least=1, most=1_000_000)
HTTP_HEADER_SECONDS = environment.number("HTTP_HEADER_SECONDS", 10, least=0.5, most=120)
HTTP_BODY_SECONDS = environment.number("HTTP_BODY_SECONDS", 20, least=0.5, most=600)
HTTP_IDLE_SECONDS = environment.number("HTTP_IDLE_SECONDS", 65, least=1, most=600)

# Those who show a live key or session count for their tenant, everybody else for their address.
REQUESTS_IN_FLIGHT_PER_TENANT = environment.whole("REQUESTS_IN_FLIGHT_PER_TENANT", 400, least=1, most=100_000)
REQUESTS_IN_FLIGHT_PER_ADDRESS = environment.whole("REQUESTS_IN_FLIGHT_PER_ADDRESS", 100, least=1, most=100_000)
REQUESTS_PER_MINUTE_PER_TENANT = environment.whole("REQUESTS_PER_MINUTE_PER_TENANT", 6_000, least=1, most=10_000_000)
REQUESTS_PER_MINUTE_PER_ADDRESS = environment.whole("REQUESTS_PER_MINUTE_PER_ADDRESS", 1_200, least=1, most=10_000_000)
REQUESTS_SHARE_BESIDE_OTHERS = environment.number("REQUESTS_SHARE_BESIDE_OTHERS", 0.15, least=0.01, most=1)
STREAMS_PER_TENANT = environment.whole("STREAMS_PER_TENANT", 500, least=1, most=100_000)
STREAMS_PER_ADDRESS = environment.whole("STREAMS_PER_ADDRESS", 100, least=1, most=100_000)

# Of a tenant without a licence; where its tier says no number either, these do. None is unlimited.
DEFAULT_TIER = environment.choice("DEFAULT_TIER", "enterprise", of=TIERS)
DEFAULT_LIMITS = {
    "concurrent_runs": environment.whole("CONCURRENT_RUNS_PER_TENANT", 500, least=1, most=1_000_000),
    "runs_per_day": None,
    "requests_per_minute": REQUESTS_PER_MINUTE_PER_TENANT,
    "storage_bytes": None,
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
FILE_UPLOAD_MAX_MEMORY_SIZE = 1_048_576

CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_TRANSPORT_OPTIONS = {"max_retries": 0, "socket_connect_timeout": 1}  # a lost doorbell costs no request
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A worker whose broker is away goes on by sweeps, and looks for the broker for as long as it lives.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE = {
    "seal_audit": {"task": "audit.seal", "schedule": 1.0, "options": {"expires": 5}},
    "verify_audit": {"task": "audit.verify_asked", "schedule": 5.0, "options": {"expires": 20}},
    "tell_of_licences": {"task": "tenants.tell_of_licences", "schedule": 900.0},
    "sweep_retention": {"task": "tenants.sweep_retention", "schedule": 3600.0},
    "write_exports": {"task": "tenants.write_exports", "schedule": 10.0},
    "advance_removals": {"task": "tenants.advance_removals", "schedule": 10.0},
    "recount_storage": {"task": "runs.recount_storage", "schedule": 3600.0},
    "look_after_endpoints": {"task": "runs.look_after_endpoints", "schedule": 60.0},
    "settle_suspensions": {"task": "runs.settle_suspensions", "schedule": 15.0},
    "remind_of_ending_keys": {"task": "tenants.remind_of_ending_keys", "schedule": 3600.0},
}
# In days; 0 keeps for ever. docs/reference/retention.md says what goes with what.
RUN_RETENTION_DAYS = environment.whole("RUN_RETENTION_DAYS", 0, least=0, most=36_500)
AUDIT_RETENTION_DAYS = environment.whole("AUDIT_RETENTION_DAYS", 0, least=0, most=36_500)
DELIVERY_RETENTION_DAYS = environment.whole("DELIVERY_RETENTION_DAYS", 90, least=0, most=36_500)
WEBHOOK_RETENTION_DAYS = environment.whole("WEBHOOK_RETENTION_DAYS", 30, least=0, most=36_500)
MAIL_RETENTION_DAYS = environment.whole("MAIL_RETENTION_DAYS", 90, least=0, most=36_500)
USAGE_RETENTION_DAYS = environment.whole("USAGE_RETENTION_DAYS", 400, least=0, most=36_500)
USAGE_DAY_RETENTION_DAYS = environment.whole("USAGE_DAY_RETENTION_DAYS", 1_100, least=0, most=36_500)
INVITATION_RETENTION_DAYS = environment.whole("INVITATION_RETENTION_DAYS", 90, least=0, most=36_500)
EXPORT_RETENTION_DAYS = environment.whole("EXPORT_RETENTION_DAYS", 7, least=1, most=365)
DELETION_GRACE_DAYS = environment.whole("DELETION_GRACE_DAYS", 7, least=0, most=365)
CONSOLE_LOG_RETENTION_DAYS = environment.whole("CONSOLE_LOG_RETENTION_DAYS", 400, least=0, most=36_500)

WORKER_LEASE_SECONDS = environment.number("WORKER_LEASE_SECONDS", 15, least=1, most=300)
WORKER_HEARTBEAT_SECONDS = environment.number("WORKER_HEARTBEAT_SECONDS", 5, least=0.2, most=100)
WORKER_GRACE_SECONDS = environment.number("WORKER_GRACE_SECONDS", 30, least=0, most=600)
WORKER_CAPACITY = environment.whole("WORKER_CAPACITY", 2000, least=1, most=100_000)
HOST_SHARE_MAX = environment.number("HOST_SHARE_MAX", 0.9, least=0.01, most=1)
SWEEP_SECONDS = environment.number("SWEEP_SECONDS", 1, least=0.1, most=60)
STEP_TYPE_PATIENCE_SECONDS = environment.number("STEP_TYPE_PATIENCE_SECONDS", 60, least=1, most=86_400)
CALLBACK_TIMEOUT_SECONDS = environment.number("CALLBACK_TIMEOUT_SECONDS", 15, least=0.5, most=60)
if WORKER_LEASE_SECONDS < 2 * WORKER_HEARTBEAT_SECONDS:
    raise ImproperlyConfigured("WORKER_LEASE_SECONDS must be at least twice WORKER_HEARTBEAT_SECONDS.")

# Slow pure work goes to a few bounded processes of each web process and worker; these are all the functions they know.
COMPUTE_FUNCTIONS = {
    "http_content": "runs.http.reading:read_bytes",
    "model_answer": "runs.providers.decoding:decode_bytes",
    "model_reply": "runs.agents.large_reply:validate_reply_bytes",
    "schema_violations": "kernel.schemas.validation:violations_in_bytes",
    "step_work": "runs.work.process:do_work",
}
COMPUTE_PROCESSES = environment.whole("COMPUTE_PROCESSES", 2, least=1, most=64)
COMPUTE_SECONDS = environment.number("COMPUTE_SECONDS", 5, least=0.1, most=60)
COMPUTE_MEMORY_MIB = environment.whole("COMPUTE_MEMORY_MIB", 512, least=192, most=16_384)
COMPUTE_WAITING = environment.whole("COMPUTE_WAITING", 32, least=1, most=10_000)

WORKER_MEMORY_MIB = environment.whole("WORKER_MEMORY_MIB", 256, least=32, most=1_048_576)
UNSENT_MIB_PER_TENANT = environment.whole("UNSENT_MIB_PER_TENANT", 32, least=4, most=1024)

EGRESS_ALLOW_HOSTS = environment.words("EGRESS_ALLOW_HOSTS")
EGRESS_ALLOW_CIDRS = environment.words("EGRESS_ALLOW_CIDRS")
# A newcomer's first call goes to their own machine.
EGRESS_LOOPBACK = environment.flag("EGRESS_LOOPBACK", default=DEVELOPMENT)
if EGRESS_LOOPBACK:
    EGRESS_ALLOW_HOSTS += ["127.0.0.1:*", "localhost:*", "[::1]:*"]
    EGRESS_ALLOW_CIDRS += ["127.0.0.0/8", "::1/128"]
try:
    build_policy(allow_hosts=EGRESS_ALLOW_HOSTS, allow_cidrs=EGRESS_ALLOW_CIDRS)
except ValueError as error:
    raise ImproperlyConfigured(f"EGRESS_ALLOW_HOSTS and EGRESS_ALLOW_CIDRS cannot be honoured: {error}") from None
EGRESS_CA_FILE = environment.certificates("EGRESS_CA_FILE")
HTTP_HOST_CONCURRENCY = environment.whole("HTTP_HOST_CONCURRENCY", 100, least=1, most=10_000)
HTTP_CLIENTS = environment.base_urls("HTTP_CLIENTS")
RUNTIME_SETUP = environment.packages("RUNTIME_SETUP")

STEP_REGISTRY = "runs.steps.registry.registry"
# Outermost first; docs/howto/middleware.md says why in this order.
STEP_MIDDLEWARE: list[str] = [
    "runs.middleware.tracing.Tracing",
    "runs.middleware.metrics.Metrics",
    "runs.middleware.attempt_log.AttemptLog",
    "runs.middleware.concurrency.Concurrency",
    "runs.middleware.circuit.CircuitBreaker",
    "runs.middleware.rate_limit.RateLimit",
    *environment.packages("EXTRA_STEP_MIDDLEWARE"),
]
CIRCUIT_COOLDOWN_SECONDS = environment.number("CIRCUIT_COOLDOWN_SECONDS", 30, least=0.1, most=3600)

OTEL_EXPORTER_OTLP_ENDPOINT = environment.base_url("OTEL_EXPORTER_OTLP_ENDPOINT", "")
OTEL_SERVICE_NAME = environment.text("OTEL_SERVICE_NAME", "llmteam")
METRICS_TOKEN = environment.bearer("METRICS_TOKEN")
WORKER_METRICS_ADDRESS = environment.address("WORKER_METRICS_ADDRESS")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "llmteam.api.authentication.KeyAuthentication",
        "llmteam.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "llmteam.api.authentication.HasScope",
        "llmteam.api.parameters.ReadsItsQuery",
        "llmteam.api.parameters.KeepsPreconditions",
    ],
    "DEFAULT_PARSER_CLASSES": [
        "llmteam.api.content.JsonParser",
        "llmteam.api.content.FormParser",
        "llmteam.api.lenient_parser.LenientParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["llmteam.api.content.JsonRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "llmteam.api.content.AlwaysJson",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "llmteam.api.schema.Schema",
    "EXCEPTION_HANDLER": "llmteam.api.problems.answer",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "llmteam",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "DESCRIPTION": "Runs the workflows a canvas draws.",
    "SERVERS": [{"url": PUBLIC_URL, "description": "This installation."}],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "llmteam.api.nulls.allow_nulls",
        "llmteam.api.description.complete",
    ],
    "ENUM_NAME_OVERRIDES": {
        "SuspendedRunsEnum": "tenants.models.RunsWhileSuspended.values",
        "TenantStateEnum": "tenants.api.serializers.STATES",
        "DeliveryStatusEnum": "runs.models.DeliveryStatus",
    },
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
            "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
        },
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

UNFOLD = {
    "SITE_TITLE": "llmteam",
    "SITE_HEADER": "llmteam",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("inbox/icon.svg")}],
    "SIDEBAR": {"show_search": True, "show_all_applications": True, "navigation": NAVIGATION},
}

LOG_FORMAT = environment.choice("LOG_FORMAT", "text" if DEVELOPMENT or DEBUG else "json", of=["json", "text"])
LOG_LEVEL = environment.choice("LOG_LEVEL", "INFO", of=["DEBUG", "INFO", "WARNING", "ERROR"])
LOGGING = logging_config(form=LOG_FORMAT, level=LOG_LEVEL)
