"""The one settings file. What differs between installations comes from the environment or from `.env`."""

import os
import sys
from contextlib import suppress

from dotenv import load_dotenv

from alphaswarm_site import environment
from alphaswarm_site.stack import secret_key
from alphaswarm_site.stack.paths import BASE_DIR, StackPaths
from alphaswarm_site.stack.urls import ServerUrls
from alphaswarm_site.version import program_version

load_dotenv(BASE_DIR / ".env")

STACK = StackPaths.from_environment()
SERVERS = ServerUrls.find(STACK)
ALPHASWARM_VAR = STACK.var
# Prometheus' client looks for it as it is imported, by whatever counts first. Without it a process counts for itself:
# a kill must work where nothing can be written.
with suppress(OSError):
    STACK.counts.mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(STACK.counts)
# Read as the process starts, so that it is the code that runs, whatever lies on the disk by then.
PROGRAM_VERSION = environment.text("ALPHASWARM_VERSION") or program_version(BASE_DIR)

SECRET_KEY = environment.text("ALPHASWARM_SECRET_KEY") or secret_key.load_or_make(STACK.secret_key)
ALLOWED_HOSTS = environment.words("ALPHASWARM_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
DEBUG = environment.flag("ALPHASWARM_DEBUG", False)
# Behind a proxy that speaks TLS: cookies for https alone, and the proxy's word on the scheme is believed.
HTTPS = environment.flag("ALPHASWARM_HTTPS", False)

INSTALLED_APPS = [
    # Its runserver alone needs to be an app, and every process would pay a second of imports for it.
    *(["daphne"] if "runserver" in sys.argv else []),
    "channels",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "django_htmx",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "ninja",
    "access",
    "metadata",
    "risk",
    "trading",
    "trading.sweeps",
    "alphaswarm_site",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "alphaswarm_site.middleware.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "access.problems.ProblemMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "access.idempotency.middleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "alphaswarm_site.rooms.display.middleware",
]

ROOT_URLCONF = "alphaswarm_site.urls"
ASGI_APPLICATION = "alphaswarm_site.asgi.application"
# The API's paths have no trailing slash, and Django's habit of adding one would send its calls astray.
APPEND_SLASH = False

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
    },
]

DATABASES = {"default": environment.database(SERVERS.database)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = environment.redis(SERVERS.redis)
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL]},
    },
}

# A task message is a hint; the database says who owns a run. So nothing is acknowledged late, and no result is kept.
CELERY_BROKER_URL = environment.broker(REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 5, "socket_connect_timeout": 5, "health_check_interval": 10}
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "jobs"
# Live-paced sessions share threads; what burns CPU (a backtest, a session at pace `max`) is sent with queue="jobs".
# Who watches over the runs goes beside the threads too: two long backtests are all that the other worker can hold.
CELERY_TASK_ROUTES = {
    "trading.tasks.run_session": {"queue": "live"},
    "trading.tasks.supervise": {"queue": "live"},
    "trading.tasks.anchor_heads": {"queue": "live"},
    "trading.sweeps.tasks.watch_sweeps": {"queue": "live"},
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {
    "notice lost and unclaimed runs": {"task": "trading.tasks.supervise", "schedule": 2.0},
    "anchor the ledger's chains": {"task": "trading.tasks.anchor_heads", "schedule": 10.0},
    "notice idle sweeps": {"task": "trading.sweeps.tasks.watch_sweeps", "schedule": 5.0},
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/ui/login/"
LOGIN_REDIRECT_URL = "/ui/portfolio/"
LOGOUT_REDIRECT_URL = "/ui/login/"

MESSAGE_STORAGE = "alphaswarm_site.rooms.said.KeptMessages"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008", "security.W012", "security.W016"]

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

# Who is told of alerts. All of it comes from the environment, so that no secret of it is in the database.
_MAIL = environment.mail_server("ALPHASWARM_EMAIL_URL")
EMAIL_HOST, EMAIL_PORT, EMAIL_HOST_USER, EMAIL_HOST_PASSWORD, EMAIL_USE_TLS, EMAIL_USE_SSL = _MAIL
EMAIL_TIMEOUT = 10.0
DEFAULT_FROM_EMAIL = environment.text("ALPHASWARM_EMAIL_FROM", "alphaswarm@localhost")
ALERT_EMAIL_TO = environment.words("ALPHASWARM_ALERT_EMAIL_TO", [])
ALERT_WEBHOOK_URL = environment.web("ALPHASWARM_ALERT_WEBHOOK_URL")
ALERT_WEBHOOK_SECRET = environment.text("ALPHASWARM_ALERT_WEBHOOK_SECRET")
ALERT_SLACK_URL = environment.web("ALPHASWARM_ALERT_SLACK_URL")
HEARTBEAT_URL = environment.web("ALPHASWARM_HEARTBEAT_URL")
environment.together("ALPHASWARM_ALERT_EMAIL_TO", "ALPHASWARM_EMAIL_URL")

# A folder by which tests stop processes at named points (trading/failpoints.py); never set beside real money.
FAILPOINTS = environment.text("ALPHASWARM_FAILPOINTS")

# A drill of the halt every so many hours; 0 turns them off.
DRILL_HOURS = environment.number("ALPHASWARM_DRILL_HOURS", 24)

STATIC_URL = "/static/"
STATIC_ROOT = STACK.static
STATICFILES_DIRS = [path for path in [BASE_DIR / "static"] if path.is_dir()]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": environment.text("ALPHASWARM_LOG_LEVEL", "INFO")},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        # At DEBUG it writes every address that is called, and those of webhooks are secrets.
        "urllib3": {"level": "INFO"},
        # They tell each message of a venue, which the ledger keeps.
        "alpaca": {"level": "WARNING"},
        "ib_insync": {"level": "WARNING"},
    },
}
