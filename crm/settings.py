"""Every setting of Apropos, in one file.

Each knob comes from the environment with a typed default that runs; a wrong value
stops the start with one clear line. Secrets also by `NAME_FILE` (crm/environment.py).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

from crm.embedded.broker import choose_broker_options
from crm.embedded.cluster import Cluster, locate_cluster
from crm.environment import (
    BASE_DIR,
    env,
    read_broker,
    read_choice,
    read_database,
    read_days,
    read_fernet_keys,
    read_generated_secrets,
    read_positive,
    read_required,
    read_secret,
)

# --- Core ---
DEBUG = env.bool("DEBUG", True)
ALLOWED_HOSTS: list[str] = env.list(
    "ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"]
)
SITE_URL = env.str("SITE_URL", "http://localhost:8000").rstrip("/")
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[SITE_URL])
CSRF_FAILURE_VIEW = "crm.api.pages.answer_forgery"
ROOT_URLCONF = "crm.urls"
WSGI_APPLICATION = "crm.wsgi.application"
ASGI_APPLICATION = "crm.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Web server ---
# Requests that are worked on at once, per process of the web server.
WEB_THREADS = read_positive("WEB_THREADS", 2)
# A body that is not there after so long, and a second more for each 16 kB that came,
# ends with 408.
BODY_WAIT_S = read_positive("BODY_WAIT_S", 10)
# How many proxies of yours stand before it, each adding the address it was called from
# to X-Forwarded-For. 0: that header is anybody's word, and not believed.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", 0)

# --- Database and broker ---
DATA_DIR = Path(env.str("DATA_DIR", str(BASE_DIR / "var")))
LOG_DIR = DATA_DIR / "log"
DATABASE_URL = read_secret("DATABASE_URL")
# None where DATABASE_URL names a server of yours.
EMBEDDED_CLUSTER: Cluster | None = None
if not DATABASE_URL:
    EMBEDDED_CLUSTER = locate_cluster(
        BASE_DIR, DATA_DIR if "DATA_DIR" in os.environ else None
    )
# Made once by the embedded default in its data directory, asked for elsewhere.
_generated = read_generated_secrets(EMBEDDED_CLUSTER if DEBUG else None)
SECRET_KEY = read_required("SECRET_KEY", _generated.secret_key)
# Fernet keys, newest first; older ones still decrypt.
ENCRYPTION_KEYS = read_fernet_keys("ENCRYPTION_KEY", _generated.encryption_key)
# The first login, made by `up` in a database without users.
ADMIN_LOGIN = env.str("ADMIN_LOGIN", "admin")
ADMIN_PASSWORD = read_secret("ADMIN_PASSWORD", _generated.admin_password)
DATABASES: dict[str, Any] = {"default": read_database(DATABASE_URL, EMBEDDED_CLUSTER)}
# Another database on the same server: the demo keeps apart from your data.
DATABASES["default"]["NAME"] = env.str("DATABASE_NAME", DATABASES["default"]["NAME"])
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# A queue on the main database, unless a Redis or RabbitMQ is named.
BROKER_URL = read_broker("BROKER_URL")

# --- Applications ---
# `up` turns it off for worker and beat, which show no pages: 30 MB a process.
LOAD_ADMIN = env.bool("LOAD_ADMIN", True)
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    # CrmConfig discovers the admin where LOAD_ADMIN asks, the URL map always.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    # Operator classes of expression indexes.
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_htmx",
    "django_celery_beat",
    "import_export",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "crm.apps.CrmConfig",
    "preferences.apps.PreferencesConfig",
    "segments.apps.SegmentsConfig",
    "notifications.apps.NotificationsConfig",
]

MIDDLEWARE = [
    "crm.api.security.HeadersMiddleware",
    "crm.api.middleware.FaultMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Pages shrink to a tenth. Its random padding, and CSRF tokens that are masked anew
    # in each answer, keep the length from telling what is in it (BREACH).
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "crm.api.second_factor.SecondFactorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

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
            ],
        },
    }
]

# --- People ---
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AXES_VERBOSE = False
AXES_FAILURE_LIMIT = read_positive("AXES_FAILURE_LIMIT", 20)
AXES_COOLOFF_TIME = 1  # hours
AXES_LOCKOUT_CALLABLE = "crm.admin.second_factor.views.show_lockout"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
# `required`: staff may send only after they set one up. `off`: it is their choice;
# whoever has one is asked for it at each login either way.
SECOND_FACTOR = read_choice(
    "SECOND_FACTOR", ("off", "required"), "required" if DATABASE_URL else "off"
)
# By path, as this app knows no other: the rights that wait for it.
SECOND_FACTOR_RIGHTS = "notifications.roles.SEND_RIGHTS"
OTP_TOTP_ISSUER = "Apropos"
# Were a device ever registered in the admin, its secret would still not be shown.
OTP_ADMIN_HIDE_SENSITIVE_DATA = True

# --- Language and time ---
LANGUAGE_CODE = "en-us"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "crm.formats"

# --- Static files ---
STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", str(DATA_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if not DEBUG
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG

# --- Security ---
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", not DEBUG)
# Load balancers ask over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 0 if DEBUG else 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEBUG
SECURE_HSTS_PRELOAD = not DEBUG
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SITE_URL.startswith("https://")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- Ingest ---
INGEST_EVENT_MAX_BYTES = read_positive("INGEST_EVENT_MAX_BYTES", 32 * 1024)
INGEST_BATCH_MAX_BYTES = read_positive("INGEST_BATCH_MAX_BYTES", 500 * 1024)
INGEST_BATCH_MAX_EVENTS = read_positive("INGEST_BATCH_MAX_EVENTS", 2_500)
# While more events wait to be worked on, or less of the embedded database's disk is
# free, ordinary events are turned away (429). Opt-outs and purchases pass.
INGEST_BACKLOG_MAX = read_positive("INGEST_BACKLOG_MAX", 200_000)
DISK_MIN_FREE_MB = read_positive("DISK_MIN_FREE_MB", 1_000)
# A back-dated event older than this changes segments but fires no trigger.
TRIGGER_MAX_AGE_S = read_positive("TRIGGER_MAX_AGE_S", 24 * 3600)
# The tasks rung for after a commit: of an ingest, and of what staff decided. Named
# here, because crm knows nothing downstream.
INGEST_BELL_TASK = "notifications.tasks.process_events"
TICK_BELL_TASK = "notifications.tasks.tick"
CATALOG_BELL_TASK = "crm.tasks.announce_changes"
FEED_BELL_TASK = "crm.tasks.fetch_feeds"
IMPORT_BELL_TASK = "crm.tasks.run_imports"
TRAIT_BELL_TASK = "segments.tasks.build_traits"
# A file of staff's; it is kept in the database for 30 days.
IMPORT_MAX_BYTES = read_positive("IMPORT_MAX_BYTES", 256 * 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

# --- Delivery ---
FCM_TRANSPORT = read_choice("FCM_TRANSPORT", ("pycurl", "sdk"), "pycurl")
FCM_ENDPOINT = env.str("FCM_ENDPOINT", "https://fcm.googleapis.com").rstrip("/")
FCM_TOKEN_ENDPOINT = env.str(
    "FCM_TOKEN_ENDPOINT", "https://oauth2.googleapis.com/token"
)
FCM_CA_BUNDLE = env.str("FCM_CA_BUNDLE", "")
# Where no Firebase key is configured, messages go to the loopback sandbox.
SANDBOX = env.bool("SANDBOX", DEBUG)
SANDBOX_URL = env.str("SANDBOX_URL", "http://127.0.0.1:8010").rstrip("/")
SANDBOX_LOG = Path(env.str("SANDBOX_LOG", str(DATA_DIR / "sandbox.jsonl")))
DELIVERY_BATCH = read_positive("DELIVERY_BATCH", 20)
DELIVERY_LEASE_S = read_positive("DELIVERY_LEASE_S", 60)
DELIVERY_SWEEP_S = read_positive("DELIVERY_SWEEP_S", 5)
# A Firebase project's default quota is 600,000 a minute; half of it is ours.
SENDER_RATE_PER_MIN = read_positive("SENDER_RATE_PER_MIN", 300_000)

# --- Subscriptions ---
# Days before its end on which a trial is said to be ending.
TRIAL_ENDING_DAYS = read_days("TRIAL_ENDING_DAYS", "3,1")
RENEWAL_DUE_DAYS = read_positive("RENEWAL_DUE_DAYS", 3)
# Days after an unpaid renewal before a subscription lapses.
SUBSCRIPTION_GRACE_DAYS = read_positive("SUBSCRIPTION_GRACE_DAYS", 3)

# --- Catalogs ---
# A price that falls by less of the last one, in percent, concerns nobody.
PRICE_DROP_MIN_PCT = read_positive("PRICE_DROP_MIN_PCT", 5)
# Whoever viewed or saved an item within these days is told of its changes.
CATALOG_INTEREST_DAYS = read_positive("CATALOG_INTEREST_DAYS", 30)
# Feeds may be asked of this machine too: for tests and development alone.
EGRESS_ALLOW_LOOPBACK = env.bool("EGRESS_ALLOW_LOOPBACK", False)

# --- Consent ---
# A link to the preference page opens it this long; one-click stays longer,
# because old messages must still be able to end.
PREFERENCE_LINK_DAYS = read_positive("PREFERENCE_LINK_DAYS", 90)
UNSUBSCRIBE_LINK_DAYS = read_positive("UNSUBSCRIBE_LINK_DAYS", 730)
# Wrong tokens per network and hour before the answer is 429.
PREFERENCE_GUESSES_PER_HOUR = read_positive("PREFERENCE_GUESSES_PER_HOUR", 100)

# --- API ---
# Calls a second of one key (or of one member of staff): those that bring events, and
# those of the REST API; and of one address without a key that is known.
RATE_INGEST_PER_S = read_positive("RATE_INGEST_PER_S", 3_000)
RATE_API_PER_S = read_positive("RATE_API_PER_S", 100)
RATE_STRANGER_PER_S = read_positive("RATE_STRANGER_PER_S", 50)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "crm.api.auth.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["crm.api.auth.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["crm.api.throttles.CallerThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["crm.api.parsers.StrictJSONParser"],
    "DEFAULT_METADATA_CLASS": "crm.api.metadata.PlainMetadata",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "crm.api.pagination.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "crm.api.errors.answer_exception",
    "PAGE_SIZE": 50,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Apropos API",
    "DESCRIPTION": "Contacts, segments, campaigns, deliveries and reports.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    # By path: crm knows nothing downstream.
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "crm.api.schema.describe_ingest",
        "notifications.api.schema.describe_messages",
        "crm.api.refusals.describe_refusals",
        "crm.api.examples.add_examples",
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_AUTHENTICATION": [],
    "ENUM_NAME_OVERRIDES": {
        "CatalogKindEnum": "crm.models.catalog.Catalog.Kind",
        "DeliveryStateEnum": "notifications.models.delivery.Delivery.State",
        "OrderStateEnum": "crm.models.purchase.Order.State",
        "SegmentKindEnum": "segments.models.segment.Segment.Kind",
    },
}

# --- Tasks ---
# Paths of celery.bootsteps.StartStopStep classes that each worker starts.
WORKER_BOOTSTEPS = ["notifications.worker.SweepStep"]
# A host of any name keeps kombu from warning that there is none.
CELERY_BROKER_URL = "pgmq://database" if BROKER_URL == "pgmq://" else BROKER_URL
# The address "pgmq://" alone means the main database.
CELERY_BROKER_TRANSPORT_OPTIONS = choose_broker_options(BROKER_URL, DATABASES)
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
# Fixed ticks only; all due work lives in columns (docs/architecture.md). Where a
# worker's sweeper rings by itself, the tick is the back-up alone.
# Task → seconds between two rings, and until one that waits is old.
TICKS: dict[str, tuple[str, float, int]] = {
    "tick": ("notifications.tasks.tick", 5, 15),
    "expire memberships": ("segments.tasks.expire_memberships", 15, 15),
    "build segments": ("segments.tasks.refresh_segments", 60, 60),
    "build traits": ("segments.tasks.build_traits", 60, 60),
    "announce catalog changes": ("crm.tasks.announce_changes", 60, 60),
    "tell subscriptions": ("crm.tasks.tell_subscriptions", 60, 60),
    "fetch feeds": ("crm.tasks.fetch_feeds", 60, 60),
    "count events": ("crm.tasks.count_events", 600, 300),
    # Rung for when staff press the button; this takes up what a dead worker left.
    "import": ("crm.tasks.run_imports", 60, 60),
    "maintain": ("crm.tasks.maintain", 3_600, 1_800),
    "forget texts": ("notifications.tasks.forget_texts", 3_600, 1_800),
}
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    name: {"task": task, "schedule": float(every_s), "options": {"expires": old_s}}
    for name, (task, every_s, old_s) in TICKS.items()
}


# --- Admin ---
def find_icon(request: HttpRequest) -> str:
    return static("apropos/icon.svg")


# The indigo of the icon: lightness and chroma of each step.
INDIGO = {50: "97% .014", 100: "94% .03", 200: "88% .06", 300: "80% .1"}
INDIGO |= {400: "71% .14", 500: "61% .18", 600: "52% .19", 700: "46% .17"}
INDIGO |= {800: "39% .14", 900: "34% .11", 950: "25% .08"}
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Apropos",
    "SITE_HEADER": "Apropos",
    "SITE_SUBHEADER": "Messages that earn their place",
    "SITE_URL": None,
    "SITE_ICON": find_icon,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": find_icon}],
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "DASHBOARD_CALLBACK": "notifications.admin.dashboard.describe_dashboard",
    "GLOBAL_CALLBACK": "crm.admin.second_factor.views.describe_want",
    "ACCOUNT": {
        "navigation": [
            {"title": "Second factor", "link": reverse_lazy("second_factor:home")}
        ]
    },
    "STYLES": [lambda request: static("apropos/apropos.css")],
    "SCRIPTS": [lambda request: static("apropos/apropos.js")],
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": "notifications.admin.navigation.build_navigation",
    },
    "COLORS": {"primary": {str(n): f"oklch({tone} 268)" for n, tone in INDIGO.items()}},
}

# --- Logs ---
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "INFO")},
}
